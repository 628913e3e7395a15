r"""Answers in words: names, days, directions, "no solution", letters of a choice, numerals."""

from __future__ import annotations

import re

_STOP = {"the", "a", "an", "is", "it", "its", "are", "there", "of", "on", "answer", "option"}
_GENERIC = {"function", "number", "integer", "only", "therefore", "curve", "graph"}
_SAME = {
    "no solution": (
        "no solutions", "no real solution", "no real solutions", "none", "no solution exists",
        "no solutions exist", "no such solution", "no such solutions exist", "empty set",
        "no such number exists", "does not have solution",
    ),
    "does not exist": ("dne", "doesnt exist", "do not exist", "no limit exists"),
    "undefined": ("not defined",),
    "all real numbers": ("all reals", "all real number", "set all real numbers", "real numbers"),
    "monday": ("mon",), "tuesday": ("tue", "tues"), "wednesday": ("wed",),
    "thursday": ("thu", "thur", "thurs"), "friday": ("fri",), "saturday": ("sat",),
    "sunday": ("sun",), "north": ("due north",), "south": ("due south",), "east": ("due east",),
    "west": ("due west",), "infinitely many": ("infinite", "infinitely many solutions"),
}  # fmt: skip
_CANONICAL = {synonym: name for name, synonyms in _SAME.items() for synonym in synonyms}
_NUMERALS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "a": 1,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6,
    "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "hundredth": 100,
}  # fmt: skip
_PLAIN = re.compile(r"(?:\\text\{[^{}0-9]*\}|\\emptyset|[A-Za-z'.!?,]|(?<=[a-z])-(?=[a-z])|\s)+")
_CHOICE = re.compile(
    r"(?:\\text\{\s*)?(?:[Oo]ption|[Cc]hoice|[Aa]nswer)?:?\s*"
    r"(?:\(\s*(?:\\text\{)?([A-Ja-j])\}?\s*\)|([A-J])\}?\s*[):.](?=\s|\}|\\|$)|([a-j])[).](?=\s+[^\s])"
    r"|([A-J])\s+(?=\())\s*[:.]?\s*\}?\s*(.*)"
)
_LETTER = re.compile(
    r"\\text\{\s*([A-J])\s*\}"
    r"|(?:\\text\s*\{\s*)?(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s*[:}]?\s*\{?\(?(?:\\text\{)?([A-J])\}?\)?\}?"
)


def plain_words(text: str) -> str | None:
    r"""The words of a text that holds nothing else, lower case and without filler; None otherwise.

    A few sayings have one spelling: `\emptyset`, "none" and "no solutions" are "no solution".
    """
    if not _PLAIN.fullmatch(text) or not re.search(r"[A-Za-z]", text):
        return None
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text.replace(r"\emptyset", " no solution "))
    words = re.sub(r"[^a-z -]", "", text.lower()).replace("-", " ").split()
    kept = [word for word in words if word not in _STOP] or words
    kept = [word for word in kept if word not in _GENERIC] or kept
    joined = " ".join(kept)
    return _CANONICAL.get(joined, joined) or None


def numeral(words: str) -> str | None:
    r"""The digits that a number in words means, such as `35` or `\\frac{3}{4}`; None for others."""
    parts = [part for part in words.split() if part != "and"]
    if len(parts) >= 2 and parts[-1].removesuffix("s") in _PARTS:
        above = _cardinal(parts[:-1]) if parts[:-1] not in (["a"], []) else 1
        below = _PARTS[parts[-1].removesuffix("s")]
        return None if above is None else rf"\frac{{{above}}}{{{below}}}"
    if parts in (["half"], ["quarter"]):
        return rf"\frac{{1}}{{{_PARTS[parts[0]]}}}"
    number = _cardinal(parts)
    return None if number is None else str(number)


def _cardinal(parts: list[str]) -> int | None:
    total, current, last = 0, 0, 10**12
    for part in parts:
        if part in _NUMERALS:
            size = _NUMERALS[part]
            if size >= last or (size >= 10 and current % 100 > 0) or (current % 10 > 0):
                return None  # "five three" is no number
            current, last = current + size, (10 if size >= 20 else 1)
        elif part in _SCALES and current:
            scale = _SCALES[part]
            if scale == 100:
                current, last = current * 100, 100
            else:
                total, current, last = total + current * scale, 0, 10**12
        elif part == "dozen":
            current = (current or 1) * 12
        else:
            return None
    return total + current if parts else None


def choice(text: str) -> tuple[str, str] | None:
    r"""Letter of a multiple choice and the text behind it: `(B) 12`, `\text{(B)}`, `B. 12`."""
    letter = _LETTER.fullmatch(text.strip())
    if letter is not None:
        return letter[1] or letter[2], ""
    match = _CHOICE.fullmatch(text.strip())
    if match is None or (match[4] is None and re.match(r"[\^_(+*/=!-]|\\cdot", match[5])):
        return None
    letter_of = match[1] or match[2] or match[3] or match[4]
    return letter_of.upper(), match[5].strip()
