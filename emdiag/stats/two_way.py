"""What training seeds add to the uncertainty of a mean over seeds and problems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from emdiag.core.errors import MeasurementError
from emdiag.stats.checks import numbers, refuse_counts, refuse_level

_ROUNDING = 1e-12

Reach = NDArray[np.float64]
"""How far an interval goes below and above its value, `[2, ...]`."""


def seed_reach(benchmarks: Sequence[NDArray[np.float64]], *, level: float) -> Reach:
    """Student's reach of the seeds about the mean over benchmarks of the means, `[2, statistics]`.

    Seeds are measured on the same problems, so that their means differ by the seeds and by the
    cells of seed and problem, sampling among it. The cells average out over problems too and are
    in the interval over problems already: their variance is taken off that of the seeds' means,
    which never falls below 0. 0 for one seed, which says nothing of others.

    Each benchmark is `[statistics, seeds, problems]`, two problems or more, with the same seeds.

    Raises:
        MeasurementError: There is no value, one is not finite, benchmarks differ in seeds, one
            has a single problem, or `level` is none.

    Source: Searle, Casella and McCulloch 1992, "Variance Components", chapter 4 (two-way crossed
    classification).
    """
    refuse_level(level)
    benchmarks = [numbers(values, of="the reach of seeds") for values in benchmarks]
    counts = sorted({values.shape[1] for values in benchmarks})
    if len(counts) != 1:
        raise MeasurementError(
            "the reach of seeds needs the same seeds on benchmarks", found=counts
        )
    seeds = counts[0]
    if seeds == 1:
        return np.zeros((2, len(benchmarks[0])))
    for values in benchmarks:
        refuse_counts(2, values.shape[2], of="the reach of seeds", least=2)
    means = np.mean([values.mean(axis=2) for values in benchmarks], axis=0)
    cells = sum(map(_variance_of_cells, benchmarks)) / len(benchmarks) ** 2
    variance = np.maximum(means.var(axis=1, ddof=1) / seeds - cells, 0.0)
    reach = stats.t.ppf((1 + level) / 2, seeds - 1) * np.sqrt(variance)
    return np.stack([reach, reach])


def on_logit_scale(shares: NDArray[np.float64], reach: Reach) -> Reach:
    """The reach of a share carried to its logit and back, so that it stays within 0 and 1.

    Shares are `[statistics]`; 0 and 1 have no logit and keep their reach.

    Raises:
        MeasurementError: A share is not between 0 and 1, or a reach is negative or not finite.

    Source: the delta method, Agresti 2013, section 3.1.
    """
    shares = numbers(shares, of="a logit", low=0, high=1)
    reach = numbers(reach, of="a reach", low=0)
    is_inner = (shares > _ROUNDING) & (shares < 1 - _ROUNDING) & (reach[0] > 0)
    inner = np.where(is_inner, shares, 0.5)
    steps = reach / (inner * (1 - inner))
    low, high = expit(logit(inner) - steps[0]), expit(logit(inner) + steps[1])
    return np.where(is_inner, np.stack([inner - low, high - inner]), reach)


def joined(reaches: Sequence[Reach]) -> Reach:
    """The reach of a sum of independent parts from those of the parts.

    The squares add up on either side, so that each part keeps its own distribution and skew.

    Raises:
        MeasurementError: There is no part, or one is negative or not finite.

    Source: Zou and Donner 2008, Statistics in Medicine 27(10) (recovery of variance estimates
    from confidence limits).
    """
    whole: Reach = np.sqrt(np.sum(np.square(numbers(reaches, of="a reach", low=0)), axis=0))
    return whole


def _variance_of_cells(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What cells add to the variance of the mean of `[statistics, seeds, problems]`."""
    _, seeds, problems = values.shape
    of_seeds, of_problems = values.mean(axis=2, keepdims=True), values.mean(axis=1, keepdims=True)
    cells = values - of_seeds - of_problems + values.mean(axis=(1, 2), keepdims=True)
    freedom = (seeds - 1) * (problems - 1)
    variances: NDArray[np.float64] = (cells**2).sum(axis=(1, 2)) / freedom / (seeds * problems)
    return variances
