"""Exact rational values of SymPy trees, term by term where a sum or product is finite.

SymPy looks for closed forms of sums, which takes seconds and may not end; adding fractions does.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial
from typing import TYPE_CHECKING

import sympy

from emdiag.grading.judge.terms import UndecidedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BITS = 400_000
"""Size of a number beyond which nothing is computed."""
MAX_STEPS = 300_000
"""Nodes that one evaluation may visit."""


class _Irrational(Exception):  # noqa: N818 - no error: the tree has no rational value
    pass


def exact(expression: sympy.Basic, values: Mapping[str, Fraction]) -> Fraction | None:
    """The rational number that `expression` is where its variables have these values.

    None where it is irrational, complex or undefined, or where something in it has no rule here.

    Raises:
        UndecidedError: A number in it is too large, or the sums in it are too long.
    """
    try:
        return _Evaluation(dict(values)).of(expression)
    except (_Irrational, ZeroDivisionError):
        return None


class _Evaluation:
    def __init__(self, values: dict[str, Fraction]) -> None:
        self._values = values
        self._steps = 0

    def of(self, node: sympy.Basic) -> Fraction:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise UndecidedError("a sum or product has too many terms")
        if node.is_Rational:
            return Fraction(int(node.p), int(node.q))
        if node.is_Symbol:
            name = str(node)
            if name not in self._values:
                raise _Irrational
            return self._values[name]
        rule = _RULES.get(node.func.__name__)
        if rule is None:
            raise _Irrational
        return _sized(rule(self, node))

    def integer(self, node: sympy.Basic, *, least: int | None = None) -> int:
        value = self.of(node)
        if value.denominator != 1 or (least is not None and value < least):
            raise _Irrational
        return value.numerator

    def add(self, node: sympy.Basic) -> Fraction:
        return sum((self.of(part) for part in node.args), Fraction(0))

    def multiply(self, node: sympy.Basic) -> Fraction:
        value = Fraction(1)
        for part in node.args:
            value = _sized(value * self.of(part))
        return value

    def power(self, node: sympy.Basic) -> Fraction:
        base, exponent = self.of(node.args[0]), self.of(node.args[1])
        if exponent.denominator != 1:
            return _root(base, exponent)
        power = exponent.numerator
        size = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
        if abs(power) * (size - (abs(base) == 1)) > MAX_BITS and abs(base) != 1:
            raise UndecidedError("a number is too large to compute with")
        if abs(base) == 1:
            power %= 2
        return base**power

    def floor(self, node: sympy.Basic) -> Fraction:
        return Fraction(self.of(node.args[0]).__floor__())

    def ceiling(self, node: sympy.Basic) -> Fraction:
        return Fraction(self.of(node.args[0]).__ceil__())

    def remainder(self, node: sympy.Basic) -> Fraction:
        return self.of(node.args[0]) % self.of(node.args[1])

    def absolute(self, node: sympy.Basic) -> Fraction:
        return abs(self.of(node.args[0]))

    def factorial(self, node: sympy.Basic) -> Fraction:
        n = self.integer(node.args[0], least=0)
        if n > 20_000:
            raise UndecidedError("a number is too large to compute with")
        return Fraction(factorial(n))

    def binomial(self, node: sympy.Basic) -> Fraction:
        n, k = self.integer(node.args[0]), self.integer(node.args[1])
        if n > 40_000:
            raise UndecidedError("a number is too large to compute with")
        if n < 0:
            raise _Irrational
        return Fraction(comb(n, k) if k >= 0 else 0)

    def largest(self, node: sympy.Basic) -> Fraction:
        return max(self.of(part) for part in node.args)

    def smallest(self, node: sympy.Basic) -> Fraction:
        return min(self.of(part) for part in node.args)

    def inner(self, node: sympy.Basic) -> Fraction:
        return self.of(node.args[0])

    def series(self, node: sympy.Basic) -> Fraction:
        """A finite sum or product; an empty one is 0 or 1."""
        body, *limits = node.args
        return self._folded(body, limits, is_sum=node.func is sympy.Sum)

    def _folded(self, body: sympy.Basic, limits: list[sympy.Basic], *, is_sum: bool) -> Fraction:
        if not limits:
            return self.of(body)
        variable, low, high = limits[-1].args
        start, end = self.integer(low), self.integer(high)
        if end - start > MAX_STEPS:
            raise UndecidedError("a sum or product has too many terms")
        kept = self._values.get(str(variable))
        terms = []
        for at in range(start, end + 1):
            self._values[str(variable)] = Fraction(at)
            terms.append(self._folded(body, limits[:-1], is_sum=is_sum))
        self._values.pop(str(variable), None)
        if kept is not None:
            self._values[str(variable)] = kept
        return _tree(terms, is_sum=is_sum)


def _tree(terms: list[Fraction], *, is_sum: bool) -> Fraction:
    """All terms taken together, halves first, so that numbers stay small for long."""
    if not terms:
        return Fraction(0 if is_sum else 1)
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        rest = terms[-1:] if len(terms) % 2 else []
        terms = [_sized(a + b if is_sum else a * b) for a, b in pairs] + rest
    return terms[0]


def _root(base: Fraction, exponent: Fraction) -> Fraction:
    """A root that is rational: of squares, cubes and so on; odd roots of negatives are negative."""
    order = exponent.denominator
    negative = base < 0
    if (negative and order % 2 == 0) or order > 64 or abs(exponent.numerator) > 1000:
        raise _Irrational
    above, below = (
        sympy.integer_nthroot(abs(n), order) for n in (base.numerator, base.denominator)
    )
    if not (above[1] and below[1]):
        raise _Irrational
    root = Fraction(int(above[0]), int(below[0])) * (-1 if negative else 1)
    return root**exponent.numerator


def _sized(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise UndecidedError("a number is too large to compute with")
    return value


_RULES = {
    "Add": _Evaluation.add, "Mul": _Evaluation.multiply, "Pow": _Evaluation.power,
    "floor": _Evaluation.floor, "ceiling": _Evaluation.ceiling, "Mod": _Evaluation.remainder,
    "Abs": _Evaluation.absolute, "factorial": _Evaluation.factorial,
    "binomial": _Evaluation.binomial, "Sum": _Evaluation.series, "Product": _Evaluation.series,
    "Max": _Evaluation.largest, "Min": _Evaluation.smallest, "UnevaluatedExpr": _Evaluation.inner,
}  # fmt: skip
