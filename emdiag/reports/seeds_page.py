"""A training over its seeds as a page: what was registered, the mean, and how seeds differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings import seeds
from emdiag.findings.page import Page, Section
from emdiag.plots.accuracy import seeds_figure
from emdiag.reports.pieces import picture

if TYPE_CHECKING:
    from emdiag.core.seed_scores import SeedScoresResult
    from emdiag.findings.page import Context


def seeds_page(result: SeedScoresResult, *, context: Context) -> Page:
    """How a training scores over its seeds, against the checkpoint it started from."""
    return Page(
        kind="seeds",
        title=seeds.seeds_title(result),
        question=seeds.seeds_question(result),
        answers=seeds.seeds_statements(result),
        sections=(
            Section(
                heading="Seeds",
                pictures=tuple(
                    picture(
                        f"seeds-{of.benchmark}",
                        seeds_figure(of),
                        caption=seeds.CAPTION,
                        alt=seeds.seeds_alt(of),
                    )
                    for of in result.benchmarks
                ),
                tables=tuple(map(seeds.groups_table, result.benchmarks)),
            ),
            Section(
                heading="Each checkpoint",
                tables=tuple(map(seeds.checkpoints_table, result.benchmarks)),
                is_detail=True,
            ),
        ),
        cautions=seeds.seeds_cautions(result),
        context=context,
    )
