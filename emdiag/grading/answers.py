"""Completions to a grader, which is given their answers and nothing of their thinking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee

from msgspec.structs import replace

from emdiag.core.grades import Gold, Judgement, Reason, Verdict
from emdiag.core.protocols import Grader
from emdiag.core.sampling import Completion

UNFINISHED = Judgement(
    verdict=Verdict.NO_ANSWER,
    extracted=None,
    boxed=False,
    elapsed_s=0.0,
    note="the thinking is not finished",
    why=Reason(rule="thinking not finished", found_by="nothing"),
)
"""Of a completion that no grader sees."""


def judged(
    grader: Grader, pairs: Iterable[tuple[Gold, Completion]], *, opening: str = ""
) -> Iterator[Judgement]:
    """One judgement for each (gold, completion), in their order; places are those of its text.

    `opening` is what its prompt's end opens: a box, or words that announce an answer.
    """
    given, kept = tee(pairs)
    judgements = grader.grade(
        (gold, answer_behind(opening, completion))
        for gold, completion in given
        if not completion.is_thinking
    )
    for _, completion in kept:
        if completion.is_thinking:
            yield UNFINISHED
        else:
            yield _placed(next(judgements), completion.answer_start or -len(opening))


def answer_behind(opening: str, completion: Completion) -> str:
    """What may hold the answer, behind what its prompt's end opens; thinking closes that again."""
    return completion.answer_text if completion.answer_start else opening + completion.answer_text


def _placed(judgement: Judgement, start: int) -> Judgement:
    """The judgement on a part of a text that begins at `start`, as one on the whole text."""
    why = judgement.why
    if not start or why is None or why.span is None:
        return judgement
    first, end = (max(start + place, 0) for place in why.span)
    return replace(judgement, why=replace(why, span=(first, end)))
