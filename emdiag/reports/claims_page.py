"""Claims of a paper and what was measured of them, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings import claims
from emdiag.findings.page import Page, Section

if TYPE_CHECKING:
    from emdiag.core.claims import ClaimsResult
    from emdiag.findings.page import Context


def claims_page(result: ClaimsResult, *, context: Context) -> Page:
    """Which claims hold here, which fail, and what would decide the others."""
    statements = claims.verdict_statements(result)
    return Page(
        kind="claims",
        title=claims.TITLE,
        question=claims.QUESTION,
        answers=tuple(s for s in statements if s.kind != "undecided"),
        sections=claims_sections(result),
        cautions=claims.claims_cautions(result),
        context=context,
    )


def claims_sections(result: ClaimsResult) -> tuple[Section, ...]:
    """The table of all claims; rules, reasons and every number are folded."""
    details = claims.claims_detail_tables(result)
    folded = Section(heading="Rules, reasons and numbers", tables=details, is_detail=True)
    main = Section(heading="Claims", tables=(claims.claims_table(result),))
    return (main, folded) if details else (main,)
