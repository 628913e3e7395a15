"""How small a gain a paired comparison would still find, with 80 % power."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from emdiag.core.results import DetectableGain, remark
from emdiag.stats.checks import numbers, refuse_counts
from emdiag.stats.intervals import LEVEL, SPREAD_FRAC

POWER = 0.8
CHANGING = (0.1, 0.2, 0.4)
"""Shares of problems whose answer changes that a comparison is planned for."""


def planned_gains(problems: int, *, score: float) -> tuple[DetectableGain, ...]:
    """What a comparison with a checkpoint of this score would find, before the other is measured.

    With one sample of each problem, for each share of `CHANGING`; see `gain_by_flips`.
    """
    return tuple(gain_by_flips(problems, changing, score=score) for changing in CHANGING)


def gain_by_flips(
    problems: int, changing: float, *, score: float, alpha: float = 1 - LEVEL
) -> DetectableGain:
    """Smallest true gain that exact McNemar finds, for one sample of each problem.

    `changing` is the share of problems whose answer changes either way, `score` the share of right
    answers before, `alpha` the two-sided size of the test. No gain is given where none would be
    found, or where problems that many cannot change to that gain at this score.

    Raises:
        MeasurementError: A share is none, or the number of problems.

    Source: power of the exact test, summed over the number of changes and their split.
    """
    refuse_counts(0, problems, of="a detectable gain", least=0)
    numbers([changing, score, alpha], of="a detectable gain", low=0, high=1)

    def lacking(gain: float) -> float:
        return power_of_mcnemar(problems, changing, gain, alpha=alpha) - POWER

    note, gain = None, None
    if _too_few(problems, alpha):
        note = remark("too-few-to-find", problems=problems)
    elif changing == 0:
        note = remark("nothing-changes")
    elif lacking(changing) < 0:
        note = remark("too-few-change")
    else:
        gain = float(optimize.brentq(lacking, 0, changing, xtol=1e-6))
        if (changing + gain) / 2 > 1 - score or (changing - gain) / 2 > score:
            note = remark("not-left-to-gain", gain=gain, score=score)
            gain = None
    return DetectableGain(gain=gain, changing=changing, method="exact McNemar", note=note)


def gain_by_spread(
    differences: NDArray[np.float64], *, score: float, alpha: float = 1 - LEVEL
) -> DetectableGain:
    """Smallest true gain that a test of the mean of paired differences, `[problems]`, finds.

    z(1 - alpha / 2) + z(0.8) standard errors of the mean difference, 2.8 of many problems at 5 %.
    Of few problems a little more: sign flips take the spread about zero for that about the mean,
    move the sum by twice the smallest difference at least, and the spread is estimated. No gain is
    given where that is more than is left above `score`, or where nothing varies.

    Raises:
        MeasurementError: A difference is not between -1 and 1, or the score is no share.

    Source: Miller 2024, arXiv:2411.00640, section 5, solved for the effect.
    """
    problems = differences.size
    numbers([score, alpha], of="a detectable gain", low=0, high=1)
    if differences.size:
        differences = numbers(differences, of="a gain by paired differences", low=-1, high=1)
    note, gain = None, None
    if _too_few(problems, alpha):
        note = remark("too-few-to-find", problems=problems)
    elif np.ptp(differences) <= SPREAD_FRAC:
        note = remark("nothing-changes")
    else:
        z = stats.norm.ppf(1 - alpha / 2)
        quantile = z * np.sqrt((problems - 1) / max(1.0, problems - z**2))
        quantile += stats.t.ppf(POWER, problems - 1)
        sizes = np.abs(differences)
        least = sizes[sizes > SPREAD_FRAC].min()
        error = differences.std(ddof=1) / np.sqrt(problems)
        gain = float(quantile * error + least / problems)
        if gain > 1 - score:
            note = remark("not-left-to-gain", gain=gain, score=score)
            gain = None
    return DetectableGain(gain=gain, changing=None, method="standard errors", note=note)


def power_of_mcnemar(problems: int, changing: float, gain: float, *, alpha: float) -> float:
    """Chance that exact McNemar at `alpha` finds a gain, a share of problems, to be one.

    The share `changing` of problems changes, (changing + gain) / 2 of all for the better.

    Raises:
        MeasurementError: A share or the number of problems is none, or the gain exceeds `changing`.
    """
    refuse_counts(0, problems, of="the power of McNemar's test", least=0)
    numbers([changing, alpha], of="the power of McNemar's test", low=0, high=1)
    numbers(gain, of="the power at a gain", low=-changing, high=changing)
    if changing == 0:
        return 0.0
    flips = np.arange(problems + 1)
    chances = stats.binom.pmf(flips, problems, changing)
    most = stats.binom.ppf(alpha / 2, flips, 0.5)
    is_found = 2 * stats.binom.cdf(most, flips, 0.5) < alpha
    most_worse = np.where(is_found, most, most - 1)  # that still leave p below alpha
    worse = (changing - gain) / (2 * changing)
    return float((chances * stats.binom.cdf(most_worse, flips, worse)).sum())


def _too_few(problems: int, alpha: float) -> bool:
    """Whether even changes of all problems to one side leave the test above `alpha`."""
    return 2.0 ** (1 - problems) >= alpha
