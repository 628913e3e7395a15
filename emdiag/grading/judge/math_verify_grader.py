r"""Algebra on answers: the only place that knows math-verify, and that the gold goes first.

math-verify's parser reads LaTeX. Comparing is ours where math-verify rounds absolutely, folds
letter case or takes two empty solutions for equal: constants to 60 digits, expressions at fixed
points, equations up to a factor. What remains (matrices of expressions, logic) is `verify`'s.

Imported in workers and tests only: it loads SymPy, whose parsers execute text.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import sympy
from latex2sympy2_extended.latex2sympy2 import (
    ConversionConfig,
    NormalizationConfig,
    latex2sympy,
    normalize_latex,
)
from math_verify.grader import verify
from sympy.core.function import AppliedUndef

from emdiag.core.digest import derive_seed
from emdiag.grading.judge.compare import UndecidedError
from emdiag.grading.judge.guards import check
from emdiag.grading.parse.latex import has_angle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emdiag.grading.judge.compare import RelationParts

DIGITS = 60
POINT_DIGITS = 30
POINTS = 8
ENOUGH_POINTS = 3
CLOSE = sympy.Rational(1, 10**18)
ZERO = sympy.Rational(1, 10**20)

_READING = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=False, nits=True, boxed="none"
)
_CASE_MATTERS = ConversionConfig(lowercase_symbols=False)
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*\\degree")
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")
_INTEGER_ONLY = (sympy.floor, sympy.ceiling, sympy.factorial, sympy.binomial, sympy.Mod)

logging.getLogger("math_verify").setLevel(logging.ERROR)


Point = dict[str, sympy.Expr]
"""Values for the variables of one comparison."""


class Algebra:
    """`compare.Symbolic` on math-verify's parser and SymPy.

    Attributes:
        unread: Whether an answer that it was asked about could not be read as mathematics.
    """

    def __init__(self) -> None:
        self.unread = False

    def value(self, text: str) -> Fraction | None:
        """The real constant that `text` is, to 60 digits; None for anything else."""
        expression = _parsed(text)
        if not isinstance(expression, sympy.Expr) or _names(expression):
            return None
        number = _number(expression, DIGITS)
        if number is None or not _is_real(number):
            return None
        real = sympy.re(number)
        return Fraction(int(real.p), int(real.q)) if real.is_Rational else _fraction(real)

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal for all values of their variables."""
        left, right = _gold(gold), _parsed(answer)
        if right is None:
            self.unread = True
            return False
        if isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr):
            is_equal = _equal_everywhere(left, right)
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
        ratio = _constant_ratio(left, right)
        if ratio is None and signs[0] == "=":
            ratio = _constant_ratio(*(sympy.fraction(sympy.together(x))[0] for x in (left, right)))
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
    if has_angle(text):
        text = _DEGREES.sub(r"(\\frac{\1 \\pi}{180})", text)
    text = _DECIMAL.sub(_exact, text).replace(r"\degree", "")
    text = re.sub(r"(?<![A-Za-z\\])E(?![A-Za-z])", r"\\Xi ", text)  # the parser takes E for e
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


def _exact(match: re.Match[str]) -> str:
    whole, part = match[1], match[2]
    return rf"\frac{{{int((whole + part) or 0)}}}{{{10 ** len(part)}}}"


def _gold(text: str) -> object:
    expression = _parsed(text)
    if expression is None:
        raise UndecidedError("the gold answer cannot be read as mathematics")
    return expression


def _names(expression: sympy.Basic) -> set[str]:
    """Names of the free variables; `i` is the imaginary unit and not among them."""
    return {str(symbol) for symbol in expression.free_symbols} - {"i"}


def _number(expression: sympy.Expr, digits: int) -> sympy.Expr | None:
    """The complex number that a constant expression is; None where it has no value."""
    free = {symbol: sympy.I for symbol in expression.free_symbols if str(symbol) == "i"}
    expression = expression.xreplace(free) if free else expression
    for form in (expression, None):
        form = expression.doit() if form is None else form  # noqa: PLW2901 - only if needed
        try:
            number = form.evalf(digits)
        except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError):
            continue
        real, imaginary = number.as_real_imag()
        if real.is_Number and imaginary.is_Number and number.is_finite:
            return number
    return None


def _is_real(number: sympy.Expr) -> bool:
    real, imaginary = number.as_real_imag()
    return bool(abs(imaginary) <= ZERO * (abs(real) + ZERO))


def _fraction(real: sympy.Expr) -> Fraction:
    sign, mantissa, power, _ = real._mpf_  # the exact binary value
    value = Fraction(int(mantissa)) * Fraction(2) ** int(power)
    return -value if sign else value


def _equal_everywhere(left: sympy.Expr, right: sympy.Expr) -> bool | None:
    """Whether two expressions agree at every point tried; None where too few points decide.

    Real values decide; where both are complex (an even root of a negative number), branches may
    differ and the point is passed over, unless the imaginary unit is written in one of them.
    """
    left, right = _without_functions(left), _without_functions(right)
    names = sorted(_names(left) | _names(right))
    if _names(left) != _names(right) and not (_names(left) and _names(right)):
        return _agree_at(left, right, _points(names), complex_too=True)
    written = any(str(symbol) == "i" for x in (left, right) for symbol in x.free_symbols)
    written = written or left.has(sympy.I) or right.has(sympy.I) or not names
    agree = _agree_at(left, right, _points(names), complex_too=written)
    if agree is None and not written:
        agree = _agree_at(left, right, _points(names), complex_too=True)
    if agree is not True and names and (left.has(*_INTEGER_ONLY) or right.has(*_INTEGER_ONLY)):
        return bool(_agree_at(left, right, _integer_points(names), complex_too=True))
    return agree


def _agree_at(
    left: sympy.Expr, right: sympy.Expr, points: Iterator[Point], *, complex_too: bool
) -> bool | None:
    agreed = 0
    for point in points:
        a, b = _at(left, point), _at(right, point)
        if a is None or b is None:
            continue
        if complex_too or (_is_real(a) and _is_real(b)):
            if abs(a - b) > CLOSE * max(abs(a), abs(b)) + ZERO * CLOSE:
                return False
            agreed += 1
        if agreed and not point:
            return True
    return True if agreed >= ENOUGH_POINTS else None


def _at(expression: sympy.Expr, point: Point) -> sympy.Expr | None:
    symbols = expression.free_symbols
    chosen = {symbol: point[str(symbol)] for symbol in symbols if str(symbol) in point}
    return _number(expression.subs(chosen), POINT_DIGITS)


def _points(names: list[str]) -> Iterator[Point]:
    """Fixed points for the variables: small, middling and large, then of either sign."""
    for trial in range(POINTS if names else 1):
        scale = (1, 3, 9)[trial % 3]
        values = {}
        for name in names:
            seed = derive_seed(trial, "grading-point", name)
            size = sympy.Rational(seed % 997 + 53, 1151) * scale
            values[name] = -size if trial > 4 and seed >> 20 & 1 else size
        yield values


def _integer_points(names: list[str]) -> Iterator[Point]:
    for trial in range(12):
        seeds = {name: derive_seed(trial, "grading-integer", name) for name in names}
        yield {name: sympy.Integer(1 + trial + seed % 5) for name, seed in seeds.items()}


def _without_functions(expression: sympy.Expr) -> sympy.Expr:
    """Unknown functions and derivatives as variables of their own."""
    unknown = expression.atoms(AppliedUndef, sympy.Derivative)
    named = {part: sympy.Symbol(f"<{part}>") for part in sorted(unknown, key=str)}
    return expression.xreplace(named) if named else expression


def _difference(side: RelationParts, *, is_gold: bool) -> sympy.Expr | None:
    read = _gold if is_gold else _parsed
    left, right = read(side[0]), read(side[2])
    if not isinstance(left, sympy.Expr) or not isinstance(right, sympy.Expr):
        return None
    return _without_functions(left - right)


def _constant_ratio(left: sympy.Expr, right: sympy.Expr) -> sympy.Expr | None:
    """The number that `left / right` is at every point; None where it varies or is zero."""
    names = sorted(_names(left) | _names(right))
    if _names(left) != _names(right) or not names:
        return None
    ratios = []
    for point in islice(_points(names), ENOUGH_POINTS + 2):
        a, b = _at(left, point), _at(right, point)
        if a is None or b is None or abs(b) < ZERO or abs(a) < ZERO:
            return None
        ratios.append(a / b)
    first = ratios[0]
    same = all(abs(ratio - first) <= CLOSE * abs(first) for ratio in ratios)
    return first if same else None


def _set(parsed: object) -> sympy.Set | None:
    if isinstance(parsed, sympy.Tuple) and len(parsed) == 2:
        return sympy.Interval.open(*parsed)
    if isinstance(parsed, sympy.Set):
        return parsed.doit()
    return None
