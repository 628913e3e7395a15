"""The same completions under a second grader: both scores, and where the graders disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.cautions import as_sentence, distinct
from emdiag.findings.numbers import NOTHING, at_temperature, percent_cell, points, points_cell
from emdiag.findings.page import Findings, Statement, table

if TYPE_CHECKING:
    from emdiag.core.regrades import RegradedRun, RegradeResult
    from emdiag.findings.page import Row, Table

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
        cautions=distinct(as_sentence(note) for note in result.notes),
    )


def regrade_statement(run: RegradedRun) -> Statement:
    """How far the second grader moves the score of a run."""
    return Statement(
        words=f"{run.label} on {run.benchmark} ({at_temperature(run.temperature)}), "
        f"{run.second_grader} minus {run.grader}: {points(run.difference, run.interval)}",
        kind="second grader",
        subject=f"{run.label} on {run.benchmark}",
        value=run.difference,
        interval=run.interval,
    )


def graders_table(result: RegradeResult) -> Table:
    """A row for each run."""
    rows: list[Row] = [
        [
            run.label,
            run.benchmark,
            f"{run.temperature:g}",
            f"{run.samples:,}",
            percent_cell(run.score.value, run.score.interval),
            percent_cell(run.second_score.value, run.second_score.interval),
            points_cell(run.difference, run.interval),
            f"{run.gained:,} / {run.lost:,}",
            f"{len(run.disagreements):,}",
        ]
        for run in result.runs
    ]
    return table(
        "Right samples in percent under two graders; difference in points",
        (
            *("checkpoint", "benchmark", "T", "samples", "main", "second"),
            *("second minus main", "right in one alone +/\N{MINUS SIGN}", "differ"),
        ),
        rows=rows,
        secondary=("right in one alone +/\N{MINUS SIGN}", "samples", "T"),
    )


def disagreements_table(run: RegradedRun, *, top: int = SHOWN) -> Table:
    """The samples that the graders judge differently."""
    total = len(run.disagreements)
    more = f", the first {top} of {total:,}" if total > top else ""
    rows: list[Row] = [
        [
            sample.problem_id,
            str(sample.sample_index),
            sample.verdict.value,
            sample.second_verdict.value,
            _short(sample.extracted),
            _short(sample.second_extracted),
            _short(sample.gold),
            _short(sample.gold_raw),
        ]
        for sample in run.disagreements[:top]
    ]
    return table(
        f"{run.label} on {run.benchmark}: where the graders disagree{more}",
        (
            *("problem", "sample", "main", "second", "answer", "as the second reads it", "gold"),
            "source's gold",
        ),
        rows=rows,
        secondary=("source's gold", "as the second reads it"),
    )


def _short(text: str | None) -> str:
    line = " ".join((text or NOTHING).split())
    if len(line) <= _ANSWER_CHARACTERS:
        return line
    return f"{line[:_ANSWER_CHARACTERS]}\N{HORIZONTAL ELLIPSIS}"
