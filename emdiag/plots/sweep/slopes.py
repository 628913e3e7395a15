"""Slopes of accuracy with their differences, and checkpoints with their baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from emdiag.findings.numbers import MINUS, intervals_drawn, p_value, points_cell, setting, short
from emdiag.findings.sweep.captions import (
    AT_BASELINES,
    LEAST_SQUARES,
    left_out,
    rows_of_baselines,
)
from emdiag.findings.sweep.statements import (
    AXES,
    baselines_by_checkpoint,
    different_slopes,
    trends_by_checkpoint,
)
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import Words, finish, label_axes, legend, sheet, title_lines, write_above
from emdiag.plots.style import QUIET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.results import Interval
    from emdiag.core.temperature_sweep import Axis, CoolingControl, Slope, SlopeDifference
    from emdiag.plots.sweep.lookup import SweepLookup

MARGIN_POINTS = 2.0
"""Half-width of the zone that counts as mere cooling; see `CoolingVerdict`."""

MOST_PAIRS = 10
"""Pairs of arms drawn for each benchmark."""

MOST_CONTROLS = 24
"""Rows of checkpoints with their baselines."""

_ROW_INCHES = 0.3
_SlopeRow = tuple[str, float, "Interval | None", str, str]


def slopes_figure(lookup: SweepLookup) -> Figure | None:
    """Slopes of all arms and, on their right, differences by pairs; None without slopes."""
    result = lookup.result
    if not result.slopes:
        return None
    fitted = [axis for axis in result.axes if any(slope.axis == axis for slope in result.slopes)]
    pairs = [pair for axis in fitted for pair in _shown_pairs(lookup, axis)]
    lines: list[Slope | SlopeDifference] = [*result.slopes, *pairs]
    intervals = intervals_drawn((line.interval for line in lines), "Bars")
    more = left_out(len(result.slope_differences) - len(pairs), "pair")
    words = Words(
        finding=title_lines(different_slopes(result) or trends_by_checkpoint(result, fitted[0])),
        quiet=f"{LEAST_SQUARES} {intervals}. {more}".strip(),
    )
    columns = 2 if pairs else 1
    rows = [(_slope_rows(lookup, axis), _pair_rows(lookup, axis)) for axis in fitted]
    heights = [max(2, *map(len, of_axis)) for of_axis in rows]
    figure, grid = sheet(
        words,
        height=_ROW_INCHES * sum(heights) + 0.75 * len(fitted),
        shape=(len(fitted), columns),
        height_ratios=heights,
    )
    titles = ("Slope of accuracy", "Difference of slopes")
    for panels, axis, of_axis in zip(grid, fitted, rows, strict=True):
        for axes, shown, title in zip(panels, of_axis, titles, strict=False):
            if shown or title == titles[0]:
                _forest(axes, shown)
                label_axes(axes, title=title, x=AXES[axis].unit)
            else:
                axes.remove()
    return finish(figure)


def control_figure(lookup: SweepLookup) -> Figure | None:
    """Each checkpoint and its base at equal entropy, with their difference; None without any."""
    controls = _shown_controls(lookup)
    if not controls:
        return None
    intervals = intervals_drawn([control.interval for control in controls], "Bars")
    more = left_out(len(lookup.result.controls) - len(controls), "row")
    words = Words(
        finding=title_lines(baselines_by_checkpoint(lookup.result)) or [AT_BASELINES],
        quiet=f"{rows_of_baselines(MARGIN_POINTS)} {intervals}. {more}".strip(),
    )
    height = (0.46 if len(controls) < 9 else 0.36) * len(controls) + 1.2
    figure, grid = sheet(words, height=height, shape=(1, 2), sharey=True, width_ratios=[1, 1])
    left, right = grid[0]
    _dumbbells(left, lookup, controls)
    label_axes(left, title="Accuracy at equal entropy", x="accuracy, %")
    rows = []
    for control in controls:
        look = lookup.looks.get(control.checkpoint)
        amount = points_cell(control.difference, control.interval)
        label = f"{amount if control.is_matched else 'entropies differ'}: {control.verdict}"
        colour = look.colour if look else QUIET
        rows.append(("", control.difference, control.interval, colour, label))
    right.axvspan(-MARGIN_POINTS, MARGIN_POINTS, color="#dddddd", zorder=0)
    _forest(right, rows, named=False)
    label_axes(right, title="Checkpoint minus baseline", x="points")
    names = [_control_name(lookup, control) for control in controls]
    left.set_yticks(range(len(names)), names, size=7)
    fills = {"baseline": "white", "checkpoint": QUIET}
    marks = {
        name: Line2D([], [], marker="o", linestyle="none", color=QUIET, markerfacecolor=fill)
        for name, fill in fills.items()
    }
    legend(figure, marks)
    return finish(figure)


def _shown_controls(lookup: SweepLookup) -> list[CoolingControl]:
    """By benchmark, checkpoint and temperature; of too many, the headlines."""
    order = list(lookup.looks)
    ranked = sorted(
        lookup.result.controls,
        key=lambda control: (
            lookup.result.benchmarks.index(control.benchmark),
            order.index(control.checkpoint) if control.checkpoint in order else len(order),
            control.temperature,
        ),
    )
    if len(ranked) <= MOST_CONTROLS:
        return ranked
    headlines = [control for control in ranked if control.is_headline]
    return (headlines or ranked)[:MOST_CONTROLS]


def _control_name(lookup: SweepLookup, control: CoolingControl) -> str:
    name, base = (
        lookup.names.get(label, plain_label(label)) for label in (control.checkpoint, control.base)
    )
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
        look = lookup.looks.get(control.checkpoint)
        colour, base = look.colour if look else QUIET, lookup.base_colour(control)
        low, high = 100 * control.base_value, 100 * control.value
        style = "-" if control.is_matched else ":"
        axes.plot([low, high], [line, line], style, color=colour, linewidth=2, alpha=0.5)
        axes.plot(low, line, "o", color=base, markerfacecolor="white", markersize=6, mew=1.5)
        axes.plot(high, line, look.marker if look else "o", color=colour, markersize=6)
        for value, other in ((low, high), (high, low)):
            side = -1 if value < other else 1
            axes.annotate(
                f"{value:.1f}",
                (value, line),
                xytext=(7 * side, 0),
                textcoords="offset points",
                ha="right" if side < 0 else "left",
                va="center",
                size=7,
                color=QUIET,
            )
    axes.set_ylim(len(controls) - 0.4, -0.6)
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


def _pair_rows(lookup: SweepLookup, axis: Axis) -> list[_SlopeRow]:
    rows: list[_SlopeRow] = []
    for pair in _shown_pairs(lookup, axis):
        names = [lookup.names.get(label, plain_label(label)) for label in (pair.left, pair.right)]
        name = f"{f' {MINUS} '.join(names)}{_where(lookup, pair.benchmark)}"
        words = f"{points_cell(pair.value, pair.interval)}, {p_value(pair.p_holm)}"
        rows.append((name, pair.value, pair.interval, QUIET, words))
    return rows


def _forest(axes: Axes, rows: Sequence[_SlopeRow], *, named: bool = True) -> None:
    """A line for each row: its interval, its value, and both in words above it."""
    axes.axvline(0, color=QUIET, linewidth=0.9)
    for line, (_, value, interval, colour, words) in enumerate(rows):
        if interval is not None:
            low, high = 100 * interval.low, 100 * interval.high
            axes.hlines(line, low, high, color=colour, linewidth=2)
        axes.plot([100 * value], [line], "o", color=colour, markersize=5)
        write_above(axes, words, at=(100 * value, line), size=6.5, annotation_clip=False)
    axes.set_ylim(len(rows) - 0.4, -0.85)
    axes.margins(x=0.4)
    axes.grid(visible=False, axis="y")
    if named:
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
