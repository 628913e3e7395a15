"""A whole study as one page: its measurements in order, and the claims at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emdiag.core.claims import ClaimsResult
from emdiag.findings import selection
from emdiag.findings.cautions import distinct
from emdiag.findings.claims import claims_cautions, verdicts_statement
from emdiag.findings.page import Cell, Page, Picture, Section, Statement, Table, sentences
from emdiag.reports.pages import claims_sections

STATEMENTS_OF_A_CHAPTER = 4
"""Statements that a chapter begins with; all of them stand in its details."""

MOST_ANSWERS = 4
"""Statements on top of the page, that of the claims included."""

MOST_RANKED = 10
"""Prompts of a ranking in a brief chapter, beside those that its words name."""


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One measurement of a study.

    Attributes:
        heading: None for what its page is called as a chapter.
        words: Why it follows on the one before, a paragraph each.
        is_brief: Whether its tables are folded, all of them; pictures stay.
    """

    page: Page
    heading: str | None = None
    words: tuple[str, ...] = ()
    is_brief: bool = False


def study_page(
    *, title: str, question: str, chapters: Sequence[Chapter], claims: ClaimsResult | None
) -> Page:
    """Chapters with their statements, pictures and main tables; further tables are folded.

    The first statement of a chapter's page may stand on top of the whole page; claims end it.
    """
    sections = [section for chapter in chapters for section in _sections(chapter)]
    cautions = [caution for chapter in chapters for caution in chapter.page.cautions]
    if claims is not None:
        sections += claims_sections(claims)
        cautions += claims_cautions(claims)
    return Page(
        kind="study",
        title=title,
        question=question,
        answers=_answers(chapters, claims),
        sections=tuple(sections),
        cautions=distinct(cautions),
    )


def _answers(chapters: Sequence[Chapter], claims: ClaimsResult | None) -> tuple[Statement, ...]:
    """What becomes of the claims, then the first statement of chapters, decided ones first."""
    statements = [verdicts_statement(claims)] if claims and claims.claims else []
    firsts = [chapter.page.answers[0] for chapter in chapters if chapter.page.answers]
    weights = {"better": 0, "worse": 0, "plain": 1, "undecided": 2}
    kept = sorted(firsts, key=lambda answer: weights[answer.tone])[: MOST_ANSWERS - len(statements)]
    return (*statements, *(answer for answer in firsts if answer in kept))


def _sections(chapter: Chapter) -> list[Section]:
    """The chapter and, folded, its details."""
    page = chapter.page
    heading = chapter.heading or page.chapter or page.title
    words = sentences(page.answers)
    shown = max(STATEMENTS_OF_A_CHAPTER, sum(answer.kind == "score" for answer in page.answers))
    main = [section for section in page.sections if not section.is_detail]
    detail = [section for section in page.sections if section.is_detail]
    folded = [*(_tables(main) if chapter.is_brief else ()), *_tables(detail)]
    if chapter.is_brief and page.kind == "selection":
        folded = _first_and_named(folded, " ".join(chapter.words))
    top = Section(
        heading=heading,
        words=(*chapter.words, *words[:shown]),
        pictures=_pictures(main),
        tables=() if chapter.is_brief else tuple(_tables(main)),
    )
    below = Section(
        heading=f"{heading}: details",
        words=(*words[shown:], *(w for part in detail for w in part.words)),
        pictures=_pictures(detail),
        tables=tuple(folded),
        is_detail=True,
    )
    return [top, below] if below.words or below.pictures or below.tables else [top]


def _pictures(sections: Sequence[Section]) -> tuple[Picture, ...]:
    return tuple(picture for section in sections for picture in section.pictures)


def _tables(sections: Sequence[Section]) -> list[Table]:
    return [table for section in sections for table in section.tables if table.rows]


def _first_and_named(ranking: Sequence[Table], words: str) -> list[Table]:
    """The first rows of a ranking, and those of prompts that the chapter names."""
    shown, left_out = [], 0
    for index, table in enumerate(ranking):
        first = 0 if index else MOST_RANKED
        rows = [row for at, row in enumerate(table.rows) if at < first or _is_named(row[0], words)]
        left_out += len(table.rows) - len(rows)
        if rows:
            shown.append(replace(table, rows=tuple(rows)))
    if left_out and shown:
        last, more = shown[-1], selection.left_out(left_out)
        shown[-1] = replace(last, note=f"{last.note} {more}" if last.note else more)
    return shown


def _is_named(row: Cell, words: str) -> bool:
    """Whether the prompt of a row, behind its place in the ranking, stands in the words."""
    prompt = row.text.split("\N{NO-BREAK SPACE}")[-1]
    return re.search(rf"(?<![\w/-]){re.escape(prompt)}(?![\w/-])", words) is not None
