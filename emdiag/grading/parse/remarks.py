r"""Remarks and conditions behind an answer, which say the same again or for which cases it holds.

`\frac{211}{12} (\approx 17.58)`, `6 \text{ (since } x>0)`, `f(x)=5x \quad \forall x`: the exact
part in front is the answer. A condition that changes the answer ("if", "unless", "for even n")
stays, and so does every condition where the gold itself has one.
"""

from __future__ import annotations

import re

from emdiag.grading.parse.split import split_keeping
from emdiag.grading.parse.words import plain_words

_OPENED_REMARK = re.compile(
    r"\s*(?:\\approx|=|~|\\text\s*\{\s*(?:approximately|approx|about|roughly|or|or about"
    r"|i\.?e|that is|QED)[^A-Za-z]"
    r"|(?:approximately|approx|about|roughly|or|i\.e\.)[^A-Za-z])"
)
_INEQUALITY = re.compile(r"[^=,]{1,20}(?:<|>|\\(?:le|ge|ne)(?![a-z]))[^=,]{1,20}")
_PERCENTAGE = re.compile(r"\s*\d+(?:\.\d+)?\s*%\s*")
_ALWAYS = re.compile(
    r"(?:\\text\s*\{\s*)?(?<![A-Za-z\\])for\s+(?:all|every|any|each|real|arbitrary|some)(?![A-Za-z])|\\forall|\\quad\s*\\forall",
)
_CONDITION = re.compile(
    r"(?:\\text\s*\{\s*)?(?<![A-Za-z\\])(?:since|because|where|when(?:ever)?|provided|assuming|given"
    r"|such that|as|with(?!\s+remainder)|at(?!\s+(?:least|most))"
    r"|for(?!\s+(?:even|odd|each)))(?![A-Za-z])|\\because"
)
_MEMBER = re.compile(
    r"[A-Za-z\\,\s_{}]+\\in\s*\\mathbb\s*\{?\s*[RZNQC]\s*\}?(?:\s*[_^]\s*\{?[^{}]*\}?)?"
)
_SIGN = re.compile(r"<|>|\\le(?![a-z])|\\ge(?![a-z])|\\ne(?![a-z])|\\in(?![a-z])")
_MAY_REMARK = re.compile(
    r"[)\]]\s*(?:$|[,;]|and|or)|\\(?:forall|because|in)(?![a-z])"
    r"|(?<![A-Za-z\\])(?:since|because|where|when|provided|assuming|given|such|as|with|at|for)"
)
"""What every remark and condition has somewhere."""
_SEPARATORS = {",", ";", "and", "or"}


def has_condition(text: str) -> bool:
    """Whether a tidied text states for which cases it holds, beyond "for all"."""
    if not _MAY_REMARK.search(text):
        return False
    words = plain_words(text) is not None
    return not words and _CONDITION.search(_ALWAYS.sub(" ", text)) is not None


def without_remarks(text: str, *, conditions: bool) -> str:
    """A tidied text without what is said again behind its parts.

    Args:
        text: From `latex.tidy`.
        conditions: Whether conditions go too; those that hold for everything always go.
    """
    if not _MAY_REMARK.search(text) or plain_words(text) is not None:
        return text
    items: list[tuple[str, str]] = []
    parts = split_keeping(text, _SEPARATORS)
    several, dropped, changed = sum(bool(part) for part, _ in parts) > 1, False, False
    for part, separator in parts:
        plain = part.replace(r"\ge", "").replace(r"\le", "")
        is_more = dropped and _SIGN.search(part) is not None and "=" not in plain
        is_more = is_more and _CONDITION.search(part) is None
        if (several and items and _MEMBER.fullmatch(part)) or is_more:
            changed = True
            continue
        if several and not items and _MEMBER.fullmatch(part):
            changed = True
            continue
        kept, dropped = _kept(part, conditions=conditions, is_first=not items)
        changed = changed or kept != part
        if kept:
            items.append((kept, separator))
    if not changed or not items:
        return text
    comma = "," if re.search(r"\d,\d{3}", text) else ", "
    joins = [comma if separator == "," else f" {separator} " for _, separator in items]
    joins[-1] = ""
    return "".join(kept + join for (kept, _), join in zip(items, joins, strict=True))


def _kept(part: str, *, conditions: bool, is_first: bool) -> tuple[str, bool]:
    """A part without its remarks, and whether a condition was taken off."""
    kept, cut = _without_brackets(part, conditions=conditions), False
    for pattern in (_ALWAYS, _CONDITION) if conditions else (_ALWAYS,):
        match = pattern.search(kept)
        if match is None or re.search(r"\\text\s*\{[^{}]*$", kept[: match.start()]) is not None:
            continue
        before = kept[: match.start()].strip().rstrip(" ,;(").removesuffix(r"\quad").strip()
        if before or not is_first:
            kept, cut = before, True
    return kept, cut


def _without_brackets(part: str, *, conditions: bool) -> str:
    if not part.endswith((")", "]")):
        return part
    depth = 0
    for at in range(len(part) - 1, -1, -1):
        depth += {")": 1, "(": -1, "]": 1, "[": -1}.get(part[at], 0)
        if depth == 0:
            inner, before = part[at + 1 : -1], part[:at].strip()
            said_again = _OPENED_REMARK.match(inner) or _PERCENTAGE.fullmatch(inner)
            condition = conditions and (
                _CONDITION.match(inner.lstrip()) or _INEQUALITY.fullmatch(inner)
            )
            return before if before and (said_again or condition) else part
    return part
