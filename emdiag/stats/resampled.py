"""Intervals of statistics that are no means: rank correlation, and how far seeds lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emdiag.core.results import Interval
from emdiag.stats.checks import numbers, refuse_counts, same_problems
from emdiag.stats.intervals import DRAWS, LEVEL

_CLEAR = 4
"""Standard errors that a gap between seeds must exceed."""
_ROUNDING = 1e-9


def rank_correlation(
    left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[float, Interval] | None:
    """Spearman's correlation of two columns, `[items]`, with its interval.

    The interval is of Fisher's z with variance (1 + rho^2 / 2) / (n - 3): from few items a
    bootstrap, which ties ranks by drawing items twice, covers too seldom. A perfect correlation has
    no z and stands half a step of its ranks below, so that of four items, whose exact test is
    above 5 %, the interval holds 0. None below four items, or where a column is constant.

    Raises:
        MeasurementError: There is no value, one is not finite, or the columns differ in length.

    Source: Spearman 1904, by scipy; Bonett and Wright 2000, Psychometrika 65(1).
    """
    left, right = (numbers(column, of="a rank correlation") for column in (left, right))
    same_problems(left, right)
    if left.size < 4 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    rho = float(stats.spearmanr(left, right).statistic)
    half_step = 6 / (left.size**3 - left.size)
    inside = float(np.clip(rho, -1 + half_step, 1 - half_step))
    reach = stats.norm.ppf(1 - (1 - LEVEL) / 2) * np.sqrt((1 + inside**2 / 2) / (left.size - 3))
    low, high = np.tanh(np.arctanh(inside) + np.array([-reach, reach]))
    low, high = min(float(low), rho), max(float(high), rho)
    return rho, Interval(low=low, high=high, level=LEVEL, method="Fisher's z")


def best_over_worst(
    rates: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> tuple[float, Interval | None] | None:
    """Mean of the best seed over mean of the worst, with its interval over problems.

    On the problems that chose them, the best seed is lucky and the worst one is not: equal seeds
    look unequal. So one half of the problems chooses and the other measures, both ways, and the
    logarithms are averaged. Where noise chooses neighbours of the best and the worst, the ratio is
    too small, and of equal seeds it may lie below 1. The interval is of problems drawn anew within
    each half, each half choosing anew. It speaks of these seeds; more seeds lie farther apart.
    None below two seeds or four problems, or where a seed is never right on a half; no interval
    where problems drawn anew leave the ratio as it is, since that shows too little to say how sure.

    Rates are `[seeds, problems]`, each between 0 and 1.

    Raises:
        MeasurementError: There is no rate, or one is not between 0 and 1.

    Source: Chernozhukov et al. 2018, Econometrics Journal 21(1), section 3 (cross-fitting);
    Efron and Tibshirani 1993, chapter 13 (percentile interval).
    """
    rates = numbers(rates, of="a ratio of seeds", low=0, high=1)
    seeds, problems = rates.shape
    if seeds < 2 or problems < 4:
        return None
    shuffled = rates[:, np.random.default_rng(seed).permutation(problems)]
    halves = shuffled[:, : problems // 2], shuffled[:, problems // 2 :]
    means = [half.mean(axis=1, keepdims=True).T for half in halves]
    if not all((mean > 0).all() for mean in means):
        return None
    drawn = [_resampled(half, draws=draws, seed=seed + n) for n, half in enumerate(halves)]
    kept = (np.minimum(*drawn) > 0).all(axis=1)
    ratio = float(np.exp(_crossed(means[0], means[1])[0]))
    logs = _crossed(drawn[0][kept], drawn[1][kept])
    if not kept.any() or np.ptp(logs) == 0:
        return ratio, None
    low, high = np.exp(np.quantile(logs, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    method = "bootstrap over problems by halves"
    return ratio, Interval(low=float(low), high=float(high), level=LEVEL, method=method)


def expected_best(means: Sequence[float], n: int) -> float:
    """Expected best of `n` of these seeds, chosen at random without replacement.

    Raises:
        MeasurementError: There is no mean, one is not finite, or there are fewer than `n`.

    Source: the expected maximum of a sample from a finite set; compare Dodge et al. 2019,
    arXiv:1909.03004, who draw with replacement.
    """
    means = numbers(means, of="an expected best").tolist()
    refuse_counts(n - 1, len(means) - 1, of="an expected best", least=0)
    ordered, total = sorted(means), comb(len(means), n)
    return sum(value * comb(place, n - 1) for place, value in enumerate(ordered)) / total


def seeds_apart(rates: NDArray[np.float64]) -> int | None:
    """How many of the lowest seeds stand apart from all others; None where seeds are one group.

    Two groups are seen where the widest gap between neighbouring means takes so much of their range
    as it would in less than 5 % of samples of a normal distribution, and is more than four standard
    errors of the difference of the two neighbours, paired by problem. Three seeds show it only if
    two of them nearly agree, ten where the gap takes half of the range.

    Rates are `[seeds, problems]`. None below three seeds or two problems.

    Raises:
        MeasurementError: There is no value, or one is not finite.

    Source: Dixon 1950, Annals of Mathematical Statistics 21(4) (gap over range), with its law
    simulated.
    """
    rates = numbers(rates, of="two groups of seeds")
    seeds, problems = rates.shape
    if seeds < 3 or problems < 2:
        return None
    ranked = rates[np.argsort(rates.mean(axis=1), kind="stable")]
    means = ranked.mean(axis=1)
    lower = int(np.diff(means).argmax()) + 1
    across = ranked[lower] - ranked[lower - 1]
    if across.mean() <= max(_CLEAR * across.std(ddof=1) / np.sqrt(problems), _ROUNDING):
        return None
    normal = np.random.default_rng(0).normal(size=(DRAWS, seeds))
    as_wide = _widest_gap(normal) >= _widest_gap(means[None])[0]
    return lower if as_wide.mean() < 1 - LEVEL else None


def _widest_gap(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Widest gap between neighbours over the range, of `[samples, seeds]`."""
    ranked = np.sort(means, axis=1)
    widest: NDArray[np.float64] = np.diff(ranked, axis=1).max(axis=1)
    return widest / (ranked[:, -1] - ranked[:, 0])


def _crossed(half: NDArray[np.float64], other_half: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the two logarithms of best over worst, each chosen by one and measured on the other.

    Both are `[draws, seeds]`, the result is `[draws]`.
    """
    rows = np.arange(len(half))
    logs = np.zeros(len(half))
    for chooses, measures in ((half, other_half), (other_half, half)):
        best, worst = chooses.argmax(axis=1), chooses.argmin(axis=1)
        logs += np.log(measures[rows, best] / measures[rows, worst]) / 2
    return logs


def _resampled(rates: NDArray[np.float64], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Means of every seed over resampled problems, `[draws, seeds]`."""
    problems = rates.shape[1]
    random = np.random.default_rng(seed)
    batch = max(1, 2_000_000 // problems)
    means = []
    for start in range(0, draws, batch):
        size = min(batch, draws - start)
        weights = random.multinomial(problems, np.full(problems, 1 / problems), size) / problems
        means.append(weights @ rates.T)
    return np.concatenate(means)
