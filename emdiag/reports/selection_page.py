"""A pool of prompts, ranked, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings import selection
from emdiag.findings.page import Page, Section

if TYPE_CHECKING:
    from emdiag.core.selection import SelectResult
    from emdiag.findings.page import Context

SHOWN = 20
"""Prompts in the first table; the rest are folded away."""


def selection_page(result: SelectResult, *, context: Context) -> Page:
    """Which prompt to train on, what ranked it, and whether that used labels."""
    first = selection.ranking_table(result, result.ranked[:SHOWN], start=1)
    rest = selection.ranking_table(result, result.ranked[SHOWN:], start=SHOWN + 1)
    folded = Section(heading="The other prompts", tables=(rest,), is_detail=True)
    return Page(
        kind="selection",
        title=selection.selection_title(result),
        question=selection.selection_question(result),
        answers=selection.selection_statements(result),
        sections=(
            Section(heading="The ranking", words=(selection.UNCERTAIN,), tables=(first,)),
            *([folded] if rest.rows else []),
        ),
        cautions=selection.selection_cautions(result),
        context=context,
    )
