"""Metrics other than accuracy: coverage, agreement, entropy, length and faults of samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emdiag.core.results import Metric
from emdiag.core.temperature_sweep import SweepPoint
from emdiag.findings.sweep import captions
from emdiag.findings.sweep.statements import AXES
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import panel_grid
from emdiag.plots.sweep.lines import about_points, curves, legend_entries, ticks_along
from emdiag.plots.sweep.lookup import SweepLookup

MOST_BENCHMARKS = 4
"""Columns of the sheet of samples; further benchmarks stand in the tables."""


@dataclass(frozen=True)
class _SamplePanel:
    """One metric of `SweepPoint`; shares are drawn in percent."""

    field: str
    title: str
    unit: str
    scale: float = 100


_PANELS: Final = (
    _SamplePanel("pass_at_k", "Any of {k} right", "pass@{k}, %"),
    _SamplePanel("majority", "Majority right", "maj@{k}, %"),
    _SamplePanel("agreement", "Two samples agree", "% of pairs"),
    _SamplePanel("distinct_answers", "Distinct answers", "of {k} samples", scale=1),
    _SamplePanel("entropy_nats", "Entropy", "nats per token", scale=1),
    _SamplePanel("mean_tokens", "Length", "tokens", scale=1),
    _SamplePanel("truncated_frac", "Truncated", "% of samples"),
    _SamplePanel("unfinished_frac", "Thinking not finished", "% of samples"),
    _SamplePanel("repeated_frac", "Repetitive", "% of samples"),
)


def samples_figure(lookup: SweepLookup) -> Figure | None:
    """All metrics but accuracy along the first axis: coverage, agreement, entropy, length, faults.

    None without a point.
    """
    drawn = lookup.drawn
    if not drawn:
        return None
    most = max(point.samples for point in drawn)
    metrics = {panel: [_get(panel, point, most=most) for point in drawn] for panel in _PANELS}
    known = {panel: [m for m in of if m is not None] for panel, of in metrics.items() if any(of)}
    panels = [panel for panel, of in known.items() if any(metric.value for metric in of)]
    benchmarks = lookup.result.benchmarks[:MOST_BENCHMARKS]
    quiet = (
        about_points(lookup, drawn),
        captions.NO_GREEDY_POINTS,
        captions.never_above_zero(
            [panel.title.format(k="k").lower() for panel in known if panel not in panels]
        ),
        captions.left_out(len(lookup.result.benchmarks) - len(benchmarks), "benchmark"),
    )
    is_single = len(benchmarks) == 1
    columns = 4 if is_single else len(benchmarks)
    figure, grid = panel_grid(
        [captions.other_metrics(lookup.result)],
        " ".join(filter(None, quiet)),
        len(panels) * len(benchmarks),
        height=1.75 if is_single else 1.35,
        entries=legend_entries(lookup, with_baselines=False),
        columns=columns,
        sharex=True,
    )
    places = product(panels, benchmarks)
    for index, (axes, (panel, benchmark)) in enumerate(zip(grid, places, strict=True)):
        get = partial(_get, panel, most=most)
        curves(axes, lookup, benchmark, get=get, scale=panel.scale)
        ticks_along(axes, lookup, few=True)
        _share_limits(axes, panel)
        is_first = benchmark == benchmarks[0]
        title = panel.title.format(k=most) if is_first else ""
        if not is_single and panel == panels[0]:
            title = f"{plain_label(benchmark, 20)}\n{title}"
        axes.set(title=title, ylabel=panel.unit.format(k=most) if is_first else "")
        if index + columns >= len(grid):
            axes.set_xlabel(AXES[lookup.axis].symbol)
            axes.tick_params(labelbottom=True)
    figure.get_layout_engine().set(wspace=0.07)  # type: ignore[union-attr, call-arg]  # constrained
    return figure


def _get(panel: _SamplePanel, point: SweepPoint, *, most: int) -> Metric | None:
    """The metric of a panel; pass@k only of points that have the largest k of all."""
    if panel.field == "pass_at_k":
        return point.pass_at_k[-1] if point.pass_at_k and point.samples == most > 1 else None
    metric: Metric | None = getattr(point, panel.field)
    return metric


def _share_limits(axes: Axes, panel: _SamplePanel) -> None:
    """From 0, and never a range so small that noise looks like a result."""
    low, high = axes.get_ylim()
    least = 10.0 if panel.scale == 100 else 0.0
    axes.set_ylim(min(0.0, low) if low < 0.4 * high else low, max(high, least))
    if panel.field in {"truncated_frac", "repeated_frac"}:
        axes.set_ylim(-0.02 * max(high, least), max(high, least))
