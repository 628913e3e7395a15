r"""What stands before an equals sign: the name of what was asked for, or half of an equation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from emdiag.grading.parse.shapes import Shape, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECORATION = re.compile(
    r"_\{[^{}]*\}|_.|\^\{\d+\}|\\text\s*\{[^{}]*\}|(?<=[A-Za-z])\([^()]*\)|\\overline|\\mathbb"
)
_FUNCTION_OF = re.compile(r"([a-zA-Z])\(([a-z])\)")
_TAKEN = re.compile(
    r"\\(?:sin|cos|tan|cot|sec|csc|log|ln|lfloor|lceil|det|max|min|gcd|lcm|lim|sum|prod|int|binom|begin)"
    r"(?![a-z])"
)
_TERM = re.compile(r"(?:^|[+-])\s*\d+(?:\.\d+)?\s*(?:$|[+-])")
"""A number by itself in a sum: `5x-7y+4 = 0` is an equation, `5x-7y = 12` may be what was asked."""
_SEGMENTS = re.compile(
    r"(?:[A-Z]{1,2}'?|\[[A-Z]+\]|[abcdhpqrmnRSV](?:_\{?\w\}?)?|\||\\overline|[{}()/\s]|\\frac|\d|\^)+"
)


def is_quantity(name: str, value: str) -> bool:
    r"""Whether a left side names what was asked for, instead of being half of an equation.

    `x`, `x+y`, `x^2+y^2`, `\\tan 2A` and `2x+3y` do, and so does a sum of numbers with its result.
    `2x`, `x+2` and `|x-3|` hold one letter and numbers of their own: they are solved for it.
    """
    bare = _DECORATION.sub("", name)
    letters = set(re.findall(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", "", bare)))
    letters |= set(re.findall(r"\\(?:alpha|beta|gamma|theta|phi|omega|lambda)", bare))
    if not letters and not re.search(r"\\[a-zA-Z]{4,}|[A-Za-z]", name):
        return not re.search(r"[A-Za-z]", re.sub(r"\\(?:frac|sqrt|cdot|pi|text)", "", value))
    if not re.search(r"\d", bare):
        return True
    if len(letters) != 1:
        return _TERM.search(bare) is None and value.strip() != "0"
    return _TAKEN.match(bare.strip()) is not None or _has_reciprocal(bare)


def _has_reciprocal(name: str) -> bool:
    """Whether a letter is also below a fraction bar, as in `x + 1/x`."""
    return re.search(r"\\frac\{[^{}]*\}\{[^{}]*[A-Za-z]", name) is not None and "+" in name


def asked_for(name: str) -> bool:
    """Whether a gold's left side only names its value, which then may stand alone.

    `x`, `f(x)` and ratios of segments do; `9` and `x^2+y^2` are halves of an equation.
    """
    if not re.search("[A-Za-z]", name) or re.search(r"(?<!\^\{)[+-]", name.replace("_{-", "")):
        return False
    if re.search(r"/|\\frac", name):
        return _SEGMENTS.fullmatch(name) is not None
    return "^" not in name and is_quantity(name, "")


def with_argument_of(gold: Value, answer: Value) -> Value:
    """`f(t) = t^2` with x for t where the gold says `f(x)`; any other answer as it is."""
    own, other = (
        [_FUNCTION_OF.fullmatch(name) for name in value.names] for value in (gold, answer)
    )
    if len(own) != 1 or len(other) != 1 or own[0] is None or other[0] is None:
        return answer
    (name, old), new = other[0].groups(), own[0][2]
    if (
        old == new
        or name != own[0][1]
        or re.search(rf"(?<![A-Za-z\\\\]){new}(?![A-Za-z])", answer.text)
    ):
        return answer
    text = re.sub(
        rf"(\\\\[a-zA-Z]+)|(?<![A-Za-z]){old}(?![A-Za-z])", lambda m: m[1] or new, answer.text
    )
    return replace(answer, text=text, names=gold.names)


def names_of(items: Sequence[Shape]) -> tuple[str, ...]:
    """The different names of several values; empty where they are not named, or all alike.

    `x_1` and `x_2` are two values of x, and no different names.
    """
    names = [item.names[0] for item in items if isinstance(item, Value) and len(item.names) == 1]
    if len(names) != len(items) or len(set(names)) != len(names) or len(names) < 2:
        return ()
    stems = {re.sub(r"_\{?\d\}?$", "", name) for name in names}
    return tuple(names) if len(stems) == len(names) else ()
