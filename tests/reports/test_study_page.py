from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.claims import ClaimsResult
from emdiag.core.results import EvaluateResult, as_given
from emdiag.findings.page import Cell, Page, Section, Table
from emdiag.findings.sweep.statements import trend
from emdiag.reports.pages import evaluation_page, sweep_page
from emdiag.reports.render import render
from emdiag.reports.study_page import Chapter, study_page

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = dict[str, Callable[..., Any]]


pytestmark = pytest.mark.usefixtures("drawn_once")


def chapters(make: Make) -> tuple[Chapter, Chapter]:
    scores = EvaluateResult(scores=(make["score"](notes=(as_given("resumed"),)),), store="runs")
    return (
        Chapter(
            heading="Scores",
            words=("First the scores.",),
            page=evaluation_page(scores),
        ),
        Chapter(
            heading="Temperature",
            words=("Then what warmth does.",),
            page=sweep_page(make["sweep"](notes=(as_given("resumed"),))),
        ),
    )


def study(make: Make, *, claims: Any = None) -> Page:
    return study_page(
        title="The lab",
        question="Does it work?",
        chapters=chapters(make),
        claims=claims,
    )


def test_a_brief_chapter_folds_its_tables_and_keeps_its_pictures(make: Make) -> None:
    _, sweep = chapters(make)
    (long_main, *_), (main, detail) = (
        study_page(
            title="The lab",
            question="Does it work?",
            chapters=[replace(sweep, is_brief=is_brief)],
            claims=None,
        ).sections
        for is_brief in (False, True)
    )
    assert main.tables == ()
    assert main.pictures == long_main.pictures
    assert detail.tables[: len(long_main.tables)] == long_main.tables


def test_a_brief_ranking_shows_its_first_prompts_and_those_the_chapter_names() -> None:
    names = [f"pool/{place}" for place in range(1, 31)]
    rows = [(Cell(text=f"{n}.\N{NO-BREAK SPACE}{name}"),) for n, name in enumerate(names, 1)]
    ranking = [
        Table(title="first", columns=("prompt",), rows=tuple(rows[:20])),
        Table(title="others", columns=("prompt",), rows=tuple(rows[20:])),
    ]
    page = Page(
        kind="selection",
        title="Prompts",
        question="Which?",
        answers=(),
        sections=tuple(Section(heading=one.title, tables=(one,)) for one in ranking),
        cautions=(),
    )
    words = ("The good one is pool/12, the bad one (pool/29).",)
    made = study_page(
        title="The lab",
        question="Does it work?",
        chapters=[Chapter(heading="Which", words=words, page=page, is_brief=True)],
        claims=None,
    )
    first, others = made.sections[1].tables
    assert [row[0].text[-2:] for row in first.rows[9:]] == ["10", "12"]
    assert len(first.rows) == 11
    assert [row[0] for row in others.rows] == [rows[28][0]]
    assert others.note == "18 prompts more on the page of the selection."


def test_the_contents_leave_folded_parts_out(make: Make) -> None:
    contents = render(study(make)).split("<nav")[1].split("</nav>")[0]
    assert "Scores</a>" in contents
    assert "details" not in contents


def test_the_story_is_told_in_order_and_ends_with_the_claims(make: Make) -> None:
    claims = ClaimsResult(claims=(make["claim"]("C01", "holds"),), notes=(), store="runs")
    assert [section.heading for section in study(make, claims=claims).sections] == [
        "Scores",
        "Scores: details",
        "Temperature",
        "Temperature: details",
        "Claims",
        "Rules, reasons and numbers",
    ]


def test_a_chapter_begins_with_its_words_and_its_findings(make: Make) -> None:
    first = study(make).sections[0]
    assert first.words == (
        "First the scores.",
        "em: 90.0 % [88.0, 92.0] on chain (greedy).",
    )
    assert first.pictures
    assert study(make).sections[1].is_detail


def test_every_score_stands_above_the_fold(make: Make) -> None:
    scores = [make["score"](label=f"arm-{number}") for number in range(6)]
    page = evaluation_page(EvaluateResult(scores=tuple(scores), store="runs"))
    first = study_page(
        title="", question="", chapters=[Chapter(page=page, heading="Scores")], claims=None
    ).sections[0]
    assert [words.partition(":")[0] for words in first.words] == [s.label for s in scores]


def test_the_top_holds_the_claims_and_the_first_finding_of_each_chapter(make: Make) -> None:
    claims = ClaimsResult(claims=(make["claim"]("C01", "holds"),), notes=(), store="runs")
    said = [one.words for one in study(make, claims=claims).answers]
    assert said[0].startswith("Of 1 claim 1 holds")
    assert said[1].startswith("em: 90.0 %")
    assert said[2] == trend(make["sweep"]().slopes[1]).words


def test_a_doubt_of_two_chapters_is_said_once(make: Make) -> None:
    cautions = study(make).cautions
    assert sum("esumed" in one for one in cautions) == 1


def test_the_page_renders_with_all_its_figures(make: Make) -> None:
    assert render(study(make)).count("<svg") >= 5
