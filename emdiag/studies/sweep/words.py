"""What a sweep allows to be said, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from emdiag.core.results import Interval
    from emdiag.core.temperature_sweep import (
        CoolingControl,
        Slope,
        SlopeDifference,
        TemperatureSweepResult,
    )

_AXES = {"temperature": "temperature", "top_p": "top-p", "top_k": "top-k"}
_UNITS = {"temperature": "unit of temperature", "top_p": "unit of top-p", "top_k": "token of top-k"}


def statements(result: TemperatureSweepResult) -> tuple[str, ...]:
    """Trends first, then their differences, then the cooled base; one sentence each."""
    alone = len(result.benchmarks) == 1
    return (
        *(_trend(slope, alone=alone) for slope in result.slopes),
        *(_difference(one, alone=alone) for one in result.slope_differences if _is_clear(one)),
        *(_cooling(one, alone=alone) for one in result.controls if one.is_headline),
    )


def _trend(slope: Slope, *, alone: bool) -> str:
    words = {"rises": "rises", "falls": "falls", "undecided": "neither rises nor falls for certain"}
    name = _AXES[slope.axis]
    on = _on(slope.benchmark, alone=alone)
    return (
        f"{slope.checkpoint}: accuracy{on} {words[slope.trend]} with {name}, "
        f"{_points(slope.value, slope.interval)} per {_UNITS[slope.axis]}"
    )


def _difference(one: SlopeDifference, *, alone: bool) -> str:
    on = _on(one.benchmark, alone=alone)
    return (
        f"the slope of {one.left}{on} lies {_gap(one.value, one.interval)} that of {one.right} per "
        f"{_UNITS[one.axis]}, corrected p {_p(one.p_holm)}"
    )


def _is_clear(one: SlopeDifference) -> bool:
    return (
        one.interval is not None
        and (one.interval.low > 0 or one.interval.high < 0)
        and one.p_holm < 1 - one.interval.level
    )


def _cooling(control: CoolingControl, *, alone: bool) -> str:
    on = _on(control.benchmark, alone=alone)
    where = _at(control.checkpoint, control.temperature, control.entropy_nats)
    base = _at(control.base, control.base_temperature, control.base_entropy_nats)
    if not control.is_matched:
        return (
            f"{where}{on} has an entropy that {control.base} was not brought to "
            f"(nearest: {base}), so cooling is undecided"
        )
    said = {
        "more than cooling": "more than cooling",
        "less than cooling": "less than cooling would give",
        "cooling": "within two points of cooling",
        "undecided": "undecided whether it is more than cooling",
    }
    gap = _gap(control.difference, control.interval)
    return f"at equal entropy {where}{on} lies {gap} {base}: {said[control.verdict]}"


def _gap(value: float, interval: Interval | None) -> str:
    """A difference as a distance and a side, such as `3.0 points [1.0, 5.0] above`."""
    side, sign = ("below", -1) if value < 0 else ("above", 1)
    if interval is None:
        return f"{100 * abs(value):.1f} points (no interval) {side}"
    ends = interval.ends(scale=100) if sign > 0 else _turned(interval).ends(scale=100)
    return f"{100 * abs(value):.1f} points {ends} {side}"


def _turned(interval: Interval) -> Interval:
    return msgspec.structs.replace(interval, low=-interval.high, high=-interval.low)


def _at(label: str, temperature: float, entropy_nats: float) -> str:
    how = f"at T {temperature:g}" if temperature else "decoding greedily"
    return f"{label} {how} ({entropy_nats:.3g} nats)"


def _on(benchmark: str, *, alone: bool) -> str:
    return "" if alone else f" on {benchmark}"


def _points(value: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{100 * value:+.1f} points (no interval)"
    return f"{100 * value:+.1f} points {interval.ends(scale=100)}"


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.2g}"
