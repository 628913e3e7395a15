"""Why an answer got its verdict: its comparisons as a reader meets them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from emdiag.core.grades import AnswerComparison
from emdiag.grading.judge.terms import LeafComparison
from emdiag.grading.parse.shapes import Choice, DayTime, Many, Relation, Shape, Value, WordAnswer

MOST_COMPARISONS = 12
MOST_CHARACTERS = 200
"""Of one side of a comparison."""


def compared(steps: Sequence[LeafComparison]) -> tuple[AnswerComparison, ...]:
    """The last comparisons that were made, parts before the whole, with both sides as read.

    Of two values, the comparison that decided stands for the values too.
    """
    kept = [
        step
        for before, step in zip([None, *steps], steps, strict=False)
        if before is None or step.rule != "values" or before.answer is not step.answer
    ]
    return tuple(
        AnswerComparison(
            gold=shown(step.gold)[:MOST_CHARACTERS],
            answer=shown(step.answer)[:MOST_CHARACTERS],
            rule=step.rule,
            holds=step.holds,
        )
        for step in kept[-MOST_COMPARISONS:]
    )


def decisive(steps: Sequence[LeafComparison]) -> str | None:
    """The rule of the whole; where it is one value, that of its last and closest comparison."""
    if not steps:
        return None
    is_value = steps[-1].rule == "values" and len(steps) > 1
    return steps[-2 if is_value else -1].rule


def shown(shape: Shape) -> str:
    """A shape as text, with what the reading made of it."""
    match shape:
        case Value():
            names = "".join(f"{name} = " for name in shape.names)
            parts = (
                "%" if shape.percent else "",
                " [" + re.sub(r"\^1(?!\d)", "", shape.unit) + "]" if shape.unit else "",
                f" in base {shape.base}" if shape.base else "",
                f" modulo {shape.modulus}" if shape.modulus else "",
            )
            return names + shape.text + "".join(parts)
        case WordAnswer():
            return f'"{shape.words}"'
        case Choice():
            return f"({shape.letter}) {shape.rest}".strip()
        case DayTime():
            half = {0: " a.m.", 1: " p.m.", None: ""}[shape.half]
            return f"{shape.hour}:{shape.seconds // 60:02}{half}"
        case Relation():
            return f"{shape.left} {shape.sign} {shape.right}"
        case Many():
            return _several(shape)


def _several(shape: Many) -> str:
    joint = {"ratio": " : ", "union": r" \cup "}.get(shape.kind, ", ")
    inner = joint.join(map(shown, shape.items))
    kind = f"{len(shape.items) // shape.columns}x{shape.columns} " if shape.columns else ""
    return f"{kind}{shape.opener}{inner}{shape.closer}"
