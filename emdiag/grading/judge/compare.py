r"""Whether two shapes say the same; the gold is always first.

Whatever needs algebra is asked of a `Symbolic`. The quick path passes one that refuses, so what is
decided without a worker is decided by the same code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn, Protocol

from emdiag.core.grades import Tolerance
from emdiag.grading.judge.names import asked_for, is_quantity, names_of, with_argument_of
from emdiag.grading.parse.expression import read
from emdiag.grading.parse.latex import canonical
from emdiag.grading.parse.numbers import Quantity, agreement, is_near, parse_number, shifted
from emdiag.grading.parse.shapes import Choice, Clock, Many, Relation, Shape, Value, WordAnswer
from emdiag.grading.parse.systems import in_order
from emdiag.grading.parse.words import plain_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
class Step:
    """One comparison: both sides as read, the rule that decided, and what it said."""

    gold: Shape
    answer: Shape
    rule: str
    holds: bool


@dataclass(frozen=True)
class Terms:
    """What holds for a whole gold answer.

    Attributes:
        unit: Stated beside the gold, in `units.unit_name` form.
        percent: Whether that unit is percent.
        steps: Where each comparison is written down; None where nobody asks why.
    """

    symbolic: Symbolic
    tolerance: Tolerance = "exact"
    error: str | None = None
    unit: str | None = None
    percent: bool = False
    steps: list[Step] | None = None

    def reason(self, gold: Shape, answer: Shape, *, rule: str, holds: bool) -> bool:
        """`holds`, written down with its rule where somebody asks why."""
        if self.steps is not None:
            self.steps.append(Step(gold=gold, answer=answer, rule=rule, holds=holds))
        return holds


def equal(gold: Shape, answer: Shape, terms: Terms) -> bool:
    """Whether `answer` says what `gold` says."""
    rule, compare = _rule(gold, answer)
    return terms.reason(gold, answer, rule=rule, holds=compare(gold, answer, terms))


def _rule(gold: Shape, answer: Shape) -> tuple[str, Callable[..., bool]]:
    """What decides between shapes of these kinds, and its name."""
    if isinstance(answer, Choice) and not isinstance(gold, Choice):
        return "what stands behind the letter of a choice", _gold_is_no_choice
    match gold:
        case Value():
            return "values", _value
        case WordAnswer():
            return "words", _words
        case Choice():
            return "the letter of a choice", _choice
        case Clock():
            return "times of day", _same_time
        case Many():
            return _MANY[gold.kind]
        case Relation():
            return "equations and inequalities up to a factor", _same_relation


def _same_relation(gold: Relation, answer: Shape, terms: Terms) -> bool:
    return isinstance(answer, Relation) and terms.symbolic.same_relation(
        (gold.left, gold.sign, gold.right), (answer.left, answer.sign, answer.right)
    )


def _same_time(gold: Clock, answer: Shape, terms: Terms) -> bool:
    """Hours count from 0 to 23 where both say the half of the day, else as they are written."""
    if not isinstance(answer, Clock) or gold.seconds != answer.seconds:
        return False
    if gold.half is None and answer.half is None:
        return gold.hour == answer.hour
    if gold.half is None or answer.half is None:
        said, open_one = (answer, gold) if gold.half is None else (gold, answer)
        return open_one.hour == said.hour or open_one.hour == (said.hour % 12 or 12)
    return gold.hour == answer.hour


def _value(gold: Value, answer: Shape, terms: Terms) -> bool:
    match answer:
        case Value():
            return _values(gold, answer, terms)
        case Many() if len(answer.items) == 1:
            return equal(gold, answer.items[0], terms)
        case Many(kind="ratio") if len(answer.items) == 2:
            return _as_quotient(gold, answer, terms)
        case Many(kind="list"):
            return _said_twice(gold, answer, terms)
        case Many() if gold.number is None and (r"\cup" in gold.text or r"\setminus" in gold.text):
            return terms.symbolic.same_set(gold.text, answer.text)
        case WordAnswer():
            letters = re.fullmatch(r"[A-Za-z ]+", gold.text)
            return bool(letters) and (plain_words(gold.text) or gold.text.lower()) == answer.words
        case _:
            return False


def _as_quotient(value: Value, ratio: Many, terms: Terms) -> bool:
    left, right = ratio.items
    if not isinstance(left, Value) or not isinstance(right, Value):
        return False
    text = rf"\frac{{{left.text}}}{{{right.text}}}"
    return _values(value, Value(text=text, number=parse_number(text)), terms)


def _said_twice(gold: Value, answer: Many, terms: Terms) -> bool:
    """A measured value with its uncertainty, or one value in several forms joined by "or"."""
    if r"\pm" in answer.text and terms.tolerance == "significant-digits":
        middle, _, spread = answer.text.partition(r"\pm")
        numbers = [parse_number(part.split()[0]) for part in (middle, spread) if part.split()]
        if len(numbers) == 2 and None not in numbers and numbers[0] and numbers[0].mantissa:
            return equal(gold, read(middle.strip(), loose=True), terms)
    texts = [canonical(item.text) for item in answer.items if isinstance(item, Value)]
    forms = len(set(texts)) == len(answer.items) == 2 and re.search(r"(?<![A-Za-z\\])or(?![A-Za-z])", answer.text)
    return bool(forms) and all(equal(gold, item, terms) for item in answer.items)


def _values(gold: Value, answer: Value, terms: Terms) -> bool:
    if gold.base or answer.base:
        return _based(gold, answer, terms)
    unit = gold.unit or terms.unit
    if unit and answer.unit and unit != answer.unit:
        return terms.reason(gold, answer, rule="the units differ", holds=False)
    if gold.modulus is not None:
        return _modular(gold, answer, terms)
    answer = with_argument_of(gold, answer)
    verdict = _names(gold, answer)
    if verdict is None:
        return terms.symbolic.same_relation(_sides(gold), _sides(answer))
    return verdict and _magnitudes(gold, answer, terms)


def _modular(gold: Value, answer: Value, terms: Terms) -> bool:
    """Residues with the same modulus; without one, the answer is the residue itself."""
    bare = replace(gold, modulus=None), replace(answer, modulus=None)
    if answer.modulus is None:
        return _values(*bare, terms)
    if gold.modulus != answer.modulus:
        return terms.reason(gold, answer, rule="the moduli differ", holds=False)
    if _values(*bare, terms):
        return True
    values = [
        number.value if (number := parse_number(text)) else None
        for text in (gold.text, answer.text, str(gold.modulus))
    ]
    left, right, modulus = values
    names = _names(*bare) is not False
    if left is None or right is None or not modulus or not names:
        return False
    holds = ((left - right) / modulus).denominator == 1
    return terms.reason(gold, answer, rule=f"residues modulo {gold.modulus}", holds=holds)


def _sides(value: Value) -> RelationParts:
    return (value.names[0], "=", value.text)


def _names(gold: Value, answer: Value) -> bool | None:
    """Whether the values alone decide; None where the equations must be compared as a whole."""
    left, right = set(gold.names), set(answer.names)
    if not left and not right:
        return True
    if not left:
        return all(is_quantity(name, answer.text) for name in right)
    if not right:
        return all(map(asked_for, left))
    if left & right:
        return True
    functions = [name for name in left | right if re.fullmatch(r"[a-zA-Z]\([a-zA-Z]\)|y", name)]
    functions += [name for name in left | right if re.fullmatch("[fgh]", name)]
    return True if len(functions) == len(left | right) else None


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


def _words(gold: WordAnswer, answer: Shape, _: Terms) -> bool:
    match answer:
        case WordAnswer():
            return gold.words == answer.words or _is_product(gold.text, answer.text)
        case Value():
            return gold.words == (plain_words(answer.text) or answer.text.lower())
        case _:
            return False


def _is_product(gold: str, answer: str) -> bool:
    """Whether three plain small letters are the same three variables in another order."""
    plain = all(re.fullmatch("[a-z]{3}", text) and len(set(text)) == 3 for text in (gold, answer))
    return plain and sorted(gold) == sorted(answer)


def _choice(gold: Choice, answer: Shape, _: Terms) -> bool:
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


def _list(gold: Many, answer: Shape, terms: Terms) -> bool:
    names = names_of(gold.items)
    if names:
        return _named_list(gold, names, answer, terms)
    members = _members(answer)
    if members is None:
        return False
    if gold.kind == "set" and isinstance(answer, Many) and answer.kind == "set":
        return _covers(gold.items, members, terms)
    return _unordered(gold.items, members, terms)


def _named_list(gold: Many, names: tuple[str, ...], answer: Shape, terms: Terms) -> bool:
    """Values of different names: by name, or in their order where the answer has no such names."""
    if not isinstance(answer, Many) or answer.is_range or answer.kind not in {"list", "sequence"}:
        return False
    own = names_of(answer.items) or answer.names
    if set(own) == set(names) and len(own) == len(names):
        by_name = dict(zip(own, answer.items, strict=True))
        return _ordered(gold.items, [by_name[name] for name in names], terms)
    return not set(own) & set(names) and _ordered(gold.items, answer.items, terms)


def _covers(gold: Sequence[Shape], answer: Sequence[Shape], terms: Terms) -> bool:
    """Whether two sets in braces have the same members, however often each is written."""
    return all(any(equal(left, right, terms) for right in answer) for left in gold) and all(
        any(equal(left, right, terms) for left in gold) for right in answer
    )


def _proportional(gold: Many, answer: Shape, terms: Terms) -> bool:
    """Whether two ratios are the same up to a factor, in their order."""
    if isinstance(answer, Value) and len(gold.items) == 2:
        left, right = gold.items
        if not isinstance(left, Value) or not isinstance(right, Value):
            return False
        text = rf"\frac{{{left.text}}}{{{right.text}}}"
        return _values(Value(text=text, number=parse_number(text)), answer, terms)
    if not isinstance(answer, Many) or answer.kind != "ratio" or len(answer.items) != len(gold.items):
        return False
    first, other = gold.items[0], answer.items[0]
    pairs = zip(gold.items[1:], answer.items[1:], strict=True)
    return all(_values(_times(x, other), _times(y, first), terms) for x, y in pairs)


def _times(left: Shape, right: Shape) -> Value:
    assert isinstance(left, Value)
    assert isinstance(right, Value)
    if left.number and right.number and left.number.value is not None and right.number.value is not None:
        value = left.number.value * right.number.value
        text = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
        return Value(text=text, number=parse_number(text))
    return Value(text=f"({left.text})({right.text})")


def _members(answer: Shape) -> Sequence[Shape] | None:
    """The members of an answer to a gold without order; square brackets make an interval."""
    match answer:
        case Many(kind="list" | "set" | "union"):
            return answer.items
        case Many(kind="sequence", opener="(", closer=")", is_range=False):
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
    round_ends = (gold.opener, gold.closer) == ("(", ")") and not gold.is_range
    names = names_of(answer.items) if answer.kind == "list" else answer.names
    if names and len(names) == len(answer.items):
        answer = replace(answer, items=_arranged(answer.items, names, gold.names))
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


def _arranged(
    items: tuple[Shape, ...], names: tuple[str, ...], gold_names: tuple[str, ...]
) -> tuple[Shape, ...]:
    """Named coordinates in the order of the gold's names, or of their own where it has none."""
    by_name = dict(zip(names, items, strict=True))
    if set(gold_names) == set(names):
        return tuple(by_name[name] for name in gold_names)
    named = [Value(text=name, names=(name,)) for name in names]
    return tuple(by_name[value.text] for value in in_order(named))


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


_MANY: dict[str, tuple[str, Callable[..., bool]]] = {
    "list": ("members in any order", _list),
    "set": ("members of a set", _list),
    "sequence": ("coordinates in their order", _sequence),
    "matrix": ("cells in their places", _matrix),
    "union": ("sets of numbers", _union),
    "ratio": ("ratios up to a factor", _proportional),
}
