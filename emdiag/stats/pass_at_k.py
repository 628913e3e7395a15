"""How often at least one of k samples is right, and how much samples of a problem differ."""

from __future__ import annotations

from fractions import Fraction
from math import comb


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate of the chance that at least one of `k` samples is right.

    Args:
        samples: Samples drawn of one problem, n.
        correct: How many of them are right, c.
        k: Between 1 and n.

    Raises:
        ValueError: `correct` or `k` lies outside its range.

    Source: Chen et al. 2021, arXiv:2107.03374, equation 1: 1 - C(n - c, k) / C(n, k).
    """
    if not (0 <= correct <= samples and 1 <= k <= samples):
        msg = f"pass@{k} of {correct} right among {samples} samples is not defined"
        raise ValueError(msg)
    return float(1 - Fraction(comb(samples - correct, k), comb(samples, k)))


def outcome_variance(samples: int, correct: int) -> float | None:
    """Unbiased estimate of the variance of one sample being right, between 0 and 1/2.

    The sample variance of the 0/1 outcomes, c (n - c) / (n (n - 1)), which estimates p (1 - p).
    None below two samples, where it is not defined.

    Args:
        samples: Samples drawn of one problem, n.
        correct: How many of them are right, c.

    Raises:
        ValueError: `correct` lies outside its range.
    """
    if not 0 <= correct <= samples:
        msg = f"the variance of {correct} right among {samples} samples is not defined"
        raise ValueError(msg)
    if samples < 2:
        return None
    return correct * (samples - correct) / (samples * (samples - 1))
