"""A study of next-token distributions as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.logits.rows import LogitRows
from emdiag.findings.logits.statements import headline_statements, logit_cautions, text_statements
from emdiag.findings.logits.tables import (
    decomposition_tables,
    detail_tables,
    main_tables,
    quirk_tables,
    text_choice_tables,
)
from emdiag.findings.numbers import listed
from emdiag.findings.page import Page, Section, Statement, sentence
from emdiag.plots.logits.figures import skew_figures
from emdiag.reports.pieces import pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emdiag.core.logit_skew import LogitSkewResult
    from emdiag.findings.page import Context, Table
    from emdiag.plots.style import Drawn

MOST_ANSWERS = 8
"""Statements on top of the page; all of them are further down."""

_SHAPE: Final = {
    "per-token-skewness": (
        "Skewness of the logits at one position after the other, a shape for each checkpoint. "
        "It leans right where a few tokens stand far above the rest."
    ),
    "histogram": (
        "All logits of all positions together. Their skewness can move the other way than that "
        "of the single positions, so both are shown."
    ),
    "along-the-answer": "Skewness and entropy from the beginning of the text to its end.",
}
_COOLING: Final = {
    "cooling": (
        "How far the checkpoint is from its base, and how much of that goes away when the base "
        "is cooled to its best temperature. What is left is not cooling."
    ),
    "shift-by-rank": (
        "Which tokens were lifted and which lowered, by their rank in the base. Cooling lifts "
        "the first ranks and lowers all others evenly."
    ),
    "flips": "From which most likely token to which.",
}
_COOLED: Final = (
    "A checkpoint that is only its base, cooled, keeps the order of all tokens, and one "
    "temperature accounts for its whole distance."
)
_OWN_MEASURE: Final = (
    "A separate measurement: texts, positions and values differ from those above, and so do the "
    "numbers."
)
_PUBLISHED: Final = {
    "published": (
        "Skewness as the released script measures it, and what becomes of it as its quirks are "
        "undone one by one."
    )
}


def logit_page(result: LogitSkewResult, *, context: Context) -> Page:
    """What training did to the next-token distribution, and whether that is mere cooling."""
    rows = LogitRows(result)
    first = headline_statements(rows)[:MOST_ANSWERS]
    figures = skew_figures(result)
    everything = tuple(sentence(statement.words) for statement in text_statements(rows, rows.texts))
    sections = (
        _section("Skewness", figures, _SHAPE, shown=first, tables=main_tables(rows)),
        _section(
            "Cooling, or more",
            figures,
            _COOLING,
            shown=first,
            tables=decomposition_tables(rows),
            words=(_COOLED,),
        ),
        _section(
            "As published", figures, _PUBLISHED, tables=quirk_tables(rows), words=(_OWN_MEASURE,)
        ),
        Section(
            heading="All findings supported by the intervals",
            words=everything if len(everything) > len(first) else (),
            tables=text_choice_tables(rows),
            is_detail=True,
        ),
        Section(heading="Every statistic", tables=detail_tables(rows), is_detail=True),
    )
    return Page(
        kind="logits",
        title=f"Logits of {listed(rows.labels)} on {result.benchmark}",
        question=_question(rows),
        answers=tuple(first),
        sections=tuple(section for section in sections if section.pictures or section.tables),
        cautions=logit_cautions(result),
        context=context,
    )


def _question(rows: LogitRows) -> str:
    base, benchmark = rows.result.base, rows.result.benchmark
    if not rows.compared:
        return f"What shape have the next-token logits of {base} on {benchmark}?"
    return (
        f"Did training skew the next-token logits of {listed(rows.compared)} against {base} on "
        f"{benchmark}, and is the change more than cooling?"
    )


def _section(
    heading: str,
    figures: Mapping[str, Drawn],
    captions: Mapping[str, str],
    *,
    tables: tuple[Table, ...],
    shown: list[Statement] | None = None,
    words: tuple[str, ...] = (),
) -> Section:
    return Section(
        heading=heading,
        words=words,
        pictures=pictures(figures, captions, shown=shown or []),
        tables=tables,
    )
