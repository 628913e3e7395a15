"""Metrics other than accuracy: coverage, agreement, entropy, length and faults of samples."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from emdiag.findings.sweep.captions import (
    NO_GREEDY_POINTS,
    left_out,
    never_above_zero,
    other_metrics,
)
from emdiag.findings.sweep.statements import AXES
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import Words, finish, label_axes, legend
from emdiag.plots.sweep.lines import (
    about_points,
    curves,
    legend_entries,
    points_drawn,
    ticks_along,
)
from emdiag.plots.sweep.lookup import metric_values, panel_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.results import Metric
    from emdiag.core.temperature_sweep import SweepPoint
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
    _SamplePanel("repeated_frac", "Repetitive", "% of samples"),
)


def samples_figure(lookup: SweepLookup) -> Figure | None:
    """All metrics but accuracy along the first axis: coverage, agreement, entropy, length, faults.

    None without a point.
    """
    drawn = points_drawn(lookup)
    if not drawn:
        return None
    most = max(point.samples for point in drawn)
    known = [panel for panel in _PANELS if any(_get(panel, point, most) for point in drawn)]
    panels = [panel for panel in known if any(_is_above_zero(panel, drawn, most))]
    benchmarks = lookup.result.benchmarks[:MOST_BENCHMARKS]
    names = [panel.title.format(k="k").lower() for panel in known if panel not in panels]
    quiet = (
        about_points(lookup, drawn),
        NO_GREEDY_POINTS,
        never_above_zero(names),
        left_out(len(lookup.result.benchmarks) - len(benchmarks), "benchmark"),
    )
    words = Words(finding=[other_metrics(lookup.result)], quiet=" ".join(filter(None, quiet)))
    is_single = len(benchmarks) == 1
    entries = legend_entries(lookup, with_baselines=False)
    figure, grid = panel_grid(
        words,
        len(panels) * len(benchmarks),
        height=1.75 if is_single else 1.35,
        columns=4 if is_single else len(benchmarks),
        entries=list(entries),
        sharex=True,
    )
    for index, axes in enumerate(grid):
        row, column = divmod(index, len(benchmarks))
        panel = panels[row]
        curves(axes, lookup, benchmarks[column], get=_getter(panel, most))
        ticks_along(axes, lookup, few=True)
        _share_limits(axes, panel)
        title = panel.title.format(k=most) if not column else ""
        if not is_single and not row:
            title = f"{plain_label(benchmarks[column], 20)}\n{title}"
        label_axes(axes, title=title, y=panel.unit.format(k=most) if not column else "")
        if index + (4 if is_single else len(benchmarks)) >= len(grid):
            axes.set_xlabel(AXES[lookup.axis].symbol)
            axes.tick_params(labelbottom=True)
    legend(figure, entries)
    figure.get_layout_engine().set(wspace=0.07)  # type: ignore[union-attr, call-arg]  # constrained
    return finish(figure)


def _is_above_zero(panel: _SamplePanel, drawn: Sequence[SweepPoint], most: int) -> Iterator[bool]:
    metrics = (_get(panel, point, most) for point in drawn)
    return (metric.value != 0 for metric in metrics if metric is not None)


def _get(panel: _SamplePanel, point: SweepPoint, most: int) -> Metric | None:
    """The metric of a panel; pass@k only of points that have the largest k of all."""
    value = attrgetter(panel.field)(point)
    if panel.field == "pass_at_k":
        value = value[-1] if most > 1 and point.samples == most and value else None
    metric: Metric | None = value
    return metric


def _getter(panel: _SamplePanel, most: int) -> Callable[[SweepPoint], tuple[float | None, Any]]:
    return lambda point: metric_values(_get(panel, point, most), panel.scale)


def _share_limits(axes: Axes, panel: _SamplePanel) -> None:
    """From 0, and never a range so small that noise looks like a result."""
    low, high = axes.get_ylim()
    least = 10.0 if panel.scale == 100 else 0.0
    axes.set_ylim(min(0.0, low) if low < 0.4 * high else low, max(high, least))
    if panel.field in {"truncated_frac", "repeated_frac"}:
        axes.set_ylim(-0.02 * max(high, least), max(high, least))
