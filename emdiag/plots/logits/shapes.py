"""The shape of logits over all positions: density, and its figures in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emdiag.core.moments import Histogram
from emdiag.findings.logits import captions
from emdiag.findings.logits.rows import POOLED_SKEWNESS, SKEWNESS, LogitStatistic
from emdiag.findings.logits.statements import skewness_statements
from emdiag.findings.numbers import fixed, statistic
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.sheet import line_options, sheet
from emdiag.plots.style import QUIET

_EDGE_SHARE = 1e-4
_COLUMNS: Final = (
    ("mean", 0.33, LogitStatistic("mean", "pooled")),
    ("sigma", 0.42, LogitStatistic("sigma", "pooled")),
    ("skewness", 0.62, POOLED_SKEWNESS),
    ("sigma", 0.75, LogitStatistic("sigma")),
    ("skewness", 0.95, SKEWNESS),
)
_GROUPS: Final = (("pooled", 0.28, 0.62), ("per token", 0.70, 0.95))


def histogram_figure(study: DrawnStudy) -> Figure | None:
    """Density of the raw logits, as they are and centred, and their figures in a table.

    None where the result has no counts of logits.
    """
    texts = study.rows.in_order(
        named.text for named in study.result.histograms if named.quantity in captions.LOGITS
    )
    if not texts:
        return None
    text = texts[0]
    counts = {quantity: counts_of(study, text, quantity) for quantity in captions.LOGITS}
    counts = {quantity: by_label for quantity, by_label in counts.items() if by_label}
    if not counts:
        return None
    rows = study.rows.of_all(text, POOLED_SKEWNESS)
    drawn = [histogram for by_label in counts.values() for histogram in by_label.values()]
    arms = [label for label in study.looks if any(label in of for of in counts.values())]
    table = 0.2 * (len(arms) + 2) + 0.1
    figure, grid = sheet(
        skewness_statements(study.rows, text, POOLED_SKEWNESS),
        captions.histogram_note(
            study.text_name(text), rows, outside=sum(each.below + each.above for each in drawn)
        ),
        height=3.2 + table,
        shape=(2, len(counts)),
        height_ratios=[3.2, table],
    )
    for axes, (quantity, by_label) in zip(grid[0], counts.items(), strict=True):
        _density(axes, study, by_label)
        title, unit = captions.LOGITS[quantity]
        axes.set(title=title, xlabel=unit, ylabel=captions.DENSITY)
    for axes in grid[1]:
        axes.remove()
    _table(figure.add_subplot(grid[1, 0].get_gridspec()[1, :]), study, text, arms=arms)
    return figure


def counts_of(study: DrawnStudy, text: str, quantity: str) -> dict[str, Histogram]:
    """Histograms of one quantity by label, in the order of the arms; empty ones are left out."""
    histograms = {
        named.checkpoint: named.histogram
        for named in study.result.histograms
        if (named.text, named.quantity) == (text, quantity) and sum(named.histogram.counts) > 0
    }
    return {label: histograms[label] for label in study.looks if label in histograms}


def _density(axes: Axes, study: DrawnStudy, by_label: Mapping[str, Histogram]) -> None:
    ends = []
    for label, histogram in by_label.items():
        centres, density = _curve(histogram)
        look = study.looks[label]
        options = line_options(look) | {"marker": None, "linewidth": 1.4}
        axes.fill_between(centres, density, color=look.colour, alpha=0.08, linewidth=0)
        axes.plot(centres, density, label=label, **options)
        ends.append(ends_of(histogram))
    axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    axes.set_ylim(bottom=0)


def _curve(histogram: Histogram) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Middles of the bins and density there: shares of all values, by the width of a bin."""
    counts = np.array(histogram.counts, dtype=float)
    centres = histogram.low + (np.arange(len(counts)) + 0.5) * histogram.width
    return centres, counts / (histogram.total * histogram.width)


def ends_of(histogram: Histogram) -> tuple[float, float]:
    """Edges that leave one count in ten thousand outside at either end, and a bin to spare."""
    share = np.cumsum(histogram.counts) / sum(histogram.counts)
    first = int(np.searchsorted(share, _EDGE_SHARE, side="right"))
    last = int(np.searchsorted(share, 1 - _EDGE_SHARE, side="left"))
    low, width = histogram.low, histogram.width
    return low + (first - 1) * width, low + (last + 2) * width


def _table(axes: Axes, study: DrawnStudy, text: str, *, arms: Sequence[str]) -> None:
    """A line for each arm: how it is drawn, its label, and its figures in columns."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(arms) + 1.6, -0.4)
    for group, left, right in _GROUPS:
        axes.text((left + right) / 2, 0, group, size=7.5, color=QUIET, ha="center", va="center")
        axes.plot([left, right], [0.42, 0.42], color=QUIET, linewidth=0.6)
    for name, right, _ in _COLUMNS:
        axes.text(right, 0.95, name, size=7.5, color=QUIET, ha="right", va="center")
    for line, label in enumerate(arms):
        at = line + 1.9
        options = line_options(study.looks[label]) | {"marker": None}
        axes.plot([0.0, 0.045], [at, at], clip_on=False, **options)
        axes.text(0.055, at, study.names[label], size=8, va="center")
        for _, right, of in _COLUMNS:
            row = study.rows.find(label, text, of)
            value, interval = (None, None) if row is None else (row.value, row.interval)
            has_interval = of.statistic == "skewness"
            cell = statistic(value, interval) if has_interval else fixed(value, 2)
            axes.text(right, at, cell, size=8, ha="right", va="center")
