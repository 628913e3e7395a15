r"""Answers in words: names, days, directions, "no solution", letters of a choice, numerals."""

from __future__ import annotations

import re

_STOP = {"the", "a", "an", "is", "it", "its", "are", "there", "of", "on", "answer", "option"}
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
}  # fmt: skip
_PLAIN = re.compile(r"(?:\\text\{[^{}0-9]*\}|\\emptyset|[A-Za-z'.!?,]|(?<=[a-z])-(?=[a-z])|\s)+")
_CHOICE = re.compile(
    r"(?:\\text\{\s*)?(?:[Oo]ption|[Cc]hoice|[Aa]nswer)?:?\s*"
    r"(?:\(\s*(?:\\text\{)?([A-Ja-j])\}?\s*\)|([A-J])\s*[):.](?=\s|\}|\\|$))\s*[:.]?\s*\}?\s*(.*)"
)
_LETTER = re.compile(r"\\text\{\s*([A-J])\s*\}|(?:[Oo]ption|[Cc]hoice)\s+([A-J])")


def plain_words(text: str) -> str | None:
    r"""The words of a text that holds nothing else, lower case and without filler; None otherwise.

    A few sayings have one spelling: `\emptyset`, "none" and "no solutions" are "no solution".
    """
    if not _PLAIN.fullmatch(text) or not re.search(r"[A-Za-z]", text):
        return None
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text.replace(r"\emptyset", " no solution "))
    words = re.sub(r"[^a-z -]", "", text.lower()).replace("-", " ").split()
    kept = [word for word in words if word not in _STOP] or words
    joined = " ".join(kept)
    return _CANONICAL.get(joined, joined) or None


def numeral(words: str) -> str | None:
    """The digits that a number word up to twenty means; None for other words."""
    return str(_NUMERALS[words]) if words in _NUMERALS else None


def choice(text: str) -> tuple[str, str] | None:
    r"""Letter of a multiple choice and the text behind it: `(B) 12`, `\text{(B)}`, `B. 12`."""
    letter = _LETTER.fullmatch(text.strip())
    if letter is not None:
        return letter[1] or letter[2], ""
    match = _CHOICE.fullmatch(text.strip())
    if match is None or re.match(r"[\^_(+*/=!-]|\\cdot", match[3]):
        return None
    return (match[1] or match[2]).upper(), match[3].strip()
