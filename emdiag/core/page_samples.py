"""Samples as a reader of a page meets them: by problem, in columns that can stand side by side."""

from __future__ import annotations

from emdiag.core.grades import Reason, Verdict
from emdiag.core.records import Record
from emdiag.core.sampling import FinishReason


class ShownProblem(Record, frozen=True, kw_only=True):
    """A problem as it was asked.

    Attributes:
        answer: The gold; None where the benchmark leaves it out.
        group: Level and subject in words, such as `level 3, Algebra`; None without either.
        tags: Why its gold is doubtful, if it is.
    """

    id: str
    benchmark: str
    statement: str
    answer: str | None
    group: str | None
    tags: tuple[str, ...]


class ShownColumn(Record, frozen=True, kw_only=True):
    """One run.

    Attributes:
        title: What tells it from the others, such as `em, T 0.6`.
    """

    label: str
    title: str
    benchmark: str
    run_key: str


class ShownSample(Record, frozen=True, kw_only=True):
    """One completion and what the graders say of it.

    Attributes:
        problem, column: Places in the lists of the page.
        text: As drawn, at most `PageSamples.most_characters`.
        left_out: Characters of the text that are not shown.
        verdict: None where it is not graded; `extracted` and `boxed` then say nothing.
        second_verdict: Of another grader; None where there is none.
        why: The reason of the verdict; None where the grader gave none.
        thinking: Characters of `text` before the answer; None where the thinking never ended.
        reasoning_tokens: Tokens before the answer; None where nothing marks thinking.
    """

    problem: int
    column: int
    sample_index: int
    text: str
    left_out: int
    verdict: Verdict | None
    extracted: str | None
    boxed: bool
    finish_reason: FinishReason
    tokens: int
    second_verdict: Verdict | None = None
    why: Reason | None = None
    thinking: int | None = 0
    reasoning_tokens: int | None = None


class PageSamples(Record, frozen=True, kw_only=True):
    """Samples for a page to show.

    Attributes:
        total: Samples that the runs hold; more than `samples` where they were capped.
        choice: How the shown ones were chosen; None where all are shown.
        graders: Identity of the grader, and of the second one where there is one.
    """

    problems: tuple[ShownProblem, ...]
    columns: tuple[ShownColumn, ...]
    samples: tuple[ShownSample, ...]
    total: int
    choice: str | None
    most_characters: int
    graders: tuple[str, ...]
