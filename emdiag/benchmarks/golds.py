r"""Gold answers as sources write them, to golds as emdiag keeps them; text in, text out.

Nothing here goes through floats: rounding is absolute there, and digits are part of a gold.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from emdiag.core.problems import AnswerType
from emdiag.core.records import Record

_MOST_DIGITS = 1000
_E_NOTATION = re.compile(r"([+-]?\d*\.?\d+)[eE]([+-]?\d+)")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_LATEX_THOUSANDS = re.compile(r"(?<=\d)(?:,\\!|\{,\})\s*(?=\d{3})")
_UNIT = re.compile(r"(.*\d.*?)\s*\\(?:text|mbox)\{\s*([A-Za-z ]+?)\s*\}(\^\d)?")
_MEMBERSHIP = re.compile(r"[A-Za-z]\s*\\in\s*(?=[\[(]|\\left)")
_INFINITE = re.compile(r"\\infty|\\cup")
_COMMAND = re.compile(r"\\(?:left|right|[dt]?frac|sqrt|pi|cdot|times|circ|pm|%|,|!|;| )")


class GoldText(Record, frozen=True, kw_only=True):
    """The text of a gold, apart from its unit."""

    answer: str
    answer_type: AnswerType
    unit: str | None = None


def latex_gold(raw: str) -> GoldText:
    r"""A gold as competition sets write it: LaTeX, perhaps with a unit, `\$` or thousands.

    Lists come out joined by `, `, and `a \pm b` as its two values.
    """
    text = without_separators(scientific(without_dollars(raw)))
    unit = None
    if match := _UNIT.fullmatch(text):
        text, unit = match[1], match[2] + (match[3] or "")
    text = _MEMBERSHIP.sub("", text)
    parts = members(text) or [raw]
    if len(parts) == 1 and text.startswith(r"\{") and text.endswith(r"\}"):
        parts = members(text[2:-2]) or [text]  # the empty set is itself
    parts = [value for part in parts for value in _both_signs(part)]
    if len(parts) > 1:
        return GoldText(answer=", ".join(parts), answer_type="list", unit=unit)
    return GoldText(answer=parts[0], answer_type=shape(parts[0]), unit=unit)


def last_box(text: str) -> str | None:
    r"""Content of the last `\boxed{...}` with balanced braces; None without one."""
    start = text.rfind(r"\boxed{")
    while start >= 0:
        opened = start + len(r"\boxed{")
        depth = 1
        for position in range(opened, len(text)):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if depth == 0:
                return text[opened:position].strip()
        start = text.rfind(r"\boxed{", 0, start)
    return None


def scientific(text: str) -> str:
    r"""`4.5e33` as `4.5 \times 10^{33}`, digit for digit; any other text unchanged."""
    match = _E_NOTATION.fullmatch(text)
    return rf"{match[1]} \times 10^{{{int(match[2])}}}" if match else text


def without_separators(text: str) -> str:
    r"""`1,000` and `10,\!080` without their separators; lists such as `1,2` unchanged."""
    text = _LATEX_THOUSANDS.sub("", text)
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def whole_number(text: str) -> str:
    """`27.0` as `27`, for sources that write counts as floats; any other text unchanged.

    Not for measured quantities, where the zeros of `56.0` say how exact the value is.
    """
    match = re.fullmatch(r"([+-]?\d+)\.0*", text)
    return match[1] if match else text


def without_dollars(text: str) -> str:
    r"""Text without the dollar signs of mathematics and of money, and without a final dot."""
    return text.replace(r"\$", "").replace("$", "").strip().removesuffix(".").strip()


def error_bound(text: str) -> str:
    """The error that a gold allows, such as `1e-1`, in plain digits, exactly.

    Raises:
        ValueError: The text is not a finite number above 0.
    """
    try:
        bound = Decimal(text)
        is_bound = bound.is_finite() and bound > 0 and abs(bound.adjusted()) < _MOST_DIGITS
    except InvalidOperation:  # not a number, or nan
        is_bound = False
    if not is_bound:
        msg = f"expected a finite number above 0, found {text[:40]!r}"
        raise ValueError(msg)
    return format(bound, "f")


def members(text: str) -> list[str]:
    r"""The parts of `text` between commas outside all brackets, without LaTeX spacing around them.

    Any bracket closes any other, since intervals such as `(3,4]` are written so; `\,` is spacing.
    """
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0 and text[position - 1 : position] != "\\":
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part for part in (re.sub(r"^(\\quad|\s)+|\s+$", "", part) for part in parts) if part]


def shape(text: str) -> AnswerType:
    """What a single answer looks like; a hint for graders, never more."""
    if re.fullmatch(r"\\(?:text|mathrm|mbox)\{.*\}", text):
        return "text"
    if _INFINITE.search(text) or _mixed_brackets(text):
        return "interval"
    inner = re.sub(r"\\left|\\right", "", text)
    if inner.startswith("(") and inner.endswith(")") and len(members(inner[1:-1])) > 1:
        return "tuple"
    return "expression" if re.search(r"[A-Za-z]", _COMMAND.sub("", text)) else "number"


def _mixed_brackets(text: str) -> bool:
    inner = re.sub(r"\\left|\\right|\s", "", text)
    square = inner[:1] == "[" or inner[-1:] == "]"
    return square and inner[:1] in "([" and inner[-1:] in ")]" and len(members(inner[1:-1])) == 2


def _both_signs(text: str) -> list[str]:
    if r"\pm" not in text:
        return [text]
    return [text.replace(r"\pm", "+"), text.replace(r"\pm", "-")]
