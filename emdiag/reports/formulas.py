r"""Formulas in the text of models, as trees of MathML that a page can build without markup.

The rules for where a formula starts and ends are one regular expression, which the page applies
too: what is converted here is found there by its raw text.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Final
from xml.etree.ElementTree import Element

from latex2mathml import exceptions
from latex2mathml.converter import Converter

from emdiag.core.marks import visible

Tree = list["str | dict[str, str] | Tree"]
"""A tag, its attributes if it has any, and its children: trees, or a string."""

_DISPLAY = r"\\(?:begin|end)\{(?:align|equation|gather|multline)"
PATTERN: Final = "|".join(
    (
        r"\\\((?:[^\\]|\\[^()]){1,600}\\\)",
        r"\\\[(?:[^\\]|\\[^\[\]]){1,1200}\\\]",
        r"\$\$(?:[^$\\]|\\[^\u0000]){1,1200}\$\$",
        # A price is no formula: nothing opens before a space, or closes after one or before
        # a digit.
        r"(?<![\\$])\$(?![\s$])(?:[^$\\\n]|\\[^\u0000]|\n(?!\s)){1,600}(?<!\s)\$(?![\d$])",
        (
            r"\\begin\{(?:align|equation|gather|multline)\*?\}"
            rf"(?:[^\\]|(?!{_DISPLAY})\\[^\u0000]){{1,1200}}"
            r"\\end\{(?:align|equation|gather|multline)\*?\}"
        ),
        r"\\boxed\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,200}\}){0,200}\}){0,200}\}){0,200}\}",
    )
)
r"""A regular expression that Python and browsers (with the flag `u`) read alike: `\( \)`, `\[ \]`,
`$$ $$`, `$ $`, display environments, and a bare `\boxed{}`. No part of a text is looked at more
often than its bounds allow, whatever the text."""

_FOUND: Final = re.compile(PATTERN)
_FENCES: Final = (("$$", "$$"), (r"\(", r"\)"), (r"\[", r"\]"), ("$", "$"))
_EXPANDING: Final = re.compile(r"\\(?:(?:re)?new|provide|let|g?def|edef|Declare)")
"""A few definitions can stand for a text without end."""

_TAGS: Final = frozenset(
    (
        *("math", "mrow", "mstyle", "mi", "mn", "mo", "mtext", "mspace"),
        *("mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
        *("mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd"),
    )
)
_LENGTH: Final = re.compile(r"\d(?:\.\d+)?(?:em|ex)|0")
"""None that moves a sign onto the one before it."""

_WORDS: Final = {
    **dict.fromkeys(
        ("displaystyle", "stretchy", "fence", "accent", "accentunder", "largeop", "symmetric"),
        re.compile("true|false"),
    ),
    **dict.fromkeys(("width", "height", "minsize", "maxsize", "linethickness"), _LENGTH),
    "movablelimits": re.compile("true|false"),
    "form": re.compile("prefix|infix|postfix"),
    "display": re.compile("block|inline"),
    "mathvariant": re.compile("normal"),
    "scriptlevel": re.compile("[+-]?[0-2]"),
}
_NOT_UNDERSTOOD: Final[tuple[type[Exception], ...]] = (
    *(
        kind
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
    *(ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
    *(StopIteration, AssertionError),
)
"""What the library raises on text that is no LaTeX; its own errors share no base class."""

_NO_TEXT: Final = re.compile(
    r"\\(?:begin|end)\{[a-zA-Z]*\*?\}(?:\{[lcr|@ ]*\})?"  # with the columns of an array
    r"|\\(?:left|right|middle|[bB]igg?[lrm]?)\s*\."
    r"|\\(?:color|href|style|class|unicode|rule\{[^{}]*\})\{[^{}]*\}"  # which a page does not take
    r"|\\[hv]space\*?\{[^{}]*\}|\\\\\s*\[[^\[\]]*\]"
    r"|\\(?:[a-zA-Z]+|!)"
)
"""Parts of a formula that stand for no text of their own."""

_MOST_FORMULAS = 4000
"""Distinct ones of a page, the first in order of worth."""

_MOST_CHARACTERS, _MOST_NODES, _DEEPEST = 400, 400, 40
"""Of one formula; longer or larger ones are shown raw."""

_SECONDS = 20.0


def find_formulas(text: str) -> Iterator[str]:
    """Formulas in `text` with what encloses them, in order."""
    return (match[0] for match in _FOUND.finditer(text))


def formula_trees(
    texts: Iterable[str], *, first: Iterable[str] = (), most: int = _MOST_FORMULAS
) -> dict[str, Tree]:
    """Trees of the formulas in `texts`, by their raw text; what cannot be shown is left out.

    The raw formulas in `first`, such as those of problem statements, come before those of the
    texts, of which the most frequent come first.
    """
    deadline = time.monotonic() + _SECONDS  # a last resort: the limits below are reached before
    counts = Counter(raw for text in texts for raw in find_formulas(text))
    ranked = sorted(counts, key=lambda raw: (-counts[raw], raw))
    trees: dict[str, Tree] = {}
    for raw in dict.fromkeys([*first, *ranked]):
        if len(trees) >= most or time.monotonic() > deadline:
            break
        tree = formula_tree(raw)
        if tree is not None:
            trees[raw] = tree
    return trees


def formula_tree(raw: str) -> Tree | None:
    """One formula with what encloses it; None where it is too large, or is not understood."""
    if len(raw) > _MOST_CHARACTERS or _EXPANDING.search(raw):
        return None
    latex, display = _inside(raw)
    try:
        element = Converter(display=display).convert_to_element(latex)
        tree = _tree(element, depth=0)
    except _NOT_UNDERSTOOD:
        return None
    return tree if _size(tree) <= _MOST_NODES and _is_whole(latex, tree) else None


def _inside(raw: str) -> tuple[str, str]:
    display = "block" if raw.startswith(("$$", r"\[", r"\begin")) else "inline"
    for opening, closing in _FENCES:
        if raw.startswith(opening):
            return raw[len(opening) : -len(closing)].strip(), display
    return raw, display


def _is_whole(latex: str, tree: Tree) -> bool:
    """Whether every letter, digit and sign is on the page, none lost in the conversion."""
    shown = " ".join(_texts(tree)).strip()
    return shown != "" and _letters(_NO_TEXT.sub(" ", latex)) <= _letters(shown)


def _letters(text: str) -> Counter[str]:
    plain = unicodedata.normalize("NFKD", text).replace("\N{MINUS SIGN}", "-")
    return Counter(sign for sign in plain if sign.isalnum() or sign in "+-=/!")


def _texts(tree: Tree) -> Iterator[str]:
    for part in tree[1:]:
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            yield from _texts(part)


def _tree(element: Element, *, depth: int) -> Tree:
    """What a page may show of an element.

    Raises:
        ValueError: It is nested too deeply, or would hide text.
    """
    if depth > _DEEPEST or element.tag == "mphantom":
        raise ValueError("too deep, or hidden")
    tag = element.tag if element.tag in _TAGS else "mrow"
    kept = {
        name: value
        for name, value in sorted(element.attrib.items())
        if name in _WORDS and _WORDS[name].fullmatch(value)
    }
    if looks := _looks(element):
        kept["class"] = looks
    tree: Tree = [tag, kept] if kept else [tag]
    if element.text and element.text.strip():
        tree.append(visible(unescape(element.text)))
    tree += [_tree(child, depth=depth + 1) for child in element]
    return tree


def _looks(element: Element) -> str:
    """Classes for what browsers no longer draw by themselves. Source: MathML Core."""
    if element.tag == "menclose":
        return "strike" if "strike" in element.get("notation", "") else "box"
    side = element.get("columnalign")
    return side if element.tag == "mtd" and side in {"left", "right"} else ""


def _size(tree: Tree) -> int:
    return 1 + sum(_size(part) for part in tree if isinstance(part, list))
