r"""Whether two shapes say the same; the gold is always first.

Whatever needs algebra is asked of a `Symbolic`. The quick path passes one that refuses, so what is
decided without a worker is decided by the same code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn, Protocol

from emdiag.core.grades import Tolerance
from emdiag.grading.parse.expression import read
from emdiag.grading.parse.latex import canonical
from emdiag.grading.parse.numbers import Quantity, agree, shifted
from emdiag.grading.parse.shapes import Choice, Many, Relation, Shape, Value, WordAnswer
from emdiag.grading.parse.words import plain_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

RelationParts = tuple[str, str, str]
"""Left side, sign and right side of a relation."""


class NeedsWorkerError(Exception):
    """The pair cannot be decided without algebra."""


class UndecidedError(Exception):
    """The pair cannot be decided at all; the message says why."""


class Symbolic(Protocol):
    """Algebra on LaTeX; may raise `UndecidedError`.

    Attributes:
        unread: Whether an answer that it was asked about could not be read as mathematics.
    """

    unread: bool

    def value(self, text: str) -> Fraction | None:
        """The real constant that `text` is, to 60 digits; None for anything else."""
        ...

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal for all values of their variables."""
        ...

    def same_relation(self, gold: RelationParts, answer: RelationParts) -> bool:
        """Whether two equations or inequalities say the same."""
        ...

    def same_set(self, gold: str, answer: str) -> bool:
        """Whether two sets of real numbers are equal."""
        ...


class Refuse:
    """The `Symbolic` of the quick path."""

    unread = False

    def value(self, *texts: object, **_: object) -> NoReturn:
        """Refuse."""
        raise NeedsWorkerError(*texts)

    same = same_relation = same_set = value


@dataclass(frozen=True)
class Terms:
    """What holds for a whole gold answer.

    Attributes:
        unit: Stated beside the gold, in `units.unit_name` form.
        percent: Whether that unit is percent.
    """

    symbolic: Symbolic
    tolerance: Tolerance = "exact"
    error: str | None = None
    unit: str | None = None
    percent: bool = False


def equal(gold: Shape, answer: Shape, terms: Terms) -> bool:
    """Whether `answer` says what `gold` says."""
    if isinstance(answer, Choice) and not isinstance(gold, Choice):
        return _gold_is_no_choice(gold, answer, terms)
    match gold:
        case Value():
            return _value(gold, answer, terms)
        case WordAnswer():
            return _words(gold, answer)
        case Choice():
            return _choice(gold, answer)
        case Many():
            return _same_many(gold, answer, terms)
        case Relation():
            return isinstance(answer, Relation) and terms.symbolic.same_relation(
                (gold.left, gold.sign, gold.right), (answer.left, answer.sign, answer.right)
            )


def _value(gold: Value, answer: Shape, terms: Terms) -> bool:
    match answer:
        case Value():
            return _values(gold, answer, terms)
        case Many() if len(answer.items) == 1:
            return equal(gold, answer.items[0], terms)
        case Many() if gold.number is None and (r"\cup" in gold.text or r"\setminus" in gold.text):
            return terms.symbolic.same_set(gold.text, answer.text)
        case WordAnswer():
            letters = re.fullmatch(r"[A-Za-z ]+", gold.text)
            return bool(letters) and (plain_words(gold.text) or gold.text.lower()) == answer.words
        case _:
            return False


def _values(gold: Value, answer: Value, terms: Terms) -> bool:
    if gold.base or answer.base:
        return _based(gold, answer, terms)
    unit = gold.unit or terms.unit
    if unit and answer.unit and unit != answer.unit:
        return False
    verdict = _names(gold, answer)
    if verdict is None:
        return terms.symbolic.same_relation(_sides(gold), _sides(answer))
    return verdict and _magnitudes(gold, answer, terms)


def _sides(value: Value) -> RelationParts:
    return (value.names[0], "=", value.text)


def _names(gold: Value, answer: Value) -> bool | None:
    """Whether the values alone decide; None where the equations must be compared as a whole."""
    left, right = set(gold.names), set(answer.names)
    if not left and not right:
        return True
    if not left:
        return all(map(_is_quantity, right))
    if not right:
        return all(_is_quantity(name) and not re.search(r"[+^/-]|\\frac", name) for name in left)
    if left & right:
        return True
    functions = [name for name in left | right if re.fullmatch(r"[a-zA-Z]\([a-zA-Z]\)|y", name)]
    return True if len(functions) == len(left | right) else None


def _is_quantity(name: str) -> bool:
    """Whether a left side names what was asked for, instead of being half of an equation.

    `x`, `x+y` and `x^2+y^2` do; `2x` and `x+2` hold numbers of their own. `2+3` is a sum to do.
    """
    bare = re.sub(r"_\{[^{}]*\}|_.|\^\{\d+\}|\\text\{[^{}]*\}|(?<=[A-Za-z])\([^()]*\)", "", name)
    plain = re.sub(r"\\[a-zA-Z]+", "", bare)
    return not (re.search(r"\d", plain) and re.search(r"[A-Za-z]", plain))


def _based(gold: Value, answer: Value, terms: Terms) -> bool:
    if gold.base and answer.base:
        return (gold.base, gold.text) == (answer.base, answer.text)
    if gold.base and gold.base != 10:
        # The question names the base; an answer may leave it out, but never state another.
        return gold.text == canonical(answer.text)
    if answer.base not in (None, 10):
        return False
    return _magnitudes(replace(gold, base=None), replace(answer, base=None), terms)


def _magnitudes(gold: Value, answer: Value, terms: Terms) -> bool:
    if _same_magnitude(gold, answer, terms):
        return True
    of_gold = gold.percent or terms.percent
    if of_gold == answer.percent:
        return False
    # One side says percent: 50 % is 0.5 as well as the 50 of "how many percent".
    exactly = replace(terms, error=None)
    if of_gold:
        return _same_magnitude(_hundredth(gold), answer, exactly)
    return _same_magnitude(gold, _hundredth(answer), exactly)


def _hundredth(value: Value) -> Value:
    number = None if value.number is None else shifted(value.number, -2)
    return replace(value, text=rf"\frac{{{value.text}}}{{100}}", number=number)


def _same_magnitude(gold: Value, answer: Value, terms: Terms) -> bool:
    if gold.number is None or answer.number is None:
        if canonical(gold.text) == canonical(answer.text):
            return True
        if not answer.text or not gold.text:
            return False
    left, right = (_quantity(value, terms.symbolic) for value in (gold, answer))
    if left is not None and right is not None:
        return agree(left, right, tolerance=terms.tolerance, error=terms.error)
    return terms.symbolic.same(gold.text, answer.text)


def _quantity(value: Value, symbolic: Symbolic) -> Quantity | None:
    if value.number is not None:
        return Quantity(value=value.number.value, number=value.number)
    number = symbolic.value(value.text)
    return None if number is None else Quantity(value=number)


def _words(gold: WordAnswer, answer: Shape) -> bool:
    match answer:
        case WordAnswer():
            return gold.words == answer.words or _is_product(gold.text, answer.text)
        case Value():
            return gold.words == (plain_words(answer.text) or answer.text.lower())
        case _:
            return False


def _is_product(gold: str, answer: str) -> bool:
    """Whether three plain letters are the same three variables in another order."""
    plain = all(re.fullmatch("[A-Za-z]{3}", text) for text in (gold, answer))
    return plain and sorted(gold) == sorted(answer)


def _choice(gold: Choice, answer: Shape) -> bool:
    match answer:
        case Choice():
            return gold.letter == answer.letter
        case Value():
            return canonical(answer.text).upper() == gold.letter
        case WordAnswer():
            return answer.words.upper() == gold.letter
        case _:
            return False


def _gold_is_no_choice(gold: Shape, answer: Choice, terms: Terms) -> bool:
    r"""The value behind a letter counts; the letter alone only where the gold is that letter."""
    if isinstance(gold, Value) and gold.text == answer.letter:
        return True
    if isinstance(gold, WordAnswer) and gold.words == answer.letter.lower():
        return True
    return bool(answer.rest) and equal(gold, read(answer.rest, loose=True), terms)


def _same_many(gold: Many, answer: Shape, terms: Terms) -> bool:
    match gold.kind:
        case "list" | "set":
            members = _members(answer)
            return members is not None and _unordered(gold.items, members, terms)
        case "sequence":
            return _sequence(gold, answer, terms)
        case "matrix":
            return _matrix(gold, answer, terms)
        case "union":
            return _union(gold, answer, terms)


def _members(answer: Shape) -> Sequence[Shape] | None:
    """The members of an answer to a gold without order; square brackets make an interval."""
    match answer:
        case Many(kind="list" | "set" | "union"):
            return answer.items
        case Many(kind="sequence", opener="(", closer=")"):
            return answer.items
        case Value() | WordAnswer():
            return (answer,)
        case _:
            return None


def _sequence(gold: Many, answer: Shape, terms: Terms) -> bool:
    if not isinstance(answer, Many):
        without = isinstance(answer, Value) and r"\setminus" in answer.text
        pair = without and len(gold.items) == 2
        return pair and terms.symbolic.same_set(gold.text, answer.text)  # type: ignore[union-attr]
    round_ends = (gold.opener, gold.closer) == ("(", ")")
    match answer.kind:
        case "sequence" | "list" | "matrix":
            fits = {
                "sequence": (answer.opener, answer.closer) == (gold.opener, gold.closer)
                or len(gold.items) > 2,
                "list": round_ends,
                "matrix": round_ends and answer.columns in {1, len(answer.items)},
            }[answer.kind]
            return fits and _ordered(gold.items, answer.items, terms)
        case "union":
            return len(gold.items) == 2 and terms.symbolic.same_set(gold.text, answer.text)
        case "set":
            return len(answer.items) == 1 and equal(gold, answer.items[0], terms)


def _matrix(gold: Many, answer: Shape, terms: Terms) -> bool:
    if not isinstance(answer, Many):
        sums = isinstance(answer, Value) and r"\begin" in answer.text
        return sums and terms.symbolic.same(gold.text, answer.text)  # type: ignore[union-attr]
    if answer.kind == "matrix":
        return gold.columns == answer.columns and _ordered(gold.items, answer.items, terms)
    rows = answer.items
    if gold.columns > 1 and rows and all(isinstance(row, Many) for row in rows):
        cells = [cell for row in rows if isinstance(row, Many) for cell in row.items]
        width = {len(row.items) for row in rows if isinstance(row, Many)}
        return width == {gold.columns} and _ordered(gold.items, cells, terms)
    vector = gold.columns == 1 or gold.columns == len(gold.items)
    ordered = answer.kind in {"sequence", "list"}
    return vector and ordered and _ordered(gold.items, answer.items, terms)


def _union(gold: Many, answer: Shape, terms: Terms) -> bool:
    several = isinstance(answer, Many) and answer.kind in {"union", "list"}
    if several and _unordered(gold.items, answer.items, terms):  # type: ignore[union-attr]
        return True
    text = answer.text if isinstance(answer, Many | Value) else None
    if text is None or (isinstance(answer, Value) and answer.number is not None):
        return False
    if isinstance(answer, Many) and answer.kind in {"list", "matrix"}:
        return False
    return terms.symbolic.same_set(gold.text, text)


def _ordered(gold: Sequence[Shape], answer: Sequence[Shape], terms: Terms) -> bool:
    return len(gold) == len(answer) and all(
        equal(left, right, terms) for left, right in zip(gold, answer, strict=True)
    )


def _unordered(gold: Sequence[Shape], answer: Sequence[Shape], terms: Terms) -> bool:
    """Whether the members can be paired off; each is used once, so a double one counts twice."""
    if len(gold) != len(answer):
        return False
    known: dict[tuple[int, int], bool] = {}

    def fits(left: int, right: int) -> bool:
        if (left, right) not in known:
            known[left, right] = equal(gold[left], answer[right], terms)
        return known[left, right]

    taken: dict[int, int] = {}

    def place(left: int, visited: set[int]) -> bool:
        for right in range(len(answer)):
            if right not in visited and fits(left, right):
                visited.add(right)
                if right not in taken or place(taken[right], visited):
                    taken[right] = left
                    return True
        return False

    return all(place(left, set()) for left in range(len(gold)))
