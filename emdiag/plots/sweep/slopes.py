"""Slopes of accuracy with their differences, and checkpoints with their baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emdiag.core.results import Interval
from emdiag.core.temperature_sweep import Axis, CoolingControl, Slope, SlopeDifference
from emdiag.findings.numbers import MINUS, intervals_drawn, p_value, points_cell, setting, short
from emdiag.findings.sweep import captions, statements
from emdiag.findings.sweep.statements import AXES
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import draw_interval, legend, name_rows, scaled, sheet, write_above
from emdiag.plots.style import QUIET
from emdiag.plots.sweep.lookup import SweepLookup

MARGIN_POINTS = 2.0
"""Half-width of the zone that counts as mere cooling; see `CoolingVerdict`."""

MOST_PAIRS = 10
"""Pairs of arms drawn for each benchmark."""

MOST_CONTROLS = 24
"""Rows of checkpoints with their baselines."""

_ROW_INCHES = 0.3
_SlopeRow = tuple[str, float, "Interval | None", str, str]
"""Name, value with its interval, colour, and words."""


def slopes_figure(lookup: SweepLookup) -> Figure | None:
    """Slopes of all arms and, on their right, differences by pairs; None without slopes."""
    result = lookup.result
    fitted = [axis for axis in result.axes if any(slope.axis == axis for slope in result.slopes)]
    if not fitted:
        return None
    pairs = {axis: _shown_pairs(lookup, axis) for axis in fitted}
    shown = [pair for of_axis in pairs.values() for pair in of_axis]
    lines: list[Slope | SlopeDifference] = [*result.slopes, *shown]
    intervals = intervals_drawn((line.interval for line in lines), "Bars")
    more = captions.left_out(len(result.slope_differences) - len(shown), "pair")
    rows = [(_slope_rows(lookup, axis), _pair_rows(lookup, pairs[axis])) for axis in fitted]
    heights = [max(2, *map(len, of_axis)) for of_axis in rows]
    figure, grid = sheet(
        statements.different_slopes(result) or statements.trends_by_checkpoint(result, fitted[0]),
        f"{captions.LEAST_SQUARES} {intervals}. {more}".strip(),
        height=_ROW_INCHES * sum(heights) + 0.75 * len(fitted),
        shape=(len(fitted), 2 if shown else 1),
        height_ratios=heights,
    )
    titles = ("Slope of accuracy", "Difference of slopes")
    for panels, axis, of_axis in zip(grid, fitted, rows, strict=True):
        for axes, drawn, title in zip(panels, of_axis, titles, strict=False):
            if drawn or title == titles[0]:
                _forest(axes, drawn)
                axes.set(title=title, xlabel=AXES[axis].unit)
            else:
                axes.remove()
    return figure


def control_figure(lookup: SweepLookup) -> Figure | None:
    """Each checkpoint and its base at equal entropy, with their difference; None without any."""
    controls = _shown_controls(lookup)
    if not controls:
        return None
    intervals = intervals_drawn([control.interval for control in controls], "Bars")
    more = captions.left_out(len(lookup.result.controls) - len(controls), "row")
    figure, grid = sheet(
        statements.baselines_by_checkpoint(lookup.result) or [captions.AT_BASELINES],
        f"{captions.rows_of_baselines(MARGIN_POINTS)} {intervals}. {more}".strip(),
        height=(0.46 if len(controls) < 9 else 0.36) * len(controls) + 1.2,
        shape=(1, 2),
        sharey=True,
    )
    left, right = grid[0]
    _dumbbells(left, lookup, controls)
    left.set(title="Accuracy at equal entropy", xlabel="accuracy, %")
    rows = []
    for control in controls:
        amount = points_cell(control.difference, control.interval)
        label = f"{amount if control.is_matched else 'entropies differ'}: {control.verdict}"
        colour = lookup.looks[control.checkpoint].colour
        rows.append(("", control.difference, control.interval, colour, label))
    right.axvspan(-MARGIN_POINTS, MARGIN_POINTS, color="#dddddd", zorder=0)
    _forest(right, rows)
    right.set(title="Checkpoint minus baseline", xlabel="points")
    names = [_control_name(lookup, control) for control in controls]
    left.set_yticks(range(len(names)), names, size=7)
    marks = {
        name: Line2D([], [], marker="o", linestyle="none", color=QUIET, markerfacecolor=fill)
        for name, fill in (("baseline", "white"), ("checkpoint", QUIET))
    }
    legend(figure, marks)
    return figure


def _shown_controls(lookup: SweepLookup) -> list[CoolingControl]:
    """By benchmark, checkpoint and temperature; of too many, the headlines."""
    order = list(lookup.looks)
    ranked = sorted(
        lookup.result.controls,
        key=lambda control: (
            lookup.result.benchmarks.index(control.benchmark),
            order.index(control.checkpoint),
            control.temperature,
        ),
    )
    if len(ranked) <= MOST_CONTROLS:
        return ranked
    headlines = [control for control in ranked if control.is_headline]
    return (headlines or ranked)[:MOST_CONTROLS]


def _control_name(lookup: SweepLookup, control: CoolingControl) -> str:
    name, base = lookup.names[control.checkpoint], lookup.names[control.base]
    temperatures = setting(control.temperature), setting(control.base_temperature)
    entropies = short(control.entropy_nats), short(control.base_entropy_nats)
    return (
        f"{name}, T {temperatures[0]}{_where(lookup, control.benchmark)} ({entropies[0]} nats)\n"
        f"{base}, T {temperatures[1]} ({entropies[1]} nats)"
    )


def _where(lookup: SweepLookup, benchmark: str) -> str:
    """Behind a name, where there are several benchmarks."""
    return f" on {plain_label(benchmark, 14)}" if len(lookup.result.benchmarks) > 1 else ""


def _dumbbells(axes: Axes, lookup: SweepLookup, controls: Sequence[CoolingControl]) -> None:
    for line, control in enumerate(controls):
        look, base = lookup.looks[control.checkpoint], lookup.looks[control.base].colour
        low, high = 100 * control.base_value, 100 * control.value
        style = "-" if control.is_matched else ":"
        axes.plot([low, high], [line, line], style, color=look.colour, linewidth=2, alpha=0.5)
        axes.plot(low, line, "o", color=base, markerfacecolor="white", markersize=6, mew=1.5)
        axes.plot(high, line, look.marker, color=look.colour, markersize=6)
        small: dict[str, Any] = {"va": "center", "size": 7, "color": QUIET}
        for value, other in ((low, high), (high, low)):
            side, align = (-7, "right") if value < other else (7, "left")
            shift: dict[str, Any] = {
                "xytext": (side, 0),
                "textcoords": "offset points",
                "ha": align,
            }
            axes.annotate(f"{value:.1f}", (value, line), **shift, **small)
    axes.margins(x=0.2)
    axes.grid(visible=False, axis="y")


def _shown_pairs(lookup: SweepLookup, axis: Axis) -> list[SlopeDifference]:
    """All pairs of a benchmark or, of many, those with the base and of EM with RL."""
    shown = []
    stages: dict[str, str | None] = {arm.label: arm.stage for arm in lookup.result.arms}
    for benchmark in lookup.result.benchmarks:
        pairs = [
            pair
            for pair in lookup.result.slope_differences
            if (pair.benchmark, pair.axis) == (benchmark, axis)
        ]
        if len(pairs) > MOST_PAIRS:
            pairs.sort(key=lambda pair: not _matters(pair, stages, base=lookup.result.base))
        shown += pairs[:MOST_PAIRS]
    return shown


def _matters(pair: SlopeDifference, stages: dict[str, str | None], *, base: str | None) -> bool:
    both = {stages.get(pair.left), stages.get(pair.right)}
    return base in {pair.left, pair.right} or "base" in both or both == {"em", "rl"}


def _slope_rows(lookup: SweepLookup, axis: Axis) -> list[_SlopeRow]:
    return [
        (
            f"{lookup.names[label]}{_where(lookup, benchmark)}",
            slope.value,
            slope.interval,
            look.colour,
            f"{points_cell(slope.value, slope.interval)}: {slope.trend}",
        )
        for benchmark in lookup.result.benchmarks
        for label, look in lookup.looks.items()
        for slope in lookup.result.slopes
        if (slope.benchmark, slope.checkpoint, slope.axis) == (benchmark, label, axis)
    ]


def _pair_rows(lookup: SweepLookup, pairs: Sequence[SlopeDifference]) -> list[_SlopeRow]:
    rows: list[_SlopeRow] = []
    for pair in pairs:
        name = f"{lookup.names[pair.left]} {MINUS} {lookup.names[pair.right]}"
        words = f"{points_cell(pair.value, pair.interval)}, {p_value(pair.p_holm)}"
        name += _where(lookup, pair.benchmark)
        rows.append((name, pair.value, pair.interval, QUIET, words))
    return rows


def _forest(axes: Axes, rows: Sequence[_SlopeRow]) -> None:
    """A line for each row: its interval, its value, and both in words above it."""
    axes.axvline(0, color=QUIET, linewidth=0.9)
    for line, (_, value, interval, colour, words) in enumerate(rows):
        draw_interval(axes, scaled(interval), line=line, color=colour, linewidth=2)
        axes.plot([100 * value], [line], "o", color=colour, markersize=5)
        write_above(axes, words, at=(100 * value, line), size=6.5, annotation_clip=False)
    name_rows(axes, [name for name, *_ in rows], above=0.85)
    axes.margins(x=0.4)
