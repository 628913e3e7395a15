r"""Notations with a value of their own: number systems, counts of choices, largest and smallest."""

from __future__ import annotations

import re
from math import gcd, lcm
from typing import TYPE_CHECKING

from emdiag.grading.parse.numbers import Number, parse_number
from emdiag.grading.parse.shapes import Value, WordAnswer

if TYPE_CHECKING:
    from fractions import Fraction

_BASE_WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16, "hex": 16, "hexadecimal": 16, "binary": 2, "bin": 2,
    "octal": 8, "oct": 8, "decimal": 10, "dec": 10,
}  # fmt: skip
_BASE = re.compile(
    r"\(?(?:\\text\{)?(-?[0-9][0-9A-F]*(?:\.[0-9A-F]+)?|[A-F][0-9A-F]*)\}?\)?\s*"
    r"(?:_\s*\{?\s*\(?(?:\\text\s*\{)?\s*(?:base[\s-]*\}?\s*)?(\d+|[a-z]+)\s*\)?\}?\s*\}?"
    r"|\s\(?(?:\\text\{\s*)?\(?\s*(?:in\s+)?base[ -](?:\\text\{)?(\d+|[a-z]+)\}?\)?\}?"
    r"|\s*\\text\s*\{\s*\(?(?:in\s+)?base\s*\}\s*(\d+)"
    r"|\s*\\text\s*\{\s*\(?(?:in\s+)?(binary|hexadecimal|octal|hex)\s*\)?\})\)?"
)
_PREFIXED = re.compile(r"0([xbo])([0-9A-Fa-f]{1,60})")
_CHOSEN = (
    re.compile(r"(?:\\text\{)?C\}?\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)"),
    re.compile(
        r"(?:\{\s*\})?\s*[_^]\s*\{?\s*(\w+)\s*\}?\s*(?:\\text\{)?C\}?\s*_\s*\{?\s*(\w+)\s*\}?"
    ),
    re.compile(r"(?:\\text\{)?C\}?\s*_\s*\{?\s*(\w+)\s*\}?\s*\^\s*\{?\s*(\w+)\s*\}?"),
    re.compile(r"(\d+)\s*C\s*(\d+)"),
)
_ARRANGED = (
    re.compile(r"(?:\\text\{)?P\}?\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"),
    re.compile(r"(?:\\text\{)?A\}?\s*_\s*\{?\s*(\d+)\s*\}?\s*\^\s*\{?\s*(\d+)\s*\}?"),
)
_FUNCTION = re.compile(r"\\(max|min|gcd|lcm)\s*(?:\\\{|\(|\{)([^()]*?)(?:\\\}|\)|(?<!\\)\})")
_FIGURE = re.compile(
    r"\\(angle|measuredangle|triangle|overline|overrightarrow|overleftrightarrow|vec|widehat)\s*"
    r"\{?\s*((?:[A-Z](?:_\{?\w\}?)?\s*'?\s*){2,4})\}?"
)


def based(text: str) -> Value | None:
    """A number whose subscript or words state its base; None for anything else."""
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed is not None:
        written = {"x": 16, "b": 2, "o": 8}[prefixed[1]]
        return Value(text=prefixed[2].upper().lstrip("0") or "0", base=written)
    match = _BASE.fullmatch(text)
    if match is None:
        return None
    name = next(group for group in match.groups()[1:] if group)
    base = int(name) if name.isdigit() and len(name) < 4 else _BASE_WORDS.get(name)
    digits = match[1].lstrip("0") or "0"
    if base is None or base < 2 or (digits[0] not in "-0123456789" and base < 11):
        return None
    number = parse_number(digits) if digits.lstrip("-").replace(".", "", 1).isdigit() else None
    return Value(text=digits, number=number, base=base)


def chosen(text: str) -> str | None:
    r"""`\binom{10}{4}` for `C(10,4)`, `{}_{10}C_4` and `C_{10}^4`, and a product for `P(10,4)`."""
    if not re.search(r"[CPA]\s*\}?\s*[(_\d]", text):
        return None
    for pattern in _CHOSEN:
        match = pattern.fullmatch(text)
        if match is not None:
            return rf"\binom{{{match[1]}}}{{{match[2]}}}"
    for pattern in _ARRANGED:
        match = pattern.fullmatch(text)
        if match is not None and int(match[2][:4]) <= int(match[1][:4]) <= 1000:
            factors = range(int(match[1]), int(match[1]) - int(match[2]), -1)
            return r" \cdot ".join(map(str, factors)) or "1"
    return None


def number_function(text: str) -> Number | None:
    r"""The value of `\max\{2,9\}`, `\gcd(12,18)` and the like on plain numbers."""
    match = _FUNCTION.fullmatch(text)
    numbers = [parse_number(part) for part in match[2].split(",")] if match else []
    values = [number.value for number in numbers if number is not None]
    if match is None or not values or len(values) != len(numbers):
        return None
    exact = [value for value in values if value is not None]
    if len(exact) != len(values):
        return None
    size = _apply(match[1], exact)
    return None if size is None else Number(mantissa=0, exponent=0, ratio=size)


def _apply(name: str, values: list[Fraction]) -> Fraction | None:
    if name in {"max", "min"}:
        return max(values) if name == "max" else min(values)
    if any(value.denominator != 1 or len(str(value)) > 50 for value in values) or len(values) > 50:
        return None
    whole = [value.numerator for value in values]
    return type(values[0])(gcd(*whole) if name == "gcd" else lcm(*whole))


def figure(text: str) -> WordAnswer | None:
    r"""`\angle PQR` as words in which the letters have their places; an end may come first."""
    match = _FIGURE.fullmatch(text.strip())
    if match is None:
        return None
    kind = "angle" if "angle" in match[1] and match[1] != "triangle" else match[1]
    points = re.findall(r"[A-Z](?:_\{?\w\}?)?\s*'?", match[2])
    points = ["".join(point.split()) for point in points]
    if kind == "triangle":
        points = sorted(points)
    elif kind not in {"overrightarrow", "vec"}:
        points = min(points, points[::-1])
    return WordAnswer(words=f"{kind} {' '.join(points)}".lower(), text=text)
