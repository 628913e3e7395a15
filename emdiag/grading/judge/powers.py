r"""Whole numbers too large to write out, such as `2^{2^{12}}`, by their structure.

A number is read as a sum of signed products of prime powers. Equal sums are equal numbers; sums
that differ modulo some prime are different numbers; nothing else is decided.
"""

from __future__ import annotations

import re
from collections import Counter
from math import prod

import sympy

Term = frozenset[tuple[int, int]]
"""Primes and their exponents; a product of prime powers."""
Sum = dict[Term, int]
"""Each product with the whole number that it is taken times."""

_TOKEN = re.compile(r"\s*(?:(\d+)|(\\cdot|[-+^(){}/]))")
_ARGUMENT = r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}"
_FRACTION = re.compile(rf"\\frac{_ARGUMENT}{_ARGUMENT}")
_MIXED = re.compile(r"\d\s*\\frac|\d\s+\d")
"""A whole number before a fraction is added to it, and digits apart may be one number."""
_MODULI = (2**61 - 1, 2**89 - 1, 2**107 - 1, 2**127 - 1)
MAX_BASE = 10**12
MAX_EXPONENT_BITS = 4096
MAX_TERMS = 32
WRITTEN_OUT = 50_000
"""Bits up to which a number is computed."""
_ONE: Term = frozenset()


class _UnreadError(Exception):
    pass


def same_power(gold: str, answer: str) -> bool | None:
    """Whether two whole numbers written with powers are equal; None where that is not known."""
    left, right = _read(gold), _read(answer)
    if left is None or right is None:
        return None
    if left == right:
        return True
    if any(_residue(left, prime) != _residue(right, prime) for prime in _MODULI):
        return False
    return None


def is_power(text: str) -> bool:
    """Whether a text is such a number, and too large to write out."""
    value = _read(text) if "^" in text else None
    return value is not None and any(
        sum(abs(exponent) * prime.bit_length() for prime, exponent in term) > WRITTEN_OUT
        for term in value
    )


def _read(text: str) -> Sum | None:
    if _MIXED.search(text):
        return None
    for _ in range(4 if r"\frac" in text and len(text) <= 200 else 0):
        text = _FRACTION.sub(r"((\1)/(\2))", text)
    if len(text) > 400 or not re.fullmatch(r"(?:\\cdot|[\d\s+^(){}/-])+", text):
        return None
    tokens = [match[1] or match[2] for match in _TOKEN.finditer(text)]
    try:
        value, at = _sum(tokens, 0)
    except (_UnreadError, RecursionError, IndexError):
        return None
    return value if at == len(tokens) else None


def _sum(tokens: list[str], at: int) -> tuple[Sum, int]:
    sign = 1
    if at < len(tokens) and tokens[at] in "+-":
        sign, at = (-1 if tokens[at] == "-" else 1), at + 1
    total, at = _product(tokens, at)
    total = _times(total, {_ONE: sign})
    while at < len(tokens) and tokens[at] in {"+", "-"}:
        sign = -1 if tokens[at] == "-" else 1
        term, at = _product(tokens, at + 1)
        total = _normal(Counter(total), _times(term, {_ONE: sign}))
    return total, at


def _product(tokens: list[str], at: int) -> tuple[Sum, int]:
    total, at = _power(tokens, at)
    while at < len(tokens) and tokens[at] not in {"+", "-", ")", "}"}:
        divides = tokens[at] == "/"
        if tokens[at] in {"\\cdot", "/"}:
            at += 1
        factor, at = _power(tokens, at)
        total = _times(total, _inverse(factor) if divides else factor)
    return total, at


def _power(tokens: list[str], at: int) -> tuple[Sum, int]:
    base, at = _base(tokens, at)
    if at < len(tokens) and tokens[at] == "^":
        exponent, at = _power(tokens, at + 1)
        power = _whole(exponent)
        if len(base) != 1:
            raise _UnreadError
        ((term, count),) = base.items()
        sign = -1 if count < 0 and power % 2 else 1
        if abs(count) != 1:
            raise _UnreadError
        base = {frozenset((prime, size * power) for prime, size in term if size * power): sign}
    return base, at


def _base(tokens: list[str], at: int) -> tuple[Sum, int]:
    token = tokens[at]
    if token in {"(", "{"}:
        inner, end = _sum(tokens, at + 1)
        if tokens[end] != {"(": ")", "{": "}"}[token]:
            raise _UnreadError
        return inner, end + 1
    if not token.isdigit():
        raise _UnreadError
    return _number(int(token[:40])) if len(token) <= 40 else _raise(), at + 1


def _raise() -> Sum:
    raise _UnreadError


def _number(value: int) -> Sum:
    """A whole number as one product of prime powers."""
    if value == 0:
        return {}
    if value > MAX_BASE and value % 10**9:
        return {_ONE: value}
    return {frozenset((int(p), int(e)) for p, e in sympy.factorint(value).items()): 1}


def _whole(value: Sum) -> int:
    total = 0
    for term, count in value.items():
        size = sum(exponent * prime.bit_length() for prime, exponent in term)
        if size > MAX_EXPONENT_BITS or any(exponent < 0 for _, exponent in term):
            raise _UnreadError
        total += count * prod(prime**exponent for prime, exponent in term)
    return total


def _times(left: Sum, right: Sum) -> Sum:
    if len(left) * len(right) > MAX_TERMS:
        raise _UnreadError
    out: Counter[Term] = Counter()
    for a, m in left.items():
        for b, n in right.items():
            exponents = Counter(dict(a))
            exponents.update(dict(b))
            out[frozenset((p, e) for p, e in exponents.items() if e)] += m * n
    return _normal(out, {})


def _normal(left: Counter[Term], right: Sum) -> Sum:
    """Both sums together; the whole numbers before products are taken into them."""
    left.update(right)
    out: Counter[Term] = Counter()
    for term, count in left.items():
        if not count:
            continue
        if abs(count) == 1 or abs(count) > MAX_BASE:
            out[term] += count
            continue
        exponents = Counter(dict(term))
        exponents.update({int(p): int(e) for p, e in sympy.factorint(abs(count)).items()})
        out[frozenset((p, e) for p, e in exponents.items() if e)] += 1 if count > 0 else -1
    if any(abs(count) not in {0, 1} and abs(count) <= MAX_BASE for count in out.values()):
        return _normal(out, {})
    return {term: count for term, count in out.items() if count}


def _inverse(value: Sum) -> Sum:
    if len(value) != 1 or abs(next(iter(value.values()))) != 1:
        raise _UnreadError
    ((term, count),) = value.items()
    return {frozenset((prime, -size) for prime, size in term): count}


def _residue(value: Sum, modulus: int) -> int:
    total = 0
    for term, count in value.items():
        total += count * prod(pow(prime, exponent, modulus) for prime, exponent in term)
    return total % modulus
