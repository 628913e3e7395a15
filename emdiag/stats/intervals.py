"""Intervals: Wilson's for values of 0 and 1, otherwise a bootstrap over what was drawn.

`draws` are resamples, 10,000 of which leave the ends uncertain by about 2 % of the width; equal
seeds give equal intervals. All are at `LEVEL`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.core.results import Interval

LEVEL = 0.95
DRAWS = 10_000
SPREAD_FRAC = 1e-12
"""At most this share of the largest value, a spread over problems is rounding."""

_BATCH_VALUES = 4_000_000  # resampled values held at a time, about 32 MB
_OVER_PROBLEMS, _OVER_BOTH = "bootstrap over problems", "bootstrap over seeds and problems"
_HALF_PROBLEM = "Bayesian bootstrap over problems"


def wilson(successes: int, trials: int, *, level: float = LEVEL) -> Interval:
    """Interval of a share of independent trials; never leaves [0, 1].

    Source: Wilson 1927, by scipy.
    """
    # The test's own p-value is not used; it is quickest to find where p is the share itself.
    test = stats.binomtest(successes, trials, p=successes / trials)
    low, high = test.proportion_ci(confidence_level=level, method="wilson")
    return Interval(low=float(low), high=float(high), level=level, method="wilson")


def over_problems(values: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> Interval | None:
    """Interval of the mean of one value per problem, each between 0 and 1; see below.

    None for one problem, which says nothing of others.

    Raises:
        MeasurementError: There is no value, or one is not between 0 and 1.
    """
    return shares_over_problems(np.asarray([values], np.float64), draws=draws, seed=seed)[0]


def shares_over_problems(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> list[Interval | None]:
    """Interval of each of many shares, all from the same draws.

    Values are `[statistics, problems]`, each between 0 and 1. Samples of one problem are not
    independent, so problems are what is drawn. Values of 0 and 1 alone are independent trials and
    have Wilson's interval. Others have a Bayesian bootstrap: each draw weights the problems, and
    half a problem more at 0 and half a one at 1, by a Dirichlet distribution. What no problem has
    shown yet keeps a chance thereby, so that values near 0 or 1, or all alike, claim no certainty;
    for values of 0 and 1 it is Jeffreys' interval. `benchmarks/coverage/coverage.py` holds it
    against the plain bootstrap. None for one problem.

    Raises:
        MeasurementError: There is no value, or one is not between 0 and 1.

    Source: Rubin 1981, Annals of Statistics 9(1) (Bayesian bootstrap); Brown, Cai and DasGupta
    2001, Statistical Science 16(2) (Jeffreys' interval, Wilson's).
    """
    if not values.size or not ((values >= 0) & (values <= 1)).all():
        raise MeasurementError(
            "an interval of a share needs values between 0 and 1",
            found="no value" if not values.size else f"{np.nanmin(values)} to {np.nanmax(values)}",
            hint="problems that do not define the statistic are left out before",
        )
    problems = values.shape[1]
    if problems < 2:
        return [None] * len(values)
    is_binary = ((values == 0) | (values == 1)).all(axis=1)
    bounds = iter(_half_problem_bounds(values[~is_binary], draws=draws, seed=seed))
    return [
        wilson(round(row.sum()), problems)
        if binary
        else _interval(*next(bounds), method=_HALF_PROBLEM)
        for row, binary in zip(values, is_binary, strict=True)
    ]


def of_differences(differences: NDArray[np.float64]) -> Interval | None:
    """Interval of the mean of paired differences, `[problems]`, each between -1 and 1.

    Where no problem differs, resampling would claim certainty; then the interval reaches as far
    either way as Wilson's does for no flips among so many problems. None below two problems.
    """
    if differences.size < 2:
        return None
    if not differences.any():
        reach = wilson(0, differences.size).high
        return Interval(low=-reach, high=reach, level=LEVEL, method="wilson, no problem differs")
    if np.ptp(differences) == 0:
        return None
    return _percentiles(differences[None])[0]


def bootstrap_of_means(clusters: Sequence[NDArray[np.float64]]) -> Interval:
    """Percentile bootstrap of the mean over benchmarks of the mean over problems, two or more each.

    Source: Efron and Tibshirani 1993, chapter 13, by scipy.
    """

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
    return _interval(bounds.low, bounds.high, method=_OVER_PROBLEMS)


def interval_of(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval of the mean of values in any unit, without bounds.

    Over problems; over seeds and problems where there are two seeds or more. Problems are often
    as few as twenty, so the percentiles are moved out from those of the normal to those of
    Student's distribution either way. Below about five problems even that covers too seldom.

    None below two problems, and where all values are equal up to rounding: resampling would then
    claim certainty, and without bounds nothing says how far off the value may be.

    Values are `[problems]` or `[seeds, problems]`.
    """
    return intervals_of(values[None], draws=draws, seed=seed)[0]


def intervals_of(
    values: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> list[Interval | None]:
    """Interval of each of many statistics, all from the same resamples; see `interval_of`.

    Values are `[statistics, problems]` or `[statistics, seeds, problems]`. Nan where a problem
    does not have a statistic: it is left out of that statistic alone, with all seeds.
    """
    rows = values[:, None, :] if values.ndim == 2 else values
    intervals: list[Interval | None] = [None] * len(rows)
    is_defined = ~np.isnan(rows).any(axis=1)
    for problems in np.unique(is_defined, axis=0):
        of_same_problems = np.flatnonzero((is_defined == problems).all(axis=1))
        kept = rows[of_same_problems][:, :, problems]
        spread = [_spreads(row) for row in kept]
        if any(spread):
            resampled = (
                _over_both_levels([kept[spread]], draws=draws, seed=seed)
                if rows.shape[1] > 1
                else _over_problems_alone(kept[spread], draws=draws, seed=seed)
            )
            for index, interval in zip(of_same_problems[spread], resampled, strict=True):
                intervals[index] = interval
    return intervals


def of_two_arms(
    left: NDArray[np.float64], right: NDArray[np.float64], *, draws: int = DRAWS
) -> Interval | None:
    """Interval of the mean of `left` minus the mean of `right`, in any unit, paired by problem.

    Seeds of the two are independent of each other, problems are shared: each resample draws seeds
    on either side, and one set of problems for both. With one seed on a side that side stays as it
    is: the interval then says nothing of its other seeds. None below two problems, or where
    nothing differs by more than rounding.

    Both are `[seeds, problems]`, with any number of seeds, on the same problems.
    """
    if len(left) == 1 or len(right) == 1:
        return interval_of(left - right, draws=draws)
    if not _spreads(np.concatenate([left, right])):
        return None
    return next(_over_both_levels([left[None], right[None]], draws=draws, seed=0))


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
    bounds: NDArray[np.float64] = tails.T
    return bounds


def _spreads(row: NDArray[np.float64]) -> bool:
    """Whether there are two problems and values that differ by more than rounding."""
    return row.shape[-1] > 1 and bool(np.ptp(row) > SPREAD_FRAC * np.abs(row).max())


def _over_both_levels(
    arms: Sequence[NDArray[np.float64]], *, draws: int, seed: int
) -> Iterator[Interval]:
    """Intervals of means over training seeds and problems: both were drawn from many.

    Two-level bootstrap: each resample draws seeds and then problems, one set of problems for all
    of its seeds, because every seed is measured on the same ones. (Problems drawn anew for each
    seed would let their difficulty average out, and cover the truth far too seldom.)

    Seeds are few, which makes plain percentiles too narrow. Hence one seed less than there are is
    drawn, so that the variance is right, and the percentiles are moved out from those of the
    normal to those of Student's distribution, with degrees of freedom between those of seeds and
    of problems as they share the variance. In simulations 95 % intervals covered 94-97 %
    from three seeds on, and 88 % with two.

    Arms are `[statistics, seeds, problems]`, two seeds and problems or more; of two arms, the
    second one is taken off the first.

    Source: Owen 2007, Annals of Applied Statistics 1(2) (crossed resampling); Rao and Wu 1988,
    JASA 83 (one less); Hesterberg 2015, The American Statistician 69(4) (expanded percentiles).
    """
    problems = arms[0].shape[-1]
    random = np.random.default_rng(seed)
    means = []
    for start in range(0, draws, batch := max(1, _BATCH_VALUES // problems)):
        size = min(batch, draws - start)
        of_seeds = [_weights(random, size, arm.shape[1], fewer=1) for arm in arms]
        of_problems = _weights(random, size, problems)
        means.append(
            [
                np.einsum("dp,dp->d", _less(map(np.matmul, of_seeds, rows)), of_problems)
                for rows in zip(*arms, strict=True)
            ]
        )
    for rows, drawn in zip(zip(*arms, strict=True), np.concatenate(means, axis=1), strict=True):
        tail = stats.norm.cdf(stats.t.ppf((1 - LEVEL) / 2, _degrees_of_freedom(rows)))
        yield _interval(*np.quantile(drawn, [tail, 1 - tail]), method=_OVER_BOTH)


def _weights(
    random: np.random.Generator, draws: int, number: int, *, fewer: int = 0
) -> NDArray[np.float64]:
    """Share of each of `number` things in resamples of so many `fewer`, `[draws, number]`."""
    drawn = number - fewer
    weights: NDArray[np.float64] = (
        random.multinomial(drawn, np.full(number, 1 / number), draws) / drawn
    )
    return weights


def _less(sides: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The first of the sides, less the second where there are two."""
    first, *second = sides
    return first - second[0] if second else first


def _degrees_of_freedom(sides: Sequence[NDArray[np.float64]]) -> float:
    """Of the variance of the mean of `[seeds, problems]`, or of a difference of two such means.

    Source: Satterthwaite 1946.
    """
    gap = _less(side.mean(axis=0) for side in sides)
    parts = [(side.mean(axis=1).var(ddof=1) / len(side), len(side) - 1) for side in sides]
    parts.append((gap.var(ddof=1) / gap.size, gap.size - 1))
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return float(min(freedom for _, freedom in parts))
    return float(total**2 / sum(variance**2 / freedom for variance, freedom in parts))


def _over_problems_alone(values: NDArray[np.float64], *, draws: int, seed: int) -> list[Interval]:
    """Percentile bootstrap of the means of `[statistics, 1, problems]`.

    Source: Efron and Tibshirani 1993, chapter 13, by scipy; Hesterberg 2015, The American
    Statistician 69(4) (expanded percentiles).
    """
    problems = values.shape[-1]
    reach = stats.t.ppf((1 - LEVEL) / 2, problems - 1) * np.sqrt(problems / (problems - 1))
    tail = max(float(stats.norm.cdf(reach)), 0.5 / draws)
    return _percentiles(values[:, 0], tail=tail, draws=draws, seed=seed)


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
