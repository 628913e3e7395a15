"""The same completions under a second grader: where the two disagree, and what it moves."""

from __future__ import annotations

from emdiag.core.grades import Verdict
from emdiag.core.records import Record, Result
from emdiag.core.results import Interval, Metric, Remark


class Disagreement(Record, frozen=True, kw_only=True):
    """One sample that the two graders judge differently.

    Attributes:
        verdict, extracted: Of the main grader; `extracted` is None without an answer.
        second_verdict, second_extracted: Of the second one.
        gold: What the main grader was told.
        gold_raw: What the second one was told: the source's own.
    """

    problem_id: str
    sample_index: int
    verdict: Verdict
    second_verdict: Verdict
    extracted: str | None
    second_extracted: str | None
    gold: str
    gold_raw: str


class RegradedRun(Record, frozen=True, kw_only=True):
    """One run under both graders; scores are mean shares of right samples.

    Attributes:
        samples: Judged by both, over all problems.
        score, second_score: Under the main and the second grader, on these samples.
        difference: Second minus main, in shares of 1; `interval` is paired by problem,
            None where no problem differs.
        gained, lost: Samples right under the second grader alone, and under the main one alone.
        disagreements: Every sample whose verdict differs, wrong against no answer included.
    """

    label: str
    run_key: str
    benchmark: str
    temperature: float
    grader: str
    second_grader: str
    grade_key: str
    second_grade_key: str
    problems: int
    samples: int
    score: Metric
    second_score: Metric
    difference: float
    interval: Interval | None
    gained: int
    lost: int
    disagreements: tuple[Disagreement, ...]


class RegradeResult(Result, frozen=True, kw_only=True, tag="regrade"):
    """Runs under two graders."""

    runs: tuple[RegradedRun, ...]
    notes: tuple[Remark, ...]
    store: str
