r"""Cutting the final answer out of a completion, in time linear in its length.

In this order:

1. The last closed `\boxed{}` or `\fbox{}` that holds something. If the gold lists several answers,
   boxes right beside the last one belong to it, and so do all boxes where there are as many as
   answers. A box that is not closed is no answer: a truncated answer must not be right by accident.
2. The last line that announces it: "the answer is ...", "Answer: ...", `#### 18`, `<answer>`.
3. A completion that is nothing but an answer: one short line without a sentence.

Anything else holds no answer. Its last number is named in the note and never judged.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from emdiag.grading.parse.split import split

_TOKEN = re.compile(
    r"\\{1,4}(?:boxed|fbox)(?![a-zA-Z])(?:\s{0,8}\{|\s{0,8}-?\d{1,40}(?:\.\d{1,40})?)?"
    r"|\\[\s\S]|[{}]"
)
_EMPTY = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BESIDE = re.compile(r"[\s$.,;:()\[\]\\*&]*(?:\\text\{)?\s*(?:and|or|,|;|)?[^0-9{}]{0,40}")
_ANNOUNCED = re.compile(
    r"(?:final\s{1,8}answer|answer)\*{0,4}\s{0,8}(?:\([^()\n]{0,40}\)\s{0,8})?(?:\bis\b|\bare\b|(?:should|must|will)\s+be\b|=|:)\**\s*:?"
    r"|^[#* \t]{0,12}(?:final\s{1,8})?answer[*: \t]{0,12}$"
    r"|^####|<answer>",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(
    r"\n|</answer>|\.\s|\.$|,?\s(?:because|since|which|where|as we|so that)\s|\. ?I hope"
)
_FILLER = re.compile(
    r"(?:therefore|thus|then|simply|just|clearly|indeed|that|given by|equal to)\b[:,\s]*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_SENTENCE = re.compile(r"[.!?]\s+\S|\n")
_PROSE = re.compile(
    r"(?<![\\A-Za-z{])(?:the|is|are|we|have|then|so|therefore|thus|get|gives|since|because|let|this"
    r"|that|which|of|you|know|cannot|sorry|think|idea|can|will|would|be|in|for|from|by|with|he|she|they|makes|total)(?![A-Za-z])",
    re.IGNORECASE,
)
LOOKED_AT = 400
"""Characters behind an announcement that can be the answer."""
SHORT = 200
"""Length up to which a whole completion can be an answer."""


@dataclass(frozen=True)
class Extraction:
    """What was found in a completion.

    Attributes:
        answer: The answer's text; None where nothing counts as one.
        boxed: Whether it stood in a closed box.
        note: How it was found, or why it was not; None for a plain box.
    """

    answer: str | None
    boxed: bool = False
    note: str | None = None


@dataclass(frozen=True)
class _Box:
    start: int
    inside: int
    end: int


def extract(completion: str, *, members: int = 1) -> Extraction:
    """The final answer of a completion.

    Args:
        completion: What the model wrote, without the prompt.
        members: How many answers the gold lists.
    """
    boxes, is_open = _boxes(completion)
    if not boxes and not is_open and _EMPTY.search(completion):
        return Extraction(answer=None, note="the box is empty")
    if boxes:
        answer = completion[boxes[-1].inside : boxes[-1].end].strip()
        note = "a box that is not closed follows it" if is_open else None
        if members > 1 and len(answer) <= SHORT and not _is_list(answer):
            joined = _joined(completion, boxes, members)
            if joined is not None:
                return Extraction(answer=joined, boxed=True, note="put together from several boxes")
        return Extraction(answer=answer, boxed=True, note=note)
    if is_open:
        return Extraction(answer=None, note="the only box is not closed")
    return _announced(completion) or _alone(completion)


def answer_start(completion: str) -> int | None:
    """Where the final answer begins, in characters; None without one, or with nothing before it.

    It begins with the box itself, or with the words that announce it.
    """
    boxes, _ = _boxes(completion)
    if boxes:
        start = boxes[-1].start
    else:
        announced = _last_announcement(completion)
        start = announced.start() if announced else 0
    return start or None


def _boxes(text: str) -> tuple[list[_Box], bool]:
    """Outermost closed boxes that are not empty, in order, and whether one behind them is open."""
    stack: list[tuple[int, int] | None] = []
    boxes: list[_Box] = []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            stack.append(None)
        elif word == "}":
            opened = stack.pop() if stack else None
            if opened is not None:
                _close(boxes, text, opened, token.start())
        elif "box" in word and word[-1] == "{":
            stack.append((token.start(), token.end()))
        elif "box" in word and word[-1].isdigit():  # `\boxed 5`
            number = _NUMBER.search(word)
            assert number is not None
            start = token.start()
            boxes.append(_Box(start, start + number.start(), token.end()))
    last = boxes[-1].start if boxes else -1
    return boxes, any(opened is not None and opened[0] > last for opened in stack)


def _close(boxes: list[_Box], text: str, opened: tuple[int, int], end: int) -> None:
    """Add a box that closes at `end`, in place of the boxes within it; empty ones do not count."""
    start, inside = opened
    long = end - inside > SHORT
    if long or text[inside:end].strip(" \n\t\\,.;:$~"):
        while boxes and boxes[-1].start > start:
            boxes.pop()
        boxes.append(_Box(start, inside, end))


def _is_list(answer: str) -> bool:
    """Whether a box holds several answers by itself."""
    several = len(split(answer, {",", ";", "and", "or"})) > 1
    return several or answer.startswith((r"\{", r"\left\{")) or r"\pm" in answer


def _joined(text: str, boxes: list[_Box], members: int) -> str | None:
    """Boxes that are parts of one list answer, with commas; None if the last stands alone."""
    run = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end + 1 : run[0].start]
        if len(run) >= members or len(between) > 80 or not _BESIDE.fullmatch(between):
            break
        run.insert(0, box)
    if len(run) < 2 and len(boxes) == members:
        run = boxes
    parts = [text[box.inside : box.end].strip() for box in run]
    if len(run) < 2 or len(set(parts)) < len(parts):
        return None
    return ", ".join(parts)


def _last_announcement(text: str) -> re.Match[str] | None:
    return next(iter(deque(_ANNOUNCED.finditer(text), maxlen=1)), None)


def _announced(text: str) -> Extraction | None:
    last = _last_announcement(text)
    if last is None:
        return None
    rest = text[last.end() : last.end() + LOOKED_AT].lstrip(" \t*:\n")
    end = _END.search(rest)
    answer = _FILLER.sub("", (rest[: end.start()] if end else rest).strip(" \t*"), count=1)
    if not answer:
        return None
    how = "####" if last[0] == "####" else "an answer line"
    return Extraction(answer=answer, note=f"no box: taken from {how}")


def _alone(text: str) -> Extraction:
    text = text.strip()
    if not text:
        return Extraction(answer=None, note="the completion is empty")
    if len(text) <= SHORT and not _SENTENCE.search(text) and not _PROSE.search(text):
        return Extraction(answer=text, note="no box: the whole completion is taken")
    numbers = _NUMBER.findall(text[-2000:])
    remark = f"; its last number, {numbers[-1][:40]}, is not judged" if numbers else ""
    return Extraction(answer=None, note=f"no box and no answer line{remark}")
