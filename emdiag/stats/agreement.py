"""How far the answers to one problem agree, without asking which of them is right."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def agreement(counts: Sequence[int]) -> float | None:
    """Unbiased estimate of the chance that two more samples give the same answer, in [0, 1].

    Args:
        counts: Samples in each class of equal answers; none below 0.

    Returns:
        None below two samples, where no pair exists.

    Raises:
        ValueError: A count is negative.

    Source: Simpson 1949, "Measurement of Diversity": sum c_i (c_i - 1) / (n (n - 1)).
    """
    samples = _total(counts)
    if samples < 2:
        return None
    return sum(count * (count - 1) for count in counts) / (samples * (samples - 1))


def answer_entropy(counts: Sequence[int]) -> float | None:
    """Entropy of the observed shares of answers, in nats, between 0 and log(number of samples).

    The plug-in estimate: it is too low by about (classes - 1) / (2 samples) where every class has
    been seen (Miller 1955), and by more where answers are still unseen. It ranks problems of one
    number of samples; it is no estimate of the model's own entropy over answers.

    Args:
        counts: Samples in each class of equal answers; none below 0.

    Returns:
        None without a sample.

    Raises:
        ValueError: A count is negative.
    """
    samples = _total(counts)
    if samples == 0:
        return None
    return sum(count / samples * log(samples / count) for count in counts if count)


def _total(counts: Sequence[int]) -> int:
    if any(count < 0 for count in counts):
        msg = f"counts of answers are not negative: {list(counts)}"
        raise ValueError(msg)
    return sum(counts)
