"""How much of a change one temperature explains: KL over temperature, and what KL is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from emdiag.core.logit_skew import Decomposition
from emdiag.findings.logits import captions
from emdiag.findings.logits.rows import KL
from emdiag.findings.logits.statements import cooling_statements
from emdiag.findings.page import Statement
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.sheet import legend, line_of, line_options, name_rows, sheet

MOST_TEXTS = 4
_TICKS: Final = {1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2", 1.0: "1", 2.0: "2", 4.0: "4"}
_FLOOR_NATS = 1e-5
_FILLS: Final = {
    "cooling_nats": ("d0", ""),
    "reranking_nats": ("60", "////"),
    "rest_nats": ("18", ""),
}
"""Opacity and hatch of each stretch of a bar, so that it is seen in grey as well."""


def cooling_figure(study: DrawnStudy) -> Figure | None:
    """KL from the base at each temperature, and the KL cut into its parts.

    None where no checkpoint was compared with the base.
    """
    known = study.rows.decompositions
    texts = study.rows.in_order(text for _, text in known)[:MOST_TEXTS]
    if not texts:
        return None
    by_text = {
        text: {label: known[label, text] for label in study.looks if (label, text) in known}
        for text in texts
    }
    rows = [row for text in texts for row in study.rows.of_all(text, KL)]
    figure, pairs = _panels(
        cooling_statements(study.rows, texts[0]),
        captions.cooling_note(study.base_name, study.text_name(texts[0]), rows, texts=len(texts)),
        texts=len(texts),
        arms=max(map(len, by_text.values())),
    )
    for (curve, bar), (text, parts) in zip(pairs, by_text.items(), strict=True):
        _curves(curve, study, parts)
        _bars(bar, study, parts)
        title = "KL over temperature" if len(texts) == 1 else study.panel_title(text)
        curve.set(title=title, xlabel="temperature of the base")
        bar.set_xlabel("nats per token")
    pairs[0][0].set_ylabel("KL, nats per token")
    pairs[0][1].set_title(captions.WHOLE_BAR)
    _legend(figure, study, by_text[texts[0]])
    return figure


def _panels(
    finding: Sequence[Statement], quiet: str, *, texts: int, arms: int
) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """For each text a panel of curves and one of bars, at its right or below."""
    bars = 0.34 * arms + 0.75
    if texts == 1:
        height = max(3.0, bars) + 0.45
        figure, grid = sheet(finding, quiet, height=height, shape=(1, 2), width_ratios=[1.1, 1])
        return figure, [(grid[0, 0], grid[0, 1])]
    ratios = [2.6, bars]
    shared: dict[str, Any] = {"shape": (2, texts), "height_ratios": ratios, "sharey": "row"}
    figure, grid = sheet(finding, quiet, height=sum(ratios) + 0.7, **shared)
    return figure, list(zip(grid[0], grid[1], strict=True))


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
        for field, (alpha, hatch) in _FILLS.items():
            width = getattr(parts, field)
            axes.barh(
                line,
                width,
                left=left,
                height=0.6,
                facecolor=f"{colour}{alpha}",
                edgecolor=colour,
                hatch=hatch,
                linewidth=0.7,
                label=field,
            )
            left += width
        at = parts.own_temperatures_nats
        axes.vlines(at, line - 0.4, line + 0.4, color="#111111", linewidth=2)
    name_rows(axes, [study.names[label] for label in parts_of], above=0.6)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=5)


def _legend(figure: Figure, study: DrawnStudy, labels: Iterable[str]) -> None:
    parts = {
        captions.PARTS[field]: Patch(facecolor=f"#555555{alpha}", edgecolor="#555555", hatch=hatch)
        for field, (alpha, hatch) in _FILLS.items()
    }
    own = line_of(next(iter(study.looks.values())))
    own.set(color="#111111", linestyle="none", marker="|", markersize=10, markeredgewidth=2)
    lines = {study.names[label]: line_of(study.looks[label]) for label in labels}
    legend(figure, lines | parts | {captions.OWN_TEMPERATURES: own})
