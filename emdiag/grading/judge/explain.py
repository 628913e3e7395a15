"""Why a completion got its verdict: what was taken from where, how it was read, what was compared.

The same code judges; it writes its comparisons down only where somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.judge import RULES, judge, members
from emdiag.grading.parse.extract import Found, extract
from emdiag.grading.parse.shapes import Choice, DayTime, Many, Relation, Shape, Value, WordAnswer

if TYPE_CHECKING:
    from emdiag.grading.judge.terms import LeafComparison, Symbolic


@dataclass(frozen=True)
class ShownComparison:
    """One comparison as it is shown: both sides as read, the rule, and whether they agree."""

    gold: str
    answer: str
    rule: str
    holds: bool


@dataclass(frozen=True)
class Explanation:
    """Why a verdict was given.

    Attributes:
        rule: The rule that decided, in words; the note where nothing was compared.
        rules: Number of the set of rules.
        found_by: Which rule found the answer in the completion.
        extracted: The answer's text; None where nothing counts as one.
        span: Where it begins and ends in the completion, in characters.
        gold, answer: Both sides as read; None where nothing was compared.
        comparisons: All that were made, parts before the whole.
    """

    verdict: Verdict
    rule: str
    rules: int
    found_by: Found
    extracted: str | None
    span: tuple[int, int] | None
    gold: str | None = None
    answer: str | None = None
    comparisons: tuple[ShownComparison, ...] = ()
    note: str | None = None


def explain(gold: Gold, completion: str, symbolic: Symbolic) -> Explanation:
    """The verdict on a completion with its reason.

    Raises:
        NeedsWorkerError: `symbolic` refused, and without it nothing is decided.
    """
    extraction = extract(completion, members=members(gold))
    if extraction.answer is None:
        note = extraction.note or "nothing counts as an answer"
        return Explanation(
            verdict=Verdict.NO_ANSWER, rule=note, rules=RULES, found_by=extraction.rule,
            extracted=None, span=None, note=note,
        )  # fmt: skip
    steps: list[LeafComparison] = []
    outcome = judge(gold, extraction.answer, symbolic, steps=steps)
    comparisons = tuple(
        ShownComparison(gold=shown(s.gold), answer=shown(s.answer), rule=s.rule, holds=s.holds)
        for s in steps
    )
    whole = comparisons[-1] if comparisons else None
    return Explanation(
        verdict=outcome.verdict, rule=_decisive(comparisons) or outcome.rule or str(outcome.note),
        rules=RULES, found_by=extraction.rule, extracted=extraction.answer, span=extraction.span,
        gold=whole.gold if whole else None, answer=whole.answer if whole else None,
        comparisons=comparisons, note=outcome.note or extraction.note,
    )  # fmt: skip


def shown(shape: Shape) -> str:
    """A shape as text, with what the reading made of it."""
    match shape:
        case Value():
            names = "".join(f"{name} = " for name in shape.names)
            parts = (
                "%" if shape.percent else "",
                f" [{shape.unit}]" if shape.unit else "",
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


def _decisive(comparisons: tuple[ShownComparison, ...]) -> str | None:
    """The rule of the whole; where it is one value, that of its last and closest comparison."""
    if not comparisons:
        return None
    if comparisons[-1].rule == "values" and len(comparisons) > 1:
        return comparisons[-2].rule
    return comparisons[-1].rule
