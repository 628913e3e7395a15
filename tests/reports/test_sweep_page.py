from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.findings.page import Context
from emdiag.reports.render import render
from emdiag.reports.sweep_page import sweep_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


pytestmark = pytest.mark.usefixtures("drawn_once")


def page_of(result: Any) -> Page:
    return sweep_page(result, context=Context())


def test_trends_and_cooling_are_answered_with_their_intervals(
    make: Make, said: Callable[[Page], str]
) -> None:
    words = said(page_of(make["sweep"]()))
    assert (
        "worse: Accuracy of em falls on chain with temperature: -20.0 points [-24.0, -16.0] per "
        "unit of temperature" in words
    )
    assert "undecided: Undecided whether accuracy of base falls or rises" in words
    assert (
        "better: At T 1, em is 20.0 points [17.0, 23.0] above base cooled to the same entropy "
        "(T 0.7): more than cooling" in words
    )


def test_trained_checkpoints_come_before_the_base(make: Make) -> None:
    assert "Accuracy of em" in page_of(make["sweep"]()).answers[0].words


@pytest.mark.parametrize(
    ("verdict", "difference", "words"),
    [
        ("cooling", 0.001, "plain: At T 1, em is 0.1 points [-2.9, 3.1] above base"),
        ("less than cooling", -0.2, "worse: At T 1, em is 20.0 points [17.0, 23.0] below base"),
        ("undecided", 0.03, "undecided whether it is more than cooling"),
    ],
)
def test_each_verdict_of_the_control_has_its_words(
    make: Make, said: Callable[[Page], str], verdict: Any, difference: float, words: str
) -> None:
    result = make["sweep"](controls=(make["control"](verdict, difference),))
    assert words in said(page_of(result))


def test_entropies_that_could_not_be_matched_decide_nothing(
    make: Make, said: Callable[[Page], str]
) -> None:
    result = make["sweep"](controls=(make["control"]("undecided", is_matched=False),))
    page = page_of(result)
    assert "undecided: At T 1, em has an entropy of 0.200 nats that base was not brought" in said(
        page
    )
    assert any("No temperature of base was found" in doubt for doubt in page.cautions)


def test_the_headline_control_speaks_and_names_the_others(
    make: Make, said: Callable[[Page], str]
) -> None:
    controls = (
        make["control"]("less than cooling", temperature=0.2),
        make["control"]("more than cooling", temperature=0.8, is_headline=True),
        make["control"]("more than cooling", temperature=0.5),
    )
    result = make["sweep"](controls=controls)
    assert "more than cooling; also more at T 0.5, less at T 0.2" in said(page_of(result))


def test_differences_of_slopes_are_said_only_where_interval_and_test_agree(
    make: Make, said: Callable[[Page], str]
) -> None:
    assert "the slope of base lies above that of em: +10.0 points [8.0, 12.0]" in said(
        page_of(make["sweep"]())
    )
    result = make["sweep"]()
    weak = type(result.slope_differences[0])(
        left="base",
        right="em",
        benchmark="chain",
        axis="temperature",
        value=0.1,
        interval=make["around"](0.1, 0.02),
        p_value=0.04,
        p_holm=0.2,
    )
    assert "the slope of" not in said(page_of(make["sweep"](slope_differences=(weak,))))


def test_without_trend_or_control_the_accuracies_are_the_answer(
    make: Make, said: Callable[[Page], str]
) -> None:
    result = make["sweep"](slopes=(), slope_differences=(), controls=())
    assert "base answers 60.0 % [57.0, 63.0] of chain right at T 0" in said(page_of(result))
    assert "cooled" not in page_of(result).question


def test_every_setting_stands_in_the_folded_tables(make: Make) -> None:
    page = page_of(make["sweep"]())
    detail = next(section for section in page.sections if section.heading == "Every setting")
    assert detail.is_detail
    first = detail.tables[0]
    assert [row[0].text for row in first.rows] == ["greedy", "T 0.5", "T 1"]
    assert first.rows[0][2].text == "90.0 [87.0, 93.0]"


def test_truncation_few_problems_and_partial_runs_are_doubted(make: Make) -> None:
    point = make["point"](
        "em", 0.5, 0.9, problems=20, truncated_frac=make["metric"]("truncated", 0.2)
    )
    found = "\n".join(page_of(make["sweep"](points=(point,), notes=("resumed",))).cautions)
    assert "Partial: 20 of 300 problems of chain" in found
    assert "em on chain at T 0.5: 20.0 % of samples were cut off" in found
    assert "One training seed each for em" in found
    assert "resumed" in found.lower()


def test_the_figures_tell_their_findings_to_who_cannot_see_them(make: Make) -> None:
    first, second = page_of(make["sweep"]()).sections[:2]
    assert [one.name for one in first.pictures] == ["accuracy", "slopes"]
    assert "-20.0 points [-24.0, -16.0]" in first.pictures[0].alt
    assert [one.name for one in second.pictures] == ["control", "entropy"]


def test_the_page_renders(make: Make) -> None:
    assert "More than cooling?" in render(page_of(make["sweep"]()))
