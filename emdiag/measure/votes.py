"""Samples of one problem as votes for answers: the one rule of maj@k, agreement and majorities.

A sample without an answer is counted as a sample and never as a vote: it stays in every
denominator, agrees with nothing, not even with another such sample, and is never a majority.
How many there were stands beside what is shown.

- 8 samples, none with an answer: maj@8 is 0 (nothing is right), agreement 0 (no two samples give
  the same answer), no majority answer. 0 and not undefined, so that a mean over problems does not
  leave out those on which the model fails most.
- 7 samples without an answer and a right one: maj@8 is 1, as majority voting ignores samples from
  which no answer can be parsed; the share of votes, 1/8, says how little stands behind it.
- Answers with equally many votes: maj@k is the expected value of a draw among them.

Source: Wang et al. 2022, arXiv:2203.11171, for the vote over the answers that can be parsed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emdiag.core.errors import MeasurementError
from emdiag.stats.samples import agreement, answer_entropy


@dataclass(frozen=True, slots=True)
class Votes:
    """How the samples of one problem voted.

    Attributes:
        by_answer: Samples of each answer that was given, in the order of its first sample.
        silent: Samples without an answer.
    """

    by_answer: Mapping[str, int]
    silent: int

    @property
    def samples(self) -> int:
        """All of them, also those without an answer."""
        return sum(self.by_answer.values()) + self.silent

    @property
    def winners(self) -> tuple[str, ...]:
        """The answers with most votes, the earliest first; empty where nothing was answered."""
        most = max(self.by_answer.values(), default=0)
        return tuple(answer for answer, votes in self.by_answer.items() if votes == most)

    @property
    def majority_frac(self) -> float:
        """Share of all samples that give the most frequent answer; 0 where none gives any."""
        return max(self.by_answer.values(), default=0) / self.samples

    @property
    def agreement(self) -> float | None:
        """Unbiased chance that two samples give the same answer; None below two samples."""
        return agreement([*self.by_answer.values(), *[1] * self.silent])

    @property
    def entropy(self) -> float | None:
        """Entropy of the shares of the answers that were given, in nats; None without a vote."""
        return answer_entropy(list(self.by_answer.values()))


def votes_of(answers: Sequence[str | None]) -> Votes:
    """The votes of one problem's samples; equal answers have one name, None is no answer.

    Raises:
        MeasurementError: There is no sample.
    """
    if not answers:
        raise MeasurementError("without a sample there is no vote", samples=0)
    counts = Counter(answer for answer in answers if answer is not None)
    return Votes(by_answer=counts, silent=len(answers) - counts.total())


def majority_right(answers: Sequence[str | None], right: Sequence[bool]) -> float:
    """maj@k of one problem: share of right samples among those that give a winning answer.

    Args:
        answers: Of each sample, as in `votes_of`.
        right: Of each sample, whether it is right; samples of one answer may differ.

    Raises:
        MeasurementError: There is no sample, or not one of `right` for each.
    """
    if len(answers) != len(right):
        raise MeasurementError(
            "each sample is right or wrong", found=f"{len(answers)} answers, {len(right)} judged"
        )
    winners = votes_of(answers).winners
    hits = [hit for answer, hit in zip(answers, right, strict=True) if answer in winners]
    return sum(hits) / len(hits) if hits else 0.0
