"""How much of a change one temperature explains: KL over temperature, and what KL is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from emdiag.findings.logits.rows import KL
from emdiag.findings.logits.statements import cooling_statements
from emdiag.plots.logits.lookup import sample_sizes
from emdiag.plots.sheet import (
    Words,
    finish,
    label_axes,
    legend,
    line_of,
    line_options,
    sheet,
    title_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import Decomposition
    from emdiag.plots.logits.lookup import DrawnStudy

MOST_TEXTS = 4
_TICKS: Final = {1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2", 1.0: "1", 2.0: "2", 4.0: "4"}
_FLOOR_NATS = 1e-5


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One stretch of a bar: what it is, and how it is filled so that it is seen in grey as well."""

    field: str
    name: str
    alpha: str
    hatch: str


_PARTS: Final = (
    _Part(field="cooling_nats", name="cooling: gone at one temperature", alpha="d0", hatch=""),
    _Part(field="reranking_nats", name="re-ranking, at least", alpha="60", hatch="////"),
    _Part(field="rest_nats", name="rest: another shape", alpha="18", hatch=""),
)


def cooling_figure(study: DrawnStudy) -> Figure | None:
    """KL from the base at each temperature, and the KL cut into its parts.

    None where no checkpoint was compared with the base.
    """
    texts = study.rows.in_order(parts.text for parts in study.result.decompositions)[:MOST_TEXTS]
    if not texts:
        return None
    by_text = {text: _by_label(study, text) for text in texts}
    rows = [row for text in texts for row in study.rows.of_all(text, KL)]
    words = Words(
        finding=title_lines(cooling_statements(study.rows, texts[0])),
        quiet=(
            f"KL from {study.names.get(study.result.base, 'base')} at temperature T to the "
            f"checkpoint at 1, read on {study.text_name(texts[0])}"
            + (" (the left panels, and the title)" if len(texts) > 1 else "")
            + f"; {sample_sizes(rows)}. Large marks: the best temperature."
        ),
    )
    figure, pairs = _panels(words, texts=len(texts), arms=max(map(len, by_text.values())))
    for index, ((curve, bar), text) in enumerate(zip(pairs, texts, strict=True)):
        _curves(curve, study, by_text[text])
        _bars(bar, study, by_text[text])
        name = study.text_name(text)
        title = "KL over temperature" if len(texts) == 1 else name[0].upper() + name[1:]
        y = "KL, nats per token" if index == 0 else ""
        label_axes(curve, title=title, x="temperature of the base", y=y)
        part_title = "What the KL is made of" if index == 0 else ""
        label_axes(bar, title=part_title, x="nats per token")
    _legend(figure, study, by_text[texts[0]])
    return finish(figure)


def _panels(words: Words, *, texts: int, arms: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """For each text a panel of curves and one of bars, at its right or below."""
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


def _by_label(study: DrawnStudy, text: str) -> dict[str, Decomposition]:
    parts = {label: study.rows.decomposition(label, text) for label in study.looks}
    return {label: known for label, known in parts.items() if known is not None}


def _curves(axes: Axes, study: DrawnStudy, parts_of: Mapping[str, Decomposition]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    heights = [nats for parts in parts_of.values() for nats in parts.curve_nats if nats > 0]
    for label, parts in parts_of.items():
        look = study.looks[label]
        points = dict(zip(parts.curve_temperatures, parts.curve_nats, strict=True))
        lowest = max(parts.kl_nats - parts.cooling_nats, _FLOOR_NATS)
        if parts.temperature is not None:  # it lies between those of the curve
            points[parts.temperature] = lowest
        shown = [max(points[temperature], _FLOOR_NATS) for temperature in sorted(points)]
        options = line_options(look) | {"marker": None}
        axes.plot(sorted(points), shown, label=label, **options)
        if parts.temperature is not None:
            heights.append(lowest)
            axes.plot(
                [parts.temperature],
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


def _bars(axes: Axes, study: DrawnStudy, parts_of: Mapping[str, Decomposition]) -> None:
    for line, (label, parts) in enumerate(parts_of.items()):
        colour, left = study.looks[label].colour, 0.0
        for part in _PARTS:
            width = getattr(parts, part.field)
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
        axes.vlines(
            parts.own_temperatures_nats, line - 0.4, line + 0.4, color="#111111", linewidth=2
        )
    axes.set_yticks(range(len(parts_of)), [study.names[label] for label in parts_of])
    axes.set_ylim(len(parts_of) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=5)


def _legend(figure: Figure, study: DrawnStudy, labels: Iterable[str]) -> None:
    parts = {
        part.name: Patch(facecolor=f"#555555{part.alpha}", edgecolor="#555555", hatch=part.hatch)
        for part in _PARTS
    }
    own = line_of(next(iter(study.looks.values())))
    own.set(color="#111111", linestyle="none", marker="|", markersize=10, markeredgewidth=2)
    lines = {study.names[label]: line_of(study.looks[label]) for label in labels}
    legend(figure, lines | parts | {"gone with a best temperature at each position": own})
