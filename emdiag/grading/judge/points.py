"""Expressions compared by their values: exactly where these are rational, else to enough digits.

No number of digits is enough by itself: more are computed than any number written in the
expressions has, so that nothing in them can get lost.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

import sympy
from sympy.core.function import AppliedUndef

from emdiag.core.digest import derive_seed
from emdiag.grading.judge.exact import exact
from emdiag.grading.judge.terms import UndecidedError

if TYPE_CHECKING:
    from collections.abc import Iterator

POINT_DIGITS = 40
SPARE_DIGITS = 15
"""Digits at the end of a computed value that are not compared."""
MAX_DIGITS = 5000
POINTS = 12
ENOUGH_POINTS = 3
INTEGERS = 24
"""Whole numbers at which expressions of whole numbers are compared, from 1 on."""
_STEPS = (sympy.floor, sympy.ceiling, sympy.Mod)
_WHOLE = (*_STEPS, sympy.factorial, sympy.binomial, sympy.Sum, sympy.Product)
_WHOLE_NAMES = frozenset("ijklmnpqrstNMKLd")
"""Letters that stand for whole numbers where steps, sums or factorials are taken of them."""

Point = dict[str, sympy.Expr]
"""Values for the variables of one comparison."""


def names_in(expression: sympy.Basic) -> set[str]:
    """Names of the free variables; `i` is the imaginary unit and not among them."""
    return {str(symbol) for symbol in expression.free_symbols} - {"i"}


def number_of(expression: sympy.Expr, digits: int) -> sympy.Expr | None:
    """The complex number that a constant expression is; None where it has no value.

    Odd roots of negative numbers are negative, as in school, unless the imaginary unit is written.
    """
    free = {symbol: sympy.I for symbol in expression.free_symbols if str(symbol) == "i"}
    expression = expression.xreplace(free) if free else expression
    odd = not free and any(map(_is_odd_root, expression.atoms(sympy.Pow)))
    if odd and not expression.has(sympy.I):
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
        and node.exp.is_Rational
        and node.exp.q % 2 == 1
        and node.exp.q > 1
        and node.base.is_extended_negative
    )


def _odd_root(node: sympy.Pow) -> sympy.Expr:
    return (-1) ** node.exp.p * (-node.base) ** node.exp


def is_real(number: sympy.Expr, digits: int) -> bool:
    """Whether a number computed to so many digits has no imaginary part."""
    real, imaginary = number.as_real_imag()
    return bool(abs(imaginary) <= _close(digits) * (abs(real) + _close(digits)))


def _close(digits: int) -> sympy.Rational:
    return sympy.Rational(1, 10 ** (digits - SPARE_DIGITS))


def fraction_of(real: sympy.Expr) -> Fraction:
    """The exact value of a computed real number."""
    sign, mantissa, power, _ = real._mpf_  # the exact binary value
    value = Fraction(int(mantissa)) * Fraction(2) ** int(power)
    return -value if sign else value


def equal_everywhere(left: sympy.Expr, right: sympy.Expr) -> bool | None:
    """Whether two expressions agree at every point tried; None where too few points decide.

    Real values decide; where both are complex (an even root of a negative number), branches may
    differ and the point is passed over, unless the imaginary unit is written in one of them. Steps,
    sums, products and factorials of letters for whole numbers are compared at whole numbers; steps
    of other letters at real ones too.
    """
    left, right = without_functions(left), without_functions(right)
    names = sorted(names_in(left) | names_in(right))
    digits = _digits(left, right)
    if names and any(map(_is_endless, (left, right))):
        raise UndecidedError("a series without end is not compared at points")
    if names and (left.has(*_WHOLE) or right.has(*_WHOLE)):
        agree = _agree_at(left, right, _integer_points(names, left, right), digits=digits)
        if set(names) <= _WHOLE_NAMES or agree is not True or not _has_steps(left, right):
            return agree
    if names_in(left) != names_in(right) and not (names_in(left) and names_in(right)):
        return _agree_at(left, right, _points(names), digits=digits)
    written = any(str(symbol) == "i" for x in (left, right) for symbol in x.free_symbols)
    if written or left.has(sympy.I) or right.has(sympy.I) or not names:
        return _agree_at(left, right, _points(names), digits=digits)
    agree = _agree_at(left, right, _points(names), digits=digits, real_only=True)
    if agree is None:
        agree = _agree_at(left, right, _points(names), digits=digits)
    return agree


def _is_endless(expression: sympy.Expr) -> bool:
    series = expression.atoms(sympy.Sum, sympy.Product)
    return any(part.has(sympy.oo, -sympy.oo) for part in series)


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
        sizes = [_size(node.args[0]) for node in expression.atoms(sympy.Function) if node.args]
        bits += int(sum(4 * size for size in sizes if size > 2))
    digits = POINT_DIGITS + bits * 302 // 1000
    if digits > MAX_DIGITS:
        raise UndecidedError("the values have too many digits to compare")
    return digits


def _size(argument: sympy.Basic) -> float:
    """How large a number is, 0 where it is none: `e^{-200}` needs a digit for each of its zeros."""
    if not argument.is_number:
        return 0.0
    try:
        return min(abs(float(argument)), 1e6)
    except (TypeError, ValueError, OverflowError):
        return 0.0


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
        if not real_only or (is_real(a, digits) and is_real(b, digits)):
            if not _is_same(a, b, digits):
                return False
            agreed += 1
        if agreed and not point:
            return True
    return True if agreed >= ENOUGH_POINTS else None


def _is_same(left: sympy.Expr, right: sympy.Expr, digits: int) -> bool:
    if left.is_Rational and right.is_Rational:
        return bool(left == right)
    if left.is_Float and right.is_Float:  # the same in plain fractions, which are quicker
        a, b, bound = (
            fraction_of(left),
            fraction_of(right),
            Fraction(1, 10 ** (digits - SPARE_DIGITS)),
        )
        return abs(a - b) <= bound * max(abs(a), abs(b)) + bound**2
    close = _close(digits)
    return bool(abs(left - right) <= close * max(abs(left), abs(right)) + close**2)


def _at(expression: sympy.Expr, point: Point, digits: int) -> sympy.Expr | None:
    values = {name: Fraction(int(size.p), int(size.q)) for name, size in point.items()}
    rational = exact(expression, values)
    if rational is not None:
        return sympy.Rational(rational.numerator, rational.denominator)
    symbols = expression.free_symbols
    chosen = {symbol: point[str(symbol)] for symbol in symbols if str(symbol) in point}
    return number_of(expression.subs(chosen), digits)


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
            name: sympy.Integer(
                1 + (trial * steps[name] + (seeds[name] if len(names) > 1 else 0)) % INTEGERS
            )
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


def without_functions(expression: sympy.Expr) -> sympy.Expr:
    """Unknown functions and derivatives as variables of their own."""
    unknown = expression.atoms(AppliedUndef, sympy.Derivative)
    named = {part: sympy.Symbol(f"<{part}>") for part in sorted(unknown, key=str)}
    return expression.xreplace(named) if named else expression


def constant_ratio(left: sympy.Expr, right: sympy.Expr) -> sympy.Expr | None:
    """The number that `left / right` is at every point; None where it varies or is zero."""
    names = sorted(names_in(left) | names_in(right))
    if names_in(left) != names_in(right) or not names:
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
