"""Members of lists, tuples and sets held against each other, in order or in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emdiag.grading.parse.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

Same = Callable[[Shape, Shape], bool]
"""Whether the second shape, from an answer, says what the first, from a gold, says."""


def covers(gold: Sequence[Shape], answer: Sequence[Shape], same: Same) -> bool:
    """Whether two sets in braces have the same members, however often each is written."""
    return all(any(same(left, right) for right in answer) for left in gold) and all(
        any(same(left, right) for left in gold) for right in answer
    )


def ordered(gold: Sequence[Shape], answer: Sequence[Shape], same: Same) -> bool:
    """Whether both have as many members and each is the same as the one in its place."""
    return len(gold) == len(answer) and all(
        same(left, right) for left, right in zip(gold, answer, strict=True)
    )


def unordered(gold: Sequence[Shape], answer: Sequence[Shape], same: Same) -> bool:
    """Whether the members can be paired off; each is used once, so a double one counts twice."""
    if len(gold) != len(answer):
        return False
    known: dict[tuple[int, int], bool] = {}

    def fits(left: int, right: int) -> bool:
        if (left, right) not in known:
            known[left, right] = same(gold[left], answer[right])
        return known[left, right]

    taken: dict[int, int] = {}

    def place(left: int, visited: set[int]) -> bool:
        for right in range(len(answer)):
            if right not in visited and fits(left, right):
                visited.add(right)
                if right not in taken or place(taken[right], visited):
                    taken[right] = left
                    return True
        return False

    return all(place(left, set()) for left in range(len(gold)))
