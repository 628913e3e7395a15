"""Two checkpoints, or two groups of answers, on the same problems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.core.results import Conclusion, Interval, direction_of
from emdiag.stats.checks import numbers, refuse_counts, refuse_level

PERMUTATIONS = 9_999


def exact_mcnemar(*, wrong_to_right: int, right_to_wrong: int) -> float:
    """Two-sided p-value that flips go either way equally often.

    1 where there is none.

    Raises:
        MeasurementError: A number of flips is none.

    Source: McNemar 1947, exact binomial form, by scipy.
    """
    for count in (wrong_to_right, right_to_wrong):
        refuse_counts(count, count, of="McNemar's test", least=0)
    flips = wrong_to_right + right_to_wrong
    return float(stats.binomtest(wrong_to_right, flips).pvalue) if flips else 1.0


def sign_flip(differences: NDArray[np.float64], *, seed: int = 0) -> float:
    """Two-sided p-value that the mean of paired differences, `[problems]`, is zero.

    Under the null either checkpoint could have produced either value of a problem, so the sign
    of each problem's difference is flipped at random. 1 where all differences are zero, and for one
    problem, whose signs are both as far from zero.

    Raises:
        MeasurementError: There is no difference, or one is not finite.

    Source: Fisher 1935, chapter 3 (randomisation test), by scipy.
    """
    differences = numbers(differences, of="a test of differences")
    if differences.size == 1 or not differences.any():
        return 1.0
    test = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=max(1, 4_000_000 // differences.size),
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for testing them all.

    Written out, because the library's version collects garbage at every call, which takes longer
    than everything else that a study with a thousand estimates sums up; a test compares the two.
    Of no p-value there is none.

    Raises:
        MeasurementError: A p-value is not between 0 and 1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    if len(p_values):
        numbers(p_values, of="a correction", low=0, high=1)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, number in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = least
    return adjusted


def conclude(interval: Interval | None, *, p_value: float | None, margin: float) -> Conclusion:
    """What may be said of a difference (right minus left) by interval and corrected p-value.

    A winner needs a direction by `direction_of`. Otherwise the two are equivalent if the whole
    interval lies within the margin, and undecided if not.
    """
    direction = direction_of(interval, p_value)
    if interval is None:
        return "undecided"
    if direction != "undecided":
        return "right better" if direction == "higher" else "left better"
    return "equivalent" if -margin < interval.low and interval.high < margin else "undecided"


def within_problem_auroc(right: Sequence[float], wrong: Sequence[float]) -> float | None:
    """Chance that a right answer has less entropy than a wrong one of the same problem, in [0, 1].

    From the entropies of each; ties count one half; 0.5 says that entropy tells nothing. None where
    one side is empty.

    Raises:
        MeasurementError: An entropy is not finite.

    Source: Mann and Whitney 1947, U over the number of pairs.
    """
    if not len(right) or not len(wrong):
        return None
    sides = [numbers(side, of="a ranking by entropy") for side in (wrong, right)]
    gaps = np.subtract.outer(*sides)
    return float((np.sign(gaps).mean() + 1) / 2)


def agreeing_rate(
    first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]], *, level: float
) -> tuple[Interval, float]:
    """Where the first sampler's rate lies if both draw alike, and how surprising it is.

    Problems differ in difficulty, so each is its own stratum: given how many of all its samples
    are right, the share that falls to the first sampler is hypergeometric. The sum over problems
    is exact, whatever the number of samples.

    Either side is right samples and samples of each problem, in the same order. Returns the
    interval of the first sampler's rate over all its samples, and the two-sided p-value of what was
    found: the chance of a sum that is at most as likely.

    Raises:
        MeasurementError: There is no problem, or no sample of one, or the two have different ones,
            or `level` is none.

    Source: exact conditional test of stratified 2 x 2 tables, Agresti 2013, section 7.3.
    """
    if not len(first) == len(second) > 0:
        raise MeasurementError(
            "two samplers need the same problems, one or more",
            found=f"{len(first)} and {len(second)}",
        )
    refuse_level(level)
    for count in (*first, *second):
        refuse_counts(*count, of="a rate of samples")
    chances: NDArray[np.float64] = np.ones(1)
    for (right, samples), (other_right, other_samples) in zip(first, second, strict=True):
        total = samples + other_samples
        law = stats.hypergeom(total, right + other_right, samples)
        pmf = np.asarray(law.pmf(np.arange(samples + 1)), dtype=np.float64)
        chances = np.convolve(chances, pmf).astype(np.float64)
    successes = sum(right for right, _ in first)
    samples = sum(count for _, count in first)
    tail = (1 - level) / 2
    below = np.cumsum(chances)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail))
    interval = Interval(
        low=low / samples,
        high=min(high, samples) / samples,
        level=level,
        method="exact, by problem",
    )
    at_most_as_likely = chances <= chances[successes] * (1 + 1e-9)
    return interval, float(min(1.0, chances[at_most_as_likely].sum()))
