from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.results import as_given
from emdiag.findings.sweep.statements import answers, baselines, statements, trends
from emdiag.reports.pages import MOST_ANSWERS, sweep_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


pytestmark = pytest.mark.usefixtures("drawn_once")


def page_of(result: Any) -> Page:
    return sweep_page(result)


def test_a_page_answers_with_the_statements_and_keeps_all_of_them_in_its_details(
    make: Make,
) -> None:
    slopes = [make["slope"](f"em-{number}", -0.2, "falls") for number in range(12)]
    result = make["sweep"](slopes=tuple(slopes))
    page = page_of(result)
    assert page.answers == answers(result, MOST_ANSWERS)
    assert len(page.answers) == MOST_ANSWERS
    assert page.sections[-1].is_detail
    assert page.sections[-1].words == tuple(f"{one.words}." for one in statements(result))


def test_without_a_baseline_there_is_no_section_of_it(make: Make) -> None:
    page = page_of(make["sweep"](slopes=(), slope_differences=(), controls=()))
    assert page.answers[0].kind == "score"
    assert "entropy" not in page.question


def test_all_settings_stand_in_the_folded_tables(make: Make) -> None:
    page = page_of(make["sweep"]())
    detail = next(section for section in page.sections if section.heading == "All settings")
    assert detail.is_detail
    first = detail.tables[0]
    assert [row[0].text for row in first.rows] == ["greedy", "T 0.5", "T 1"]
    assert first.columns[3] == "em"
    assert first.rows[0][3].text == "90.0 [87.0, 93.0]"


def test_cautions_and_notes_are_on_the_page(make: Make) -> None:
    point = make["point"]("em", 0.5, 0.9, problems=20)
    cautions = page_of(make["sweep"](points=(point,), notes=(as_given("resumed"),))).cautions
    assert [words.split()[0] for words in cautions] == ["Partial:", "chain", "One", "Resumed."]


def test_the_figures_tell_their_findings_to_who_cannot_see_them(make: Make) -> None:
    result = make["sweep"]()
    first, second = page_of(result).sections[:2]
    assert [picture.name for picture in first.pictures] == ["accuracy", "slopes"]
    assert trends(result)[0].words in first.pictures[0].alt
    assert [picture.name for picture in second.pictures] == ["control", "entropy"]
    assert baselines(result)[0].words in second.pictures[0].alt


def test_the_page_renders(make: Make) -> None:
    assert "Entropy-matched baseline" in render(page_of(make["sweep"]()))
