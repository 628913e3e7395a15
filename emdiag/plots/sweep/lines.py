"""Curves of a sweep: accuracy and what goes with it, along an axis and over entropy."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from matplotlib.lines import Line2D

from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import (
    Words,
    draw_series,
    finish,
    label_axes,
    legend,
    line_of,
    line_options,
)
from emdiag.plots.sweep.lookup import (
    AXIS_NAMES,
    SHORT_AXES,
    along,
    intervals_of,
    metric_values,
    panel_grid,
    sizes,
    value_name,
)
from emdiag.plots.sweep.words import control_lines, trend_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.results import Interval
    from emdiag.core.temperature_sweep import CoolingControl, SweepPoint
    from emdiag.plots.style import Look
    from emdiag.plots.sweep.lookup import SweepBook

    Point = tuple[float, float | None, Interval | None]
    """Position, value and interval."""

_BANDS_UP_TO = 3
_NAMED_POINTS_UP_TO = 3
_COOLED_ENTRIES_UP_TO = 3
_APART, _MOST_APART, _ROOM = 0.01, 0.3, 0.06
_COOLED_DASH: Final = (0.0, (1.0, 1.0))


def accuracy_figure(book: SweepBook) -> Figure | None:
    """Accuracy along the first axis: a curve for each arm, a panel for each benchmark.

    The cooled base is a curve of its own: at the temperature of the checkpoint that it matches.
    None without a point.
    """
    drawn = points_drawn(book)
    if not drawn:
        return None
    has_controls = bool(book.result.controls) and book.axis == "temperature"
    cooled = " Hollow: the base, cooled to the checkpoint's entropy." if has_controls else ""
    words = Words(
        finding=trend_lines(book, book.axis),
        quiet=f"{sizes(drawn)}. {intervals_drawn(book, drawn)}.{held_said(book)}{cooled}",
    )
    benchmarks = book.result.benchmarks
    entries = legend_entries(book, cooled=has_controls)
    height = 3.0 if len(benchmarks) < 3 else 2.3
    figure, panels = panel_grid(
        words, len(benchmarks), height=height, entries=list(entries), sharey=True
    )
    for index, (axes, benchmark) in enumerate(zip(panels, benchmarks, strict=True)):
        curves(axes, book, benchmark, get=lambda point: metric_values(point.accuracy, 100))
        if has_controls:
            _cooled_curves(axes, book, benchmark)
        ticks_along(axes, book)
        title = plain_label(benchmark, 30) if len(benchmarks) > 1 else ""
        label_axes(axes, title=title, x=AXIS_NAMES[book.axis], y="" if index else "accuracy, %")
    legend(figure, list(entries.values()), list(entries))
    return finish(figure)


def entropy_figure(book: SweepBook) -> Figure | None:
    """Accuracy over mean entropy, so that arms can be read off at equal entropy.

    None where no arm has two points with an entropy.
    """
    drawn = [point for point in points_drawn(book) if point.entropy_nats is not None]
    if len({point.entropy_nats.value for point in drawn if point.entropy_nats}) < 2:
        return None
    axis = SHORT_AXES[book.axis]
    finding = control_lines(book) or ["Accuracy over the entropy that the samples were drawn with"]
    words = Words(
        finding=finding,
        quiet=(
            f"One point for each {axis}, named beside it; {sizes(drawn)}. "
            f"{intervals_of((point.accuracy.interval for point in drawn), drawn='Bars')}. "
            f"Greedy answers have entropy 0.{held_said(book)}"
        ),
    )
    benchmarks = book.result.benchmarks
    entries = legend_entries(book, cooled=bool(book.result.controls))
    height = 3.2 if len(benchmarks) < 3 else 2.4
    figure, panels = panel_grid(
        words, len(benchmarks), height=height, entries=list(entries), sharey=True
    )
    for index, (axes, benchmark) in enumerate(zip(panels, benchmarks, strict=True)):
        for label, look in book.looks.items():
            _over_entropy(axes, book, book.curve(label, benchmark), look=look)
        _cooled_points(axes, book, benchmark)
        title = plain_label(benchmark, 30) if len(benchmarks) > 1 else ""
        x = "mean entropy of the sampled distribution, nats per token"
        label_axes(
            axes,
            title=title,
            x=x if len(benchmarks) == 1 else "mean entropy, nats per token",
            y="" if index else "accuracy, %",
        )
    legend(figure, list(entries.values()), list(entries))
    return finish(figure)


def points_drawn(book: SweepBook) -> list[SweepPoint]:
    """Points of all curves, benchmark by benchmark."""
    return [
        point
        for benchmark in book.result.benchmarks
        for label in book.looks
        for point in book.curve(label, benchmark)
    ]


def intervals_drawn(book: SweepBook, drawn: Sequence[SweepPoint]) -> str:
    """What the bands or bars of the curves are."""
    kind = "Bars" if _has_bars(book) else "Bands"
    return intervals_of((point.accuracy.interval for point in drawn), drawn=kind)


def held_said(book: SweepBook) -> str:
    """Where the second axis is held, as a sentence after others; empty where there is one axis."""
    if book.held is None:
        return ""
    axis = book.result.axes[1]
    name = SHORT_AXES[axis]
    return f" {name} is {value_name(axis, book.held)} throughout; slopes are over all its values."


def _has_bars(book: SweepBook) -> bool:
    return len(book.looks) > _BANDS_UP_TO or len(book.values(book.axis)) < 2


def curves(
    axes: Axes,
    book: SweepBook,
    benchmark: str,
    *,
    get: Callable[[SweepPoint], tuple[float | None, Interval | None]],
) -> None:
    """Curves of all arms; many of them have bars, where bands would mix.

    Bars that would lie on one another stand a hair apart.
    """
    drawn = {
        label: [
            (book.place(along(point.setting, book.axis)), *get(point))
            for point in book.curve(label, benchmark)
        ]
        for label in book.looks
    }
    drawn = {
        label: points
        for label, points in drawn.items()
        if any(value is not None for _, value, _ in points)
    }
    bars = _has_bars(book)
    step = _hair(book, len(drawn)) if bars and _do_touch(drawn.values()) else 0.0
    for index, (label, points) in enumerate(drawn.items()):
        offset = step * (index - (len(drawn) - 1) / 2)
        moved = [(x + offset, value, interval) for x, value, interval in points]
        draw_series(axes, moved, book.looks[label], label=label, bars=bars)


def _hair(book: SweepBook, arms: int) -> float:
    """How far arms stand apart, so that those of one setting are never near the next."""
    places = [book.place(value) for value in book.values(book.axis)]
    nearest = min((right - left for left, right in pairwise(places)), default=1.0)
    return min(_APART * _span(book), _MOST_APART * nearest / max(arms - 1, 1))


def _do_touch(drawn: Iterable[Sequence[Point]]) -> bool:
    """Whether bars of two arms at one setting overlap, or points without bars are equal."""
    ends: dict[float, list[tuple[float, float]]] = {}
    for x, value, interval in (point for points in drawn for point in points):
        if value is not None:
            low, high = (interval.low, interval.high) if interval else (value, value)
            ends.setdefault(x, []).append((low, high))
    return any(
        above[0] <= below[1]
        for of_place in ends.values()
        for below, above in pairwise(sorted(of_place))
    )


def _span(book: SweepBook) -> float:
    """Length of the first axis, 1 where it has one setting."""
    places = [book.place(value) for value in book.values(book.axis)]
    return (max(places) - min(places)) or 1.0


def ticks_along(axes: Axes, book: SweepBook, *, few: bool = False) -> None:
    """Ticks at the settings tried, thinned where they would touch."""
    values = book.values(book.axis)
    step = -(-len(values) // (4 if few else 9))
    shown = values[::step]
    names = [value_name(book.axis, value) for value in shown]
    if book.axis == "temperature" and shown and shown[0] == 0 and not few:
        names[0] = "0\ngreedy"
    axes.set_xticks([book.place(value) for value in shown], names)
    places = [book.place(value) for value in values]
    room = max(_ROOM, _APART * len(book.looks)) * _span(book)
    axes.set_xlim(min(places) - room, max(places) + room)


def _cooled_look(book: SweepBook, control: CoolingControl) -> dict[str, Any]:
    """The base's colour, another dash, and the checkpoint's marker, hollow."""
    look = book.looks[control.checkpoint]
    base = book.looks.get(control.base, look)
    return line_options(look) | {
        "color": base.colour,
        "linestyle": _COOLED_DASH,
        "markerfacecolor": "white",
        "markeredgecolor": look.colour,
        "markeredgewidth": 1.4,
        "markersize": 6,
    }


def _cooled_curves(axes: Axes, book: SweepBook, benchmark: str) -> None:
    for label, controls in book.controls(benchmark).items():
        matched = [one for one in controls if one.is_matched]
        if not matched:
            continue
        axes.plot(
            [one.temperature for one in matched],
            [100 * one.base_value for one in matched],
            label=f"cooled for {label}",
            zorder=4,
            **_cooled_look(book, matched[0]),
        )
        for one in matched:
            point = book.cooled(one)
            interval = point.accuracy.interval if point is not None else None
            if interval is not None:
                colour = book.looks[one.base].colour if one.base in book.looks else "#111111"
                low, high = 100 * interval.low, 100 * interval.high
                axes.vlines(one.temperature, low, high, color=colour, linewidth=1.0, alpha=0.6)


def _over_entropy(axes: Axes, book: SweepBook, curve: Sequence[SweepPoint], *, look: Look) -> None:
    points = [
        (point.entropy_nats.value, *metric_values(point.accuracy, 100))
        for point in curve
        if point.entropy_nats is not None
    ]
    if not points:
        return
    draw_series(axes, points, look, label=curve[0].checkpoint, bars=True)
    known = [point for point in curve if point.entropy_nats is not None]
    every = len(book.looks) <= _NAMED_POINTS_UP_TO
    for index, (point, (x, y, _)) in enumerate(zip(known, points, strict=True)):
        if y is None or not (every or index == len(points) - 1):
            continue
        axes.annotate(
            value_name(book.axis, along(point.setting, book.axis)),
            (x, y),
            xytext=(4, 4),
            textcoords="offset points",
            size=7,
            color=look.colour,
        )


def _cooled_points(axes: Axes, book: SweepBook, benchmark: str) -> None:
    for label, controls in book.controls(benchmark).items():
        matched = [one for one in controls if one.is_matched]
        if matched:
            options = _cooled_look(book, matched[0]) | {"linestyle": "none"}
            x = [one.base_entropy_nats for one in matched]
            y = [100 * one.base_value for one in matched]
            axes.plot(x, y, label=f"cooled for {label}", zorder=4, **options)


def legend_entries(book: SweepBook, *, cooled: bool) -> dict[str, Line2D]:
    """Of the legend; many cooled bases share one entry, since their markers tell them apart."""
    made = {book.names[label]: line_of(look) for label, look in book.looks.items()}
    found = {
        one.checkpoint: one
        for one in book.result.controls
        if cooled and one.is_matched and one.checkpoint in book.looks
    }
    for label, one in found.items():
        base = book.names.get(one.base, plain_label(one.base))
        options = _cooled_look(book, one)
        if len(found) <= _COOLED_ENTRIES_UP_TO:
            made[f"{base} cooled to {book.names[label]}'s entropy"] = Line2D([], [], **options)
        else:
            options = options | {"markeredgecolor": options["color"], "marker": "o"}
            made[f"{base}, cooled to match"] = Line2D([], [], **options)
    return made
