"""A sweep over ways of sampling, with an entropy-matched baseline, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.page import Page, Section, sentence
from emdiag.findings.sweep.captions import (
    ALONG_AN_AXIS,
    AT_EQUAL_ENTROPY,
    OTHER_METRICS,
    WHY_A_BASELINE,
)
from emdiag.findings.sweep.statements import (
    answers,
    baselines,
    different_slopes,
    statements,
    trends,
)
from emdiag.findings.sweep.tables import (
    accuracy_tables,
    axes,
    baseline_table,
    cautions,
    point_table,
    question,
    slope_tables,
    title,
)
from emdiag.plots.sweep.figures import sweep_figures
from emdiag.reports.pieces import pictures

if TYPE_CHECKING:
    from emdiag.core.temperature_sweep import TemperatureSweepResult
    from emdiag.findings.page import Context

MOST_ANSWERS: Final = 8
"""Statements on top of the page; all of them stand in its details."""


def sweep_page(result: TemperatureSweepResult, *, context: Context) -> Page:
    """Whether accuracy falls or rises along an axis, and whether training is more than cooling."""
    figures = sweep_figures(result)
    along = [*trends(result), *different_slopes(result)]
    sections = [
        Section(
            heading=f"Accuracy over {axes(result)}",
            pictures=pictures(figures, ALONG_AN_AXIS, shown=along),
            tables=slope_tables(result),
        ),
        Section(
            heading="Entropy-matched baseline",
            words=(WHY_A_BASELINE,),
            pictures=pictures(figures, AT_EQUAL_ENTROPY, shown=baselines(result)),
            tables=(baseline_table(result),) if result.controls else (),
        ),
        Section(heading="Other metrics", pictures=pictures(figures, OTHER_METRICS, shown=())),
        Section(
            heading="All settings",
            tables=(*accuracy_tables(result), point_table(result)),
            is_detail=True,
        ),
        Section(
            heading="All findings supported by the intervals",
            words=tuple(sentence(statement.words) for statement in statements(result)),
            is_detail=True,
        ),
    ]
    if not sections[1].pictures:
        del sections[1]
    return Page(
        kind="temperature sweep",
        title=title(result),
        question=question(result),
        answers=answers(result, MOST_ANSWERS),
        sections=tuple(sections),
        cautions=cautions(result),
        context=context,
    )
