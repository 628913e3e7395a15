"""Made-up temperature sweeps, as plain as they come; every field can be changed."""

from __future__ import annotations

from typing import Any

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


def around(value: float, half: float = 0.05) -> Interval:
    return Interval(
        low=value - half, high=value + half, level=0.95, method="bootstrap over problems"
    )


def metric(name: str, value: float) -> Metric:
    return Metric(name=name, value=value, interval=around(value, 0.03))


def make_point(label: str, temperature: float, value: float, **other: Any) -> SweepPoint:
    fields: dict[str, Any] = {
        "checkpoint": label,
        "benchmark": "chain",
        "setting": SweepSetting(temperature=temperature),
        "samples": 1 if temperature == 0 else 8,
        "seeds": 1,
        "problems": 300,
        "accuracy": metric("avg", value),
        "pass_at_k": (metric("pass@1", value),),
        "majority": None,
        "agreement": None,
        "distinct_answers": None,
        "entropy_nats": metric("entropy", 0.2 * temperature),
        "mean_tokens": metric("tokens", 40.0),
        "truncated_frac": metric("truncated", 0.0),
        "repeated_frac": metric("repeated", 0.0),
        "no_box_frac": metric("no box", 0.0),
        "run_keys": ("0",),
        "grade_keys": ("0",),
    }
    return SweepPoint(**fields | other)


def make_control(verdict: Any, difference: float = 0.2, **other: Any) -> CoolingControl:
    fields: dict[str, Any] = {
        "checkpoint": "em",
        "base": "base",
        "benchmark": "chain",
        "temperature": 1.0,
        "base_temperature": 0.7,
        "entropy_nats": 0.2,
        "base_entropy_nats": 0.2,
        "tolerance_nats": 0.005,
        "tried": (0.5, 0.7),
        "is_matched": True,
        "value": 0.6 + difference,
        "base_value": 0.6,
        "difference": difference,
        "interval": around(difference, 0.03),
        "verdict": verdict,
        "is_headline": other.get("temperature", 1.0) == 1.0,
        "p_value": 0.001,
        "p_holm": 0.002,
    }
    return CoolingControl(**fields | other)


def make_slope(label: str, value: float, trend: Any, **other: Any) -> Slope:
    fields: dict[str, Any] = {
        "checkpoint": label,
        "benchmark": "chain",
        "axis": "temperature",
        "value": value,
        "interval": around(value, 0.04),
        "low": 0.0,
        "high": 1.0,
        "trend": trend,
        "p_value": 0.001,
        "p_holm": 0.002,
    }
    return Slope(**fields | other)


def make_sweep(**other: Any) -> TemperatureSweepResult:
    """Base and EM at three temperatures, EM falling and more than cooling."""
    stages: dict[str, Any] = {"base": "base", "em": "em"}
    arms = tuple(
        Arm(label=label, stage=stage, checkpoints=("a",), digests=("0",))
        for label, stage in stages.items()
    )
    points = tuple(
        make_point(label, temperature, start - 0.2 * temperature)
        for label, start in (("base", 0.6), ("em", 0.9))
        for temperature in (0.0, 0.5, 1.0)
    )
    difference = SlopeDifference(
        left="base",
        right="em",
        benchmark="chain",
        axis="temperature",
        value=0.1,
        interval=around(0.1, 0.02),
        p_value=0.001,
        p_holm=0.002,
        direction="higher",
    )
    fields: dict[str, Any] = {
        "benchmarks": ("chain",),
        "problems_total": {"chain": 300},
        "base": "base",
        "axes": ("temperature",),
        "arms": arms,
        "points": points,
        "slopes": (make_slope("base", 0.01, "undecided"), make_slope("em", -0.2, "falls")),
        "slope_differences": (difference,),
        "controls": (make_control("more than cooling"),),
        "notes": (),
        "store": "runs",
    }
    return TemperatureSweepResult(**fields | other)
