"""What the figures of a sweep say of it: trends and controls, only as far as intervals reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.plots.logits.words import WITHOUT_INTERVAL, capped
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sweep.lookup import SHORT_AXES, percent, points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.temperature_sweep import (
        Axis,
        CoolingControl,
        CoolingVerdict,
        Slope,
        SlopeDifference,
    )
    from emdiag.plots.sweep.lookup import SweepBook

COOLING_SAID: Final[Mapping[CoolingVerdict, str]] = {
    "more than cooling": "more than cooling",
    "cooling": "no more than cooling",
    "less than cooling": "less than cooling gives",
    "undecided": "undecided whether more than cooling",
}
"""A verdict as it stands behind a name and a colon."""

_ALONG: Final[Mapping[Axis, str]] = {
    "temperature": "as T rises",
    "top_p": "as top-p rises",
    "top_k": "as top-k rises",
}


def trend_lines(book: SweepBook, axis: Axis) -> list[str]:
    """For each arm whether its accuracy falls or rises along an axis, as far as is known.

    With several benchmarks the trends are counted. Without slopes, the greatest accuracy of each.
    """
    lines = []
    for label, name in _base_last(book):
        slopes = [one for one in book.result.slopes if (one.checkpoint, one.axis) == (label, axis)]
        if len(slopes) == 1:
            lines.append(f"{name} {_one_trend(slopes[0])}")
        elif slopes:
            lines.append(f"{name}: {_counted_trends(slopes)}")
    if lines:
        return capped([f"Accuracy {_ALONG[axis]}: {lines[0]}", *lines[1:]])
    return capped(_values_only(book))


def _base_last(book: SweepBook) -> list[tuple[str, str]]:
    """Labels and names, the base behind those that are compared with it."""
    return sorted(book.names.items(), key=lambda item: item[0] == book.result.base)


def _one_trend(slope: Slope) -> str:
    amount = f"{points(slope.value, slope.interval)} points per unit of {SHORT_AXES[slope.axis]}"
    if slope.trend != "undecided":
        return f"{slope.trend}, {amount}"
    if slope.interval is None:
        return f"is {WITHOUT_INTERVAL}, {amount}"
    return f"has no trend that the interval supports, {amount}"


def _counted_trends(slopes: Sequence[Slope]) -> str:
    said = []
    for trend in ("falls", "rises", "undecided"):
        many = sum(slope.trend == trend for slope in slopes)
        if many:
            said.append(f"{trend} on {many}")
    return f"{', '.join(said)} of {len(slopes)} benchmarks"


def difference_lines(book: SweepBook, pairs: Sequence[SlopeDifference]) -> list[str]:
    """Pairs whose slopes differ by interval and corrected test; how many others do not."""
    lines = []
    several = len(book.result.benchmarks) > 1
    for one in pairs:
        inside = one.interval is None or one.interval.low <= 0 <= one.interval.high
        if inside or one.p_holm >= 1 - one.interval.level:  # type: ignore[union-attr]  # not None
            continue
        left, right = (book.names.get(name, plain_label(name)) for name in (one.left, one.right))
        where = f" on {plain_label(one.benchmark)}" if several else ""
        word = "above" if one.value > 0 else "below"
        amount = f"{points(one.value, one.interval)} points per unit of {SHORT_AXES[one.axis]}"
        lines.append(f"The slope of {left} lies {word} that of {right}{where}: {amount}")
    return capped(lines)


def _values_only(book: SweepBook) -> list[str]:
    """Where nothing was fitted: what was measured, on the first benchmark."""
    lines = []
    for benchmark in book.result.benchmarks[:1]:
        for label, name in book.names.items():
            curve = book.curve(label, benchmark)
            if curve:
                last = curve[-1]
                setting = f"T {last.setting.temperature:g}"
                lines.append(
                    f"{name}: {percent(last.accuracy.value, last.accuracy.interval)} on "
                    f"{plain_label(benchmark)} at {setting}"
                )
    return lines or ["Nothing was measured"]


def control_lines(book: SweepBook) -> list[str]:
    """For each checkpoint whether it is more than its base, cooled.

    With several benchmarks the verdicts are counted.
    """
    lines = []
    for label, name in book.names.items():
        controls = [one for one in book.result.controls if one.checkpoint == label]
        if not controls:
            continue
        if len({one.benchmark for one in controls}) > 1:
            lines.append(f"{name}: {_counted_verdicts(controls)}")
            continue
        for verdict in COOLING_SAID:
            alike = [one for one in controls if one.verdict == verdict]
            lines += [_controls_said(name, alike)] if alike else []
    return capped(lines)


def _counted_verdicts(controls: Sequence[CoolingControl]) -> str:
    many = {verdict: sum(one.verdict == verdict for one in controls) for verdict in COOLING_SAID}
    said = [f"{COOLING_SAID[verdict]} in {n}" for verdict, n in many.items() if n]
    return f"{', '.join(said)} of {len(controls)} comparisons"


def _controls_said(name: str, controls: Sequence[CoolingControl]) -> str:
    """Of one checkpoint and one verdict; of several temperatures, the one with least between."""
    least = min(controls, key=lambda one: abs(one.difference))
    at = ", ".join(f"{one.temperature:g}" for one in controls)
    start = f"{name} at T {at}: {COOLING_SAID[least.verdict]}"
    if not any(one.is_matched for one in controls):
        return f"{start}, no temperature of the base has its entropy"
    gap = points(least.difference, least.interval)
    if len(controls) == 1:
        return f"{start}, {gap} points at equal entropy"
    return f"{start}, least at T {least.temperature:g}: {gap} points"
