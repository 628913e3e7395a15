"""The intervals that emdiag had up to version 0.1.0, kept as what today's are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from emdiag.stats.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAILS = (0.025, 0.975)


def shares_over_problems(
    values: NDArray[np.float64], *, draws: int, seed: int = 0
) -> list[tuple[float, float] | None]:
    """Percentile bootstrap of the mean of `[statistics, problems]`.

    Wilson's interval for values of 0 and 1 alone where `avg@1` had it, that is for one sample of
    each problem, and where all values are 0 or all 1; None for all equal.
    """
    problems = values.shape[1]
    weights = np.random.default_rng(seed).multinomial(
        problems, np.full(problems, 1 / problems), draws
    )
    bounds = np.quantile(weights @ values.T / problems, TAILS, axis=0).T
    return [
        tuple(ends) if np.ptp(row) > 0 else _of_equal(row)
        for ends, row in zip(bounds.tolist(), values, strict=True)
    ]


def _of_equal(row: NDArray[np.float64]) -> tuple[float, float] | None:
    if row[0] not in (0.0, 1.0):
        return None
    trials = wilson(round(row.sum()), row.size)
    return trials.low, trials.high


def over_seeds_and_problems(
    values: NDArray[np.float64], *, draws: int, seed: int = 0
) -> list[tuple[float, float] | None]:
    """Crossed bootstrap of the mean of `[statistics, seeds, problems]`, two or more of either.

    One seed less than there are is drawn, and problems as many, one set of them for all seeds; the
    percentiles are moved out to those of Student's distribution. None where all values are equal.
    """
    _, seeds, problems = values.shape
    random = np.random.default_rng(seed)
    of_seeds = random.multinomial(seeds - 1, np.full(seeds, 1 / seeds), draws) / (seeds - 1)
    of_problems = random.multinomial(problems, np.full(problems, 1 / problems), draws) / problems
    intervals: list[tuple[float, float] | None] = []
    for row in values:
        drawn = ((of_problems @ row.T) * of_seeds).sum(axis=1)
        tail = stats.norm.cdf(stats.t.ppf(TAILS[0], _freedom(row)))
        low, high = np.quantile(drawn, [tail, 1 - tail])
        intervals.append((float(low), float(high)) if np.ptp(row) > 0 else None)
    return intervals


def _freedom(row: NDArray[np.float64]) -> float:
    """Satterthwaite's, of `[seeds, problems]`."""
    parts = [
        (row.mean(axis=axis).var(ddof=1) / row.shape[1 - axis], row.shape[1 - axis] - 1)
        for axis in (0, 1)
    ]
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return float(min(freedom for _, freedom in parts))
    return float(total**2 / sum(variance**2 / freedom for variance, freedom in parts))
