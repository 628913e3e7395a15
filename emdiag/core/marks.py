"""Characters that hide, reorder or command, made visible."""

from __future__ import annotations

import codecs
import re
from typing import Final

_RANGES: Final = (
    (0x00, 0x08),
    (0x0B, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x180E, 0x180E),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0xE0000, 0xE007F),
)
_UNSEEN: Final = (
    *((0x34F, 0x34F), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0xD800, 0xDFFF)),
    *((0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0x1D173, 0x1D17A), (0xE0080, 0xE0FFF)),
)
"""What looks like nothing too; variation selectors among them, which the texts of models hold."""


def _class(*ranges: tuple[int, int]) -> str:
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)


PATTERN: Final = f"[{_class(*_RANGES)}]"
"""A regular expression that Python and browsers read alike: controls, bidirectional marks, and
characters without width; line breaks and tabs are left alone.

Source: Unicode 16, general categories Cc and Cf, Default_Ignorable_Code_Point, and UAX 9.
"""

_HIDDEN: Final = re.compile(f"[{_class(*_RANGES, *_UNSEEN)}]")
_MARK: Final = re.compile(rf"{_HIDDEN.pattern}|\[(?=U\+[0-9A-F]{{4,6}}\])")
"""A bracket that looks like a mark is marked too, so that two texts never become one."""

_BREAK: Final = re.compile(r"[\t\n]")
_PLAIN: Final = {
    **dict.fromkeys(map(chr, range(0x2500, 0x2580)), "-"),
    **dict.fromkeys(map(chr, range(0x2580, 0x2600)), "#"),
    **dict.fromkeys(map(chr, range(0x2801, 0x2900)), "*"),
    **dict.fromkeys("\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}", "-"),
    **dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}", " "),
    "\N{PLUS-MINUS SIGN}": "+-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": ".",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{ALMOST EQUAL TO}": "~",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{BLACK UP-POINTING TRIANGLE}": "^",
    "\N{BLACK DOWN-POINTING TRIANGLE}": "v",
    "\N{WHITE DIAMOND}": "?",
    "\N{WORD JOINER}": "",
    **dict.fromkeys("\N{BOX DRAWINGS LIGHT VERTICAL}\N{BOX DRAWINGS HEAVY VERTICAL}", "|"),
}
"""What stands for a sign where an encoding lacks it; others are named by their code."""

ENCODING_ERRORS: Final = "emdiag-plain"
"""Name of the error handler with which a stream writes any text, whatever its encoding."""


def visible(text: str, *, is_line: bool = False) -> str:
    """`text` with each such character named, as in `[U+202E]`; two texts never become one.

    Line breaks and tabs are named too in a text that is a line, or a cell.
    """
    text = _MARK.sub(_named, text)
    return _BREAK.sub(_named, text) if is_line else text


def json_escaped(json: str, *, is_ascii: bool = False) -> str:
    """The same JSON without a character that a terminal obeys, or without any beyond ASCII."""
    pattern = re.compile(r"[^\x00-\x7e]") if is_ascii else _HIDDEN
    return pattern.sub(lambda match: "".join(map(_escape, _units(match[0]))), json)


def has_hidden(text: str) -> bool:
    """Whether something in `text` is not seen as it is: no letter, sign or plain space."""
    return not text.isprintable() or _HIDDEN.search(text) is not None


def _named(match: re.Match[str]) -> str:
    return f"[U+{ord(match[0]):04X}]"


def _units(character: str) -> list[int]:
    """UTF-16 code units, as JSON writes a character."""
    coded = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(coded[at : at + 2]) for at in range(0, len(coded), 2)]


def _escape(unit: int) -> str:
    return f"\\u{unit:04x}"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    written = (_PLAIN.get(character, f"[U+{ord(character):04X}]") for character in lacking)
    return "".join(written), error.end


codecs.register_error(ENCODING_ERRORS, _plain)
