"""Which way accuracy goes along the axes of a sweep, and how far two arms differ in that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.results import Direction, direction_of
from emdiag.core.temperature_sweep import Axis, Slope, SlopeDifference, SweepSetting, Trend
from emdiag.stats.comparisons import holm
from emdiag.stats.curves import slope_weights
from emdiag.stats.families import p_of_mean
from emdiag.stats.intervals import interval_of, of_two_arms
from emdiag.studies.sweep.points import MeasuredPoint

Curve = Mapping[SweepSetting, NDArray[np.float64]]
"""Setting to the share of right samples, `[seeds, problems]`."""

_TRENDS: Final[Mapping[Direction, Trend]] = {
    "higher": "rises",
    "lower": "falls",
    "undecided": "undecided",
}


def sweep_slopes(
    points: Mapping[tuple[str, str, SweepSetting], MeasuredPoint], axes: Sequence[Axis]
) -> tuple[tuple[Slope, ...], tuple[SlopeDifference, ...]]:
    """Slopes of every arm along every axis, and differences of every pair of arms.

    There is none along top-k, where 0 keeps all tokens and is no number of them. Points are by
    label of the arm, benchmark and setting: a full grid for each. Slopes and differences are one
    family: all of their tests are corrected together (Holm).
    """
    curves: dict[str, dict[str, dict[SweepSetting, NDArray[np.float64]]]] = {}
    for (label, benchmark, setting), point in points.items():
        curves.setdefault(benchmark, {}).setdefault(label, {})[setting] = point.accuracy
    slopes: list[Slope] = []
    differences: list[SlopeDifference] = []
    for benchmark, arms in curves.items():
        for axis in (axis for axis in axes if axis != "top_k"):
            values = {label: _slope_values(curve, axis) for label, curve in arms.items()}
            ends = [getattr(setting, axis) for setting in next(iter(arms.values()))]
            slopes += [
                _slope(label, benchmark, axis, values=of_arm, ends=(min(ends), max(ends)))
                for label, of_arm in values.items()
            ]
            differences += _pairs(values, benchmark, axis)
    return _with_directions(slopes, differences)


def _with_directions(
    slopes: Sequence[Slope], differences: Sequence[SlopeDifference]
) -> tuple[tuple[Slope, ...], tuple[SlopeDifference, ...]]:
    family = [*(row.p_value for row in slopes), *(row.p_value for row in differences)]
    corrected = iter(holm([p_value for p_value in family if p_value is not None]))
    tests = iter([None if p_value is None else next(corrected) for p_value in family])
    return tuple(
        msgspec.structs.replace(
            slope, p_holm=p_holm, trend=_TRENDS[direction_of(slope.interval, p_holm)]
        )
        for slope, p_holm in zip(slopes, tests, strict=False)
    ), tuple(
        msgspec.structs.replace(pair, p_holm=p_holm, direction=direction_of(pair.interval, p_holm))
        for pair, p_holm in zip(differences, tests, strict=True)
    )


def _slope_values(curve: Curve, axis: Axis) -> NDArray[np.float64]:
    """Slope of every problem, `[seeds, problems]`."""
    weights = slope_weights([getattr(setting, axis) for setting in curve])
    slopes: NDArray[np.float64] = np.einsum("x,xsp->sp", weights, np.stack(list(curve.values())))
    return slopes


def _slope(
    label: str,
    benchmark: str,
    axis: Axis,
    *,
    values: NDArray[np.float64],
    ends: tuple[float, float],
) -> Slope:
    return Slope(
        checkpoint=label,
        benchmark=benchmark,
        axis=axis,
        value=float(values.mean()),
        interval=interval_of(values),
        low=ends[0],
        high=ends[1],
        trend="undecided",
        p_value=p_of_mean(values),
    )


def _pairs(
    values: Mapping[str, NDArray[np.float64]], benchmark: str, axis: Axis
) -> list[SlopeDifference]:
    """Every arm against every arm before it."""
    labels = list(values)
    return [
        SlopeDifference(
            left=left,
            right=right,
            benchmark=benchmark,
            axis=axis,
            value=float(values[left].mean() - values[right].mean()),
            interval=of_two_arms(values[left], values[right]),
            p_value=p_of_mean(values[left], values[right]),
            p_holm=None,
            direction="undecided",
        )
        for number, left in enumerate(labels)
        for right in labels[:number]
    ]
