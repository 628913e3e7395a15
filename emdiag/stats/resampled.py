"""Intervals of statistics that are no means: rank correlation, and how far seeds lie apart."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from emdiag.core.results import Interval
from emdiag.stats.intervals import DRAWS, LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def rank_correlation(
    left: NDArray[np.float64], right: NDArray[np.float64], *, level: float = LEVEL
) -> tuple[float, Interval] | None:
    """Spearman's correlation of two columns, `[items]`, with its interval.

    The interval is of Fisher's z with variance (1 + rho^2 / 2) / (n - 3): from few items a
    bootstrap, which ties ranks by drawing items twice, covers too seldom. None below four items,
    or where a column is constant.

    Source: Spearman 1904, by scipy; Bonett and Wright 2000, Psychometrika 65(1).
    """
    if left.size < 4 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    rho = float(stats.spearmanr(left, right).statistic)
    inside = float(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    reach = stats.norm.ppf(1 - (1 - level) / 2) * np.sqrt((1 + inside**2 / 2) / (left.size - 3))
    low, high = np.tanh(np.arctanh(inside) + np.array([-reach, reach]))
    return rho, Interval(low=float(low), high=float(high), level=level, method="Fisher's z")


def best_over_worst(
    rates: NDArray[np.float64], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> tuple[float, Interval] | None:
    """Mean of the best seed over mean of the worst, with its interval over problems.

    Measured on other problems, other seeds would be best and worst, and noise alone parts equal
    seeds: the ratio is too large on average, and more so in resamples. Hence the basic bootstrap,
    on the logarithm, which moves the interval down by as much. It speaks of these seeds; more seeds
    lie farther apart. None below two seeds or problems, or where a seed is never right.

    Args:
        rates: `[seeds, problems]`, each between 0 and 1.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Source: Davison and Hinkley 1997, section 5.2 (basic bootstrap).
    """
    seeds, problems = rates.shape
    if seeds < 2 or problems < 2 or not (rates.mean(axis=1) > 0).all():
        return None
    means = _resampled(rates, draws=draws, seed=seed)
    means = means[(means > 0).all(axis=1)]
    log_ratio = np.log(rates.mean(axis=1).max() / rates.mean(axis=1).min())
    drawn = np.log(means.max(axis=1) / means.min(axis=1))
    tails = np.quantile(drawn, [(1 + level) / 2, (1 - level) / 2])
    low, high = np.exp(np.maximum(2 * log_ratio - tails, 0.0))
    return float(np.exp(log_ratio)), Interval(
        low=float(low), high=float(high), level=level, method="basic bootstrap over problems"
    )


def expected_best(means: Sequence[float], n: int) -> float:
    """Expected best of `n` of these seeds, chosen at random without replacement.

    Source: the expected maximum of a sample from a finite set; compare Dodge et al. 2019,
    arXiv:1909.03004, who draw with replacement.
    """
    ordered, total = sorted(means), comb(len(means), n)
    return sum(value * comb(place, n - 1) for place, value in enumerate(ordered)) / total


def _resampled(rates: NDArray[np.float64], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Means of every seed over resampled problems, `[draws, seeds]`."""
    problems = rates.shape[1]
    random = np.random.default_rng(seed)
    batch = max(1, 2_000_000 // problems)
    found = []
    for start in range(0, draws, batch):
        size = min(batch, draws - start)
        weights = random.multinomial(problems, np.full(problems, 1 / problems), size) / problems
        found.append(weights @ rates.T)
    return np.concatenate(found)
