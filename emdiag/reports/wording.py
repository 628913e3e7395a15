"""How words and cells are set on a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from emdiag.reports.marks import visible

if TYPE_CHECKING:
    from emdiag.core.samples_book import Tone
    from emdiag.reports.page import Table

TONE_SIGNS: Final[dict[Tone, str]] = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "undecided": "\N{WHITE DIAMOND}",
    "plain": "",
}
"""Beside the colour of a tone, so that it is seen without colours too."""

_FIGURE: Final = re.compile(
    r"([+\-\N{MINUS SIGN}]?\d[\d.,]*(?:\s?(?:%|points?|nats?))?)\s?(\[[^\[\]\n]{1,60}\])"
)
_UNIT: Final = re.compile(r"(?<=\d) (?=%|points?\b|nats?\b)")
_NUMBER: Final = re.compile(r"[<>\N{ALMOST EQUAL TO}~]?\s?[+\-\N{MINUS SIGN}]?\.?\d")
_NOTHING: Final = frozenset({"", "-", "\N{EN DASH}", "\N{EM DASH}", "not defined", "not measured"})


def with_figures(text: str) -> Markup:
    """Words in which each number with its interval stands out and stays on one line."""
    text = _UNIT.sub("\N{NO-BREAK SPACE}", text)
    parts, end = [], 0
    for found in _FIGURE.finditer(text):
        parts += [escape(visible(text[end : found.start()]))]
        value, interval = visible(found[1]), visible(found[2])
        parts += [Markup('<span class="figure"><b>{}</b> {}</span>').format(value, interval)]
        end = found.end()
    return Markup("").join([*parts, escape(visible(text[end:]))])


def numeric_columns(table: Table) -> tuple[bool, ...]:
    """Which columns hold numbers, to be aligned at their right."""
    return tuple(
        index > 0 and _is_numeric([row[index].text.strip() for row in table.rows])
        for index in range(len(table.columns))
    )


def _is_numeric(texts: list[str]) -> bool:
    told = [text for text in texts if text not in _NOTHING]
    return bool(told) and all(_NUMBER.match(text) for text in told)
