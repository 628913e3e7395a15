"""Characters outside ASCII that stand for something LaTeX has a name for."""

from __future__ import annotations

import re
import unicodedata

_NAMED = {
    "\u2212\u2013\u2014\u2012\ufe63": "-",
    "\u00d7\u2715": r"\times ",
    "\u00b7\u22c5\u2219\u2022": r"\cdot ",
    "\u00f7\u2215\u2044": "/",
    "\u03c0": r"\pi ",
    "\u221e": r"\infty ",
    "\u2264\u2a7d": r"\le ",
    "\u2265\u2a7e": r"\ge ",
    "\u2260": r"\ne ",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u00b0\u02da": r"\degree ",
    "\u222a": r"\cup ",
    "\u2229": r"\cap ",
    "\u2208": r"\in ",
    "\u2205": r"\emptyset ",
    "\u211d": r"\mathbb{R}",
    "\u2248": r"\approx ",
    "\u03b8": r"\theta ",
    "\u03b1": r"\alpha ",
    "\u03b2": r"\beta ",
    "\u03b3": r"\gamma ",
    "\u03c9": r"\omega ",
    "\u03bb": r"\lambda ",
    "\u03c6": r"\phi ",
    "\u03bc": r"\mu ",
    "\u230a": r"\lfloor ",
    "\u230b": r"\rfloor ",
    "\u2308": r"\lceil ",
    "\u2309": r"\rceil ",
    "\u2019\u2018\u2032": "'",
    "\u201c\u201d": '"',
    "\uff0c": ",",
    "\u3002": ".",
    "\uff08": "(",
    "\uff09": ")",
    "\u27e8": r"\langle ",
    "\u27e9": r"\rangle ",
    "\u00a0\u2009\u202f\u2007": " ",
    "\uff05": "%",
    "\u2026": r"\dots ",
    "\uff1a\u2236": ":",
    "\uff1b": ";",
    "\u3001": ", ",
    "\u6216": " or ",
    "\u548c\u4e0e\u53ca": " and ",
    "\u20ac": r"\text{euro}",
    "\u00a3\uffe1": r"\text{pound}",
    "\u00a5\uffe5": r"\text{yen}",
    "\u20b9": r"\text{rupee}",
    "\u00c5\u212b": r"\text{angstrom}",
    "\u2126": r"\Omega ",
    "\u2103": r"\degree \text{C}",
    "\u2109": r"\degree \text{F}",
    "\u00b5": r"\mu ",
    "\u2033": "''",
    "\u2299\u2609": r"\odot ",
}
_CHARACTERS = {ord(char): name for chars, name in _NAMED.items() for char in chars}
_RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b\u207f"
_LOWERED = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089"
_FROM_RAISED = str.maketrans(_RAISED, "0123456789+-n")
_FROM_LOWERED = str.maketrans(_LOWERED, "0123456789")
_ROOT = re.compile(
    r"([\u221a\u221b\u221c])\s*(\d+(?:\.\d+)?|[A-Za-z](?![A-Za-z])|\([^()]*\)|\{[^{}]*\}|\\[a-z]+)?"
)
_ROOT_ORDER = {"\u221a": "", "\u221b": "[3]", "\u221c": "[4]"}
_BAR = "\u2044"
"""Between the halves of a fraction character once it is taken apart."""


def plain_characters(text: str) -> str:
    """`text` in printable ASCII where a character has such a form.

    Marks of direction and width, lone surrogates and accents without a letter are dropped; control
    characters become spaces, so that no two numbers grow together.
    """
    if text.isascii() and text.isprintable():
        return text
    text = re.sub(f"([{_RAISED}]+)", lambda m: f"^{{{m[1].translate(_FROM_RAISED)}}}", text)
    text = re.sub(f"([{_LOWERED}]+)", lambda m: f"_{{{m[1].translate(_FROM_LOWERED)}}}", text)
    text = _ROOT.sub(_root, text)
    return "".join(map(_plain, text.translate(_CHARACTERS)))


def _plain(char: str) -> str:
    if " " <= char < "\x7f":
        return char
    kind = unicodedata.category(char)
    if kind in {"Cf", "Cs", "Mn"}:
        return ""
    if kind[0] in "CZ":
        return " "
    plain = unicodedata.normalize("NFKC", char)
    if _BAR in plain:
        above, _, below = plain.partition(_BAR)
        return rf"\frac{{{above}}}{{{below}}}"
    return plain


def _root(match: re.Match[str]) -> str:
    """The root sign reaches over the whole number behind it, as nobody writes it in LaTeX."""
    order, under = _ROOT_ORDER[match[1]], match[2] or ""
    inner = under[1:-1] if under[:1] in {"(", "{"} else under
    return rf"\sqrt{order}{{{inner}}}" if under else rf"\sqrt{order} "
