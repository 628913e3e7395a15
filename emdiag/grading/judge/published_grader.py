r"""The published grader: the evaluation behind the paper's scores, faults included.

Written anew from its rules, so that a published score can be had as it was made and set beside the
main one. The rules, and what they get wrong:

- The answer is what stands between `final answer is $` and `$. I hope`, else in the last box, else
  after `he answer is`, else after `final answer is`, else the **last number** of the text.
- Clean-up removes words for units, some of one letter (so that `\frac{ab}{2}` may lose its `ab`),
  percent signs, `x=`, quotes, the word `and`, and every blank. Benchmarks of measured quantities
  keep their units.
- A number is right within a relative 1e-4, **also times or divided by 100**; commas in numbers are
  dropped, so that `1,3` is 13. Brackets do not count; tuples and matrices are compared place by
  place, in order; one equation with one equation; the rest by SymPy.

Not copied: it parsed with `parse_latex` of SymPy, then `parse_expr`, then `latex2sympy`; here the
last alone, since `parse_expr` executes text. Powers and factorials too large to be written out
are compared as text. Its time limit, after which a pair was silently wrong,
is the pool's deadline, after which a pair is `undecided`.

Source: the evaluation of Qwen2.5-Math, which the code of One-shot Entropy Minimization
(arXiv:2505.20282) took over.

Imported in workers and tests only: it loads SymPy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

import sympy
from latex2sympy2_extended import latex2sympy

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.judge import MAX_ANSWER, Outcome

RELATIVE_TOLERANCE: Final = 1e-4
_TOO_LARGE: Final = re.compile(r"\^\{?-?\d{7}|\d{5}\s*!")
"""Powers and factorials that SymPy would write out: compared as they are written."""

_UNITS: Final = """
a|a .|a . m|ab|acre|am|apple|are|b .|bc|by|c|c .|cc|cm|cm 2|coin|cu . m|cu cm|cube|cubic|d|d .|day|
decrease|deg|degree|dm|e .|east|excess|f .|feet|ft|g|g .|gain|gal|gallon|gm|h|h .|hectare|hour|hr|
inch|inches|increase|kg|km|kmh|kmph|l|lb|less|liter|litre|loss|lt|m|m east|m square|man|mark|men|
meter|metre|mile|min|minute|minw|mm|monkey|month|more|mp|mph|mt|mtr|no change|noon|number|o|ohm|
p . m|per|percent|pi sq m|pie|pm|prime|profit|profit of rs|pure|q .|ratio|rd|rise|rounds|rs|rs .|
rupee|s|s .|sec|second|soldier|sq|sq . m|sq inch|sq m|square|st|surface|t|th|tile|toy|unit|way|west|
woman|women|yard|year|yr
""".replace("\n", "").split("|")
_UNIT_PATTERNS: Final = tuple(
    re.compile(rf"(^|\W){re.escape(word)}($|\W)")
    for word in dict.fromkeys((*_UNITS, *(f"{unit}s" for unit in _UNITS)))
)
_WORDS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
_REPLACED: Final = (
    ("\n", ""), (r"\!", ""), ("tfrac", "frac"), ("dfrac", "frac"), (r"\neq", r"\ne"),
    (r"\leq", r"\le"), (r"\geq", r"\ge"), (r"\left", ""), (r"\right", ""), (r"\{", "{"),
    (r"\}", "}"),
)  # fmt: skip
_REMOVED: Final = (
    r"^{\circ}", r"^\circ", r"\$", "$", r"\(", r"\)", "x=", "y=", "z=", r"x\in", r"y\in", r"z\in",
    r"x\to", r"y\to", r"z\to",
)  # fmt: skip


def judge_published(gold: Gold, completion: str) -> tuple[Outcome, str | None]:
    """The verdict on a whole completion, and the text of the answer that was found in it."""
    keeps_units = gold.tolerance == "significant-digits"  # as cards of measured quantities say
    reference = cleaned(_boxed(gold.answer) or gold.answer, keeps_units=keeps_units)
    answer = cleaned(extracted(completion), keeps_units=keeps_units)
    if not answer:
        return Outcome(Verdict.NO_ANSWER, "no box, no announced answer and no number"), None
    is_right = are_equal(answer, reference)
    return Outcome(Verdict.CORRECT if is_right else Verdict.WRONG), answer[:MAX_ANSWER]


def extracted(completion: str) -> str:
    """The answer of a completion before it is cleaned; empty where there is none."""
    if "final answer is $" in completion and "$. I hope" in completion:
        after = completion.split("final answer is $", 1)[1]
        answer = after.split("$. I hope", 1)[0].strip()
    elif "boxed" in completion:
        answer = _boxed(completion)
    elif "he answer is" in completion:
        answer = completion.rsplit("he answer is", maxsplit=1)[-1].strip()
    elif "final answer is" in completion:
        answer = completion.rsplit("final answer is", maxsplit=1)[-1].strip()
    else:
        answer = next(iter(_numbers(completion)[-1:]), "")
    answer = re.sub(r"\n\s*", "", answer)
    return answer.removeprefix(":").removesuffix(".").removesuffix("/")


def cleaned(answer: str, *, keeps_units: bool) -> str:
    """An answer as the published rules rewrite it before comparing."""
    text = answer.strip().rstrip(".")
    for old, new in _REPLACED:
        text = text.replace(old, new)
    text = re.sub(r"\\begin\{(array)\}\{.*?\}|\\begin\{bmatrix\}", r"\\begin{pmatrix}", text)
    text = re.sub(r"\\end\{(array|bmatrix)\}", r"\\end{pmatrix}", text)
    text = re.sub(r"\\text\{.*?\}$", "", text).strip() or text
    for pattern in () if keeps_units else _UNIT_PATTERNS * 2:
        text = pattern.sub(r"\1\2", text) or text
    if text in _WORDS:
        text = str(_WORDS.index(text))
    for unwanted in _REMOVED:
        text = text.replace(unwanted, "")
    text = re.sub(r"\\text\{(.*?)\}", r"\1", text)
    text = text.replace(r"\emptyset", "{}").replace(r"(-\infty,\infty)", r"\mathbb{R}")
    text = text.replace(r"\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    if re.fullmatch(r"[({\[]\w+[)}\]]", text):
        text = text[1:-1]
    if r"\infty" not in text:
        text = text.replace("infinity", r"\infty")
    text = text.replace("inity", "").replace(r"+\infty", r"\infty")
    text = text.replace("and", "").replace(r"\mathbf", "")
    text = re.sub(r"\\mbox{.*?}", "", text).replace("'", "").replace('"', "")
    if "j" in text and "i" not in text:
        text = text.replace("j", "i")
    text = re.sub(r"(\d+)\.0*([^\d])", r"\1\2", text)
    text = re.sub(r"(\d+)\.0*$", r"\1", text)
    if text.startswith("."):
        text = f"0{text}"
    left, equals, right = text.partition("=")
    if equals and "=" not in right and len(left) <= 2:
        text = right
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", text)
    return re.sub(r"^(-?\d+)/(-?\d+)$", r"\\frac{\1}{\2}", text)


def are_equal(answer: str, reference: str) -> bool:
    """Whether the published comparison takes two cleaned answers as one."""
    if answer.strip().lower() == reference.strip().lower():
        return True
    numbers = _number(answer), _number(reference)
    if None not in numbers:
        return _near_percent(*numbers)  # type: ignore[arg-type]  # neither is None
    if not answer:
        return False
    if _without_brackets(answer) == _without_brackets(reference):
        return True
    for parts in (_tuple_parts, _matrix_parts):
        left, right = parts(answer), parts(reference)
        if left and right and len(left) == len(right):
            return all(map(are_equal, left, right))
    return _equations_agree(answer, reference)


def _equations_agree(answer: str, reference: str) -> bool:
    sides = answer.split("="), reference.split("=")
    match (len(sides[0]), len(sides[1])):
        case (2, 2):
            first, second = (f"{left}-({right})" for left, right in sides)
            return _agree(first, second) or _agree(f"-({first})", second)
        case (2, 1) if len(sides[0][0].strip()) <= 2:
            return are_equal(sides[0][1], reference)
        case (1, 2) if len(sides[1][0].strip()) <= 2:
            return are_equal(answer, sides[1][1])
    return _agree(answer, reference)


def _agree(first: str, second: str) -> bool:
    """Whether SymPy makes one thing of both; a text that it cannot read is compared as it is."""
    left, right = _read(first), _read(second)
    return any(
        _holds(test)
        for test in (
            lambda: left == right or str(left) == str(right),
            lambda: left.equals(right),
            lambda: sympy.simplify(left - right) == 0,
            lambda: abs(left.lhs - left.rhs).equals(abs(right.lhs - right.rhs)),
            lambda: _near(float(sympy.N(left)), float(sympy.N(right))),
        )
    )


def _read(text: str) -> Any:
    if _TOO_LARGE.search(text):
        return text
    for form in (text.replace("\\\\", "\\"), text):
        try:
            return latex2sympy(form)
        except (MemoryError, RecursionError):
            raise  # it is our limit: undecided, not another text
        except Exception:  # the parser raises plain Exception on what it cannot read
            continue
    return text


def _holds(test: Callable[[], Any]) -> bool:
    try:
        return bool(test())
    except (AttributeError, TypeError, ValueError, NotImplementedError, ArithmeticError):
        return False


def _boxed(text: str) -> str:
    """The content of the last box, also of one that is not closed; empty without one."""
    _, mark, after = text.rpartition("boxed")
    if not mark or not after:
        return ""
    if after[0] != "{":
        return after.split("$")[0].strip()
    depth = 0
    for place, character in enumerate(after):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return after[1:place]
    return after[1:]


def _numbers(text: str) -> list[str]:
    return re.findall(r"-?\d*\.?\d+", text.replace(",", ""))


def _number(text: str) -> float | None:
    """A number, its commas dropped; of a percentage, the share."""
    digits = text.replace(",", "")
    try:
        return float(digits)
    except ValueError:
        pass
    if not digits.endswith("%"):
        return None
    try:
        return float(digits[:-1].removesuffix("\\")) / 100
    except ValueError:
        return None


def _near_percent(value: float, reference: float) -> bool:
    return any(_near(value, other) for other in (reference / 100, reference, reference * 100))


def _near(value: float, reference: float) -> bool:
    return math.isclose(value, reference, rel_tol=RELATIVE_TOLERANCE)


def _without_brackets(text: str) -> str:
    return re.sub(r"[\[\]{}()]", "", text).lower()


def _tuple_parts(text: str) -> list[str]:
    is_tuple = re.fullmatch(r"[(\[].+[)\]]", text) is not None
    return text[1:-1].split(",") if is_tuple else []


def _matrix_parts(text: str) -> list[str]:
    inner = re.fullmatch(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", text)
    if inner is None:
        return []
    return [cell.strip() for row in inner[1].split("\\\\") for cell in row.split("&")]
