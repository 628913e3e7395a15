"""The same completions under a second grader: both scores, and where the graders disagree."""

from __future__ import annotations

from typing import Final

from emdiag.core.regrades import RegradedRun, RegradeResult
from emdiag.core.results import Amount
from emdiag.findings.cautions import distinct, note_sentences
from emdiag.findings.numbers import NOTHING, at_temperature, count, metric_cell, points, points_cell
from emdiag.findings.page import Findings, Statement, Table, one_line, statement, table_of

SHOWN: Final = 20
"""Disagreements of a run."""

_ANSWER_CHARACTERS: Final = 40


def regrade_findings(result: RegradeResult, *, top: int = SHOWN) -> Findings:
    """Scores under both graders, and the first `top` disagreements of each run."""
    disagreements = [
        disagreements_table(run, top=top) for run in result.runs if run.disagreements and top
    ]
    return Findings(
        tables=(graders_table(result), *disagreements),
        statements=tuple(map(regrade_statement, result.runs)),
        cautions=distinct(note_sentences(result.notes)),
    )


def regrade_statement(run: RegradedRun) -> Statement:
    """How far the second grader moves the score of a run."""
    subject = f"{run.label} on {run.benchmark}"
    graders = f"{run.second_grader} minus {run.grader}"
    interval = run.interval if _moves(run) else None
    words = f"{subject} ({at_temperature(run.temperature)}), {graders}: {_gap(run)}"
    return statement(words, "second grader", subject, of=Amount(run.difference, interval))


def _moves(run: RegradedRun) -> bool:
    """Whether a sample is right under one grader alone; else there is no difference to estimate."""
    return bool(run.gained or run.lost)


def _gap(run: RegradedRun) -> str:
    if _moves(run):
        return points(run.difference, run.interval)
    judged = count(run.samples, "sample")
    if not run.disagreements:
        return f"no difference, both judge all of {judged} alike"
    return f"no difference, of {judged} the same are right under both"


def graders_table(result: RegradeResult) -> Table:
    """A row for each run."""
    alone = "right in one alone +/\N{MINUS SIGN}"
    return table_of(
        result.runs,
        "Right samples in percent under two graders; difference in points",
        (
            ("checkpoint", lambda run: run.label),
            ("benchmark", lambda run: run.benchmark),
            ("T", lambda run: f"{run.temperature:g}"),
            ("samples", lambda run: f"{run.samples:,}"),
            ("main", lambda run: metric_cell(run.score)),
            ("second", lambda run: metric_cell(run.second_score)),
            ("second minus main", _gap_cell),
            (alone, lambda run: f"{run.gained:,} / {run.lost:,}"),
            ("differ", lambda run: f"{len(run.disagreements):,}"),
        ),
        secondary=(alone, "samples", "T"),
    )


def _gap_cell(run: RegradedRun) -> str:
    return points_cell(run.difference, run.interval) if _moves(run) else "none"


def disagreements_table(run: RegradedRun, *, top: int = SHOWN) -> Table:
    """The samples that the graders judge differently."""
    total = len(run.disagreements)
    more = f", the first {top} of {total:,}" if total > top else ""
    return table_of(
        run.disagreements[:top],
        f"{run.label} on {run.benchmark}: where the graders disagree{more}",
        (
            ("problem", lambda sample: sample.problem_id),
            ("sample", lambda sample: str(sample.sample_index)),
            ("main", lambda sample: sample.verdict.value),
            ("second", lambda sample: sample.second_verdict.value),
            ("answer", lambda sample: _short(sample.extracted)),
            ("as the second reads it", lambda sample: _short(sample.second_extracted)),
            ("gold", lambda sample: _short(sample.gold)),
            ("source's gold", lambda sample: _short(sample.gold_raw)),
        ),
        secondary=("source's gold", "as the second reads it"),
    )


def _short(text: str | None) -> str:
    return one_line(text or NOTHING, _ANSWER_CHARACTERS)
