"""Characters that hide or reorder text, made visible."""

from __future__ import annotations

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

PATTERN: Final = "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _RANGES) + "]"
"""A regular expression that Python and browsers read alike: controls, bidirectional marks, and
characters without width; line breaks and tabs are left alone.

Source: Unicode 16, general categories Cc and Cf, and UAX 9.
"""

_MARK: Final = re.compile(PATTERN)


def visible(text: str) -> str:
    """`text` with each such character named, as in `[U+202E]`."""
    return _MARK.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)
