r"""Inequalities of one variable as the intervals that they say, text to text."""

from __future__ import annotations

import re

from emdiag.grading.parse.numbers import parse_number

_ORDER = {"<": ("<", False), r"\le": ("<", True), ">": (">", False), r"\ge": (">", True)}
_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_SCALED = re.compile(
    r"(-)?\s*(\d+(?:\.\d+)?|\\frac\{\d+\}\{\d+\})?\s*(?:\\cdot\s*)?(\\?[A-Za-z]+(?:_\{?\w\}?)?)"
)
_FRENCH = re.compile(r"(?<![\w)}\]])\]\s*([^\[\]]{1,200}?[,;][^\[\]]{1,200}?)\s*([\[\]])(?!\w)")
_FRENCH_END = re.compile(r"\[\s*([^\[\]]{1,200}?[,;][^\[\]]{1,200}?)\s*\[(?![\w-])")


def with_usual_brackets(text: str) -> str:
    """`(1,2]` for `]1,2]`, as open ends are written in French and German."""
    if "]" not in text and "[" not in text:
        return text
    text = _FRENCH.sub(lambda match: f"({match[1]}{')' if match[2] == '[' else ']'}", text)
    return _FRENCH_END.sub(r"[\1)", text)


def interval_text(sides: list[str], signs: list[str]) -> str | None:
    r"""The interval that `x > 5`, `3x < 12` or `1 < x \le 3` says; None for other inequalities."""
    if signs == [r"\ne"] and is_name(sides[0]):
        return rf"(-\infty,{sides[1]}) \cup ({sides[1]},\infty)"
    if len(signs) > 2 or any(sign not in _ORDER for sign in signs):
        return None
    if len(signs) == 2:
        return _between(sides, signs)
    size = re.fullmatch(r"\|([^|]+)\|", sides[0])
    if size is not None and is_name(size[1]):
        return _size_range(sides[1], signs[0])
    turned = is_name(sides[1]) or (parse_number(sides[0]) and _SCALED.fullmatch(sides[1]))
    if turned and not is_name(sides[0]):
        sides, signs = sides[::-1], [_FLIPPED[signs[0]]]
    if not is_name(sides[0]):
        solved = _solved(sides[0], signs[0], sides[1])
        if solved is None:
            return None
        (name, sign, bound) = solved
        sides, signs = [name, bound], [sign]
    way, closed = _ORDER[signs[0]]
    low = rf"(-\infty,{sides[1]}{']' if closed else ')'}"
    return low if way == "<" else rf"{'[' if closed else '('}{sides[1]},\infty)"


def meet(left: str, right: str) -> str | None:
    r"""The interval common to `(a,\infty)` and `(-\infty,b)` where a is below b; None otherwise."""
    for low, high in ((left, right), (right, left)):
        above = re.fullmatch(r"([\[(])(.*),\\infty\)", low)
        below = re.fullmatch(r"\(-\\infty,(.*)([\])])", high)
        if above is None or below is None:
            continue
        start, end = parse_number(above[2]), parse_number(below[1])
        if start is None or end is None or start.value is None or end.value is None:
            return None
        if start.value < end.value:
            return f"{above[1]}{above[2]},{below[1]}{below[2]}"
    return None


def is_name(text: str) -> bool:
    r"""Whether a text names one quantity: `x`, `\theta`, `x_{1}`, `f(x)`, `\text{Area}`."""
    return bool(
        re.fullmatch(
            r"(?:\\text\{[^{}]*\}|\\[a-zA-Z]+|[A-Za-z]+)(?:_\{?[A-Za-z0-9\\ ]*\}?)?'?"
            r"(?:\([a-zA-Z]\))?",
            text.strip(),
        )
    )


def _solved(left: str, sign: str, right: str) -> tuple[str, str, str] | None:
    """Name, sign and bound of `3x < 12`; None where the left side is no multiple of a name."""
    match, bound = _SCALED.fullmatch(left.strip()), parse_number(right)
    if match is None or bound is None or bound.value is None:
        return None
    factor = parse_number(match[2] or "1")
    if factor is None or not factor.value:
        return None
    value = bound.value / (-factor.value if match[1] else factor.value)
    text = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    text = str(value) if value.denominator == 1 else text
    return match[3], _FLIPPED[sign] if match[1] else sign, text


def _between(sides: list[str], signs: list[str]) -> str | None:
    if not is_name(sides[1]) or _ORDER[signs[0]][0] != _ORDER[signs[1]][0]:
        return None
    if signs[0] in {">", r"\ge"}:
        sides, signs = sides[::-1], signs[::-1]
    opener, closer = "[" if _ORDER[signs[0]][1] else "(", "]" if _ORDER[signs[1]][1] else ")"
    return f"{opener}{sides[0]},{sides[2]}{closer}"


def _size_range(bound: str, sign: str) -> str:
    """What `|x| < 3` and `|x| > 3` say."""
    way, closed = _ORDER[sign]
    if way == "<":
        return f"[-{bound},{bound}]" if closed else f"(-{bound},{bound})"
    ends = "][" if closed else ")("
    return rf"(-\infty,-{bound}{ends[0]} \cup {ends[1]}{bound},\infty)"
