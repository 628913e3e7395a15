"""Criteria that rank prompts: which end is best, and which of them need the right answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from emdiag.core.errors import PlanError
from emdiag.core.results import Remark, remark
from emdiag.core.selection import Criterion, PromptStatistics


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a criterion ranks prompts.

    Attributes:
        value: Its figure; None where it is not defined on a prompt.
        best: Which end comes first.
        uses_labels: Whether the figure needs the right answers.
        meaning: Of the best end.
    """

    value: Callable[[PromptStatistics], float | None]
    best: Literal["highest", "lowest"]
    uses_labels: bool
    meaning: Remark


RULES: dict[Criterion, Rule] = {
    "outcome-variance": Rule(
        value=lambda figures: figures.outcome_variance,
        best="highest",
        uses_labels=True,
        meaning=remark("right-as-often-as-wrong"),
    ),
    "answer-entropy": Rule(
        value=lambda figures: figures.answer_entropy_nats,
        best="highest",
        uses_labels=False,
        meaning=remark("various-answers"),
    ),
    "agreement": Rule(
        value=lambda figures: figures.agreement,
        best="lowest",
        uses_labels=False,
        meaning=remark("seldom-one-answer"),
    ),
    "token-entropy": Rule(
        value=lambda figures: figures.token_entropy_nats,
        best="highest",
        uses_labels=False,
        meaning=remark("most-entropy"),
    ),
    "majority": Rule(
        value=lambda figures: figures.majority_frac,
        best="highest",
        uses_labels=False,
        meaning=remark("clearest-behaviour"),
    ),
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
