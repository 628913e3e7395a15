"""What the samples of one problem say: how often they are right, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb, log

from emdiag.core.errors import MeasurementError
from emdiag.stats.checks import refuse_counts


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate of the chance that at least one of `k` samples is right.

    Raises:
        MeasurementError: `correct` or `k` lies outside its range.

    Source: Chen et al. 2021, arXiv:2107.03374, equation 1: 1 - C(n - c, k) / C(n, k), with c of n
    samples of one problem right.
    """
    refuse_counts(correct, samples, of=f"pass@{k}")
    refuse_counts(k, max(k, samples), of="pass@k")
    if not 1 <= k <= samples:
        raise MeasurementError(f"pass@{k} is not defined", found=f"{samples} samples")
    return float(1 - Fraction(comb(samples - correct, k), comb(samples, k)))


def outcome_variance(samples: int, correct: int) -> float | None:
    """Unbiased estimate of the variance of one sample being right, between 0 and 1/2.

    The sample variance of the 0/1 outcomes of one problem, c (n - c) / (n (n - 1)), which estimates
    p (1 - p). None below two samples, where it is not defined.

    Raises:
        MeasurementError: `correct` lies outside its range.
    """
    refuse_counts(correct, samples, of="the variance of outcomes", least=0)
    if samples < 2:
        return None
    return correct * (samples - correct) / (samples * (samples - 1))


def agreement(counts: Sequence[int]) -> float | None:
    """Unbiased estimate of the chance that two more samples give the same answer, in [0, 1].

    From the samples in each class of equal answers. None below two, where no pair exists.

    Raises:
        MeasurementError: A count is none.

    Source: Simpson 1949, "Measurement of Diversity": sum c_i (c_i - 1) / (n (n - 1)).
    """
    counts = _whole(counts)
    samples = sum(counts)
    if samples < 2:
        return None
    return sum(count * (count - 1) for count in counts) / (samples * (samples - 1))


def answer_entropy(counts: Sequence[int]) -> float | None:
    """Entropy of the observed shares of answers, in nats, between 0 and log(number of samples).

    The plug-in estimate: it is too low by about (classes - 1) / (2 samples) where every class has
    been seen (Miller 1955), and by more where answers are still unseen. It ranks problems of one
    number of samples; it is no estimate of the model's own entropy over answers. None without a
    sample.

    Raises:
        MeasurementError: A count is none.
    """
    counts = _whole(counts)
    samples = sum(counts)
    if samples == 0:
        return None
    return sum(count / samples * log(samples / count) for count in counts if count)


def _whole(counts: Sequence[int]) -> list[int]:
    for count in counts:
        refuse_counts(count, count, of="a share of answers", least=0)
    return [int(count) for count in counts]
