"""How words and cells are set on a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from markupsafe import Markup, escape

from emdiag.core.marks import visible
from emdiag.findings.page import Table, Tone

TONE_SIGNS: Final[dict[Tone, str]] = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "undecided": "\N{WHITE DIAMOND}",
    "plain": "",
}
"""Beside the colour of a tone, so that it is seen without colours too."""

_SIDE_BY_SIDE = 3
_INTERVAL: Final = re.compile(r"\[[^\[\]\n]{1,60}\]")
_SIGN_BEHIND: Final = re.compile(r" (\[[^\[\]\n]{1,60}\]) (\S{1,2})$")
_FIGURE: Final = re.compile(
    r"`(?P<code>[^`\n]{1,200})`"
    r"|(?P<value>[+\-\N{MINUS SIGN}]?\d[\d.,]*(?:\s?(?:%|points?|nats?))?)\s?"
    r"(?P<interval>\[[^\[\]\n]{1,60}\])"
)
_UNIT: Final = re.compile(r"(?<=\d) (?=%|points?\b|nats?\b)")
_NUMBER: Final = re.compile(r"[<>\N{ALMOST EQUAL TO}~]?\s?[+\-\N{MINUS SIGN}]?\.?\d")
_NOTHING: Final = frozenset({"", "-", "\N{EN DASH}", "\N{EM DASH}", "not defined", "not measured"})


def with_figures(text: str) -> Markup:
    """Words in which each number with its interval stands out and stays on one line.

    What stands between backticks is set as code.
    """
    return _marked(_UNIT.sub("\N{NO-BREAK SPACE}", text), _FIGURE, as_markup=_figure)


def with_intervals(text: str) -> Markup:
    """A cell in which an interval is quieter than its number, and is never broken.

    A sign that follows the interval comes before it, to stand beside its number.
    """
    return _marked(_SIGN_BEHIND.sub(r" \2 \1", text), _INTERVAL, as_markup=_interval)


def _marked(
    text: str, pattern: re.Pattern[str], *, as_markup: Callable[[re.Match[str]], Markup]
) -> Markup:
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [escape(visible(text[end : match.start()])), as_markup(match)]
        end = match.end()
    return Markup("").join([*parts, escape(visible(text[end:]))])


def _figure(match: re.Match[str]) -> Markup:
    if match["code"]:
        return Markup("<code>{}</code>").format(visible(match["code"]))
    value, interval = visible(match["value"]), visible(match["interval"])
    return Markup('<span class="figure"><b>{}</b> {}</span>').format(value, interval)


def _interval(match: re.Match[str]) -> Markup:
    return Markup('<span class="interval">{}</span>').format(visible(match[0]))


def numeric_columns(table: Table) -> tuple[bool, ...]:
    """Which columns hold numbers, to be aligned at their right."""
    return tuple(
        index > 0 and _is_numeric([row[index].text.strip() for row in table.rows])
        for index in range(len(table.columns))
    )


def is_stacked(table: Table) -> bool:
    """Whether intervals go below their numbers, since too many stand side by side."""
    columns = zip(*([cell.text for cell in row] for row in table.rows), strict=False)
    return sum(any(_INTERVAL.search(text) for text in texts) for texts in columns) > _SIDE_BY_SIDE


def _is_numeric(texts: list[str]) -> bool:
    defined = [text for text in texts if text not in _NOTHING]
    return bool(defined) and all(_NUMBER.match(text) for text in defined)
