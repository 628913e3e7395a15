"""Whether two samplers agree, problem by problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from emdiag.core.results import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def agreeing_rate(
    first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]], *, level: float
) -> tuple[Interval, float]:
    """Where the first sampler's rate lies if both draw alike, and how surprising it is.

    Problems differ in difficulty, so each is its own stratum: given how many of all its samples
    are right, the share that falls to the first sampler is hypergeometric. The sum over problems
    is exact, whatever the number of samples.

    Args:
        first: Right samples and samples of each problem.
        second: The same of the other sampler, in the same order.
        level: Coverage of the interval.

    Returns:
        Interval of the first sampler's rate over all its samples, and the two-sided p-value of
        what was found: the chance of a sum that is at most as likely.

    Source: exact conditional test of stratified 2 x 2 tables, Agresti 2013, section 7.3.
    """
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
