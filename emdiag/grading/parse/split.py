r"""Cutting LaTeX at the top level: never inside brackets, braces, text or environments."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\(?:begin|end)\{[^{}]*\}|\\text\{[^{}]*\}|\\[a-zA-Z]+|\\.|[A-Za-z]+|[\s\S]")
_OPEN = {"(", "[", "{", r"\{", r"\langle", r"\lfloor", r"\lceil"}
_CLOSE = {")", "]", "}", r"\}", r"\rangle", r"\rfloor", r"\rceil"}
_OUTER = {"(": "(", "[": "[", r"\{": "{", r"\langle": "("}
_OUTER_CLOSE = {")": ")", "]": "]", r"\}": "}", r"\rangle": ")"}


def tokens(text: str) -> list[tuple[str, int]]:
    """Each token of `text` with the bracket depth it stands at; brackets count as inside."""
    out, depth = [], 0
    for token in _TOKEN.findall(text):
        if token in _CLOSE or token.startswith(r"\end{"):
            out.append((token, depth))
            depth = max(0, depth - 1)
            continue
        if token in _OPEN or token.startswith(r"\begin{"):
            depth += 1
        out.append((token, depth))
    return out


def split(text: str, separators: set[str]) -> list[str]:
    """The non-empty parts of `text` between top-level `separators`, stripped."""
    return [part for part, _ in split_keeping(text, separators) if part]


def split_keeping(text: str, separators: set[str]) -> list[tuple[str, str]]:
    """The parts of `text`, empty ones too, each with the separator that follows it."""
    parts: list[tuple[str, str]] = []
    current: list[str] = []
    for token, depth in tokens(text):
        if depth == 0 and token in separators:
            parts.append(("".join(current).strip(), token))
            current = []
        else:
            current.append(token)
    parts.append(("".join(current).strip(), ""))
    return parts


def unwrapped(text: str) -> tuple[str, str, str] | None:
    r"""Opening bracket, inside and closing bracket of a text that one pair encloses.

    `(1,2]` is enclosed as well; `(x+1)(x-1)` is not. `\langle` counts as a round bracket.
    """
    parts = tokens(text.strip())
    if len(parts) < 3 or parts[0][0] not in _OUTER or parts[-1][0] not in _OUTER_CLOSE:
        return None
    if parts[-1][1] != 1 or any(token in _CLOSE and depth == 1 for token, depth in parts[1:-1]):
        return None
    inner = "".join(token for token, _ in parts[1:-1]).strip()
    return _OUTER[parts[0][0]], inner, _OUTER_CLOSE[parts[-1][0]]


def max_depth(text: str) -> int:
    """How deep brackets, braces and environments are nested."""
    return max((depth for _, depth in tokens(text)), default=0)
