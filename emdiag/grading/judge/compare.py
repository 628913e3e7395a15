r"""Whether two shapes say the same; the gold is always first.

Whatever needs algebra is asked of a `Symbolic`. The quick path passes one that refuses, so what is
decided without a worker is decided by the same code.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from emdiag.grading.judge.magnitudes import rounds_to, same_magnitude
from emdiag.grading.judge.members import Same, covers, ordered, unordered
from emdiag.grading.judge.names import asked_for, is_quantity, names_of, with_argument_of
from emdiag.grading.parse.expression import read
from emdiag.grading.parse.latex import canonical
from emdiag.grading.parse.numbers import parse_number
from emdiag.grading.parse.shapes import Choice, DayTime, Many, Relation, Shape, Value, WordAnswer
from emdiag.grading.parse.systems import in_order
from emdiag.grading.parse.words import plain_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.grading.judge.terms import RelationParts, Terms


def equal(gold: Shape, answer: Shape, terms: Terms) -> bool:
    """Whether `answer` says what `gold` says."""
    if isinstance(answer, Choice) and not isinstance(gold, Choice):
        rule, compare = _BEHIND_A_LETTER
    elif isinstance(gold, Many):
        rule, compare = _MANY[gold.kind]
    else:
        rule, compare = _KINDS[type(gold)]
    return terms.reason(gold, answer, rule=rule, holds=compare(gold, answer, terms))


def _same(terms: Terms) -> Same:
    return lambda gold, answer: equal(gold, answer, terms)


def _same_relation(gold: Relation, answer: Shape, terms: Terms) -> bool:
    return isinstance(answer, Relation) and terms.symbolic.same_relation(
        (gold.left, gold.sign, gold.right), (answer.left, answer.sign, answer.right)
    )


def _same_time(gold: DayTime, answer: Shape, terms: Terms) -> bool:
    """Hours count from 0 to 23 where both say the half of the day, else as they are written."""
    if not isinstance(answer, DayTime) or gold.seconds != answer.seconds:
        return False
    if gold.half is None and answer.half is None:
        return gold.hour == answer.hour
    if gold.half is None or answer.half is None:
        certain, unsure = (answer, gold) if gold.half is None else (gold, answer)
        return unsure.hour == certain.hour or unsure.hour == (certain.hour % 12 or 12)
    return gold.hour == answer.hour


def _value(gold: Value, answer: Shape, terms: Terms) -> bool:
    match answer:
        case Value():
            return _values(gold, answer, terms)
        case Many():
            return _value_of_many(gold, answer, terms)
        case DayTime(seconds=0, half=int()):  # 9 for "9 p.m.", whose half the question states
            hours = {answer.hour, answer.hour % 12 or 12}
            return gold.number is not None and gold.number.value in hours
        case WordAnswer():
            letters = re.fullmatch(r"[A-Za-z ]+", gold.text)
            return bool(letters) and (plain_words(gold.text) or gold.text.lower()) == answer.words
        case _:
            return False


def _value_of_many(gold: Value, answer: Many, terms: Terms) -> bool:
    match answer:
        case Many() if len(answer.items) == 1:
            return equal(gold, answer.items[0], terms)
        case Many(kind="ratio") if len(answer.items) == 2:
            return _as_quotient(gold, answer, terms)
        case Many(kind="list"):
            return _said_twice(gold, answer, terms)
        case Many() if gold.number is None and (r"\cup" in gold.text or r"\setminus" in gold.text):
            return terms.symbolic.same_set(gold.text, answer.text)
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
    forms = len(set(texts)) == len(answer.items) == 2 and re.search(
        r"(?<![A-Za-z\\])or(?![A-Za-z])", answer.text
    )
    if not forms:
        return False
    equals = [item for item in answer.items if equal(gold, item, terms)]
    rest = [item for item in answer.items if item not in equals]
    return bool(equals) and all(rounds_to(item, equals[0]) for item in rest)


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
    return verdict and same_magnitude(gold, answer, terms)


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
    return same_magnitude(replace(gold, base=None), replace(answer, base=None), terms)


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
        return covers(gold.items, members, _same(terms))
    return unordered(gold.items, members, _same(terms))


def _named_list(gold: Many, names: tuple[str, ...], answer: Shape, terms: Terms) -> bool:
    """Values of different names: by name, or in their order where the answer has no such names."""
    if not isinstance(answer, Many) or answer.is_range or answer.kind not in {"list", "sequence"}:
        return False
    own = names_of(answer.items) or answer.names
    if set(own) == set(names) and len(own) == len(names):
        by_name = dict(zip(own, answer.items, strict=True))
        return ordered(gold.items, [by_name[name] for name in names], _same(terms))
    return not set(own) & set(names) and ordered(gold.items, answer.items, _same(terms))


def _proportional(gold: Many, answer: Shape, terms: Terms) -> bool:
    """Whether two ratios are the same up to a factor, in their order."""
    if isinstance(answer, Value) and len(gold.items) == 2:
        left, right = gold.items
        if not isinstance(left, Value) or not isinstance(right, Value):
            return False
        text = rf"\frac{{{left.text}}}{{{right.text}}}"
        return _values(Value(text=text, number=parse_number(text)), answer, terms)
    if (
        not isinstance(answer, Many)
        or answer.kind != "ratio"
        or len(answer.items) != len(gold.items)
    ):
        return False
    first, other = gold.items[0], answer.items[0]
    pairs = zip(gold.items[1:], answer.items[1:], strict=True)
    return all(_values(_times(x, other), _times(y, first), terms) for x, y in pairs)


def _times(left: Shape, right: Shape) -> Value:
    assert isinstance(left, Value)
    assert isinstance(right, Value)
    if (
        left.number
        and right.number
        and left.number.value is not None
        and right.number.value is not None
    ):
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
            return fits and ordered(gold.items, answer.items, _same(terms))
        case "union":
            return len(gold.items) == 2 and terms.symbolic.same_set(gold.text, answer.text)
        case "set":
            return len(answer.items) == 1 and equal(gold, answer.items[0], terms)
        case "ratio":
            return False


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
        return gold.columns == answer.columns and ordered(gold.items, answer.items, _same(terms))
    rows = answer.items
    if gold.columns > 1 and rows and all(isinstance(row, Many) for row in rows):
        cells = [cell for row in rows if isinstance(row, Many) for cell in row.items]
        width = {len(row.items) for row in rows if isinstance(row, Many)}
        return width == {gold.columns} and ordered(gold.items, cells, _same(terms))
    vector = gold.columns == 1 or gold.columns == len(gold.items)
    in_line = answer.kind in {"sequence", "list"}
    return vector and in_line and ordered(gold.items, answer.items, _same(terms))


def _union(gold: Many, answer: Shape, terms: Terms) -> bool:
    several = isinstance(answer, Many) and answer.kind in {"union", "list"}
    if several and unordered(gold.items, answer.items, _same(terms)):  # type: ignore[union-attr]
        return True
    text = answer.text if isinstance(answer, Many | Value) else None
    if text is None or (isinstance(answer, Value) and answer.number is not None):
        return False
    if isinstance(answer, Many) and answer.kind in {"list", "matrix"}:
        return False
    return terms.symbolic.same_set(gold.text, text)


_MANY: dict[str, tuple[str, Callable[..., bool]]] = {
    "list": ("members in any order", _list),
    "set": ("members of a set", _list),
    "sequence": ("coordinates in their order", _sequence),
    "matrix": ("cells in their places", _matrix),
    "union": ("sets of numbers", _union),
    "ratio": ("ratios up to a factor", _proportional),
}
_KINDS: dict[type, tuple[str, Callable[..., bool]]] = {
    Value: ("values", _value),
    WordAnswer: ("words", _words),
    Choice: ("the letter of a choice", _choice),
    DayTime: ("times of day", _same_time),
    Relation: ("equations and inequalities up to a factor", _same_relation),
}
_BEHIND_A_LETTER: tuple[str, Callable[..., bool]] = (
    "what stands behind the letter of a choice",
    _gold_is_no_choice,
)
