from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emdiag.core.results import EvaluateResult, as_given
from emdiag.reports.pages import evaluation_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def page_of(*scores: Any) -> Page:
    return evaluation_page(EvaluateResult(scores=scores, store="runs"))


def doubts(*scores: Any) -> str:
    return "\n".join(page_of(*scores).cautions)


def test_a_score_is_stated_with_its_interval_and_what_was_asked(make: Make) -> None:
    interval = make["around"](0.966, 0.02)
    page = page_of(make["score"]("em", 0.968, interval=interval))
    (statement,) = page.answers
    assert (statement.kind, statement.subject) == ("score", "em on chain")
    assert (statement.value, statement.interval) == (0.968, interval)
    assert statement.words == "em: 96.8 % [94.6, 98.6] on chain (greedy)"
    assert page.question == "What share of chain does em answer correctly?"


def test_samples_are_named_with_their_temperature(make: Make) -> None:
    page = page_of(make["score"](samples=8, temperature=0.6))
    assert page.answers[0].words.endswith("on chain (avg@8 at T 0.6)")


def test_scores_at_several_temperatures_have_a_column_for_it(make: Make) -> None:
    page = page_of(make["score"](), make["score"](temperature=0.6))
    scores = page.sections[0].tables[0]
    assert [row[scores.columns.index("T")].text for row in scores.rows] == ["0", "0.6"]


def test_no_score_is_called_better_than_another(make: Make) -> None:
    page = page_of(make["score"]("base", 0.6), make["score"]("em", 0.9))
    assert {one.tone for one in page.answers} == {"plain"}
    assert {one.direction for one in page.answers} == {None}
    assert "emdiag compare" in page.sections[0].words[0]


def test_every_doubt_of_a_score_is_said(make: Make) -> None:
    found = doubts(
        make["score"](
            partial=True,
            problems=20,
            interval=None,
            rates={"truncated_frac": 0.12, "undecided_frac": 0.01},
            without_tagged=make["metric"]("avg@1", 0.8),
            notes=(as_given("weights were cast"),),
        )
    )
    for words in (
        "Partial: 20 of 300 problems",
        "measured on 20 problems only",
        "12.0 % of samples were cut off",
        "could not decide 1.0 %",
        "without these problems the score is 80.0 % [77.0, 83.0]",
        "no interval can be given",
        "weights were cast",
    ):
        assert words.lower() in found.lower()


def test_a_sound_score_of_a_base_raises_no_doubt(make: Make) -> None:
    assert doubts(make["score"]("base", stage="base")) == ""


def test_a_gain_over_a_base_may_be_one_of_template_or_seed(make: Make) -> None:
    found = doubts(make["score"]("base", stage="base"), make["score"]("em", stage="em"))
    assert "template chain" in found
    assert "One training seed each for em" in found


def test_scores_from_different_engines_are_not_compared_in_silence(make: Make) -> None:
    assert "different engines (transformers and vllm)" in doubts(
        make["score"]("base"), make["score"]("em", engine="vllm")
    )


def test_the_picture_says_its_finding_to_who_cannot_see_it(make: Make) -> None:
    picture = page_of(make["score"]("em", 0.9)).sections[0].pictures[0]
    assert "em: 90.0 % [88.0, 92.0] on chain" in picture.alt
    assert picture.svg.startswith("<?xml")


def test_coverage_is_drawn_for_several_samples_only(make: Make) -> None:
    drawn = [one.name for one in page_of(make["score"](samples=4)).sections[0].pictures]
    assert drawn == ["scores", "pass-at-k"]
    assert len(page_of(make["score"]()).sections[0].pictures) == 1


def test_columns_that_nothing_fills_are_left_out(make: Make) -> None:
    single = page_of(make["score"]()).sections[0].tables[0]
    assert "maj@1" not in single.columns
    assert all(len(row) == len(single.columns) for row in single.rows)


def test_labels_of_users_reach_the_page_as_text(make: Make) -> None:
    html = render(page_of(make["score"]("<script>alert(1)</script>")))
    assert "<script>alert" not in html
