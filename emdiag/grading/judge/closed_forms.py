r"""Surds, multiples of pi and plain polynomials, which need no parser of formulas.

They are most of what a wrong answer is held against, and a worker is asked of them only where two
values agree. Whatever is not wholly of these forms belongs to algebra.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isqrt
from typing import NoReturn

from emdiag.grading.judge.terms import NeedsWorkerError
from emdiag.grading.parse.numbers import parse_number

DIGITS = 70
"""Decimals to which roots are computed."""
PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")

_IRRATIONAL = re.compile(
    r"\s*(?:\\cdot\s*)?(?:\\sqrt\s*(?:\{\s*(\d{1,9})\s*\}|(\d))|\\pi(?![a-zA-Z]))\s*"
)
_COEFFICIENT = re.compile(r"\s*([+-]?)\s*(\d{0,9})(?![\d.])\s*")
_FRACTION = re.compile(
    r"\s*(-?)\s*\\frac\s*\{([^{}]*(?:\{\d+\}[^{}]*)*)\}\s*\{([^{}]*(?:\{\d+\}[^{}]*)*)\}\s*"
)
_TERM = re.compile(
    r"\s*([+-]?)\s*(\d{0,9})(?![\d.])\s*"
    r"(?:(i(?!\s*\^)|[a-df-hj-zA-DF-HJ-MP-RT-Z])(?:\^(?:\{(\d{1,2})\}|(\d)))?)?\s*"
)
_LONGEST = 200


def constant(text: str) -> Fraction | None:
    r"""The number that a sum such as `18 + 2\pi`, or a fraction of two, is; None for other forms.

    To `DIGITS` decimals; exact where it is rational.
    """
    if len(text) > _LONGEST:
        return None
    fraction = _FRACTION.fullmatch(text)
    if fraction is None:
        return _sum(text)
    above, below = _sum(fraction[2]), _sum(fraction[3])
    if above is None or not below:
        return None
    return -above / below if fraction[1] else above / below


def _sum(text: str) -> Fraction | None:
    total, at = Fraction(0), 0
    while at < len(text):
        sign = _COEFFICIENT.match(text, at)
        if sign is None or (at and not sign[1]):
            return None
        irrational = _IRRATIONAL.match(text, sign.end())
        if irrational is None and not sign[2]:
            return None
        size = Fraction(int(sign[2] or 1))
        if irrational is not None:
            root = irrational[1] or irrational[2]
            size *= PI if root is None else _root(int(root))
        total += -size if sign[1] == "-" else size
        at = (irrational or sign).end()
    return total if text else None


def _root(number: int) -> Fraction:
    exact = isqrt(number)
    if exact * exact == number:
        return Fraction(exact)
    return Fraction(isqrt(number * 10 ** (2 * DIGITS)), 10**DIGITS)


def polynomial(text: str) -> dict[tuple[str, int], Fraction] | None:
    """Coefficients by letter and power of a sum of monomials of one letter each, or a part of it.

    None for any other form, and where letters cancel. `i` is the imaginary unit; `e` is no letter,
    nor are those that a parser takes for functions or units.
    """
    if len(text) > _LONGEST:
        return None
    fraction = _FRACTION.fullmatch(text)
    divisor = Fraction(1)
    if fraction is not None:
        if not re.fullmatch(r"\s*[1-9]\d{0,8}\s*", fraction[3]):
            return None
        divisor = Fraction(int(fraction[3])) * (-1 if fraction[1] else 1)
        text = fraction[2]
    terms: dict[tuple[str, int], Fraction] = {}
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None or not (term[2] or term[3]) or (at and not term[1]):
            return None
        key = (term[3], int(term[4] or term[5] or 1)) if term[3] else ("", 0)
        size = int(term[2] or 1) / divisor
        terms[key] = terms.get(key, Fraction(0)) + (-size if term[1] == "-" else size)
        at = term.end()
    terms = {key: size for key, size in terms.items() if size}
    return terms if any(power for _, power in terms) else None


class ClosedForms:
    """The `Symbolic` of the quick path: it refuses whatever is not wholly of these forms."""

    unread = False

    def value(self, text: str) -> Fraction | None:
        """The constant that `text` is; None for a polynomial, which is none.

        Raises:
            NeedsWorkerError: It is neither.
        """
        number = constant(text)
        if number is None and polynomial(text) is None:
            raise NeedsWorkerError(text)
        return number

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal, where a polynomial is one of them.

        Raises:
            NeedsWorkerError: They are of other forms, or two constants that agree.
        """
        left, right = polynomial(gold), polynomial(answer)
        if left is None and right is None:
            raise NeedsWorkerError(gold, answer)
        for terms, text in ((left, gold), (right, answer)):
            if terms is None and parse_number(text) is None and constant(text) is None:
                raise NeedsWorkerError(gold, answer)
        return left == right

    def same_relation(self, *texts: object) -> NoReturn:
        """Refuse."""
        raise NeedsWorkerError(*texts)

    same_set = same_relation
