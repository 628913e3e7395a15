"""Scores of checkpoints as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings import evaluation
from emdiag.findings.cautions import score_cautions
from emdiag.findings.page import Page, Section
from emdiag.plots.accuracy import accuracy_figure, pass_at_k_figure
from emdiag.reports.pieces import pictures

if TYPE_CHECKING:
    from emdiag.core.results import EvaluateResult
    from emdiag.findings.page import Context


def evaluation_page(result: EvaluateResult, *, context: Context) -> Page:
    """How many answers of each checkpoint are right, and what the completions look like."""
    scores = result.scores
    answers = evaluation.score_statements(scores)
    figures = {"scores": accuracy_figure(scores)}
    coverage = pass_at_k_figure(scores)
    if coverage is not None:
        figures["pass-at-k"] = coverage
    details = (
        evaluation.verdicts_table(scores),
        *evaluation.part_tables(scores),
        *evaluation.coverage_tables(scores),
    )
    is_compared = len({score.label for score in scores}) > 1
    return Page(
        kind="evaluation",
        title=evaluation.evaluation_title(scores),
        question=evaluation.evaluation_question(scores),
        answers=answers,
        sections=(
            Section(
                heading="Scores",
                words=(evaluation.COMPARE,) if is_compared else (),
                pictures=pictures(figures, evaluation.CAPTIONS, shown=answers),
                tables=(evaluation.scores_table(scores), *evaluation.metric_tables(scores)),
            ),
            Section(
                heading="What the completions look like",
                tables=(evaluation.completions_table(scores),),
            ),
            Section(heading="By part, verdict and k", tables=details, is_detail=True),
        ),
        cautions=score_cautions(scores),
        context=context,
    )
