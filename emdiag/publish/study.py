"""Several results as one page: a chapter each, the samples together, the claims at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emdiag.core.claims import ClaimsResult
from emdiag.core.records import Result
from emdiag.findings.page import Context
from emdiag.publish.context import page_context
from emdiag.publish.kinds import kind_of
from emdiag.publish.sources import sources_together
from emdiag.reports.study_page import Chapter, study_page
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.findings.page import Page
    from emdiag.store.session import Session

_QUESTION = "What do these measurements say together?"


@dataclass(frozen=True, kw_only=True)
class StudyPart:
    """A result that becomes a chapter, and the store that holds its samples.

    Attributes:
        heading: Of its chapter; None for what its kind is called.
        words: That open its chapter, a paragraph each.
        is_brief: Whether all tables of its chapter are folded.
    """

    result: Result
    store: RunStore
    heading: str | None = None
    words: tuple[str, ...] = ()
    is_brief: bool = False


def study_of(
    parts: Sequence[StudyPart], session: Session, *, title: str = "Study", question: str = _QUESTION
) -> Page:
    """A page with a chapter for each result; claims end it.

    Raises:
        StoreError: A run cannot be read.
    """
    claims = [part.result for part in parts if isinstance(part.result, ClaimsResult)]
    chapters = [
        Chapter(
            heading=part.heading or kind_of(part.result).heading(part.result),
            words=part.words,
            page=kind_of(part.result).page(part.result, context=Context()),
            is_brief=part.is_brief,
        )
        for part in parts
        if not isinstance(part.result, ClaimsResult)
    ]
    sources = [kind_of(part.result).sources(part.result, part.store) for part in parts]
    return study_page(
        title=title,
        question=question,
        chapters=chapters,
        claims=claims[-1] if claims else None,
        context=page_context(sources_together(sources), session),
    )
