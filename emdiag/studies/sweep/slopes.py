"""Which way accuracy goes along the axes of a sweep, and how far two arms differ in that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emdiag.core.temperature_sweep import Slope, SlopeDifference, SweepSetting
from emdiag.stats.comparisons import holm, sign_flip
from emdiag.stats.intervals import interval_of, of_two_arms
from emdiag.stats.slopes import slope_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from emdiag.core.results import Interval
    from emdiag.core.temperature_sweep import Axis, Trend
    from emdiag.studies.sweep.points import Found

    Curve = Mapping[SweepSetting, NDArray[np.float64]]
    """Setting to the share of right samples, `[seeds, problems]`."""


def sweep_slopes(
    found: Mapping[tuple[str, str, SweepSetting], Found], axes: Sequence[Axis]
) -> tuple[tuple[Slope, ...], tuple[SlopeDifference, ...]]:
    """Slopes of every arm along every axis, and differences of every pair of arms.

    There is none along top-k, where 0 keeps all tokens and is no number of them.

    Args:
        found: By label of the arm, benchmark and setting; a full grid for each.
        axes: What was varied.
    """
    curves: dict[str, dict[str, dict[SweepSetting, NDArray[np.float64]]]] = {}
    for (label, benchmark, setting), one in found.items():
        curves.setdefault(benchmark, {}).setdefault(label, {})[setting] = one.accuracy
    slopes: list[Slope] = []
    differences: list[SlopeDifference] = []
    for benchmark, arms in curves.items():
        for axis in (axis for axis in axes if axis != "top_k"):
            values = {label: _slope_values(curve, axis) for label, curve in arms.items()}
            ends = [getattr(setting, axis) for setting in next(iter(arms.values()))]
            slopes += [
                _slope(label, benchmark, axis, values=one, ends=(min(ends), max(ends)))
                for label, one in values.items()
            ]
            differences += _pairs(values, benchmark, axis)
    return tuple(slopes), tuple(differences)


def _slope_values(curve: Curve, axis: Axis) -> NDArray[np.float64]:
    """Slope of every problem, `[seeds, problems]`."""
    weights = slope_weights([getattr(setting, axis) for setting in curve])
    found: NDArray[np.float64] = np.einsum("x,xsp->sp", weights, np.stack(list(curve.values())))
    return found


def _slope(
    label: str,
    benchmark: str,
    axis: Axis,
    *,
    values: NDArray[np.float64],
    ends: tuple[float, float],
) -> Slope:
    interval = interval_of(values)
    return Slope(
        checkpoint=label,
        benchmark=benchmark,
        axis=axis,
        value=float(values.mean()),
        interval=interval,
        low=ends[0],
        high=ends[1],
        trend=_trend(interval),
    )


def _pairs(
    values: Mapping[str, NDArray[np.float64]], benchmark: str, axis: Axis
) -> list[SlopeDifference]:
    """Every arm against every arm before it."""
    labels = list(values)
    pairs = [(one, other) for number, one in enumerate(labels) for other in labels[:number]]
    p_values = [
        sign_flip(values[one].mean(axis=0) - values[other].mean(axis=0)) for one, other in pairs
    ]
    return [
        SlopeDifference(
            left=one,
            right=other,
            benchmark=benchmark,
            axis=axis,
            value=float(values[one].mean() - values[other].mean()),
            interval=of_two_arms(values[one], values[other]),
            p_value=p_value,
            p_holm=p_holm,
        )
        for (one, other), p_value, p_holm in zip(pairs, p_values, holm(p_values), strict=True)
    ]


def _trend(interval: Interval | None) -> Trend:
    if interval is None:
        return "undecided"
    if interval.low > 0:
        return "rises"
    return "falls" if interval.high < 0 else "undecided"
