"""Intervals: Wilson for one sample of each problem, otherwise a bootstrap over what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from emdiag.core.results import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVEL = 0.95
DRAWS = 10_000
SPREAD_FRAC = 1e-12
"""At most this share of the largest value, a spread over problems is rounding."""

_BATCH_VALUES = 4_000_000  # resampled values held at a time, about 32 MB


def wilson(successes: int, trials: int, *, level: float = LEVEL) -> Interval:
    """Interval of a share of independent trials; never leaves [0, 1].

    Source: Wilson 1927, by scipy.
    """
    # The test's own p-value is not used; it is quickest to find where p is the share itself.
    test = stats.binomtest(successes, trials, p=successes / trials)
    low, high = test.proportion_ci(confidence_level=level, method="wilson")
    return Interval(low=float(low), high=float(high), level=level, method="wilson")


def over_problems(
    values: Sequence[float], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval of the mean of one value per problem, each between 0 and 1.

    Samples of one problem are not independent, so whole problems are resampled. Where every
    problem has the same value 0 or 1 the bootstrap would claim certainty; then the interval is
    Wilson's, with problems as trials. None below two problems, or where all values agree on
    something else.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return None
    if np.ptp(array) == 0:
        if array[0] not in (0.0, 1.0):
            return None
        return wilson(int(array.sum()), array.size, level=level)
    return bootstrap_of_means([array], level=level, draws=draws, seed=seed)


def shares_over_problems(
    values: NDArray[np.float64], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> list[Interval | None]:
    """Interval of each of many shares, as `over_problems`, all from the same resamples.

    Args:
        values: `[statistics, problems]`, each between 0 and 1.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.
    """
    intervals: list[Interval | None] = [None] * len(values)
    spread = [number for number, row in enumerate(values) if row.size > 1 and np.ptp(row) > 0]
    for number in set(range(len(values))) - set(spread):
        intervals[number] = over_problems(list(values[number]), level=level)
    if spread:
        resampled = _percentiles(values[spread], level=level, draws=draws, seed=seed)
        for number, interval in zip(spread, resampled, strict=True):
            intervals[number] = interval
    return intervals


def of_differences(
    differences: NDArray[np.float64], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval of the mean of one paired difference per problem, each between -1 and 1.

    Where no problem differs, resampling would claim certainty; then the interval reaches as far
    either way as Wilson's does for no flips among so many problems. None below two problems.

    Args:
        differences: `[problems]`.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.
    """
    if differences.size < 2:
        return None
    if not differences.any():
        reach = wilson(0, differences.size, level=level).high
        return Interval(low=-reach, high=reach, level=level, method="wilson, no problem differs")
    if np.ptp(differences) == 0:
        return None
    return bootstrap_of_means([differences], level=level, draws=draws, seed=seed)


def over_seeds_and_problems(
    values: NDArray[np.float64], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval of the mean over training seeds and problems: both were drawn from many.

    Two-level bootstrap: each resample draws seeds and then problems, one set of problems for all
    of its seeds, because every seed is measured on the same ones. (Problems drawn anew for each
    seed would let their difficulty average out, and cover the truth far too seldom.)

    Seeds are few, which makes plain percentiles too narrow. Hence one seed less than there are is
    drawn, so that the variance is right, and the percentiles are moved out from those of the
    normal to those of Student's distribution, with degrees of freedom between those of seeds and
    of problems as the two share the variance. In simulations 95 % intervals covered 94-97 %
    from three seeds on, and 88 % with two.

    Args:
        values: `[seeds, problems]`, in any unit.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    None below two seeds or two problems, or where all values are equal.

    Source: Owen 2007, Annals of Applied Statistics 1(2) (crossed resampling); Rao and Wu 1988,
    JASA 83 (one less); Hesterberg 2015, The American Statistician 69(4) (expanded percentiles);
    Satterthwaite 1946 (degrees of freedom).
    """
    seeds, problems = values.shape
    if seeds < 2 or problems < 2 or np.ptp(values) == 0:
        return None
    return _over_both_levels(values[None], level=level, draws=draws, seed=seed)[0]


def _over_both_levels(
    values: NDArray[np.float64], *, level: float, draws: int, seed: int
) -> list[Interval]:
    """Intervals of `[statistics, seeds, problems]`, all from the same resamples."""
    _, seeds, problems = values.shape
    random = np.random.default_rng(seed)
    means = []
    for start in range(0, draws, batch := max(1, _BATCH_VALUES // problems)):
        size = min(batch, draws - start)
        of_seeds = random.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size) / (seeds - 1)
        of_problems = random.multinomial(problems, np.full(problems, 1 / problems), size) / problems
        means.append([np.einsum("dp,dp->d", of_seeds @ rows, of_problems) for rows in values])
    intervals = []
    for rows, drawn in zip(values, np.concatenate(means, axis=1), strict=True):
        tail = stats.norm.cdf(stats.t.ppf((1 - level) / 2, _degrees_of_freedom(rows)))
        low, high = np.quantile(drawn, [tail, 1 - tail])
        intervals.append(
            Interval(
                low=float(low),
                high=float(high),
                level=level,
                method="bootstrap over seeds and problems",
            )
        )
    return intervals


def _degrees_of_freedom(values: NDArray[np.float64]) -> float:
    """Of the variance of the mean of `[seeds, problems]`, after Satterthwaite."""
    seeds, problems = values.shape
    of_seeds = values.mean(axis=1).var(ddof=1) / seeds
    of_problems = values.mean(axis=0).var(ddof=1) / problems
    if of_seeds + of_problems == 0:
        return float(min(seeds, problems) - 1)
    return float(
        (of_seeds + of_problems) ** 2
        / (of_seeds**2 / (seeds - 1) + of_problems**2 / (problems - 1))
    )


def bootstrap_of_means(
    clusters: Sequence[NDArray[np.float64]],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of the mean over benchmarks of the mean over problems.

    Args:
        clusters: For each benchmark, one value per problem, `[problems]`; at least two each.
        level: Coverage aimed at.
        draws: Resamples; 10,000 leave the ends uncertain by about 2 % of the width.
        seed: Equal seeds give equal intervals.

    Source: Efron and Tibshirani 1993, chapter 13, by scipy.
    """

    def mean_of_means(*samples: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        means: NDArray[np.float64] = sum(np.mean(sample, axis=axis) for sample in samples)
        return means / len(samples)

    bounds = stats.bootstrap(
        tuple(clusters),
        mean_of_means,
        n_resamples=draws,
        batch=max(1, _BATCH_VALUES // max(len(cluster) for cluster in clusters)),
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(
        low=float(bounds.low),
        high=float(bounds.high),
        level=level,
        method="bootstrap over problems",
    )


def interval_of(
    values: NDArray[np.float64], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval | None:
    """Interval of the mean of values in any unit, without bounds.

    Over problems; over seeds and problems where there are two seeds or more. Problems are often
    as few as twenty, so the percentiles are moved out from those of the normal to those of
    Student's distribution either way. Below about five problems even that covers too seldom.

    None below two problems, and where all values are equal up to rounding: resampling would then
    claim certainty, and without bounds nothing says how far off the value may be.

    Args:
        values: `[problems]` or `[seeds, problems]`.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.
    """
    return intervals_of(values[None], level=level, draws=draws, seed=seed)[0]


def intervals_of(
    values: NDArray[np.float64], *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> list[Interval | None]:
    """Interval of each of many statistics, all from the same resamples; see `interval_of`.

    Args:
        values: `[statistics, problems]` or `[statistics, seeds, problems]`. Nan where a problem
            does not have a statistic: it is left out of that statistic alone, with all seeds.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.
    """
    rows = values[:, None, :] if values.ndim == 2 else values
    resample = _over_both_levels if rows.shape[1] > 1 else _over_problems_alone
    intervals: list[Interval | None] = [None] * len(rows)
    is_defined = ~np.isnan(rows).any(axis=1)
    for problems in np.unique(is_defined, axis=0):
        of_same_problems = np.flatnonzero((is_defined == problems).all(axis=1))
        kept = rows[of_same_problems][:, :, problems]
        spread = [_spreads(row) for row in kept]
        if any(spread):
            resampled = resample(kept[spread], level=level, draws=draws, seed=seed)
            for index, interval in zip(of_same_problems[spread], resampled, strict=True):
                intervals[index] = interval
    return intervals


def _spreads(row: NDArray[np.float64]) -> bool:
    """Whether there are two problems and values that differ by more than rounding."""
    return row.shape[-1] > 1 and bool(np.ptp(row) > SPREAD_FRAC * np.abs(row).max())


def of_two_arms(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Interval of the mean of `left` minus the mean of `right`, in any unit, paired by problem.

    Seeds of the two are independent of each other, problems are shared: each resample draws seeds
    on either side, and one set of problems for both. As in `over_seeds_and_problems` one seed less
    than there are is drawn, and percentiles are moved out to Student's, with degrees of freedom
    from the three shares of the variance. With one seed on a side that side stays as it is: the
    interval then says nothing of its other seeds.

    Args:
        left: `[seeds, problems]`, any number of seeds.
        right: Likewise, on the same problems.
        level: Coverage aimed at.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    None below two problems, or where nothing differs by more than rounding.

    Source: Owen 2007, Annals of Applied Statistics 1(2); the rest as in `over_seeds_and_problems`.
    """
    if len(left) == 1 or len(right) == 1:
        return interval_of(left - right, level=level, draws=draws, seed=seed)
    problems = left.shape[1]
    everything = np.concatenate([left, right])
    if problems < 2 or not _spreads(everything):
        return None
    random = np.random.default_rng(seed)
    drawn = []
    for start in range(0, draws, batch := max(1, _BATCH_VALUES // problems)):
        size = min(batch, draws - start)
        gap = _drawn_seeds(random, left, size) - _drawn_seeds(random, right, size)
        weights = random.multinomial(problems, np.full(problems, 1 / problems), size) / problems
        drawn.append(np.einsum("dp,dp->d", gap, weights))
    tail = stats.norm.cdf(stats.t.ppf((1 - level) / 2, _freedom_of_two(left, right)))
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail])
    return Interval(
        low=float(low), high=float(high), level=level, method="bootstrap over seeds and problems"
    )


def _drawn_seeds(
    random: np.random.Generator, values: NDArray[np.float64], draws: int
) -> NDArray[np.float64]:
    """Means over resampled seeds, `[draws, problems]`."""
    seeds = len(values)
    weights = random.multinomial(seeds - 1, np.full(seeds, 1 / seeds), draws) / (seeds - 1)
    means: NDArray[np.float64] = weights @ values
    return means


def _freedom_of_two(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Degrees of freedom of the variance of a difference of two arms, after Satterthwaite."""
    gap = left.mean(axis=0) - right.mean(axis=0)
    parts = [
        (side.mean(axis=1).var(ddof=1) / len(side), len(side) - 1) for side in (left, right)
    ] + [(gap.var(ddof=1) / gap.size, gap.size - 1)]
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return float(min(freedom for _, freedom in parts))
    return float(total**2 / sum(variance**2 / freedom for variance, freedom in parts))


def _over_problems_alone(
    values: NDArray[np.float64], *, level: float, draws: int, seed: int
) -> list[Interval]:
    """Percentile bootstrap of the means of `[statistics, 1, problems]`.

    Source: Efron and Tibshirani 1993, chapter 13, by scipy; Hesterberg 2015, The American
    Statistician 69(4) (expanded percentiles).
    """
    problems = values.shape[-1]
    reach = stats.t.ppf((1 - level) / 2, problems - 1) * np.sqrt(problems / (problems - 1))
    tail = max(float(stats.norm.cdf(reach)), 0.5 / draws)
    return _percentiles(values[:, 0], level=level, tail=tail, draws=draws, seed=seed)


def _percentiles(
    values: NDArray[np.float64],
    *,
    level: float,
    draws: int,
    seed: int,
    tail: float | None = None,
) -> list[Interval]:
    """Percentiles of the resampled means of `[statistics, problems]`.

    Args:
        values: Each row varies.
        level: What the interval is said to cover.
        draws: Resamples.
        seed: Of the resamples.
        tail: Left out at either end; half of what `level` leaves, unless moved out.
    """
    bounds = stats.bootstrap(
        (values,),
        np.mean,
        axis=-1,
        n_resamples=draws,
        batch=max(1, _BATCH_VALUES // (2 * values.size)),
        vectorized=True,
        confidence_level=level if tail is None else 1 - 2 * tail,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return [
        Interval(low=float(low), high=float(high), level=level, method="bootstrap over problems")
        for low, high in zip(np.atleast_1d(bounds.low), np.atleast_1d(bounds.high), strict=True)
    ]
