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
from emdiag.grading.judge.exact import exact
from emdiag.grading.judge.guards import check
from emdiag.grading.judge.powers import is_power, same_power
from emdiag.grading.parse.latex import has_angle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emdiag.grading.judge.compare import RelationParts

DIGITS = 60
POINT_DIGITS = 40
SPARE_DIGITS = 15
"""Digits at the end of a computed value that are not compared."""
MAX_DIGITS = 5000
POINTS = 12
ENOUGH_POINTS = 3
INTEGERS = 24
"""Whole numbers at which expressions of whole numbers are compared, from 1 on."""

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
_CIS = re.compile(
    r"(?:\\text\s*\{\s*cis\s*\}|\\cis(?![a-z])|(?<![A-Za-z\\])cis(?![a-z]))\s*"
    r"(\([^()]*\)|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}"
    r"|(?:\\frac\{[^{}]*\}\{[^{}]*\}|\d+(?:\.\d+)?|\\(?:pi|theta|alpha|phi|degree)(?![a-z])|\s|[a-z])+)"
)
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")
_STEPS = (sympy.floor, sympy.ceiling, sympy.Mod)
_WHOLE = (*_STEPS, sympy.factorial, sympy.binomial, sympy.Sum, sympy.Product)
_WHOLE_NAMES = frozenset("ijklmnpqrstNMKLd")
"""Letters that stand for whole numbers where steps, sums or factorials are taken of them."""

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
        if is_power(text):
            return None
        expression = _parsed(text)
        if not isinstance(expression, sympy.Expr) or _names(expression):
            return None
        rational = exact(expression, {})
        if rational is not None:
            return rational
        number = _number(expression, DIGITS)
        if number is None or not _is_real(number, DIGITS):
            return None
        real = sympy.re(number)
        return Fraction(int(real.p), int(real.q)) if real.is_Rational else _fraction(real)

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
    text = _cis(text)
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


def _names(expression: sympy.Basic) -> set[str]:
    """Names of the free variables; `i` is the imaginary unit and not among them."""
    return {str(symbol) for symbol in expression.free_symbols} - {"i"}


def _number(expression: sympy.Expr, digits: int) -> sympy.Expr | None:
    """The complex number that a constant expression is; None where it has no value.

    Odd roots of negative numbers are negative, as in school, unless the imaginary unit is written.
    """
    free = {symbol: sympy.I for symbol in expression.free_symbols if str(symbol) == "i"}
    expression = expression.xreplace(free) if free else expression
    if not free and not expression.has(sympy.I):
        expression = expression.replace(_is_odd_root, _odd_root)
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


def _is_odd_root(node: sympy.Basic) -> bool:
    return bool(
        node.is_Pow
        and node.exp.is_Rational  # type: ignore[attr-defined]
        and node.exp.q % 2 == 1  # type: ignore[attr-defined]
        and node.exp.q > 1  # type: ignore[attr-defined]
        and node.base.is_extended_negative  # type: ignore[attr-defined]
    )


def _odd_root(node: sympy.Pow) -> sympy.Expr:
    return (-1) ** node.exp.p * (-node.base) ** node.exp


def _is_real(number: sympy.Expr, digits: int) -> bool:
    real, imaginary = number.as_real_imag()
    return bool(abs(imaginary) <= _close(digits) * (abs(real) + _close(digits)))


def _close(digits: int) -> sympy.Rational:
    return sympy.Rational(1, 10 ** (digits - SPARE_DIGITS))


def _fraction(real: sympy.Expr) -> Fraction:
    sign, mantissa, power, _ = real._mpf_  # the exact binary value
    value = Fraction(int(mantissa)) * Fraction(2) ** int(power)
    return -value if sign else value


def _equal_everywhere(left: sympy.Expr, right: sympy.Expr) -> bool | None:
    """Whether two expressions agree at every point tried; None where too few points decide.

    Real values decide; where both are complex (an even root of a negative number), branches may
    differ and the point is passed over, unless the imaginary unit is written in one of them. Steps,
    sums, products and factorials of letters for whole numbers are compared at whole numbers; steps
    of other letters at real ones too.
    """
    left, right = _without_functions(left), _without_functions(right)
    names = sorted(_names(left) | _names(right))
    digits = _digits(left, right)
    if names and (left.has(*_WHOLE) or right.has(*_WHOLE)):
        agree = _agree_at(left, right, _integer_points(names, left, right), digits=digits)
        if set(names) <= _WHOLE_NAMES or agree is not True or not _has_steps(left, right):
            return agree
    if _names(left) != _names(right) and not (_names(left) and _names(right)):
        return _agree_at(left, right, _points(names), digits=digits)
    written = any(str(symbol) == "i" for x in (left, right) for symbol in x.free_symbols)
    if written or left.has(sympy.I) or right.has(sympy.I) or not names:
        return _agree_at(left, right, _points(names), digits=digits)
    agree = _agree_at(left, right, _points(names), digits=digits, real_only=True)
    if agree is None:
        agree = _agree_at(left, right, _points(names), digits=digits)
    return agree


def _has_steps(left: sympy.Expr, right: sympy.Expr) -> bool:
    return bool(left.has(*_STEPS) or right.has(*_STEPS))


def _digits(*expressions: sympy.Expr) -> int:
    """Digits to which values are computed, so that nothing written in them can get lost.

    Raises:
        UndecidedError: That would be too many.
    """
    bits = 0
    for expression in expressions:
        numbers = [atom for atom in expression.atoms(sympy.Rational) if not atom.is_zero]
        bits += sum(max(abs(int(n.p)).bit_length(), int(n.q).bit_length()) for n in numbers)
        powers = [abs(int(node.exp)) for node in expression.atoms(sympy.Pow) if node.exp.is_Integer]
        bits += sum(4 * power for power in powers if power > 1)
    digits = POINT_DIGITS + bits * 302 // 1000
    if digits > MAX_DIGITS:
        raise UndecidedError("the values have too many digits to compare")
    return digits


def _agree_at(
    left: sympy.Expr,
    right: sympy.Expr,
    points: Iterator[Point],
    *,
    digits: int,
    real_only: bool = False,
) -> bool | None:
    agreed = 0
    for point in points:
        a, b = _at(left, point, digits), _at(right, point, digits)
        if a is None or b is None:
            continue
        if not real_only or (_is_real(a, digits) and _is_real(b, digits)):
            if not _is_same(a, b, digits):
                return False
            agreed += 1
        if agreed and not point:
            return True
    return True if agreed >= ENOUGH_POINTS else None


def _is_same(left: sympy.Expr, right: sympy.Expr, digits: int) -> bool:
    if left.is_Rational and right.is_Rational:
        return bool(left == right)
    close = _close(digits)
    return bool(abs(left - right) <= close * max(abs(left), abs(right)) + close**2)


def _at(expression: sympy.Expr, point: Point, digits: int) -> sympy.Expr | None:
    values = {name: Fraction(int(size.p), int(size.q)) for name, size in point.items()}
    rational = exact(expression, values)
    if rational is not None:
        return sympy.Rational(rational.numerator, rational.denominator)
    symbols = expression.free_symbols
    chosen = {symbol: point[str(symbol)] for symbol in symbols if str(symbol) in point}
    return _number(expression.subs(chosen), digits)


def _points(names: list[str]) -> Iterator[Point]:
    """Fixed points for the variables: small, middling and large; some negative, some of each."""
    for trial in range(POINTS if names else 1):
        scale = (1, 3, 9)[trial % 3]
        values = {}
        for name in names:
            seed = derive_seed(trial, "grading-point", name)
            size = sympy.Rational(seed % 997 + 53, 1151) * scale
            minus = trial == 4 or trial > 8 or (trial in {6, 8} and seed >> 20 & 1)
            values[name] = -size if minus else size
        yield values


def _integer_points(names: list[str], *expressions: sympy.Expr) -> Iterator[Point]:
    """Whole numbers: small ones one by one, then those beside multiples of the numbers written."""
    for trial in range(INTEGERS):
        seeds = {name: derive_seed(0, "grading-integer", name) for name in names}
        steps = {name: (1, 5, 7, 11)[at % 4] for at, name in enumerate(names)}
        yield {
            name: sympy.Integer(1 + (trial * steps[name] + (seeds[name] if len(names) > 1 else 0)) % INTEGERS)
            for name in names
        }
    written = {
        int(number)
        for expression in expressions
        for atom in expression.atoms(sympy.Rational)
        for number in (abs(atom.p), atom.q)
        if INTEGERS // 2 < number <= 200
    }
    for number in sorted(written)[:4]:
        for near in (number - 1, number, number + 1):
            yield {name: sympy.Integer(near) for name in names}


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
    digits = _digits(left, right)
    ratios = []
    for point in islice(_points(names), ENOUGH_POINTS + 3):
        a, b = _at(left, point, digits), _at(right, point, digits)
        if a is None or b is None or abs(b) < _close(digits) or abs(a) < _close(digits):
            return None
        ratios.append(a / b)
    same = all(_is_same(ratio, ratios[0], digits) for ratio in ratios)
    return ratios[0] if same else None


def _set(parsed: object) -> sympy.Set | None:
    if isinstance(parsed, sympy.Tuple) and len(parsed) == 2:
        return sympy.Interval.open(*parsed)
    if isinstance(parsed, sympy.Set):
        return parsed.doit()
    return None
