r"""What an answer looks like: a value, words, a choice, a time, a relation, or several.

The shape decides what order and which brackets mean: a bare list, a list in braces and a union have
no order, a pair in brackets has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emdiag.grading.parse.numbers import Number

ManyKind = Literal["list", "set", "sequence", "union", "matrix", "ratio"]


@dataclass(frozen=True)
class Value:
    """One value.

    Attributes:
        text: The value alone, tidied: without name, unit, percent sign and degrees.
        number: What `text` is as a number; None for an expression.
        names: What stands before the equals signs, such as `("y",)` in `y = 2x+1`.
        base: Number system, where a subscript states one.
        modulus: What is written behind `mod`, tidied.
    """

    text: str
    number: Number | None = None
    unit: str | None = None
    percent: bool = False
    names: tuple[str, ...] = ()
    base: int | None = None
    modulus: str | None = None


@dataclass(frozen=True)
class WordAnswer:
    """An answer in words, in `words.plain_words` form; `text` is how it was written."""

    words: str
    text: str


@dataclass(frozen=True)
class Choice:
    """The letter of a multiple choice, and what stands behind it."""

    letter: str
    rest: str


@dataclass(frozen=True)
class DayTime:
    """A time of day.

    Attributes:
        seconds: Within the hour.
        half: 0 before noon, 1 after; None where it is not said.
    """

    hour: int
    seconds: int
    half: int | None


@dataclass(frozen=True)
class Many:
    """Several answers or coordinates.

    Attributes:
        opener, closer: Brackets of a sequence: `(`, `[`; `{` for sets; empty for bare lists.
        columns: Width of a matrix, whose items are row by row; 0 otherwise.
        text: How it was written.
        names: What the coordinates of a sequence are called, as in `(x,y) = (1,2)`.
        is_range: Whether an inequality or a membership says that a pair is an interval.
    """

    kind: ManyKind
    items: tuple[Shape, ...]
    text: str
    opener: str = ""
    closer: str = ""
    columns: int = 0
    names: tuple[str, ...] = ()
    is_range: bool = False


@dataclass(frozen=True)
class Relation:
    """An inequality that is no plain interval."""

    left: str
    sign: str
    right: str


Shape = Value | WordAnswer | Choice | DayTime | Many | Relation
