"""Sorting the answers to one problem into classes of equal answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emdiag.grading.parse.latex import canonical, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass
class _Group:
    """Distinct spellings of the answers to one problem; those `left` have no class yet."""

    spelled: dict[str, str]
    left: list[str]
    first: list[str] = field(default_factory=list)
    of: dict[str, str] = field(default_factory=dict)


def sort_into_classes(
    groups: Sequence[Sequence[str]],
    *,
    ask: Callable[[Sequence[tuple[str, str]]], list[bool]],
) -> list[list[str]]:
    """For each group, the first answer equal to each of its answers.

    One new spelling of every group is compared with the classes its group has, all groups in one
    call of `ask`, until none is left: few rounds, each as wide as there are groups.

    Args:
        groups: Answers, group by group; only answers of one group are compared.
        ask: Whether the two answers of each pair are equal.
    """
    keys = [[canonical(tidy(answer[:4096])) for answer in group] for group in groups]
    states = []
    for group, group_keys in zip(groups, keys, strict=True):
        spelled: dict[str, str] = {}
        for key, answer in zip(group_keys, group, strict=True):
            spelled.setdefault(key, answer)
        states.append(_Group(spelled=spelled, left=list(spelled.values())))
    while any(state.left for state in states):
        _round([state for state in states if state.left], ask)
    return [
        [state.of[state.spelled[key]] for key in group_keys]
        for state, group_keys in zip(states, keys, strict=True)
    ]


def _round(states: list[_Group], ask: Callable[[Sequence[tuple[str, str]]], list[bool]]) -> None:
    answers = [state.left.pop(0) for state in states]
    pairs = [
        (first, answer)
        for state, answer in zip(states, answers, strict=True)
        for first in state.first
    ]
    verdicts = iter(ask(pairs))
    for state, answer in zip(states, answers, strict=True):
        same = [first for first, equal in zip(state.first, verdicts, strict=False) if equal]
        state.of[answer] = same[0] if same else answer
        if not same:
            state.first.append(answer)
