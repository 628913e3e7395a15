r"""Algebra on answers: the only place that knows math-verify, and that the gold goes first.

math-verify's parser reads LaTeX. Comparing is ours where math-verify rounds absolutely, folds
letter case or takes two empty solutions for equal: rational values exactly, others to more digits
than any number in them has, expressions at fixed points of either sign, equations up to a factor.
What remains (matrices of expressions, logic) is `verify`'s.

Imported in workers and tests only: it loads SymPy, whose parsers execute text.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy
from latex2sympy2_extended.latex2sympy2 import (
    ConversionConfig,
    NormalizationConfig,
    latex2sympy,
    normalize_latex,
)
from math_verify.grader import verify

from emdiag.grading.judge.exact import exact
from emdiag.grading.judge.guards import check
from emdiag.grading.judge.points import (
    constant_ratio,
    equal_everywhere,
    fraction_of,
    is_real,
    names_in,
    number_of,
    without_functions,
)
from emdiag.grading.judge.powers import is_power, same_power
from emdiag.grading.judge.terms import UndecidedError
from emdiag.grading.parse.latex import has_angle

if TYPE_CHECKING:
    from emdiag.grading.judge.terms import RelationParts

DIGITS = 60

_READING = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=False, nits=True, boxed="none"
)
_CASE_MATTERS = ConversionConfig(lowercase_symbols=False)
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*\\degree")
_TAKEN_LETTERS = {
    re.compile(r"(?<![A-Za-z\\])E(?![A-Za-z])"): r"\\Xi ",
    re.compile(r"(?<![A-Za-z\\])I(?![A-Za-z])"): r"\\Phi ",
    re.compile(r"\\gamma(?![a-zA-Z])"): r"\\Upsilon ",
    re.compile(r"\\Gamma(?![a-zA-Z])(?!\s*\()"): r"\\varpi ",
}
"""Letters that the parser takes for e, the imaginary unit and the gamma function."""
_LOOSE_WORDS = re.compile(r"(?<![_{A-Za-z])\\text\s*\{[^{}]*[A-Za-z]{2}")
_HARMONIC = re.compile(r"(?<![A-Za-z\\])H_\s*\{\s*(\d{1,4})\s*\}")
_CIS = re.compile(
    r"(?:\\text\s*\{\s*cis\s*\}|\\cis(?![a-z])|(?<![A-Za-z\\])cis(?![a-z]))\s*"
    r"(\([^()]*\)|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}"
    r"|(?:\\frac\{[^{}]*\}\{[^{}]*\}|\d+(?:\.\d+)?|\\(?:pi|theta|alpha|phi|degree)(?![a-z])|\s|[a-z])+)"
)
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")
logging.getLogger("math_verify").setLevel(logging.ERROR)


class Algebra:
    """`compare.Symbolic` on math-verify's parser and SymPy.

    Attributes:
        unread: Whether an answer that it was asked about could not be read as mathematics.
    """

    def __init__(self) -> None:
        self.unread = False

    def value(self, text: str) -> Fraction | None:
        """The real constant that `text` is, to 60 digits; None for anything else."""
        if is_power(text):
            return None
        expression = _parsed(text)
        if not isinstance(expression, sympy.Expr) or names_in(expression):
            return None
        rational = exact(expression, {})
        if rational is not None:
            return rational
        number = number_of(expression, DIGITS)
        if number is None or not is_real(number, DIGITS):
            return None
        real = sympy.re(number)
        return Fraction(int(real.p), int(real.q)) if real.is_Rational else fraction_of(real)

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal for all values of their variables."""
        by_structure = same_power(gold, answer)
        if by_structure is not None:
            return by_structure
        left, right = _gold(gold), _parsed(answer)
        if right is None:
            self.unread = True
            return False
        if isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr):
            is_equal = equal_everywhere(left, right)
            if is_equal is not None:
                return is_equal
        return bool(verify(left, right, timeout_seconds=None))

    def same_relation(self, gold: RelationParts, answer: RelationParts) -> bool:
        """Whether two relations say the same: their differences are in a constant ratio."""
        signs = (gold[1], answer[1])
        strict = [sign in {"<", ">"} for sign in signs]
        if (signs[0] == "=") != (signs[1] == "=") or strict[0] != strict[1]:
            return False
        left, right = _difference(gold, is_gold=True), _difference(answer, is_gold=False)
        if left is None or right is None:
            self.unread = self.unread or right is None
            return False
        ratio = constant_ratio(left, right)
        if ratio is None and signs[0] == "=":
            ratio = constant_ratio(*(sympy.fraction(sympy.together(x))[0] for x in (left, right)))
        if ratio is None or signs[0] == "=":
            return ratio is not None
        same_way = (signs[0] in {"<", r"\le"}) == (signs[1] in {"<", r"\le"})
        return bool(ratio > 0) == same_way

    def same_set(self, gold: str, answer: str) -> bool:
        """Whether two sets of real numbers are equal."""
        parsed = _parsed(answer)
        left, right = _set(_gold(gold)), _set(parsed)
        if left is None or right is None:
            self.unread = self.unread or parsed is None
            return False
        return bool(sympy.SymmetricDifference(left, right).doit() == sympy.S.EmptySet)


@lru_cache(maxsize=2048)
def _parsed(text: str) -> object | None:
    """What math-verify's parser reads in `text`, decimals exact; None where it reads nothing."""
    check(text)
    text = _HARMONIC.sub(r"(\\sum_{h=1}^{\1} \\frac{1}{h})", _cis(text))
    if _LOOSE_WORDS.search(text):  # they would become variables
        return None
    if has_angle(text):
        text = _DEGREES.sub(r"(\\frac{\1 \\pi}{180})", text)
    text = _DECIMAL.sub(_exact, text).replace(r"\degree", "")
    for name, letter in _TAKEN_LETTERS.items():
        text = name.sub(letter, text)
    text = re.sub(r"([A-Za-z]|\})\^\s*\{\s*((?:\\prime\s*)+)\}", r"\1'", text)
    text = re.sub(r"_\{\s*\\(odot|oplus|max|min|perp|parallel|infty)\s*\}", r"_{\1}", text)
    text = re.sub(r"(\d+|[A-Za-z]|\([^()]*\))\s*!\s*\^", r"(\1!)^", text)
    try:
        return latex2sympy(  # type: ignore[no-any-return]
            normalize_latex(text, _READING),
            is_real=True,
            convert_degrees=False,
            normalization_config=None,
            conversion_config=_CASE_MATTERS,
        )
    except (MemoryError, RecursionError):
        raise
    except Exception:  # the parser raises plain Exception on what it cannot read
        return None


def _cis(text: str) -> str:
    r"""`\cos x + i \sin x` for `\operatorname{cis} x`."""
    return _CIS.sub(lambda match: rf"(\cos({match[1]}) + i \sin({match[1]}))", text)


def _exact(match: re.Match[str]) -> str:
    whole, part = match[1], match[2]
    return rf"\frac{{{int((whole + part) or 0)}}}{{{10 ** len(part)}}}"


def _gold(text: str) -> object:
    expression = _parsed(text)
    if expression is None:
        raise UndecidedError("the gold answer cannot be read as mathematics")
    return expression


def _difference(side: RelationParts, *, is_gold: bool) -> sympy.Expr | None:
    read = _gold if is_gold else _parsed
    left, right = read(side[0]), read(side[2])
    if not isinstance(left, sympy.Expr) or not isinstance(right, sympy.Expr):
        return None
    return without_functions(left - right)


def _set(parsed: object) -> sympy.Set | None:
    if isinstance(parsed, sympy.Tuple) and len(parsed) == 2:
        return sympy.Interval.open(*parsed)
    if isinstance(parsed, sympy.Set):
        return parsed.doit()
    return None
