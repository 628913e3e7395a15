"""Statistics of the whole, with one pseudo-value per problem whose mean is the statistic.

A pooled figure is no mean over problems, so the intervals for means do not apply to it. Nearly,
it is one: each problem's pseudo-value is the statistic plus what changes when the problem is left
out. Intervals and tests of the mean of the pseudo-values are then those of the statistic, and
pooled figures go the same way as figures per token, seeds included.

Source: Tukey 1958, Annals of Mathematical Statistics 29; Efron 1982, "The Jackknife, the Bootstrap
and Other Resampling Plans", chapters 2 and 6. Left out whole and not by a vanishing weight (the
infinitesimal jackknife, Jaeckel 1972), problems give wider intervals, which with 20 problems cover
the truth more often, by 1 to 5 points in a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from emdiag.core.moments import EQUAL_FRAC, Moments
from emdiag.stats.checks import numbers, same_problems
from emdiag.stats.moments import MomentColumns

StatisticFunction: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums of parts, `[kinds, ...]`, to a figure of each, `[...]`; nan where not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jackknifed:
    """A statistic of the whole and what it is the mean of.

    Attributes:
        pseudo_values: `[problems]` or `[seeds, problems]`, in the unit of the value, which is
            their mean. None where it is not defined without one of the problems or seeds, so
            that nothing says how sure it is; `[value]` for a single problem.
    """

    value: float
    pseudo_values: NDArray[np.float64] | None


def pooled_shape(
    parts: Sequence[Moments] | Sequence[Sequence[Moments]],
) -> dict[str, Jackknifed]:
    """Shape of the whole with pseudo-values for each part: of each problem, or seed by seed.

    `mean` and `sigma`, if there are values, and `skewness` and `excess_kurtosis`, if these differ.
    Parts are left out through their sums of powers, taken about the mean of the whole in units of
    its standard deviation, where little cancels.

    In simulations of problems that differ in mean, spread and length, 95 % intervals covered:

    - 20 problems: mean and sigma 92-93 %, skewness 90-93 %, excess kurtosis 85-93 %;
    - 100 problems: 93-94 % and the excess kurtosis 90-93 %;
    - two to five seeds of 20 problems: 92-97 %.

    The excess kurtosis is the worst because it hangs on the few problems far from the mean.

    Raises:
        MeasurementError: A moment is not finite, or a count or an even power is negative.
    """
    flat = [each for part in parts for each in ([part] if isinstance(part, Moments) else part)]
    has_seeds = bool(parts) and not isinstance(parts[0], Moments)
    columns = MomentColumns.of(flat)
    whole = columns.pooled()
    if not whole.count:
        return {}
    unit = 1.0 if whole.is_constant else whole.sigma or 1.0
    centred = columns.shifted(np.full(len(flat), -whole.mean)).scaled(1 / unit)
    first = centred.count * centred.mean
    sums = np.stack([centred.count.astype(np.float64), first, *centred.power_sums(0.0)])
    sums = sums.reshape(5, len(parts), -1) if has_seeds else sums
    statistics: dict[str, tuple[float | None, StatisticFunction]] = {
        "mean": (whole.mean, lambda rest: unit * rest[1] / rest[0]),
        "sigma": (whole.sigma, lambda rest: unit * np.sqrt(_central(rest)[0])),
        "skewness": (whole.skewness, _skewness),
        "excess_kurtosis": (whole.excess_kurtosis, _excess_kurtosis),
    }
    return {
        name: _jackknifed(value, sums, statistic=statistic)
        for name, (value, statistic) in statistics.items()
        if value is not None
    }


def ratio_shape(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64]
) -> Jackknifed | None:
    """The ratio of two sums with pseudo-values for each part.

    Both are `[problems]` or `[seeds, problems]`, denominators none below 0. None where these add up
    to 0.

    Raises:
        MeasurementError: There is no value, one is not finite, or a denominator is negative.
    """
    numerators = numbers(numerators, of="a ratio")
    denominators = numbers(denominators, of="a denominator", low=0)
    same_problems(numerators, denominators)
    if not denominators.any():
        return None
    value = float(numerators.sum() / denominators.sum())
    sums = np.stack([denominators, numerators]).astype(np.float64)
    return _jackknifed(value, sums, statistic=lambda rest: rest[1] / rest[0])


def _jackknifed(
    value: float, sums: NDArray[np.float64], *, statistic: StatisticFunction
) -> Jackknifed:
    """Pseudo-values from sums `[kinds, problems]` or `[kinds, seeds, problems]`.

    With seeds, a problem is left out of all of them and a seed with all of its problems, because
    these are what would be drawn anew; what single cells add to that is their interaction.
    """
    shape = sums.shape[1:]
    change = _without_each(sums.reshape(len(sums), -1), statistic).reshape(shape)
    if len(shape) == 2 and min(shape) > 1:
        of_problems = _without_each(sums.sum(axis=1), statistic)
        of_seeds = _without_each(sums.sum(axis=2), statistic)
        change = change - change.mean(axis=0) - change.mean(axis=1, keepdims=True)
        change = change + of_problems + of_seeds[:, None]
    if not np.isfinite(change).all():
        return Jackknifed(value=value, pseudo_values=None)
    return Jackknifed(value=value, pseudo_values=value + change)


def _without_each(sums: NDArray[np.float64], statistic: StatisticFunction) -> NDArray[np.float64]:
    """How much each of `[kinds, n]` moves the statistic, times n - 1; on average 0."""
    count = sums.shape[1]
    if count == 1:
        return np.zeros(1)
    rest = sums.sum(axis=1, keepdims=True) - sums
    rest = np.where(rest[0] > 0, rest, np.nan)
    without = statistic(rest)
    change: NDArray[np.float64] = (count - 1) * (without.mean() - without)
    return change


def _central(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Second to fourth central moments, `[3, ...]`, from count and sums of powers, `[5, ...]`."""
    first, second, third, fourth = sums[1:] / sums[0]
    variance = np.maximum(second - first**2, 0.0)
    return np.stack(
        [
            variance,
            third - 3 * first * second + 2 * first**3,
            fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4,
        ]
    )


def _skewness(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    variance, third, _ = _central(sums)
    skewness: NDArray[np.float64] = third / _spread(variance) ** 1.5
    return skewness


def _excess_kurtosis(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    variance, _, fourth = _central(sums)
    kurtosis: NDArray[np.float64] = fourth / _spread(variance) ** 2
    return kurtosis - 3


def _spread(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The variance, in units of the whole's; nan where it is rounding."""
    return np.where(variance > EQUAL_FRAC, variance, np.nan)
