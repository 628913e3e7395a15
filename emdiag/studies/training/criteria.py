"""Criteria that rank prompts: which end is best, and which of them need the right answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from emdiag.core.errors import PlanError
from emdiag.core.results import Remark, remark
from emdiag.core.selection import Criterion, PromptStatistics


@dataclass(frozen=True)
class Rule:
    """How a criterion ranks prompts.

    Attributes:
        value: Its figure; None where it is not defined on a prompt.
        best: Which end comes first.
        meaning: Of the best end.
        uses_labels: Whether the figure needs the right answers.
    """

    value: Callable[[PromptStatistics], float | None]
    best: Literal["highest", "lowest"]
    meaning: Remark
    uses_labels: bool = False


RULES: dict[Criterion, Rule] = {
    "outcome-variance": Rule(
        attrgetter("outcome_variance"),
        "highest",
        remark("right-as-often-as-wrong"),
        uses_labels=True,
    ),
    "answer-entropy": Rule(attrgetter("answer_entropy_nats"), "highest", remark("various-answers")),
    "agreement": Rule(
        # Of a prompt on which nothing is answered agreement is low and says nothing.
        lambda prompt: prompt.agreement if prompt.majority_answer is not None else None,
        "lowest",
        remark("seldom-one-answer"),
    ),
    "token-entropy": Rule(attrgetter("token_entropy_nats"), "highest", remark("most-entropy")),
    "majority": Rule(attrgetter("majority_frac"), "highest", remark("clearest-behaviour")),
}


def choose_criterion(wanted: Criterion | None, *, labelled: int, problems: int) -> Criterion:
    """The criterion asked for, else outcome variance where most problems have an answer.

    Raises:
        PlanError: It uses labels, and no problem has one.
    """
    if wanted is None:
        return "outcome-variance" if 2 * labelled > problems else "answer-entropy"
    if RULES[wanted].uses_labels and not labelled:
        free = ", ".join(name for name, rule in RULES.items() if not rule.uses_labels)
        raise PlanError(
            f"{wanted} needs right answers, and no problem of the pool has one",
            hint=f"rank with --by and a criterion that uses no labels: {free}",
        )
    return wanted


def rank(figures: Sequence[PromptStatistics], rule: Rule) -> list[PromptStatistics]:
    """The best first; equal prompts keep their order, undefined ones stand last."""
    sign = -1 if rule.best == "highest" else 1

    def place(prompt: PromptStatistics) -> tuple[bool, float]:
        value = rule.value(prompt)
        return value is None, 0.0 if value is None else sign * value

    return sorted(figures, key=place)
