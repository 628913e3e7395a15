"""Two checkpoints on the same problems, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings import comparison
from emdiag.findings.page import Page, Section
from emdiag.plots.accuracy import difference_figure
from emdiag.reports.pieces import pictures

if TYPE_CHECKING:
    from emdiag.core.results import CompareResult
    from emdiag.findings.page import Context


def comparison_page(result: CompareResult, *, context: Context) -> Page:
    """Whether one checkpoint is better than another, as far as the interval allows to say."""
    answers = comparison.comparison_statements(result)
    flips = comparison.flips_tables(result)
    which = Section(heading="Which problems flipped", tables=flips, is_detail=True)
    return Page(
        kind="comparison",
        title=comparison.comparison_title(result),
        question=comparison.comparison_question(result),
        answers=answers,
        sections=(
            Section(
                heading="Differences",
                pictures=pictures(
                    {"differences": difference_figure(result)},
                    {"differences": comparison.comparison_caption(result)},
                    shown=answers,
                ),
                tables=(comparison.differences_table(result),),
            ),
            *([which] if flips else []),
        ),
        cautions=comparison.comparison_cautions(result),
        context=context,
    )
