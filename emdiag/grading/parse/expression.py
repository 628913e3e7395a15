r"""Reading a tidied answer as a shape; nothing is computed, values stay text until compared."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING

from emdiag.grading.parse.latex import canonical, has_angle, trim
from emdiag.grading.parse.numbers import parse_number, shifted
from emdiag.grading.parse.shapes import Choice, Many, ManyKind, Relation, Shape, Value, WordAnswer
from emdiag.grading.parse.split import split, split_keeping, unwrapped
from emdiag.grading.parse.units import measure
from emdiag.grading.parse.words import choice, numeral, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_COMBINED = 64
"""Tuples that plus-minus signs in one tuple may stand for."""
_LIST = {",", ";", "and", "or"}
_RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\approx", r"\equiv", r"\sim", "|"}
_ORDER = {"<": ("<", False), r"\le": ("<", True), ">": (">", False), r"\ge": (">", True)}
_MATRIX = re.compile(
    r"\\begin\{([pbBvV]?(?:small)?matrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{\1\}", re.DOTALL
)
_KNOWN_SETS = {
    (r"\mathbb{R}", "all real numbers"): r"(-\infty,\infty)",
    (r"\mathbb{R}^+", r"\mathbb{R}^{+}", r"\mathbb{R}_+", r"\mathbb{R}_{+}"): r"(0,\infty)",
}
_BASE_WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_BASE = re.compile(
    r"\(?(?:\\text\{)?(-?[0-9][0-9A-F]*(?:\.[0-9A-F]+)?|[A-F][0-9A-F]*)\}?\)?\s*"
    r"(?:_\s*\{?\s*\(?(?:\\text\{)?\s*(?:base\s*)?(\d+|[a-z]+)\s*\)?\}?\s*\}?"
    r"|\s\(?(?:\\text\{\s*)?\(?\s*(?:in\s+)?base[ -](?:\\text\{)?(\d+|[a-z]+)\}?\)?\}?"
    r"|\s*\\text\{\s*\(?(?:in\s+)?base\s*\}\s*(\d+))\)?"
)


def readings(text: str, *, answer_type: str, loose: bool) -> list[Shape]:
    """What a tidied text can mean; two shapes only for `100,200`, a number or a list.

    Args:
        text: From `latex.tidy`.
        answer_type: Of the gold; `list` and `number` settle the doubt.
        loose: Whether plain words and letters behind a number may be its unit.
    """
    shape = read(text, loose=loose)
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


def _grouped_numbers(text: str, *, loose: bool) -> Many | None:
    """`10,000 and 20,000` as two numbers; None where no number is grouped or only one is there."""
    parts = re.split(r",?\s+(?:and|or)\s+|[,;]\s+", text)
    numbers = [parse_number(part.removeprefix(r"\$")) for part in parts]
    if len(parts) < 2 or None in numbers or not any("," in part for part in parts):
        return None
    items = tuple(value(part.replace(",", ""), loose=loose) for part in parts)
    return Many(kind="list", items=items, text=text)


def read(text: str, *, loose: bool) -> Shape:
    """The shape of a tidied text, commas read as separators."""
    text = trim(text)
    parts = [part for part in split_keeping(text, _LIST) if part[0]]
    if len(parts) > 1:
        items = tuple(_spliced(read(part, loose=loose) for part, _ in parts))
        kind: ManyKind = "list"
        if parts[0][1] == "or" and all(_is_range(item) for item in items):
            kind = "union"
        return Many(kind=kind, items=items, text=text)
    return _without_commas(text if not parts else parts[0][0], loose=loose)


def _without_commas(text: str, *, loose: bool) -> Shape:
    """The shape of a text without top-level commas."""
    shape = _layout(text, loose=loose) or _related(text, loose=loose)
    if shape is not None:
        return shape
    if re.search(r"\\(?:pm|mp)(?![a-zA-Z])", text):
        return Many(kind="list", items=_both_signs(text, loose=loose), text=text)
    return _plain(text, loose=loose)


def _layout(text: str, *, loose: bool) -> Shape | None:
    """The shape of a text that a matrix, a union, a letter or a pair of brackets lays out."""
    matrix = _MATRIX.fullmatch(text)
    if matrix is not None:
        return _matrix(matrix[1], matrix[2], text, loose=loose)
    united = split(text, {r"\cup"})
    if len(united) > 1:
        items = tuple(_spliced((read(part, loose=loose) for part in united), inside=True))
        return Many(kind="union", items=items, text=text)
    lettered = choice(text)
    if lettered is not None:
        return Choice(letter=lettered[0], rest=lettered[1])
    enclosed = unwrapped(text)
    return None if enclosed is None else _enclosed(*enclosed, text=text, loose=loose)


def _plain(text: str, *, loose: bool) -> Shape:
    key = canonical(text)
    words = plain_words(text)
    for names, interval in _KNOWN_SETS.items():
        if key in names or words in names:
            return read(interval, loose=loose)
    based = _based(text)
    if based is not None:
        return based
    if key == r"\{\}":
        return WordAnswer(words="no solution", text=text)
    if words is None or not re.search(r"\\(?:text|emptyset)|[A-Za-z]{3}", text):
        return value(text, loose=loose)
    digits = numeral(words)
    if digits is None:
        return WordAnswer(words=words, text=text)
    return Value(text=digits, number=parse_number(digits))


def value(text: str, *, loose: bool) -> Value:
    """One value without its unit, percent sign and degrees."""
    measured = measure(text, loose=loose)
    text, unit = measured.value, measured.unit
    percent = text.endswith("%")
    if percent:
        text = trim(text[:-1].removesuffix("\\"))
    degrees = re.search(r"\\degree\s*$", text)
    if degrees is not None and not has_angle(text):
        text, unit = trim(text[: degrees.start()]), unit or "degree^1"
    text = re.sub(r"\s*\\pmod\s*\{[^{}]*\}$", "", text)
    text = trim(text.replace(r"\$", ""))
    enclosed = unwrapped(text)
    if enclosed is not None and enclosed[0] != "{":
        text = trim(enclosed[1])
    number = parse_number(text)
    if measured.power and number is not None:
        number = shifted(number, measured.power)
        text = rf"{text} \cdot 10^{{{measured.power}}}"
    return Value(text=text, number=number, unit=unit, percent=percent)


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
        if exact and (len(exact) > 1 or not _is_name(exact[-1])):
            return read(" = ".join(exact), loose=loose)
        signs[at] = "="
    if signs == ["="] and _is_name(sides[1]) and not _is_name(sides[0]):
        sides = sides[::-1]
    if set(signs) <= {"=", r"\in", r"\equiv", r"\sim"}:
        return _named(tuple(canonical(side) for side in sides[:-1]), sides[-1], loose=loose)
    return _range(sides, signs, loose=loose) or Relation(
        left=sides[0], sign=signs[0], right=r"\ ".join(sides[1:])
    )


def _named(names: tuple[str, ...], text: str, *, loose: bool) -> Shape:
    shape = read(text, loose=loose)
    if isinstance(shape, Value):
        return replace(shape, names=tuple(name for name in names if name))
    if isinstance(shape, Many) and shape.kind == "list":
        named = tuple(
            replace(item, names=names) if isinstance(item, Value) else item for item in shape.items
        )
        return replace(shape, items=named)
    if isinstance(shape, WordAnswer) and shape.text.isalpha():
        return Value(text=shape.text, names=names)
    return shape


def _range(sides: list[str], signs: list[str], *, loose: bool) -> Shape | None:
    r"""The interval that `x > 5` or `1 < x \le 3` says; None for other inequalities."""
    if signs == [r"\ne"] and _is_name(sides[0]):
        return read(rf"(-\infty,{sides[1]}) \cup ({sides[1]},\infty)", loose=loose)
    if len(signs) > 2 or any(sign not in _ORDER for sign in signs):
        return None
    size = re.fullmatch(r"\|([^|]+)\|", sides[0])
    if len(signs) == 1 and size is not None and _is_name(size[1]):
        return _size_range(sides[1], signs[0], loose=loose)
    if len(signs) == 1 and _is_name(sides[1]) and not _is_name(sides[0]):
        flipped = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
        sides, signs = sides[::-1], [flipped[signs[0]]]
    if len(signs) == 1 and _is_name(sides[0]):
        way, closed = _ORDER[signs[0]]
        low = rf"(-\infty,{sides[1]}{']' if closed else ')'}"
        high = rf"{'[' if closed else '('}{sides[1]},\infty)"
        return read(low if way == "<" else high, loose=loose)
    if len(signs) != 2 or not _is_name(sides[1]) or _ORDER[signs[0]][0] != _ORDER[signs[1]][0]:
        return None
    if signs[0] in {">", r"\ge"}:
        sides, signs = sides[::-1], signs[::-1]
    opener, closer = "[" if _ORDER[signs[0]][1] else "(", "]" if _ORDER[signs[1]][1] else ")"
    return read(f"{opener}{sides[0]},{sides[2]}{closer}", loose=loose)


def _size_range(bound: str, sign: str, *, loose: bool) -> Shape:
    """What `|x| < 3` and `|x| > 3` say."""
    way, closed = _ORDER[sign]
    if way == "<":
        return read(f"[-{bound},{bound}]" if closed else f"(-{bound},{bound})", loose=loose)
    ends = "][" if closed else ")("
    text = rf"(-\infty,-{bound}{ends[0]} \cup {ends[1]}{bound},\infty)"
    return read(text, loose=loose)


def _matrix(name: str, body: str, text: str, *, loose: bool) -> Shape:
    if name[0] in "vV":
        return Value(text=text)
    rows = [row for row in re.split(r"\\\\", body) if row.strip()]
    cells = [[cell for cell, _ in split_keeping(row.strip(), {"&"})] for row in rows]
    width = max((len(row) for row in cells), default=0)
    if not width or any(len(row) != width for row in cells):
        return Value(text=text)
    items = tuple(read(cell, loose=loose) for row in cells for cell in row)
    return Many(kind="matrix", items=items, text=text, columns=width)


def _based(text: str) -> Value | None:
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


def _is_name(text: str) -> bool:
    r"""Whether a text names one quantity: `x`, `\theta`, `x_{1}`, `f(x)`, `\text{Area}`."""
    return bool(
        re.fullmatch(
            r"(?:\\text\{[^{}]*\}|\\[a-zA-Z]+|[A-Za-z]+)(?:_\{?[A-Za-z0-9\\ ]*\}?)?'?"
            r"(?:\([a-zA-Z]\))?",
            text.strip(),
        )
    )
