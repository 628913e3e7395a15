"""Slopes of accuracy with their differences, and each checkpoint beside its cooled base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import Words, finish, label_axes, legend, sheet
from emdiag.plots.style import QUIET
from emdiag.plots.sweep.lookup import SHORT_AXES, WORDS_BOX, intervals_of, points
from emdiag.plots.sweep.words import COOLING_SAID, control_lines, difference_lines, trend_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.results import Interval
    from emdiag.core.temperature_sweep import CoolingControl, SlopeDifference
    from emdiag.plots.sweep.lookup import SweepBook

MARGIN_POINTS = 2.0
"""Half-width of the zone that counts as mere cooling; see `CoolingVerdict`."""

MOST_PAIRS = 10
"""Pairs of arms drawn for each benchmark."""

MOST_CONTROLS = 24
"""Rows of checkpoints beside their cooled base."""

_ROW_INCHES = 0.3
_Row = tuple[str, float, "Interval | None", str, str]


def slopes_figure(book: SweepBook) -> Figure | None:
    """Slopes of all arms and, beside them, their differences by pairs; None without slopes."""
    result = book.result
    if not result.slopes:
        return None
    axes_found = [axis for axis in result.axes if any(one.axis == axis for one in result.slopes)]
    pairs = [one for axis in axes_found for one in _shown_pairs(book, axis)]
    left_out = len(result.slope_differences) - len(pairs)
    intervals = [*(one.interval for one in result.slopes), *(one.interval for one in pairs)]
    words = Words(
        finding=difference_lines(book, pairs) or trend_lines(book, axes_found[0]),
        quiet=(
            "Least-squares line of accuracy along the axis; differences are paired by problem. "
            f"{intervals_of(intervals, drawn='Bars')}."
            + (f" {left_out} pairs more stand in the tables." if left_out else "")
        ),
    )
    columns = 2 if pairs else 1
    heights = [_heights(book, axis) for axis in axes_found]
    figure, grid = sheet(
        words,
        height=_ROW_INCHES * sum(heights) + 0.75 * len(axes_found),
        shape=(len(axes_found), columns),
        height_ratios=heights,
    )
    for line, axis in enumerate(axes_found):
        unit = f"points per unit of {SHORT_AXES[axis]}"
        _forest(grid[line, 0], _slope_rows(book, axis))
        label_axes(grid[line, 0], title="Slope of accuracy", x=unit)
        if columns == 2 and not _pair_rows(book, axis):
            grid[line, 1].remove()
        elif columns == 2:
            _forest(grid[line, 1], _pair_rows(book, axis))
            label_axes(grid[line, 1], title="Difference of slopes", x=unit)
    return finish(figure)


def control_figure(book: SweepBook) -> Figure | None:
    """Each checkpoint and its base at equal entropy, with their difference; None without any."""
    controls = _shown_controls(book)
    if not controls:
        return None
    left_out = len(book.result.controls) - len(controls)
    words = Words(
        finding=control_lines(book),
        quiet=(
            "Each row: the base at the temperature where its entropy equals the checkpoint's "
            "(hollow), and the checkpoint (filled). Grey zone: within "
            f"{MARGIN_POINTS:g} points of each other, the change is cooling. "
            f"{intervals_of((one.interval for one in controls), drawn='Bars')}."
            + (f" {left_out} more stand in the tables." if left_out else "")
        ),
    )
    height = (0.46 if len(controls) < 9 else 0.36) * len(controls) + 1.2
    figure, grid = sheet(words, height=height, shape=(1, 2), sharey=True, width_ratios=[1, 1])
    left, right = grid[0]
    _dumbbells(left, book, controls)
    label_axes(left, title="Accuracy at equal entropy", x="accuracy, %")
    rows = []
    for one in controls:
        colour = book.looks[one.checkpoint].colour if one.checkpoint in book.looks else QUIET
        said = points(one.difference, one.interval) if one.is_matched else "entropies differ"
        rows.append(("", one.difference, one.interval, colour, f"{said}: {_short(one)}"))
    right.axvspan(-MARGIN_POINTS, MARGIN_POINTS, color="#dddddd", zorder=0)
    _forest(right, rows, named=False)
    label_axes(right, title="Checkpoint minus cooled base", x="points")
    _fit_names(left, [_control_name(book, one) for one in controls])
    marks = [
        Line2D([], [], marker="o", linestyle="none", color=QUIET, markerfacecolor="white"),
        Line2D([], [], marker="o", linestyle="none", color=QUIET),
    ]
    legend(figure, marks, ["base, cooled", "checkpoint"])
    return finish(figure)


def _shown_controls(book: SweepBook) -> list[CoolingControl]:
    """By benchmark, checkpoint and temperature; of too many, those that speak."""
    order = list(book.looks)
    ranked = sorted(
        book.result.controls,
        key=lambda one: (
            book.result.benchmarks.index(one.benchmark),
            order.index(one.checkpoint) if one.checkpoint in order else len(order),
            one.temperature,
        ),
    )
    if len(ranked) <= MOST_CONTROLS:
        return ranked
    speaking = [one for one in ranked if one.is_headline]
    return (speaking or ranked)[:MOST_CONTROLS]


def _short(control: CoolingControl) -> str:
    return "undecided" if control.verdict == "undecided" else COOLING_SAID[control.verdict]


def _control_name(book: SweepBook, one: CoolingControl) -> str:
    several = len(book.result.benchmarks) > 1
    name = book.names.get(one.checkpoint, plain_label(one.checkpoint))
    where = f" on {plain_label(one.benchmark, 14)}" if several else ""
    base = book.names.get(one.base, plain_label(one.base))
    return (
        f"{name}, T {one.temperature:g}{where} ({one.entropy_nats:.3f} nats)\n"
        f"{base}, T {one.base_temperature:.3g} ({one.base_entropy_nats:.3f} nats)"
    )


def _fit_names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, size=7)


def _dumbbells(axes: Axes, book: SweepBook, controls: Sequence[CoolingControl]) -> None:
    for line, one in enumerate(controls):
        look = book.looks.get(one.checkpoint)
        colour = look.colour if look else QUIET
        base = book.looks[one.base].colour if one.base in book.looks else "#111111"
        low, high = 100 * one.base_value, 100 * one.value
        style = "-" if one.is_matched else ":"
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


def _shown_pairs(book: SweepBook, axis: str) -> list[SlopeDifference]:
    """All pairs of a benchmark or, of many, those with the base and of EM with RL."""
    shown = []
    stages: dict[str, str | None] = {arm.label: arm.stage for arm in book.result.arms}
    for benchmark in book.result.benchmarks:
        found = [
            one
            for one in book.result.slope_differences
            if (one.benchmark, one.axis) == (benchmark, axis)
        ]
        if len(found) > MOST_PAIRS:
            found.sort(key=lambda one: not _matters(one, stages, base=book.result.base))
        shown += found[:MOST_PAIRS]
    return shown


def _matters(one: SlopeDifference, stages: dict[str, str | None], *, base: str | None) -> bool:
    pair = {stages.get(one.left), stages.get(one.right)}
    return base in {one.left, one.right} or "base" in pair or pair == {"em", "rl"}


def _slope_rows(book: SweepBook, axis: str) -> list[_Row]:
    rows: list[_Row] = []
    several = len(book.result.benchmarks) > 1
    for benchmark in book.result.benchmarks:
        for label, look in book.looks.items():
            for one in book.result.slopes:
                if (one.benchmark, one.checkpoint, one.axis) != (benchmark, label, axis):
                    continue
                where = f" on {plain_label(benchmark, 14)}" if several else ""
                said = f"{points(one.value, one.interval)}: {one.trend}"
                name = f"{book.names[label]}{where}"
                rows.append((name, one.value, one.interval, look.colour, said))
    return rows


def _pair_rows(book: SweepBook, axis: str) -> list[_Row]:
    rows: list[_Row] = []
    several = len(book.result.benchmarks) > 1
    for one in _shown_pairs(book, axis):
        where = f" on {plain_label(one.benchmark, 14)}" if several else ""
        left, right = (book.names.get(label, plain_label(label)) for label in (one.left, one.right))
        said = f"{points(one.value, one.interval)}, p {one.p_holm:.2g}"
        rows.append((f"{left} \N{MINUS SIGN} {right}{where}", one.value, one.interval, QUIET, said))
    return rows


def _heights(book: SweepBook, axis: str) -> int:
    return max(len(_slope_rows(book, axis)), len(_pair_rows(book, axis)), 2)


def _forest(axes: Axes, rows: Sequence[_Row], *, named: bool = True) -> None:
    """A line for each row: its interval, its value, and both in words above it."""
    axes.axvline(0, color=QUIET, linewidth=0.9)
    for line, (_, value, interval, colour, said) in enumerate(rows):
        if interval is not None:
            low, high = 100 * interval.low, 100 * interval.high
            axes.hlines(line, low, high, color=colour, linewidth=2)
        axes.plot([100 * value], [line], "o", color=colour, markersize=5)
        axes.annotate(
            said,
            (100 * value, line),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=6.5,
            color=QUIET,
            bbox=WORDS_BOX,
            annotation_clip=False,
        )
    axes.set_ylim(len(rows) - 0.4, -0.85)
    axes.margins(x=0.4)
    axes.grid(visible=False, axis="y")
    if named:
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
