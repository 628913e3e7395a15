"""The intervals that emdiag had up to version 0.1.0, kept as what today's are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
