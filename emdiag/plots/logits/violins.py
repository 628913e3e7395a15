"""Skewness from position to position: a violin for each arm, a panel for each text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from emdiag.core.moments import Histogram
from emdiag.core.results import Interval
from emdiag.findings.logits.captions import violins_note
from emdiag.findings.logits.rows import SKEWNESS
from emdiag.findings.logits.statements import skewness_statements
from emdiag.findings.numbers import statistic
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.logits.shapes import counts_of, ends_of
from emdiag.plots.sheet import draw_interval, name_rows, sheet
from emdiag.plots.style import QUIET, WORDS_BOX, Look

MOST_TEXTS = 4
_MOST_BINS = 60
_HALF_VIOLIN = 0.36


def violin_figure(study: DrawnStudy) -> Figure | None:
    """Skewness of one position after the other as a violin for each arm, a panel for each text.

    None where the result has no counts of it.
    """
    counted = (named for named in study.result.histograms if named.quantity == "per-token skewness")
    texts = study.rows.in_order(named.text for named in counted)
    drawn = {text: counts_of(study, text, "per-token skewness") for text in texts}
    drawn = {text: by_label for text, by_label in list(drawn.items())[:MOST_TEXTS] if by_label}
    if not drawn:
        return None
    text = next(iter(drawn))
    rows = [row for name in drawn for row in study.rows.of_all(name, SKEWNESS)]
    arms = [label for label in study.looks if any(label in by_label for by_label in drawn.values())]
    figure, grid = sheet(
        skewness_statements(study.rows, text, SKEWNESS),
        violins_note(study.text_name(text), rows, texts=len(drawn)),
        height=0.9 + 0.62 * max(len(arms), 2),
        shape=(1, len(drawn)),
        sharey=True,
        sharex=True,
    )
    for axes, (name, by_label) in zip(grid[0], drawn.items(), strict=True):
        _violins(axes, study, name, by_label=by_label, arms=arms)
        title = study.panel_title(name) if len(drawn) > 1 else ""
        axes.set(title=title, xlabel="skewness at a position")
    ends = [ends_of(histogram) for by_label in drawn.values() for histogram in by_label.values()]
    grid[0][0].set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    return figure


def _violins(
    axes: Axes,
    study: DrawnStudy,
    text: str,
    *,
    by_label: Mapping[str, Histogram],
    arms: Sequence[str],
) -> None:
    for line, label in enumerate(arms):
        look = study.looks[label]
        if label in by_label:
            middles, heights = _shape(by_label[label])
            axes.fill_between(
                middles,
                line - heights,
                line + heights,
                facecolor=f"{look.colour}40",
                edgecolor=look.colour,
                linewidth=0.8,
                linestyle=look.dash,
                label=label,
            )
        row = study.rows.find(label, text, SKEWNESS)
        if row is None or row.value is None:
            continue
        _mean(axes, row.value, row.interval, look=look, line=line)
        if label == study.result.base:
            axes.axvline(row.value, color=look.colour, linewidth=0.7, alpha=0.6, zorder=1)
    name_rows(axes, [study.names[label] for label in arms], above=0.62, below=0.45)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))


def _mean(axes: Axes, value: float, interval: Interval | None, *, look: Look, line: int) -> None:
    draw_interval(axes, interval, line=line, color=look.colour)
    if interval is not None:
        ends = [interval.low, interval.high]
        axes.plot(ends, [line] * 2, "|", color=look.colour, markersize=9, mew=1.4)
    axes.plot(
        [value], [line], look.marker, color=look.colour, markeredgecolor="white", markersize=5
    )
    axes.annotate(
        statistic(value, interval),
        (value, line - _HALF_VIOLIN - 0.02),
        ha="center",
        va="bottom",
        size=7,
        color=QUIET,
        bbox=WORDS_BOX,
    )


def _shape(histogram: Histogram) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Half the height of a violin over its values, the highest the same for all violins."""
    counts = np.array(histogram.counts, dtype=float)
    filled = np.flatnonzero(counts)
    first, last = int(filled[0]), int(filled[-1]) + 1
    merged = max(1, -(-(last - first) // _MOST_BINS))
    bins = -(-(last - first) // merged)
    kept = np.zeros(bins * merged)
    kept[: last - first] = counts[first:last]
    heights = kept.reshape(bins, merged).sum(axis=1)
    width = histogram.width * merged
    middles = histogram.low + first * histogram.width + (np.arange(-1, bins + 1) + 0.5) * width
    return middles, np.pad(heights, 1) * _HALF_VIOLIN / heights.max()
