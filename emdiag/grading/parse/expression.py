r"""Reading a tidied answer as a shape; nothing is computed, values stay text until compared."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import islice, product
from math import gcd
from typing import TYPE_CHECKING

from emdiag.grading.parse.latex import canonical, has_angle, trim
from emdiag.grading.parse.matrices import matrix_cells, unit_vector_cells, without_transpose
from emdiag.grading.parse.notation import based, chosen, figure, number_function
from emdiag.grading.parse.numbers import Number, parse_number, shifted
from emdiag.grading.parse.quantities import angle, clock, measure
from emdiag.grading.parse.ranges import interval_text, is_name, with_usual_brackets
from emdiag.grading.parse.shapes import (
    Choice,
    DayTime,
    Many,
    ManyKind,
    Relation,
    Shape,
    Value,
    WordAnswer,
)
from emdiag.grading.parse.split import split, split_keeping, unwrapped
from emdiag.grading.parse.systems import grouped_systems, intersected
from emdiag.grading.parse.words import choice, numeral, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

MAX_COMBINED = 64
"""Tuples that plus-minus signs in one tuple may stand for."""
_LIST = {",", ";", "and", "or"}
_RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\approx", r"\equiv", r"\sim", "|"}
_KNOWN_SETS = {
    (r"\mathbb{R}", "all real numbers"): r"(-\infty,\infty)",
    (
        r"\mathbb{R}^+",
        r"\mathbb{R}^{+}",
        r"\mathbb{R}_+",
        r"\mathbb{R}_{+}",
        r"\mathbb{R}_{>0}",
        "all positive real numbers",
        "positive real numbers",
        "all positive reals",
    ): r"(0,\infty)",
    (
        r"\mathbb{R}_{\ge0}",
        r"\mathbb{R}^{\ge0}",
        r"\mathbb{R}_{0}^{+}",
        r"\mathbb{R}^{+}_{0}",
        r"\mathbb{R}_0^+",
        r"\mathbb{R}^+_0",
        "all nonnegative real numbers",
        "all non negative real numbers",
        r"\mathbb{R}^{+}_0",
        r"\mathbb{R}_0^{+}",
    ): r"[0,\infty)",
    (
        r"\mathbb{R}^-",
        r"\mathbb{R}^{-}",
        r"\mathbb{R}_-",
        r"\mathbb{R}_{-}",
        r"\mathbb{R}_{<0}",
    ): r"(-\infty,0)",
    (r"\mathbb{R}_{\le0}", r"\mathbb{R}^{\le0}"): r"(-\infty,0]",
}
_MODULUS = re.compile(
    r"\s*(?:\\pmod\s*(?:\{([^{}]*)\}|(\d+))|\(?\s*(?:\\bmod|\\mod|\\text\s*\{\s*mod(?:ulo)?\s*\}|(?<![A-Za-z\\])mod)"
    r"\s*\{?\s*([\w^+-]+)\s*\}?\s*\)?)$"
)
_ALL_BUT = re.compile(
    r"(?:\\text\s*\{\s*)?all real (?:numbers|values)(?: of x)? except(?: for)?\s*\}?"
    r"\s*(?:x\s*=\s*)?([^,]{1,40})"
)
_DERIVATIVE = re.compile(r"\\frac\s*\{\s*(?:d|\\partial)(?![a-z]*\})|\\d?dot(?![a-z])|'|\\prime")
_POINT = re.compile(r"\\?[A-Za-z]{1,2}(?:_\{?\w\}?|')?\s*(?=\()")


def readings(text: str, *, answer_type: str, loose: bool) -> list[Shape]:
    """What a tidied text can mean; two shapes only for `100,200`, a number or a list.

    Args:
        text: From `latex.tidy`.
        answer_type: Of the gold; `list` and `number` settle the doubt.
        loose: Whether plain words and letters behind a number may be its unit.
    """
    text = with_usual_brackets(text)
    shape = read(text, loose=loose)
    other = _other_reading(text, shape)
    if other is not None:
        return [shape, other]
    numbers = _grouped_numbers(text, loose=loose)
    if numbers is not None:
        return [numbers, shape]
    if answer_type == "list":
        return [shape]
    core = measure(text, loose=loose).value.rstrip("%").strip()
    core = core.rpartition("=")[2].strip() if core.count("=") == 1 else core
    number = parse_number(core)
    if number is not None and "," in core and isinstance(shape, Many) and shape.kind == "list":
        whole = read(text.replace(core, core.replace(",", "")), loose=loose)
        zeros = re.search(r",0", core)
        return [whole] if answer_type == "number" or zeros else [whole, shape]
    return [shape]


def _other_reading(text: str, shape: Shape) -> Shape | None:
    """A count for `C(10,4)`, which may be a point; a ratio for `3:16`, which may be a time."""
    counted = chosen(text)
    if counted is not None:
        return Value(text=counted)
    size = re.fullmatch(r"\|([a-z])\|\s*=\s*([^=]+)", text)
    if size is not None:
        return read(rf"{size[1]} = \pm {size[2]}", loose=False)
    hole = _ALL_BUT.fullmatch(text)
    if hole is not None:
        return read(rf"x \ne {hole[1]}", loose=False)
    cells = unit_vector_cells(text)
    if cells is not None:
        items = tuple(read(cell, loose=False) for cell in cells)
        return Many(kind="sequence", items=items, text=text, opener="(", closer=")")
    is_ratio = isinstance(shape, DayTime) and shape.half is None and text.count(":") == 1
    if is_ratio and gcd(*map(int, text.split(":"))) == 1:
        return _ratio(text, loose=False)
    return None


def _grouped_numbers(text: str, *, loose: bool) -> Many | None:
    """`10,000 and 20,000` as two numbers; None where no number is grouped or only one is there."""
    parts = re.split(r",?\s+(?:and|or)\s+|[,;]\s+", text)
    numbers = [parse_number(part.removeprefix(r"\$")) for part in parts]
    if len(parts) < 2 or None in numbers or not any("," in part for part in parts):
        return None
    items = tuple(value(part.replace(",", ""), loose=loose) for part in parts)
    return Many(kind="list", items=items, text=text)


@lru_cache(maxsize=4096)
def read(text: str, *, loose: bool) -> Shape:
    """The shape of a tidied text, commas read as separators."""
    text = trim(text)
    parts = [part for part in split_keeping(text, _LIST) if part[0]]
    if len(parts) > 1:
        shapes = [read(part, loose=loose) for part, _ in parts]
        signs = [sign for _, sign in parts[:-1]]
        kind: ManyKind = "list"
        if parts[0][1] == "or" and all(_is_range(shape) for shape in shapes):
            kind = "union"
        common = intersected(shapes, signs)
        if common is not None:
            return _ranged(read(common, loose=loose))
        systems = grouped_systems(shapes)
        if systems:
            return Many(kind="list", items=systems, text=text)
        return Many(kind=kind, items=tuple(_spliced(shapes)), text=text)
    return _without_commas(text if not parts else parts[0][0], loose=loose)


def _without_commas(text: str, *, loose: bool) -> Shape:
    """The shape of a text without top-level commas."""
    time = clock(text)
    if time is not None:
        return DayTime(*time)
    shape = _layout(text, loose=loose) or _related(text, loose=loose) or _ratio(text, loose=loose)
    if shape is not None:
        return shape
    if re.search(r"\\(?:pm|mp)(?![a-zA-Z])", text):
        return Many(kind="list", items=_both_signs(text, loose=loose), text=text)
    return _plain(text, loose=loose)


def _ratio(text: str, *, loose: bool) -> Shape | None:
    parts = split(text, {":"})
    if len(parts) < 2 or len(parts) != text.count(":") + 1 or plain_words(text):
        return None
    items = tuple(value(part, loose=loose) for part in parts)
    return Many(kind="ratio", items=items, text=text)


def _layout(text: str, *, loose: bool) -> Shape | None:
    """The shape of a text that a matrix, a union, a letter or a pair of brackets lays out."""
    matrix = matrix_cells(text)
    if matrix is not None:
        items = tuple(read(cell, loose=loose) for cell in matrix.cells)
        return Many(kind="matrix", items=items, text=text, columns=matrix.columns)
    text = without_transpose(text)
    united = split(text, {r"\cup"})
    if len(united) > 1:
        items = tuple(_spliced((read(part, loose=loose) for part in united), inside=True))
        return Many(kind="union", items=items, text=text)
    lettered = choice(text)
    if lettered is not None:
        return Choice(letter=lettered[0], rest=lettered[1])
    point = _POINT.match(text)
    enclosed = unwrapped(text[point.end() :] if point else text)
    if enclosed is None or (point and "," not in enclosed[1]):
        return None
    return _enclosed(*enclosed, text=text, loose=loose)


def _plain(text: str, *, loose: bool) -> Shape:
    key = canonical(text)
    words = plain_words(text)
    for names, interval in _KNOWN_SETS.items():
        if key in names or words in names:
            return read(interval, loose=loose)
    special = based(text) or figure(text)
    if special is not None:
        return special
    if key == r"\{\}":
        return WordAnswer(words="no solution", text=text)
    if words is None or not re.search(r"\\(?:text|emptyset)|[A-Za-z]{3}", text):
        return value(text, loose=loose)
    digits = numeral(words)
    if digits is None:
        return WordAnswer(words=words, text=text)
    return Value(text=digits, number=parse_number(digits))


def value(text: str, *, loose: bool) -> Value:
    """One value without its unit, percent sign, degrees and modulus."""
    modular = _MODULUS.search(text)
    modulus = None
    if modular is not None and modular.start():
        modulus = canonical(next(group for group in modular.groups() if group is not None))
        text = text[: modular.start()]
    turned = angle(text)
    if turned is not None:
        return Value(text=_fraction(turned), number=_exact(turned), unit="degree^1")
    measured = measure(text, loose=loose)
    text, unit = measured.value, measured.unit
    percent = text.endswith("%")
    if percent:
        text = trim(text[:-1].removesuffix("\\"))
    degrees = re.search(r"\\degree\s*$", text)
    if degrees is not None and not has_angle(text):
        text, unit = trim(text[: degrees.start()]), unit or "degree^1"
    text = trim(text.replace(r"\$", ""))
    enclosed = unwrapped(text)
    if enclosed is not None and enclosed[0] != "{":
        text = trim(enclosed[1])
    number = parse_number(text) or number_function(text)
    if measured.power and number is not None:
        number = shifted(number, measured.power)
        text = rf"{text} \cdot 10^{{{measured.power}}}"
    return Value(text=text, number=number, unit=unit, percent=percent, modulus=modulus)


def _fraction(size: Fraction) -> str:
    return rf"\frac{{{size.numerator}}}{{{size.denominator}}}"


def _exact(size: Fraction) -> Number:
    return Number(mantissa=0, exponent=0, ratio=size)


def _enclosed(opener: str, inner: str, closer: str, *, text: str, loose: bool) -> Shape:
    condition = re.match(r"[a-zA-Z]\s*(?:\\in\s*\\mathbb\{R\}\s*)?(?:\\mid|:|\|)(.+)", inner)
    if opener == "{" and condition is not None:
        return read(condition[1], loose=loose)
    parts = split(inner, {",", ";"})
    if len(parts) < 2:
        alone = read(inner, loose=loose) if inner else WordAnswer(words="no solution", text=text)
        if opener != "{" or not inner:
            return alone
        shapes = [alone]
    else:
        shapes = [read(part, loose=loose) for part in parts]
    if opener == "{":
        return Many(kind="set", items=tuple(_spliced(shapes)), text=text, opener="{", closer="}")
    plain = Many(kind="sequence", items=(), text=text, opener=opener, closer=closer)
    options = [
        shape.items if isinstance(shape, Many) and shape.kind == "list" else (shape,)
        for shape in shapes
    ]
    combined = [replace(plain, items=items) for items in islice(product(*options), MAX_COMBINED)]
    if len(combined) == 1:
        return combined[0]
    return Many(kind="list", items=tuple(combined), text=text)


def _related(text: str, *, loose: bool) -> Shape | None:
    """The shape of an equation, an inequality or a membership; None without a relation sign."""
    parts = split_keeping(text, _RELATIONS - {"|"})
    signs = [sign for _, sign in parts if sign]
    sides = [side for side, _ in parts]
    if not signs:
        return None
    if r"\approx" in signs:
        at = signs.index(r"\approx")
        exact = [side for side in sides[: at + 1] if side]
        if exact and (len(exact) > 1 or not is_name(exact[-1])):
            return read(" = ".join(exact), loose=loose)
        signs[at] = "="
    turned = signs == ["="] and is_name(sides[1]) and not is_name(sides[0])
    if turned and not _DERIVATIVE.search(sides[0]):
        sides = sides[::-1]
    if set(signs) <= {"=", r"\in", r"\equiv", r"\sim"}:
        shape = _named(tuple(canonical(side) for side in sides[:-1]), sides[-1], loose=loose)
        return _ranged(shape) if signs == [r"\in"] else shape
    interval = interval_text(sides, signs)
    if interval is not None:
        return _ranged(read(interval, loose=loose))
    return Relation(left=sides[0], sign=signs[0], right=r"\ ".join(sides[1:]))


def _ranged(shape: Shape) -> Shape:
    """`shape` known to be an interval, where it is a pair in brackets."""
    if isinstance(shape, Many) and shape.kind == "sequence" and len(shape.items) == 2:
        return replace(shape, is_range=True)
    return shape


def _named(names: tuple[str, ...], text: str, *, loose: bool) -> Shape:
    shape = read(text, loose=loose)
    names = tuple(name for name in names if name)
    if isinstance(shape, Value):
        return replace(shape, names=names)
    if isinstance(shape, Many) and shape.kind == "list":
        named = tuple(
            replace(item, names=names) if isinstance(item, Value) else item for item in shape.items
        )
        return replace(shape, items=named)
    if isinstance(shape, Many) and shape.kind == "sequence" and names:
        enclosed = unwrapped(names[-1])
        inner = tuple(split(enclosed[1], {","})) if enclosed else ()
        return replace(shape, names=inner) if len(inner) == len(shape.items) else shape
    if isinstance(shape, WordAnswer) and shape.text.isalpha():
        return Value(text=shape.text, names=names)
    return shape


def _both_signs(text: str, *, loose: bool) -> tuple[Shape, ...]:
    """The two values that one plus-minus sign stands for; several signs go together."""
    upper = re.sub(r"\\pm(?![a-zA-Z])", "+", re.sub(r"\\mp(?![a-zA-Z])", "-", text))
    lower = re.sub(r"\\pm(?![a-zA-Z])", "-", re.sub(r"\\mp(?![a-zA-Z])", "+", text))
    return tuple(_spliced([read(upper.strip(), loose=loose), read(lower.strip(), loose=loose)]))


def _spliced(shapes: Iterable[Shape], *, inside: bool = False) -> list[Shape]:
    """Shapes with the members of lists, and `inside` unions of sets, in place of the list."""
    out: list[Shape] = []
    for shape in shapes:
        if isinstance(shape, Many) and (shape.kind == "list" or (inside and shape.kind == "set")):
            out.extend(shape.items)
        else:
            out.append(shape)
    return out


def _is_range(shape: Shape) -> bool:
    return isinstance(shape, Many) and (
        shape.kind == "union" or (shape.kind == "sequence" and len(shape.items) == 2)
    )
