"""Text of users and models as it may stand in a figure: short, on one line, and without effect."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

from matplotlib.font_manager import findfont, get_font

TOKEN_CHARACTERS = 14
LABEL_CHARACTERS = 22
WORD_CHARACTERS = 40

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_SPACE = "\N{OPEN BOX}"
_CUT = "\N{HORIZONTAL ELLIPSIS}"
_RIGHT_TO_LEFT: Final = ("R", "AL", "AN")


def plain_label(text: str, limit: int = LABEL_CHARACTERS) -> str:
    """A label of up to `limit` characters; what is too long loses its middle.

    Both ends are kept, since labels that were made by a script differ at either.
    """
    parts = [_visible(character) for character in text.strip()] or ["(no name)"]
    if len("".join(parts)) <= limit:
        return "".join(parts)
    left, right = limit // 2, limit - 1 - limit // 2
    return f"{_first(parts, left)}{_CUT}{_first(parts[::-1], right, backwards=True)}"


def plain_words(sentence: str) -> str:
    """A sentence with labels in it, on one line; a word that is too long loses its middle."""
    return " ".join(plain_label(word, WORD_CHARACTERS) for word in sentence.split())


def arm_names(labels: Sequence[str]) -> dict[str, str]:
    """Short names by label; those that became equal are numbered."""
    names: dict[str, str] = {}
    for label in labels:
        name = plain_label(label)
        again = name in names.values()
        names[label] = f"{plain_label(label, 18)} ({len(names) + 1})" if again else name
    return names


def plain_token(text: str) -> str:
    """A token as a Python string would be written, spaces as an open box, cut at the end."""
    parts = [_SPACE if sign == " " else _SHORT.get(sign) or _visible(sign) for sign in text]
    whole = "".join(parts)
    if len(whole) <= TOKEN_CHARACTERS:
        return whole or "(empty)"
    return _first(parts, TOKEN_CHARACTERS - 1) + _CUT


def _first(parts: list[str], limit: int, *, backwards: bool = False) -> str:
    """As many whole parts as have room, so that no escape is cut in two."""
    kept: list[str] = []
    for part in parts:
        if len("".join(kept)) + len(part) > limit:
            break
        kept.append(part)
    return "".join(kept[::-1] if backwards else kept)


@cache
def _visible(character: str) -> str:
    """The character, or its escape where it has no shape or would move what stands beside it."""
    code = ord(character)
    hidden = unicodedata.category(character)[0] in "CMZ" and character != " "
    has_shape = get_font(findfont("DejaVu Sans")).get_char_index(code)  # it warns of all others
    if hidden or unicodedata.bidirectional(character) in _RIGHT_TO_LEFT or not has_shape:
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return character
