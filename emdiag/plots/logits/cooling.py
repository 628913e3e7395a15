"""How much of a change one temperature explains: KL over temperature, and what KL is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from emdiag.plots.logits.lookup import What
from emdiag.plots.logits.words import capped, estimate, how_many, number, places
from emdiag.plots.sheet import (
    Words,
    finish,
    label_axes,
    legend,
    line_of,
    line_options,
    sheet,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import Decomposition
    from emdiag.plots.logits.lookup import Book

MOST_TEXTS = 4
_TICKS: Final = {1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2", 1.0: "1", 2.0: "2", 4.0: "4"}
_FLOOR_NATS = 1e-5
_KL = What(statistic="kl_nats")


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One stretch of a bar: what it is, and how it is filled so that grey tells it as well."""

    field: str
    said: str
    alpha: str
    hatch: str


_PARTS: Final = (
    _Part(field="cooling_nats", said="cooling: gone at one temperature", alpha="d0", hatch=""),
    _Part(field="reranking_nats", said="re-ranking, at least", alpha="60", hatch="////"),
    _Part(field="rest_nats", said="rest: another shape", alpha="18", hatch=""),
)


def cooling_figure(book: Book) -> Figure | None:
    """KL from the base at each temperature, and the KL cut into its parts.

    None where no checkpoint was read beside the base.
    """
    texts = book.in_order(one.text for one in book.result.decompositions)[:MOST_TEXTS]
    if not texts:
        return None
    found = {text: _by_label(book, text) for text in texts}
    rows = [row for text in texts for row in book.found(text, _KL)]
    words = Words(
        finding=_finding(book, texts[0]),
        quiet=(
            f"KL from {book.names.get(book.result.base, 'base')} at temperature T to the "
            f"checkpoint at 1, read on {book.label_of(texts[0])}"
            + (" (the left panels, and the title)" if len(texts) > 1 else "")
            + f"; {how_many(rows)}. Large marks: the best temperature."
        ),
    )
    figure, pairs = _panels(words, texts=len(texts), arms=max(map(len, found.values())))
    for index, ((curve, bar), text) in enumerate(zip(pairs, texts, strict=True)):
        _curves(curve, book, found[text])
        _bars(bar, book, found[text])
        said = book.label_of(text)
        title = "KL over temperature" if len(texts) == 1 else said[0].upper() + said[1:]
        y = "KL, nats per token" if index == 0 else ""
        label_axes(curve, title=title, x="temperature of the base", y=y)
        part_title = "What the KL is made of" if index == 0 else ""
        label_axes(bar, title=part_title, x="nats per token")
    _legend(figure, book, found[texts[0]])
    return finish(figure)


def _panels(words: Words, *, texts: int, arms: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """For each text a panel of curves and one of bars: beside it, or below where there are more."""
    bars = 0.34 * arms + 0.75
    if texts == 1:
        height = max(3.0, bars) + 0.45
        figure, grid = sheet(words, height=height, shape=(1, 2), width_ratios=[1.1, 1])
        return figure, [(grid[0, 0], grid[0, 1])]
    ratios = [2.6, bars]
    figure, grid = sheet(
        words, height=sum(ratios) + 0.7, shape=(2, texts), height_ratios=ratios, sharey="row"
    )
    return figure, list(zip(grid[0], grid[1], strict=True))


def _by_label(book: Book, text: str) -> dict[str, Decomposition]:
    found = {one.checkpoint: one for one in book.result.decompositions if one.text == text}
    return {label: found[label] for label in book.looks if label in found}


def _finding(book: Book, text: str) -> list[str]:
    lines = []
    for label, one in _by_label(book, text).items():
        kl = book.find(label, text, _KL)
        digits = places(one.kl_nats)
        total = estimate(kl) if kl else number(one.kl_nats, digits)
        begin = f"{book.names[label]}: KL {total} nats"
        temperature = book.find(label, text, What(statistic="cooling_temperature"))
        share = book.find(label, text, What(statistic="cooling_share"))
        if one.finding == "unchanged":
            lines.append(f"{begin}: unchanged")
        elif one.temperature is None:
            lines.append(
                f"{begin}, the best temperature lies outside of those tried: {one.finding}"
            )
        else:
            at = estimate(temperature) if temperature else number(one.temperature)
            takes = f" takes away a share of {estimate(share)}" if share else " comes closest"
            lines.append(f"{begin}, T = {at}{takes}: {one.finding}")
    return capped(lines)


def _curves(axes: Axes, book: Book, found: Mapping[str, Decomposition]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    heights = [nats for one in found.values() for nats in one.curve_nats if nats > 0]
    for label, one in found.items():
        look = book.looks[label]
        points = dict(zip(one.curve_temperatures, one.curve_nats, strict=True))
        lowest = max(one.kl_nats - one.cooling_nats, _FLOOR_NATS)
        if one.temperature is not None:  # it lies between those of the curve
            points[one.temperature] = lowest
        shown = [max(points[temperature], _FLOOR_NATS) for temperature in sorted(points)]
        options = line_options(look) | {"marker": None}
        axes.plot(sorted(points), shown, label=label, **options)
        if one.temperature is not None:
            heights.append(lowest)
            axes.plot(
                [one.temperature],
                [lowest],
                look.marker,
                color=look.colour,
                markeredgecolor="white",
                markersize=9,
                label=f"best for {label}",
            )
    if heights:
        axes.set_ylim(max(min(heights), _FLOOR_NATS) / 1.6, max(*heights, _FLOOR_NATS) * 1.6)
    axes.axvline(1, color="#111111", linewidth=0.7)
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda nats, _: f"{nats:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _bars(axes: Axes, book: Book, found: Mapping[str, Decomposition]) -> None:
    for line, (label, one) in enumerate(found.items()):
        colour, left = book.looks[label].colour, 0.0
        for part in _PARTS:
            width = getattr(one, part.field)
            axes.barh(
                line,
                width,
                left=left,
                height=0.6,
                facecolor=f"{colour}{part.alpha}",
                edgecolor=colour,
                hatch=part.hatch,
                linewidth=0.7,
                label=part.field,
            )
            left += width
        axes.vlines(one.own_temperatures_nats, line - 0.4, line + 0.4, color="#111111", linewidth=2)
    axes.set_yticks(range(len(found)), [book.names[label] for label in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=5)


def _legend(figure: Figure, book: Book, found: Sequence[str] | Mapping[str, Decomposition]) -> None:
    parts = [
        Patch(facecolor=f"#555555{part.alpha}", edgecolor="#555555", hatch=part.hatch)
        for part in _PARTS
    ]
    own = line_of(next(iter(book.looks.values())))
    own.set(color="#111111", linestyle="none", marker="|", markersize=10, markeredgewidth=2)
    legend(
        figure,
        [*(line_of(book.looks[label]) for label in found), *parts, own],
        [
            *(book.names[label] for label in found),
            *(part.said for part in _PARTS),
            "gone with a best temperature at each position",
        ],
    )
