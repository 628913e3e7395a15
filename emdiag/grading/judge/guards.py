r"""Cheap refusals: what would only burn a worker's time or memory is named before it gets there."""

from __future__ import annotations

import re
from math import log10

from emdiag.grading.judge.terms import UndecidedError
from emdiag.grading.parse.split import max_depth

MAX_LENGTH = 1024
"""Characters of one expression handed to algebra."""
MAX_DEPTH = 40
MAX_DIGITS = 400
MAX_POWER = 20_000
MAX_FACTORIAL = 3_000

_POWER = re.compile(r"\^\s*\{?\s*-?\s*(\d+)")
_TOWER = re.compile(r"\^\s*\{[^{}^]*?(\d+)\s*\^\s*\{?\s*-?(\d+)\s*(\^)?")
_NESTED = re.compile(r"\^[^()]*\)[\s})]*\^|\^\s*\{?\s*\([^()]*\^")
_FACTORIAL = re.compile(r"(\d+)\s*[)}]*\s*!")
_POWER_FACTORIAL = re.compile(r"\^\s*\{?[^{}]*\}?\s*[)}]\s*!|!\s*[)}]*\s*!")
_BINOMIAL = re.compile(r"\\binom\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_SERIES = re.compile(r"\\(?:sum|prod)_?[^^]*\^\s*\{?\s*(?:10\s*\^\s*\{?\s*(\d+)|(\d+))")


def check(text: str) -> None:
    """Let an expression pass that algebra can be tried on.

    Raises:
        UndecidedError: It is too long, nested too deep, or names numbers too large to write out.
    """
    if len(text) > MAX_LENGTH:
        raise UndecidedError(f"an expression of {len(text)} characters is not computed")
    if max_depth(text) > MAX_DEPTH:
        raise UndecidedError("the expression is nested too deep")
    if re.search(rf"\d{{{MAX_DIGITS},}}", text):
        raise UndecidedError("a number is too long to compute with")
    if _is_huge(text):
        raise UndecidedError("a number is too large to compute with")


def _is_huge(text: str) -> bool:
    return (
        any(_above(digits, MAX_POWER) for digits in _POWER.findall(text))
        or _is_huge_nest(text)
        or any(_is_huge_tower(*tower) for tower in _TOWER.findall(text))
        or any(_above(digits, MAX_FACTORIAL) for digits in _FACTORIAL.findall(text))
        or _POWER_FACTORIAL.search(text) is not None
        or any(_above(tens, 4) or _above(top, 10_000) for tens, top in _SERIES.findall(text))
        or any(_is_huge_number(digits) for digits in _BINOMIAL.findall(text))
    )


def _is_huge_tower(base: str, power: str, more: str) -> bool:
    if more or _above(power, 400):
        return True
    return int(power) * log10(max(int(base[:15]), 2)) > log10(MAX_POWER)


def _is_huge_nest(text: str) -> bool:
    """Whether powers of bracketed powers may come to too much, as in `((2^{99})^{99})^{99}`."""
    if not _NESTED.search(text):
        return False
    size = 1.0
    for digits in re.findall(r"\^\s*[{(]*\s*-?\s*(\d+)", text):
        size *= max(int(digits[:9]), 1)
    return size > MAX_POWER


def _is_huge_number(text: str) -> bool:
    digits = [int(number[:9]) for number in re.findall(r"\d+", text)]
    return not re.search("[a-zA-Z]", text.replace(r"\cdot", "")) and (
        any(number > MAX_FACTORIAL for number in digits) or ("^" in text and max(digits) > 3)
    )


def _above(digits: str, limit: int) -> bool:
    return len(digits) > 9 or int(digits or 0) > limit
