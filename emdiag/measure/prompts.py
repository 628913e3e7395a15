"""Completions of one prompt to the figures that choose it, or do not."""

from __future__ import annotations

from collections.abc import Sequence

from emdiag.core.grades import Verdict
from emdiag.core.problems import Problem
from emdiag.core.sampling import Completion
from emdiag.core.selection import PromptStatistics
from emdiag.measure.votes import majority_right, votes_of
from emdiag.stats.intervals import wilson
from emdiag.stats.samples import outcome_variance


def prompt_statistics(
    problem: Problem,
    completions: Sequence[Completion],
    classes: Sequence[str | None],
    *,
    verdicts: Sequence[Verdict] | None,
    token_entropies: Sequence[Sequence[float]] | None,
) -> PromptStatistics:
    """How a checkpoint behaves on one prompt.

    Args:
        problem: Whose statement was the prompt.
        completions: At least two.
        classes: Of each completion, the answer that stands for all equal ones; None without one.
        verdicts: Of each completion; None where the problem has no label.
        token_entropies: Of each completion, in nats; None where they were not read.
    """
    samples = len(completions)
    votes = votes_of(classes)
    agreement = votes.agreement
    assert agreement is not None, "two samples or more"
    right = None if verdicts is None else [verdict is Verdict.CORRECT for verdict in verdicts]
    tokens = [value for values in token_entropies or () for value in values]
    return PromptStatistics(
        problem_id=problem.id,
        statement=problem.statement,
        samples=samples,
        pass_rate=None if right is None else sum(right) / samples,
        pass_rate_interval=None if right is None else wilson(sum(right), samples),
        outcome_variance=None if right is None else outcome_variance(samples, sum(right)),
        majority_correct=None if right is None else majority_right(classes, right),
        answer_entropy_nats=votes.entropy,
        agreement=agreement,
        majority_frac=votes.majority_frac,
        majority_answer=next(iter(votes.winners), None),
        no_answer_frac=votes.silent / samples,
        token_entropy_nats=sum(tokens) / len(tokens) if tokens else None,
        mean_tokens=sum(completion.length for completion in completions) / samples,
        truncated_frac=sum(c.finish_reason == "length" for c in completions) / samples,
        unfinished_frac=sum(c.is_thinking for c in completions) / samples
        if all(c.is_marked for c in completions)
        else None,
    )
