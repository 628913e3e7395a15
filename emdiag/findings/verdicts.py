"""Why a grader gave a verdict, in words."""

from __future__ import annotations

from typing import Final

from emdiag.core.grades import AnswerComparison, Reason

_PLACES: Final = {
    "box": "from the last box",
    "boxes": "from boxes that belong together",
    "announcement": "announced as the answer",
    "whole text": "the whole text",
}


def why_words(why: Reason) -> str:
    """In a sentence, such as `rule: the units differ; read as 5 (gold) against 5 [cm]`."""
    parts = [f"rule: {why.rule}"]
    if why.comparisons:
        whole = why.comparisons[-1]
        parts.append(f"read as {whole.gold} (gold) against {whole.answer}")
    if place := _place(why):
        parts.append(place)
    return "; ".join(parts)


def why_lines(why: Reason) -> tuple[str, ...]:
    """For a terminal: where the answer was found, each comparison in its order, and the rule."""
    place = _place(why)
    return (
        *((f"found     {place}",) if place else ()),
        *(f"compared  {_compared(comparison)}" for comparison in why.comparisons),
        f"rule      {why.rule}",
    )


def _place(why: Reason) -> str:
    words = _PLACES.get(why.found_by, "")
    if not words or why.span is None:
        return words
    first, end = why.span
    return f"{words}, characters {first + 1:,} to {end:,}"


def _compared(comparison: AnswerComparison) -> str:
    sign = "equals" if comparison.holds else "differs from"
    return f"{comparison.gold} {sign} {comparison.answer}: {comparison.rule}"
