r"""Cutting the final answer out of a completion, in time linear in its length.

What speaks is what follows finished thinking, up to the end of the turn, and up to a question that
the model asks itself once it has answered (`wrappers`). In that part, in this order:

1. The last closed `\boxed{}` or `\fbox{}` that holds something. If the gold has several parts,
   boxes right beside the last one belong to it, and so do all boxes where there are as many as
   parts; boxes joined by "and", "or" or a comma are one answer whatever the gold. A box that is not
   closed is no answer: a truncated answer must not be right by accident. An empty one repeats what
   the prompt asked for, and counts for nothing.
2. The last words that announce it: "the answer is ...", "Answer: ...", `#### 18`, `<answer>`.
3. A part that is nothing but an answer: one short line without a sentence.

Anything else holds no answer. Its last number is named in the note and never judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from emdiag.grading.parse.announcements import (
    announced_span,
    first_announcement,
    last_announcement,
    reversed_span,
)
from emdiag.grading.parse.split import split
from emdiag.grading.parse.wrappers import NEXT_QUESTION, spoken, without_markup

Found = Literal["box", "boxes", "announcement", "whole text", "nothing"]
"""The rule of this module that found an answer."""

_TOKEN = re.compile(  # each part begins with one sign, which is what makes it quick in prose
    r"\\(?:\\{0,3}(?:boxed|fbox)(?![a-zA-Z])(?:\s{0,8}\{|\s{0,8}-?\d{1,40}(?:\.\d{1,40})?)?"
    r"|[\s\S])|\{|\}"
)
_EMPTY = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BESIDE = re.compile(r"[\s$.,;:()\[\]\\*&]*(?:\\text\{)?\s*(?:and|or|,|;|)?[^0-9{}]{0,40}")
_JOINED = re.compile(
    r"[\s$.,;:()\[\]\\*&]*(?:\\text\{|\\quad|\s)*\s*(?:,\s*)?(?:and|or|und|oder|et|ou|y|o|,|;)\s*"
    r"(?:\\quad|[\s$}\\(\[*])*(?:[A-Za-z](?:_\{?\w\}?)?\s*=\s*)?[\s$\\(\[*]*"
)
_NAME_BEFORE = re.compile(r"(?<![A-Za-z\\])([A-Za-z](?:_\{?\w\}?)?)\s*=\s*[$\\(\s]*$")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_SENTENCE = re.compile(r"[.!?]\s+\S|\n")
_PROSE = re.compile(
    r"(?<![\\A-Za-z{])(?:the|is|are|we|have|then|so|therefore|thus|get|gives|since|because|let|this"
    r"|that|which|of|you|know|cannot|sorry|think|idea|can|will|would|be|in|for|from|by|with|he|she|they|makes|total)(?![A-Za-z])",
    re.IGNORECASE,
)
_LOOKED_BACK = 1_000
SHORTEST = 6
"""Characters that words with an answer have at least."""
SHORT = 200
"""Length up to which a whole completion can be an answer."""


@dataclass(frozen=True)
class Extraction:
    """What was found in a completion.

    Attributes:
        answer: The answer's text; None where nothing counts as one.
        boxed: Whether it stood in a closed box.
        note: How it was found, or why it was not; None for a plain box.
        rule: What found it.
        span: Where it begins and ends in the completion, in characters; what announces it or the
            box around it is not counted in. None without an answer.
    """

    answer: str | None
    boxed: bool = False
    note: str | None = None
    rule: Found = "nothing"
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Box:
    start: int
    inside: int
    end: int


def extract(completion: str, *, members: int = 1) -> Extraction:
    """The final answer of a completion.

    Args:
        completion: What the model wrote, without the prompt.
        members: How many answers or coordinates the gold has.
    """
    start, end = _reach(completion)
    text = completion[:end]
    if start == end and completion.strip():
        return Extraction(answer=None, note="the thinking is not finished")
    boxes, is_open = _boxes(text, start)
    if not boxes and not is_open and _EMPTY.search(text, start):
        return _beside_empty_box(text, start)
    if boxes:
        return _boxed(text, boxes, members=members, is_open=is_open)
    if is_open:
        return Extraction(answer=None, note="the only box is not closed")
    return _announced(text, start) or _alone(text, start)


def _beside_empty_box(text: str, start: int) -> Extraction:
    """What is announced where the only boxes are empty: they repeat what the prompt asked for."""
    announced = _announced(text, start)
    if announced is not None and announced.span and _EMPTY.search(announced.answer or ""):
        line = text.rfind("\n", start, announced.span[0])
        announced = _announced(text[:line], start) if line > start else None
    empty = Extraction(answer=None, note="the box is empty")
    return empty if announced is None or _EMPTY.search(announced.answer or "") else announced


def answer_start(completion: str, *, after: int = 0) -> int | None:
    """Where the final answer begins, in characters; None without one, or with nothing before it.

    It begins with the box itself, or with the words that announce it, behind the first `after`
    characters, which are thinking.
    """
    first, end = _reach(completion[after:])
    text = completion[after : after + end]
    boxes, _ = _boxes(text, first)
    if boxes:
        return (after + boxes[-1].start) or None
    announced = last_announcement(text[first:])
    return (after + first + announced.start() if announced else 0) or None


def opened_answer(prefix: str | None) -> str:
    r"""The end of a prefix that opens the answer behind it: `\boxed{`, or words that announce one.

    Without it a completion such as `42}` would hold no box. Empty where the prefix opens none.
    """
    end = (prefix or "")[-_LOOKED_BACK:]
    for box in reversed(list(_EMPTY.finditer(end))):
        if _boxes(end, box.start())[1]:
            return end[box.start() :]
    line = end.rpartition("\n")[2]
    announced = last_announcement(line)
    is_open = announced is not None and not line[announced.end() :].strip(" \t*:$([{\\")
    return line if is_open else ""


def _reach(completion: str) -> tuple[int, int]:
    """Where the part that speaks begins and ends, without a question asked behind the answer."""
    start, end = spoken(completion)
    if "\n" not in completion or NEXT_QUESTION.search(completion, start, end) is None:
        return start, end
    return start, _next_question(completion, NEXT_QUESTION, start, end)


def before_question(completion: str, mark: str) -> str:
    """A completion without the questions that it asks itself behind its answer.

    Args:
        completion: What the model wrote, without the prompt.
        mark: How its prompt marks a question, such as `Question 3:`; any number stands for any.
    """
    pattern = re.sub(r"\d+", r"\\d{1,4}", re.escape(mark))
    start, end = spoken(completion)
    marks = re.compile(rf"^[ \t]{{0,40}}{pattern}", re.MULTILINE)
    if marks.search(completion, start, end) is None:
        return completion
    behind = _next_question(completion, marks, start, end)
    return completion if behind == end else completion[:behind]


def _next_question(completion: str, marks: re.Pattern[str], start: int, end: int) -> int:
    """Where `marks` is found behind the first answer; `end` where it is not."""
    boxes, _ = _boxes(completion[:end], start)
    announced = first_announcement(completion, start, end)
    answers = [box.end for box in boxes[:1]] + ([announced.end()] if announced else [])
    behind = marks.search(completion, min(answers), end) if answers else None
    return end if behind is None else behind.start()


def _boxed(text: str, boxes: list[_Box], *, members: int, is_open: bool) -> Extraction:
    last = boxes[-1]
    answer = _inside(text, last)
    note = "a box that is not closed follows it" if is_open else None
    run = [] if len(boxes) < 2 or len(answer) > SHORT else _run(text, boxes, members)
    if len(run) > 1:
        return Extraction(
            answer=", ".join(_named(text, box) for box in run), boxed=True, rule="boxes",
            note="put together from several boxes", span=(run[0].inside, last.end),
        )  # fmt: skip
    rest = text[last.end + 1 :]
    later = last_announcement(rest) if note is None and len(rest) > SHORTEST else None
    if later is not None:
        note = "the last box counts; words behind it announce an answer as well"
    return Extraction(
        answer=answer, boxed=True, note=note, rule="box", span=(last.inside, last.end)
    )


def _inside(text: str, box: _Box) -> str:
    return text[box.inside : box.end].strip()


def _boxes(text: str, start: int = 0) -> tuple[list[_Box], bool]:
    """Outermost closed boxes that are not empty, in order, and whether one behind them is open."""
    stack: list[tuple[int, int] | None] = []
    boxes: list[_Box] = []
    for token in _TOKEN.finditer(text, start):
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
            at = token.start()
            boxes.append(_Box(at, at + number.start(), token.end()))
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


def _count(answer: str) -> int:
    """How many answers a box holds by itself."""
    parts = split(answer, {",", ";", "and", "or"})
    count = sum(2 if r"\pm" in part or r"\mp" in part else 1 for part in parts)
    return 99 if answer.startswith((r"\{", r"\left\{")) else count


def _run(text: str, boxes: list[_Box], members: int) -> list[_Box]:
    """Boxes that are parts of one answer; the last alone where it stands for itself."""
    run, count = [boxes[-1]], _count(_inside(text, boxes[-1]))
    for box in reversed(boxes[:-1]):
        between = text[box.end + 1 : run[0].start]
        near = len(between) <= 80 and (
            (count < members and _BESIDE.fullmatch(between)) or _JOINED.fullmatch(between)
        )
        if not near:
            break
        run.insert(0, box)
        count += _count(_inside(text, box))
    alone = len(boxes) == members and all(_count(_inside(text, box)) == 1 for box in boxes)
    if len(run) < 2 and alone:
        run = boxes
    parts = [_inside(text, box) for box in run]
    named = [_NAME_BEFORE.search(text, max(0, box.start - 40), box.start) for box in run]
    names = {match[1] for match in named if match}
    if len(set(parts)) < len(parts) or (members == 1 and len(names) > 1):
        return run[-1:]
    return run


def _named(text: str, box: _Box) -> str:
    """What a box holds, with the name that an equals sign before it gives it."""
    inside = _inside(text, box)
    name = _NAME_BEFORE.search(text, max(0, box.start - 40), box.start)
    return f"{name[1]} = {inside}" if name and "=" not in inside else inside


def _announced(text: str, start: int) -> Extraction | None:
    last = last_announcement(text[start:])
    span = announced_span(text[start:], last) if last else reversed_span(text[start:])
    if span is None:
        return None
    first, end = span
    answer = without_markup(text[start + first : start + end]).strip(" \t*\n")
    if not answer:
        return None
    how = "####" if last is not None and last[0] == "####" else "an answer line"
    return Extraction(
        answer=answer, note=f"no box: taken from {how}", rule="announcement",
        span=(start + first, start + end),
    )  # fmt: skip


def _alone(text: str, start: int) -> Extraction:
    text = text[start:]
    answer = without_markup(text).strip() if len(text) <= 4 * SHORT else text.strip()
    if not answer:
        return Extraction(answer=None, note="there is no text to read an answer in")
    if len(answer) <= SHORT and not _SENTENCE.search(answer) and not _PROSE.search(answer):
        return Extraction(
            answer=answer, note="no box: the whole completion is taken", rule="whole text",
            span=(start, start + len(text)),
        )  # fmt: skip
    numbers = _NUMBER.findall(text[-2000:])
    remark = f"; its last number, {numbers[-1][:40]}, is not judged" if numbers else ""
    return Extraction(answer=None, note=f"no box and no answer line{remark}")
