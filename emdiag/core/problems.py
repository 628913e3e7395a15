"""What a benchmark says: its problems, and the card that describes the set."""

from __future__ import annotations

from typing import Literal

from emdiag.core.grades import Gold, GraderSpec
from emdiag.core.records import Record

AnswerType = Literal["number", "expression", "list", "tuple", "interval", "text", "unknown"]
"""Shape of a gold answer. `list` means several answers whose order is free; `unknown` leaves
the shape to be read off the text."""


class Problem(Record, frozen=True, kw_only=True):
    """One question with its normalised gold answer.

    Attributes:
        id: Benchmark name and the source's own id, such as `math500/precalculus-807`, or the row
            where it has none; stable across source layouts.
        answer: The gold answer as LaTeX or plain text, normalised at import.
        answer_raw: The gold answer as the source has it.
        unit: Unit the answer is stated in, or None; never part of `answer`.
        error: Absolute error the source allows, as a decimal string; None where it states none.
        tags: Known defects, such as `bad-gold` or `order-undecidable`.
    """

    id: str
    benchmark: str
    statement: str
    answer: str
    answer_raw: str
    answer_type: AnswerType = "unknown"
    unit: str | None = None
    error: str | None = None
    subject: str | None = None
    level: int | None = None
    tags: tuple[str, ...] = ()


class Solution(Record, frozen=True, kw_only=True):
    """A problem's written solution, as its source has it; one line of `solutions.jsonl`."""

    problem_id: str
    text: str


class SourceSpec(Record, frozen=True, kw_only=True):
    """Where the problems of a benchmark come from.

    Attributes:
        origin: Hub id of the data set, or a sentence for sets of our own.
        sha256: Of the normalised `problems.jsonl`; None until it is known.
    """

    origin: str
    license: str
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    file: str | None = None
    paper: str | None = None
    sha256: str | None = None
    alternatives: tuple[AlternativeSource, ...] = ()


class AlternativeSource(Record, frozen=True, kw_only=True):
    """Another accepted copy of a benchmark, which may hold other rows."""

    name: str
    size: int
    sha256: str


class BenchmarkCard(Record, frozen=True, kw_only=True):
    """What a benchmark is and how it is measured; `benchmarks/NAME/card.toml`.

    Attributes:
        revision: Raised when problems, template or grader change a score.
        headline: Metric quoted first, such as `avg@1`.
    """

    name: str
    title: str
    revision: int
    size: int
    template: str
    grader: GraderSpec
    max_tokens: int
    headline: str
    source: SourceSpec
    caveats: tuple[str, ...] = ()
    shipped: bool = False


def gold_of(problem: Problem, spec: GraderSpec) -> Gold:
    """What the grader is told about a problem."""
    return Gold(
        answer=problem.answer,
        answer_type=problem.answer_type,
        unit=problem.unit,
        error=problem.error,
        tolerance=spec.tolerance,
    )
