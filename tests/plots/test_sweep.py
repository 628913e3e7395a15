from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.checkpoints import Arm
from emdiag.core.results import Interval, Metric
from emdiag.core.temperature_sweep import (
    CoolingControl,
    Slope,
    SlopeDifference,
    SweepPoint,
    SweepSetting,
    TemperatureSweepResult,
)
from emdiag.plots.sweep import sweep_figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
ARMS = (("base", "base"), ("em", "em"), ("rl", "rl"))
FALLS = (-0.12, -0.3, 0.05, -0.2, -0.08, 0.02, 0.1, -0.4)


def around(value: float, half: float) -> Interval:
    return Interval(
        low=value - half, high=value + half, level=0.95, method="bootstrap over problems"
    )


def metric(name: str, value: float, half: float | None = 0.03) -> Metric:
    return Metric(name=name, value=value, interval=None if half is None else around(value, half))


def point(label: str, at: SweepSetting, start: float, *, fall: float, **other: Any) -> SweepPoint:
    """A point on a line; greedy has one sample."""
    temperature = at.temperature
    samples = 1 if temperature == 0 else 8
    half = other.pop("half", 0.03)
    value = min(max(start + fall * temperature - 0.1 * (1 - at.top_p), 0.0), 1.0)
    several = samples > 1
    fields: dict[str, Any] = {
        "checkpoint": label,
        "benchmark": "chain",
        "setting": at,
        "samples": samples,
        "seeds": 1,
        "problems": 300,
        "accuracy": metric(f"avg@{samples}", value, half),
        "pass_at_k": tuple(
            metric(f"pass@{k}", min(1.0, value + 0.03 * (k - 1)), half)
            for k in range(1, samples + 1)
        ),
        "majority": metric("maj@8", value, half) if several else None,
        "agreement": metric("agreement", 0.9 - 0.3 * temperature, half) if several else None,
        "distinct_answers": metric("distinct", 1.5 + temperature, half) if several else None,
        "entropy_nats": metric("entropy", (0.6 + fall) * 0.5 * temperature, half),
        "mean_tokens": metric("tokens", 42 + 3 * temperature, 1.0),
        "truncated_frac": metric("truncated", 0.01 * temperature, 0.004),
        "repeated_frac": metric("repeated", 0.0, 0.0),
        "no_box_frac": metric("no box", 0.02 * temperature, 0.004),
        "run_keys": (f"{label}-{temperature:g}",),
        "grade_keys": ("0",),
    }
    return SweepPoint(**fields | other)


def slope(label: str, value: float, *, half: float | None = 0.04, **other: Any) -> Slope:
    interval = None if half is None else around(value, half)
    beyond = half is not None and abs(value) > half
    fields: dict[str, Any] = {
        "checkpoint": label,
        "benchmark": "chain",
        "axis": "temperature",
        "value": value,
        "interval": interval,
        "low": 0.0,
        "high": 1.2,
        "trend": ("rises" if value > 0 else "falls") if beyond else "undecided",
    }
    return Slope(**fields | other)


def control(label: str, at: float, *, gain: float = 0.2, **other: Any) -> CoolingControl:
    fields: dict[str, Any] = {
        "checkpoint": label,
        "base": "base",
        "benchmark": "chain",
        "temperature": at,
        "base_temperature": 0.7 * at,
        "entropy_nats": 0.21 * at,
        "base_entropy_nats": 0.212 * at,
        "tolerance_nats": 0.005,
        "tried": (0.5, 0.7 * at),
        "is_matched": True,
        "value": 0.62 + gain,
        "base_value": 0.62,
        "difference": gain,
        "interval": around(gain, 0.03),
        "verdict": "more than cooling" if gain > 0.05 else "undecided",
    }
    return CoolingControl(**fields | other)


def sweep(
    arms: Sequence[tuple[str, Any]] = ARMS,
    *,
    benchmarks: Sequence[str] = ("chain",),
    temperatures: Sequence[float] = TEMPERATURES,
    half: float | None = 0.03,
    **other: Any,
) -> TemperatureSweepResult:
    """Arms that fall or rise along straight lines, each with its slope and its control."""
    points, slopes, differences, controls = [], [], [], []
    for place, benchmark in enumerate(benchmarks):
        for index, (label, stage) in enumerate(arms):
            start, fall = 0.65 + 0.07 * (index % 4) - 0.15 * place, FALLS[index % 8]
            points += [
                point(
                    label,
                    SweepSetting(temperature=at),
                    start,
                    fall=fall,
                    benchmark=benchmark,
                    half=half,
                )
                for at in temperatures
            ]
            if len(temperatures) > 1:
                slopes.append(slope(label, fall, benchmark=benchmark, half=half))
            if stage != "base":
                made = [at for at in temperatures if at][:4]
                controls += [control(label, at, benchmark=benchmark) for at in made]
        for index, (left, _) in enumerate(arms):
            for right, _ in arms[index + 1 :]:
                differences.append(
                    SlopeDifference(
                        left=left,
                        right=right,
                        benchmark=benchmark,
                        axis="temperature",
                        value=0.1,
                        interval=None if half is None else around(0.1, 0.05),
                        p_value=0.01,
                        p_holm=0.03,
                    )
                )
    fields: dict[str, Any] = {
        "benchmarks": tuple(benchmarks),
        "problems_total": dict.fromkeys(benchmarks, 300),
        "base": arms[0][0],
        "axes": ("temperature",),
        "arms": tuple(
            Arm(label=label, stage=stage, checkpoints=("a",), digests=("0",))
            for label, stage in arms
        ),
        "points": tuple(points),
        "slopes": tuple(slopes),
        "slope_differences": tuple(differences) if len(temperatures) > 1 else (),
        "controls": tuple(controls),
        "statements": (),
        "notes": (),
        "store": "runs",
    }
    return TemperatureSweepResult(**fields | other)


def two_axes(first: Any = "temperature", second: Any = "top_p") -> TemperatureSweepResult:
    """Temperatures 0, 0.5 and 1 by top-p 0.8, 0.9 and 1; greedy once."""
    made = []
    for index, (label, _) in enumerate(ARMS):
        settings = [SweepSetting(temperature=0.0)]
        settings += [
            SweepSetting(temperature=at, top_p=share)
            for at in (0.5, 1.0)
            for share in (0.8, 0.9, 1)
        ]
        made += [point(label, one, 0.6 + 0.1 * index, fall=-0.2) for one in settings]
    slopes = tuple(slope(label, -0.2) for label, _ in ARMS)
    along_p = tuple(slope(label, 0.1, axis="top_p", low=0.8, high=1.0) for label, _ in ARMS)
    return sweep(points=tuple(made), axes=(first, second), slopes=(*slopes, *along_p), controls=())
