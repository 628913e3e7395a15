"""One comparison of a gold answer with an answer that was cut out of a completion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version

from emdiag.core.grades import MAIN_GRADER, AnswerComparison, Gold, Verdict
from emdiag.grading.judge.closed_forms import ClosedForms
from emdiag.grading.judge.compare import equal
from emdiag.grading.judge.explain import compared, decisive
from emdiag.grading.judge.guards import MAX_DEPTH
from emdiag.grading.judge.terms import NeedsWorkerError, Symbolic, Terms, UndecidedError
from emdiag.grading.parse.announcements import stated
from emdiag.grading.parse.expression import readings
from emdiag.grading.parse.extract import extract
from emdiag.grading.parse.latex import canonical, tidy, unboxed
from emdiag.grading.parse.quantities import unit_name
from emdiag.grading.parse.remarks import has_condition, without_remarks
from emdiag.grading.parse.shapes import DayTime, Many, Shape, Value
from emdiag.grading.parse.split import max_depth

RULES = 2
"""Number of the set of rules; it is raised with every change that can change a verdict."""
IDENTITY = f"{MAIN_GRADER}/{RULES}"
MAX_ANSWER = 4096
"""Characters of an answer that are looked at."""
_LIBRARIES = ("math-verify", "latex2sympy2_extended", "antlr4-python3-runtime", "sympy")


@dataclass(frozen=True)
class Outcome:
    """A verdict with its reason.

    Attributes:
        note: Why it is no plain verdict, if it is not.
        rule: That decided; None from a grader that does not say.
        comparisons: That were made, parts before the whole.
    """

    verdict: Verdict
    note: str | None = None
    rule: str | None = None
    comparisons: tuple[AnswerComparison, ...] = ()


@dataclass(frozen=True)
class _Prepared:
    text: str
    shapes: Sequence[Shape]
    loose: bool
    unit: str | None
    percent: bool
    has_condition: bool


def versions() -> dict[str, str]:
    """Library name to version, for every library that decides a verdict; nothing is imported."""
    return {name: version(name) for name in _LIBRARIES}


def judge(gold: Gold, answer: str, symbolic: Symbolic) -> Outcome:
    """The verdict on one answer, with its reason.

    Raises:
        NeedsWorkerError: `symbolic` refused, and without it nothing is decided.
    """
    if len(answer) > MAX_ANSWER:
        return _too_long(gold, answer)
    prepared = _prepared(gold)
    text = tidy(unboxed(answer))
    if not text:
        return Outcome(Verdict.NO_ANSWER, "the answer is empty")
    if canonical(text) == canonical(prepared.text):
        return Outcome(Verdict.CORRECT, rule="the same text")
    if max_depth(text) > MAX_DEPTH:
        return Outcome(Verdict.UNDECIDED, "the answer is nested too deep")
    terms = Terms(
        symbolic=symbolic, tolerance=gold.tolerance, error=gold.error,
        unit=prepared.unit, percent=prepared.percent,
    )  # fmt: skip
    kind = gold.answer_type if gold.answer_type in {"list", "number"} else "unknown"
    core_text = without_remarks(stated(text), conditions=not prepared.has_condition)
    shapes = readings(core_text, answer_type=kind, loose=prepared.loose)
    try:
        right = any(equal(left, right, terms) for left in prepared.shapes for right in shapes)
    except UndecidedError as error:
        return Outcome(Verdict.UNDECIDED, str(error), comparisons=compared(terms.steps))
    return Outcome(
        Verdict.CORRECT if right else Verdict.WRONG,
        note="the answer cannot be read as mathematics" if symbolic.unread and not right else None,
        rule=decisive(terms.steps),
        comparisons=compared(terms.steps),
    )


def quick(gold: Gold, answer: str) -> Outcome | None:
    """The verdict where no algebra is needed; None where a worker has to decide."""
    try:
        return judge(gold, answer, ClosedForms())
    except NeedsWorkerError:
        return None


def members(gold: Gold) -> int:
    """How many answers a gold lists, or coordinates it has; 1 where it is neither."""
    counts = [
        len(shape.items)
        for shape in _prepared(gold).shapes
        if isinstance(shape, Many) and shape.kind in {"list", "set", "sequence"}
    ]
    return max(counts, default=1)


@lru_cache(maxsize=4096)
def _prepared(gold: Gold) -> _Prepared:
    text = tidy(unboxed(_bare(gold.answer)))
    loose = _has_plain_unit(text)
    core_text = without_remarks(stated(text), conditions=False)
    shapes = readings(core_text, answer_type=gold.answer_type, loose=loose)
    shapes = [shape for shape in shapes if isinstance(shape, DayTime)] or shapes
    if gold.answer_type in {"tuple", "interval"}:
        shapes = [_in_order(shape) for shape in shapes]
    percent = gold.unit is not None and gold.unit.strip(" $\\") in {"%", "percent"}
    unit = unit_name(tidy(gold.unit)) if gold.unit and not percent else None
    return _Prepared(
        text=text, shapes=tuple(shapes), unit=unit, percent=percent,
        has_condition=has_condition(text),
        loose=all(_is_without_letters(shape) for shape in shapes),
    )  # fmt: skip


def _bare(gold: str) -> str:
    """The answer in a gold that may be a whole solution with a box, or end in `#### 18`."""
    extraction = extract(gold) if "\\boxed" in gold or "####" in gold else None
    return (extraction.answer if extraction and extraction.answer else gold)[:MAX_ANSWER]


def _has_plain_unit(text: str) -> bool:
    """Whether a gold such as `12 cm` ends in a unit of several letters without `text`."""
    match = re.search(r"\d\s*([A-Za-z]{2,}(?:\s*\^\s*\{?\d\}?)?|/\s*[A-Za-z]+)+$", text)
    return match is not None and unit_name(match[0].lstrip("0123456789 ")) is not None


def _in_order(shape: Shape) -> Shape:
    if (
        isinstance(shape, Many)
        and shape.kind == "list"
        and all(isinstance(item, Value) for item in shape.items)
    ):
        return replace(shape, kind="sequence", opener="(", closer=")")
    return shape


def _is_without_letters(shape: Shape) -> bool:
    match shape:
        case Value():
            if shape.number is not None:  # the e of 4.5e33 is no variable
                return True
            return not re.search(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", "", shape.text))
        case Many():
            return all(map(_is_without_letters, shape.items))
        case DayTime():
            return True
        case _:
            return False


def _too_long(gold: Gold, answer: str) -> Outcome:
    """An answer beyond the limit is wrong, unless the gold may have that long a form."""
    note = f"the answer has {len(answer)} characters; {MAX_ANSWER} are looked at"
    short = len(gold.answer) <= 256 and not re.search(r"\^|!|\\binom|\\prod", gold.answer)
    return Outcome(Verdict.WRONG if short else Verdict.UNDECIDED, note)
