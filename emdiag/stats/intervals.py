"""Intervals: Wilson's for values of 0 and 1, otherwise a bootstrap over what was drawn.

`draws` are resamples, 10,000 of which leave the ends uncertain by about 2 % of the width; equal
seeds give equal intervals. All are at `LEVEL`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.core.results import Interval
from emdiag.stats.checks import numbers, refuse_counts, refuse_level, same_problems
from emdiag.stats.two_way import Reach, joined, on_logit_scale, seed_reach

LEVEL = 0.95
DRAWS = 10_000
SPREAD_FRAC = 1e-12
"""At most this share of the largest value, or of 1 for shares, a spread is rounding."""

_BATCH_VALUES = 4_000_000  # resampled values held at a time, about 32 MB
_OVER_PROBLEMS = "bootstrap over problems"
_HALF_PROBLEM = "Bayesian bootstrap over problems"
_OVER_SEEDS = ", Student's t over seeds"


def wilson(successes: int, trials: int, *, level: float = LEVEL) -> Interval:
    """Interval of a share of independent trials; never leaves [0, 1].

    Raises:
        MeasurementError: There is no trial, `successes` are not among them, or no `level`.

    Source: Wilson 1927, by scipy.
    """
    refuse_counts(successes, trials, of="a share of trials")
    refuse_level(level)
    # The test's own p-value is not used; it is quickest to find where p is the share itself.
    test = stats.binomtest(successes, trials, p=successes / trials)
    low, high = test.proportion_ci(confidence_level=level, method="wilson")
    return Interval(low=float(low), high=float(high), level=level, method="wilson")


def least_share(successes: int, trials: int, *, level: float = LEVEL) -> float:
    """Share of independent trials that succeed at least, exact and one-sided.

    For n of n it is (1 - level)^(1/n): 0.37, 0.55 and 0.74 of 3, 5 and 10 at 95 %.

    Raises:
        MeasurementError: There is no trial, `successes` are not among them, or no `level`.

    Source: Clopper and Pearson 1934, Biometrika 26(4).
    """
    refuse_counts(successes, trials, of="a share of trials")
    refuse_level(level)
    if successes == 0:
        return 0.0
    return float(stats.beta.ppf(1 - level, successes, trials - successes + 1))


def over_problems(values: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> Interval | None:
    """Interval of the mean of one value per problem, each between 0 and 1; see below.

    None for one problem, which says nothing of others.

    Raises:
        MeasurementError: There is no value, or one is not between 0 and 1.
    """
    shares = numbers(values, of="an interval of a share", low=0, high=1)
    return intervals_of_shares(shares[None], draws=draws, seed=seed)[0]


def intervals_of_shares(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> list[Interval | None]:
    """Interval of each of many shares, all from the same draws.

    Values are `[statistics, problems]` or `[statistics, seeds, problems]`, each between 0 and 1.
    Samples of one problem are not independent, so problems are what is drawn. Values of 0 and 1
    alone are independent trials and have Wilson's interval. Others have a Bayesian bootstrap: each
    draw weights the problems, and half a problem more at 0 and half a one at 1, by a Dirichlet
    distribution. What no problem has shown yet keeps a chance thereby, so that values near 0 or 1,
    or all alike, claim no certainty; for values of 0 and 1 it is Jeffreys' interval.
    `benchmarks/coverage/coverage.py` holds it against the plain bootstrap. Several seeds add
    Student's reach of theirs, on the logit scale (`two_way`). None for one problem.

    Raises:
        MeasurementError: There is no value, or one is not between 0 and 1.

    Source: Rubin 1981, Annals of Statistics 9(1) (Bayesian bootstrap); Brown, Cai and DasGupta
    2001, Statistical Science 16(2) (Jeffreys' interval, Wilson's).
    """
    rows = numbers(values, of="an interval of a share", low=0, high=1)
    rows = rows[:, None, :] if rows.ndim == 2 else rows
    problems = rows.shape[2]
    if problems < 2:
        return [None] * len(rows)
    means = rows.mean(axis=1)
    is_binary = ((means == 0) | (means == 1)).all(axis=1)
    bounds = iter(_half_problem_bounds(means[~is_binary], draws=draws, seed=seed))
    over_problems = [
        wilson(round(row.sum()), problems)
        if binary
        else _interval(*next(bounds), method=_HALF_PROBLEM)
        for row, binary in zip(means, is_binary, strict=True)
    ]
    centres = means.mean(axis=1)
    of_seeds = on_logit_scale(centres, seed_reach([rows], level=LEVEL))
    are_equal = np.ptp(rows, axis=1).max(axis=1) == 0
    return [
        interval if equal else _widened(interval, centre, reach, within=(0.0, 1.0))
        for interval, equal, centre, reach in zip(
            over_problems, are_equal, centres, of_seeds.T, strict=True
        )
    ]


def of_differences(differences: NDArray[np.float64]) -> Interval | None:
    """Interval of the mean of paired differences, `[problems]`, each between -1 and 1.

    Where no problem differs, resampling would claim certainty; then the interval reaches as far
    either way as Wilson's does for no flips among so many problems. None below two problems, and
    where all differ by one and the same number.

    Raises:
        MeasurementError: There is no difference, or one is not between -1 and 1.
    """
    differences = numbers(differences, of="an interval of differences", low=-1, high=1)
    if np.ptp(differences) <= SPREAD_FRAC:
        return bootstrap_of_means([differences])
    return _percentiles(differences[None])[0]


def bootstrap_of_means(clusters: Sequence[NDArray[np.float64]]) -> Interval | None:
    """Percentile bootstrap of the mean over benchmarks of the mean over problems.

    Each benchmark is `[problems]` of differences between -1 and 1. Where all of one are equal, the
    share of its problems that are otherwise, by Wilson's interval for none, adds what it may be off
    to the reach. None where a benchmark has fewer than two problems, and where within each of them
    all problems differ by one and the same number, which is not 0 for all.

    Raises:
        MeasurementError: There is no benchmark or difference, or one is not between -1 and 1.

    Source: Efron and Tibshirani 1993, chapter 13, by scipy.
    """
    refuse_counts(0, len(clusters), of="a mean over benchmarks")
    clusters = [numbers(each, of="an interval of differences", low=-1, high=1) for each in clusters]
    if any(cluster.size < 2 for cluster in clusters):
        return None
    equal = [cluster for cluster in clusters if np.ptp(cluster) <= SPREAD_FRAC]
    if len(equal) == len(clusters) and any(abs(cluster[0]) > SPREAD_FRAC for cluster in equal):
        return None
    unlike = [wilson(0, cluster.size).high for cluster in equal]
    off = [
        np.array([1 + cluster[0], 1 - cluster[0]]) * share / len(clusters)
        for cluster, share in zip(equal, unlike, strict=True)
    ]
    if len(equal) == len(clusters):
        low, high = joined(off) * [-1, 1]
        return _interval(low, high, method="wilson, no problem differs")

    def mean_of_means(*samples: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        means: NDArray[np.float64] = sum(np.mean(sample, axis=axis) for sample in samples)
        return means / len(samples)

    bounds = stats.bootstrap(
        tuple(clusters),
        mean_of_means,
        n_resamples=DRAWS,
        batch=max(1, _BATCH_VALUES // max(len(cluster) for cluster in clusters)),
        vectorized=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    if not equal:
        return _interval(bounds.low, bounds.high, method=_OVER_PROBLEMS)
    centre = float(np.mean([cluster.mean() for cluster in clusters]))
    below, above = joined([np.array([centre - bounds.low, bounds.high - centre]), *off])
    return _interval(centre - below, centre + above, method=_OVER_PROBLEMS)


def of_share_arms(
    left: Sequence[NDArray[np.float64]], right: Sequence[NDArray[np.float64]]
) -> Interval | None:
    """Interval of the mean of shares of `left` minus that of `right`, paired by problem.

    The mean over benchmarks, one or several, each counted once, problems drawn within each. Seeds
    of the two are independent of each other and shared by benchmarks; one seed on a side says
    nothing of that side's others. None where a benchmark has one problem, and where all problems
    and seeds differ by one and the same number other than 0.

    Each benchmark is `[seeds, problems]` on either side, on the same problems.

    Raises:
        MeasurementError: There is no value, one is not between 0 and 1, or the sides differ in
            benchmarks or problems.
    """
    if not len(left) == len(right) > 0:
        sizes = f"{len(left)} and {len(right)}"
        raise MeasurementError("two sides need the same benchmarks, one or more", found=sizes)
    left, right = (
        [numbers(values, of="a difference of shares", low=0, high=1) for values in side]
        for side in (left, right)
    )
    for pair in zip(left, right, strict=True):
        same_problems(*pair)
    gaps = [a.mean(axis=0) - b.mean(axis=0) for a, b in zip(left, right, strict=True)]
    if any(gap.size < 2 for gap in gaps):
        return None
    over_problems = of_differences(gaps[0]) if len(gaps) == 1 else bootstrap_of_means(gaps)
    if all(np.ptp(values, axis=0).max() <= SPREAD_FRAC for values in (*left, *right)):
        return over_problems  # one seed, or seeds that agree in everything
    sides = [
        on_logit_scale(
            np.array([np.mean([values.mean() for values in side])]),
            seed_reach([values[None] for values in side], level=LEVEL),
        )[:, 0]
        for side in (left, right)
    ]
    of_seeds = joined([sides[0], sides[1][::-1]])
    gap = float(np.mean([gap.mean() for gap in gaps]))
    if over_problems is None and of_seeds.max() <= SPREAD_FRAC:
        return None
    alone = over_problems or _interval(gap, gap, method=_OVER_PROBLEMS)
    return _widened(alone, gap, of_seeds, within=(-1.0, 1.0))


def interval_of(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval of the mean of values in any unit, without bounds.

    Over problems; over seeds and problems where there are two seeds or more. Problems are often
    as few as twenty, so the percentiles are moved out from those of the normal to those of
    Student's distribution; seeds add Student's reach of theirs (`two_way`). Below about five
    problems even that covers too seldom.

    None below two problems, and where neither problems nor seeds differ by more than rounding:
    resampling would then claim certainty, and without bounds nothing says how far off the value
    may be.

    Values are `[problems]` or `[seeds, problems]`.

    Raises:
        MeasurementError: There is no value, or one is not finite.
    """
    return intervals_of(numbers(values, of="an interval")[None], draws=draws, seed=seed)[0]


def intervals_of(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> list[Interval | None]:
    """Interval of each of many statistics, all from the same resamples; see `interval_of`.

    Values are `[statistics, problems]` or `[statistics, seeds, problems]`. Nan where a problem
    does not have a statistic: it is left out of that statistic alone, with all seeds.

    Raises:
        MeasurementError: There is no value, or an infinite one.
    """
    if not len(values):
        return []
    rows = numbers(values, of="an interval", nan=True)
    rows = rows[:, None, :] if rows.ndim == 2 else rows
    intervals: list[Interval | None] = [None] * len(rows)
    is_defined = ~np.isnan(rows).any(axis=1)
    for problems in np.unique(is_defined, axis=0):
        of_same_problems = np.flatnonzero((is_defined == problems).all(axis=1))
        kept = rows[of_same_problems][:, :, problems]
        if kept.shape[2] > 1:
            of_kept = _of_arms([kept], draws=draws, seed=seed)
            for index, interval in zip(of_same_problems, of_kept, strict=True):
                intervals[index] = interval
    return intervals


def of_two_arms(
    left: NDArray[np.float64], right: NDArray[np.float64], *, draws: int = DRAWS
) -> Interval | None:
    """Interval of the mean of `left` minus the mean of `right`, in any unit, paired by problem.

    Seeds of the two are independent of each other, problems are shared. With one seed on a side
    that side stays as it is: the interval then says nothing of its other seeds. None below two
    problems, or where nothing differs by more than rounding.

    Both are `[seeds, problems]`, with any number of seeds, on the same problems.

    Raises:
        MeasurementError: There is no value, one is not finite, or the sides differ in problems.
    """
    left, right = (numbers(side, of="an interval of a difference") for side in (left, right))
    same_problems(left, right)
    if left.shape[1] < 2:
        return None
    return _of_arms([left[None], right[None]], draws=draws, seed=0)[0]


def _of_arms(
    arms: Sequence[NDArray[np.float64]], *, draws: int, seed: int
) -> list[Interval | None]:
    """Of means of one arm, or of the first less the second, `[statistics, seeds, problems]` each.

    Each has two problems or more; what differs by rounding alone counts as equal.
    """
    first, *second = (arm.mean(axis=1) for arm in arms)
    gaps = first - second[0] if second else first
    rounding = SPREAD_FRAC * np.max([np.abs(arm).max(axis=(1, 2)) for arm in arms], axis=0)
    reach = joined([seed_reach([arm], level=LEVEL) for arm in arms])
    spread = np.ptp(gaps, axis=1) > rounding
    resampled = iter(_over_problems_alone(gaps[spread], draws=draws, seed=seed))
    centres, has_seeds = gaps.mean(axis=1), any(arm.shape[1] > 1 for arm in arms)
    intervals: list[Interval | None] = []
    for varies, centre, of_seeds, least in zip(spread, centres, reach.T, rounding, strict=True):
        alone = next(resampled) if varies else _interval(centre, centre, method=_OVER_PROBLEMS)
        if not varies and of_seeds[0] <= least:
            intervals.append(None)
        else:
            intervals.append(_widened(alone, centre, of_seeds) if has_seeds else alone)
    return intervals


def _widened(
    over_problems: Interval,
    centre: float,
    of_seeds: Reach,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """An interval over problems about a centre, with the reach of the seeds joined to it."""
    alone = np.maximum([centre - over_problems.low, over_problems.high - centre], 0.0)
    below, above = joined([alone, of_seeds])
    low, high = np.clip([centre - below, centre + above], *within)
    return _interval(low, high, method=over_problems.method + _OVER_SEEDS)


def _half_problem_bounds(
    values: NDArray[np.float64], *, draws: int, seed: int
) -> NDArray[np.float64]:
    """Ends of `[statistics, problems]`, `[statistics, 2]`, by Dirichlet (1, ..., 1, 1/2, 1/2)."""
    if not len(values):
        return np.empty((0, 2))
    random = np.random.default_rng(seed)
    means = []
    for start in range(0, draws, batch := max(1, _BATCH_VALUES // values.shape[1])):
        size = min(batch, draws - start)
        of_problems = random.standard_exponential((size, values.shape[1]))
        at_zero, at_one = random.standard_gamma(0.5, (2, size, 1))
        total = of_problems.sum(axis=1, keepdims=True) + at_zero + at_one
        means.append((of_problems @ values.T + at_one) / total)
    tails = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    observed = values.mean(axis=1)
    ends = np.stack([np.minimum(tails[0], observed), np.maximum(tails[1], observed)], axis=1)
    bounds: NDArray[np.float64] = np.clip(ends, 0.0, 1.0)
    return bounds


def _over_problems_alone(values: NDArray[np.float64], *, draws: int, seed: int) -> list[Interval]:
    """Percentile bootstrap of the means of `[statistics, problems]`, each of which varies.

    Source: Efron and Tibshirani 1993, chapter 13, by scipy; Hesterberg 2015, The American
    Statistician 69(4) (expanded percentiles).
    """
    if not len(values):
        return []
    problems = values.shape[-1]
    reach = stats.t.ppf((1 - LEVEL) / 2, problems - 1) * np.sqrt(problems / (problems - 1))
    tail = max(float(stats.norm.cdf(reach)), 0.5 / draws)
    return _percentiles(values, tail=tail, draws=draws, seed=seed)


def _percentiles(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0, tail: float | None = None
) -> list[Interval]:
    """Percentiles of the resampled means of `[statistics, problems]`.

    Each row varies. `tail` is left out at either end, half of what `LEVEL` leaves by default.
    """
    bounds = stats.bootstrap(
        (values,),
        np.mean,
        axis=-1,
        n_resamples=draws,
        batch=max(1, _BATCH_VALUES // (2 * values.size)),
        vectorized=True,
        confidence_level=LEVEL if tail is None else 1 - 2 * tail,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    ends = zip(np.atleast_1d(bounds.low), np.atleast_1d(bounds.high), strict=True)
    return [_interval(low, high, method=_OVER_PROBLEMS) for low, high in ends]


def _interval(low: float, high: float, *, method: str) -> Interval:
    return Interval(low=float(low), high=float(high), level=LEVEL, method=method)
