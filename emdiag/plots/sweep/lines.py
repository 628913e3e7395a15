"""Curves of a sweep: accuracy and what goes with it, along an axis and over entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emdiag.core.results import Metric
from emdiag.core.temperature_sweep import CoolingControl, SweepPoint
from emdiag.findings.sweep import captions
from emdiag.findings.sweep.statements import AXES, baselines_by_checkpoint, trends_by_checkpoint
from emdiag.plots.sheet import (
    DrawnPoint,
    benchmark_panels,
    draw_series,
    line_of,
    line_options,
    metric_values,
    scaled,
)
from emdiag.plots.style import Look
from emdiag.plots.sweep.lookup import SweepLookup, along, value_name

_BANDS_UP_TO = 3
_NAMED_POINTS_UP_TO = 3
_BASELINE_ENTRIES_UP_TO = 3
_APART, _MOST_APART, _ROOM = 0.01, 0.3, 0.06
_BASELINE_DASH: Final = (0.0, (1.0, 1.0))


def accuracy_figure(lookup: SweepLookup) -> Figure | None:
    """Accuracy along the first axis: a curve for each arm, a panel for each benchmark.

    A baseline is a curve of its own: at the temperature of the checkpoint whose entropy it has.
    None without a point.
    """
    if not lookup.drawn:
        return None
    has_controls = bool(lookup.result.controls) and lookup.axis == "temperature"
    quiet = about_points(lookup, lookup.drawn)
    benchmarks = lookup.result.benchmarks
    figure, panels = benchmark_panels(
        trends_by_checkpoint(lookup.result, lookup.axis),
        f"{quiet} {captions.HOLLOW_MARKS}" if has_controls else quiet,
        benchmarks,
        height=3.0 if len(benchmarks) < 3 else 2.3,
        entries=legend_entries(lookup, with_baselines=has_controls),
        y="accuracy, %",
    )
    for benchmark, axes in panels.items():
        curves(axes, lookup, benchmark, get=lambda point: point.accuracy)
        if has_controls:
            _baselines(axes, lookup, benchmark, at=attrgetter("temperature"))
            _baseline_bars(axes, lookup, benchmark)
        ticks_along(axes, lookup)
        axes.set_xlabel(AXES[lookup.axis].label)
    return figure


def entropy_figure(lookup: SweepLookup) -> Figure | None:
    """Accuracy over mean entropy, so that arms can be read off at equal entropy.

    None where no arm has two points with an entropy.
    """
    drawn = [point for point in lookup.drawn if point.entropy_nats is not None]
    if len({point.entropy_nats.value for point in drawn if point.entropy_nats}) < 2:
        return None
    benchmarks = lookup.result.benchmarks
    figure, panels = benchmark_panels(
        baselines_by_checkpoint(lookup.result) or [captions.OVER_ENTROPY],
        f"{about_points(lookup, drawn, mark='Bars')} {captions.GREEDY_POINTS}",
        benchmarks,
        height=3.2 if len(benchmarks) < 3 else 2.4,
        entries=legend_entries(lookup, with_baselines=bool(lookup.result.controls)),
        y="accuracy, %",
    )
    for benchmark, axes in panels.items():
        for label, look in lookup.looks.items():
            _over_entropy(axes, lookup, lookup.curve(label, benchmark), look=look)
        entropy = attrgetter("base_entropy_nats")
        _baselines(axes, lookup, benchmark, at=entropy, linestyle="none")
        axes.set_xlabel(captions.entropy_axis(panels=len(benchmarks)))
    return figure


def about_points(lookup: SweepLookup, drawn: Sequence[SweepPoint], *, mark: str = "") -> str:
    """How many samples the points rest on, what their marks are, where the second axis is held."""
    words = captions.about_points(drawn, mark or ("Bars" if _has_bars(lookup) else "Bands"))
    if lookup.held is None:
        return words
    axis = lookup.result.axes[1]
    return f"{words} {captions.held(axis, value_name(axis, lookup.held))}"


def _has_bars(lookup: SweepLookup) -> bool:
    return len(lookup.looks) > _BANDS_UP_TO or len(lookup.places) < 2


def curves(
    axes: Axes,
    lookup: SweepLookup,
    benchmark: str,
    *,
    get: Callable[[SweepPoint], Metric | None],
    scale: float = 100,
) -> None:
    """Curves of all arms; many of them have bars, where bands would mix.

    Bars that would lie on one another stand a hair apart.
    """
    drawn = {
        label: [
            (lookup.places[along(point.setting, lookup.axis)], *metric_values(get(point), scale))
            for point in lookup.curve(label, benchmark)
        ]
        for label in lookup.looks
    }
    drawn = {
        label: points
        for label, points in drawn.items()
        if any(value is not None for _, value, _ in points)
    }
    bars = _has_bars(lookup)
    step = _hair(lookup, len(drawn)) if bars and _do_touch(drawn.values()) else 0.0
    for index, (label, points) in enumerate(drawn.items()):
        offset = step * (index - (len(drawn) - 1) / 2)
        moved = [(x + offset, value, interval) for x, value, interval in points]
        draw_series(axes, moved, lookup.looks[label], label=label, bars=bars)


def _hair(lookup: SweepLookup, arms: int) -> float:
    """How far arms stand apart, so that those of one setting are never near the next."""
    gaps = (right - left for left, right in pairwise(lookup.places.values()))
    return min(_APART * _span(lookup), _MOST_APART * min(gaps, default=1.0) / max(arms - 1, 1))


def _do_touch(drawn: Iterable[Sequence[DrawnPoint]]) -> bool:
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


def _span(lookup: SweepLookup) -> float:
    """Length of the first axis, 1 where it has one setting."""
    places = list(lookup.places.values())
    return (places[-1] - places[0]) or 1.0


def ticks_along(axes: Axes, lookup: SweepLookup, *, few: bool = False) -> None:
    """Ticks at the settings tried, thinned where they would touch."""
    values = list(lookup.places)
    shown = values[:: -(-len(values) // (4 if few else 9))]
    names = [value_name(lookup.axis, value) for value in shown]
    if lookup.axis == "temperature" and shown[0] == 0 and not few:
        names[0] = "0\ngreedy"
    axes.set_xticks([lookup.places[value] for value in shown], names)
    room = max(_ROOM, _APART * len(lookup.looks)) * _span(lookup)
    axes.set_xlim(lookup.places[values[0]] - room, lookup.places[values[-1]] + room)


def _baseline_look(lookup: SweepLookup, control: CoolingControl) -> dict[str, Any]:
    """The base's colour, another dash, and the checkpoint's marker, hollow."""
    look = lookup.looks[control.checkpoint]
    return line_options(look) | {
        "color": lookup.looks[control.base].colour,
        "linestyle": _BASELINE_DASH,
        "markerfacecolor": "white",
        "markeredgecolor": look.colour,
        "markeredgewidth": 1.4,
        "markersize": 6,
    }


def _baselines(
    axes: Axes,
    lookup: SweepLookup,
    benchmark: str,
    *,
    at: Callable[[CoolingControl], float],
    **line: Any,
) -> None:
    for label, matched in lookup.matched(benchmark).items():
        options = _baseline_look(lookup, matched[0]) | {"label": f"baseline of {label}"} | line
        axes.plot(
            [at(control) for control in matched],
            [100 * control.base_value for control in matched],
            zorder=4,
            **options,
        )


def _baseline_bars(axes: Axes, lookup: SweepLookup, benchmark: str) -> None:
    for matched in lookup.matched(benchmark).values():
        for control in matched:
            ends = scaled(lookup.baseline_interval(control))
            if ends is not None:
                at, colour = control.temperature, lookup.looks[control.base].colour
                axes.vlines(at, ends.low, ends.high, color=colour, linewidth=1.0, alpha=0.6)


def _over_entropy(
    axes: Axes, lookup: SweepLookup, curve: Sequence[SweepPoint], *, look: Look
) -> None:
    known = [(p, p.entropy_nats.value) for p in curve if p.entropy_nats is not None]
    if not known:
        return
    points = [(x, *metric_values(point.accuracy, 100)) for point, x in known]
    draw_series(axes, points, look, label=curve[0].checkpoint, bars=True)
    for point, x in known if len(lookup.looks) <= _NAMED_POINTS_UP_TO else known[-1:]:
        axes.annotate(
            value_name(lookup.axis, along(point.setting, lookup.axis)),
            (x, 100 * point.accuracy.value),
            xytext=(4, 4),
            textcoords="offset points",
            size=7,
            color=look.colour,
        )


def legend_entries(lookup: SweepLookup, *, with_baselines: bool) -> dict[str, Line2D]:
    """Of the legend; many baselines share one entry, since their markers tell them apart."""
    entries = {lookup.names[label]: line_of(look) for label, look in lookup.looks.items()}
    controls = {
        control.checkpoint: control
        for control in lookup.result.controls
        if with_baselines and control.is_matched
    }
    for label, control in controls.items():
        base, options = lookup.names[control.base], _baseline_look(lookup, control)
        if len(controls) <= _BASELINE_ENTRIES_UP_TO:
            entries[captions.baseline_of(base, lookup.names[label])] = Line2D([], [], **options)
        else:
            options = options | {"markeredgecolor": options["color"], "marker": "o"}
            entries[f"{base} at equal entropy"] = Line2D([], [], **options)
    return entries
