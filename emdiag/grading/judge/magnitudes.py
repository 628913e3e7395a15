r"""Whether two values are the same size: as written, rounded, in percent, or by algebra."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from emdiag.grading.parse.latex import canonical
from emdiag.grading.parse.numbers import Quantity, agreement, is_near, shifted
from emdiag.grading.parse.shapes import Shape, Value

if TYPE_CHECKING:
    from emdiag.grading.judge.terms import Symbolic, Terms


def same_magnitude(gold: Value, answer: Value, terms: Terms) -> bool:
    """Whether two values without names are the same size; one of them may be in percent."""
    if _close_enough(gold, answer, terms):
        return True
    of_gold = gold.percent or terms.percent
    if of_gold == answer.percent:
        return False
    # One side says percent: 50 % is 0.5 as well as the 50 of "how many percent".
    exactly = replace(terms, error=None)
    if of_gold:
        return _close_enough(_hundredth(gold), answer, exactly)
    return _close_enough(gold, _hundredth(answer), exactly)


def _hundredth(value: Value) -> Value:
    number = None if value.number is None else shifted(value.number, -2)
    return replace(value, text=rf"\frac{{{value.text}}}{{100}}", number=number)


def _close_enough(gold: Value, answer: Value, terms: Terms) -> bool:
    if gold.number is None or answer.number is None:
        if canonical(gold.text) == canonical(answer.text):
            return terms.reason(gold, answer, rule="the same text", holds=True)
        if not answer.text or not gold.text:
            return False
    left, right = (_quantity(value, terms.symbolic) for value in (gold, answer))
    if left is None or right is None:
        holds = terms.symbolic.same(_latex(gold), _latex(answer))
        return terms.reason(gold, answer, rule="algebra", holds=holds)
    how = agreement(left, right, tolerance=terms.tolerance, error=terms.error)
    if how is not None:
        return terms.reason(gold, answer, rule=how, holds=True)
    if (gold.number is not None and answer.number is not None) or not is_near(left, right):
        return terms.reason(gold, answer, rule="the numbers differ", holds=False)
    holds = terms.symbolic.same(_latex(gold), _latex(answer))
    return terms.reason(gold, answer, rule="exact algebra", holds=holds)


def _latex(value: Value) -> str:
    """A value for algebra, which reads no e-notation and no grouped digits."""
    number = value.number
    if number is None:
        return value.text
    if number.ratio is not None:
        return rf"\frac{{{number.ratio.numerator}}}{{{number.ratio.denominator}}}"
    ten = rf" \cdot 10^{{{number.exponent}}}" if number.exponent else ""
    return f"{number.mantissa}{ten}"


def _quantity(value: Value, symbolic: Symbolic) -> Quantity | None:
    if value.number is not None:
        return Quantity(value=value.number.value, number=value.number)
    number = symbolic.value(value.text)
    return None if number is None else Quantity(value=number)


def rounds_to(rounded: Shape, exact: Shape) -> bool:
    """Whether a decimal is a written number rounded at the decimal's last digit."""
    if not isinstance(rounded, Value) or not isinstance(exact, Value):
        return False
    if rounded.number is None or exact.number is None or not rounded.number.decimal:
        return False
    digit, size = rounded.number, exact.number.value
    if rounded.percent:
        digit = shifted(digit, -2)
    if digit.value is None or size is None or digit.digits < 2:
        return False
    return abs(digit.value - size) * 2 <= Fraction(10) ** digit.last
