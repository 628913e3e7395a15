from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.results import CompareResult
from emdiag.reports.pages import comparison_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def page_of(*comparisons: Any, macro: Any = None) -> Page:
    return comparison_page(CompareResult(comparisons=comparisons, macro=macro))


@pytest.mark.parametrize(
    ("conclusion", "difference", "direction", "tone", "words"),
    [
        ("right better", 0.335, "higher", "better", "em is 33.5 points [28.1, 38.9] better than"),
        ("left better", -0.335, "lower", "worse", "em is 33.5 points [28.1, 38.9] worse than"),
        ("equivalent", 0.001, "undecided", "plain", "equivalent within 2 points on chain: +0.1"),
        ("undecided", -0.01, "undecided", "undecided", "No significant difference between em and"),
    ],
)
def test_the_answer_says_no_more_than_the_conclusion(
    make: Make, conclusion: Any, difference: float, direction: str, tone: str, words: str
) -> None:
    row = make["comparison"](conclusion, difference)
    (statement,) = page_of(row).answers
    assert (statement.direction, statement.tone) == (direction, tone)
    assert (statement.value, statement.interval) == (difference, row.interval)
    assert statement.subject == "em minus base on chain"
    assert words in statement.words


def test_the_mean_over_benchmarks_comes_first(make: Make) -> None:
    macro = make["comparison"]("right better", 0.1, benchmark="mean of 2 benchmarks", test=None)
    page = page_of(make["comparison"]("undecided"), macro=macro)
    assert "on average over the benchmarks" in page.answers[0].words
    assert [row[0].text for row in page.sections[0].tables[0].rows][-1] == "mean of 2 benchmarks"


def test_flipped_problems_are_named_where_there_are_any(make: Make) -> None:
    page = page_of(make["comparison"]("right better"))
    flips = page.sections[-1].tables[0]
    assert [cell.text for cell in flips.rows[0]] == [
        "chain",
        "wrong to right",
        "2",
        "chain/0001, chain/0002",
    ]
    assert len(page_of(make["comparison"]("undecided", wrong_to_right=())).sections) == 1


def test_unequal_samples_few_problems_and_missing_intervals_are_doubted(make: Make) -> None:
    found = "\n".join(
        page_of(
            make["comparison"]("undecided", interval=None, problems=12, right_samples=8)
        ).cautions
    )
    assert "measured on 12 problems only" in found
    assert "no interval can be given" in found
    assert "base has 1 sample of each problem and em has 8" in found


def test_one_run_of_each_is_said_to_say_nothing_of_other_seeds(make: Make) -> None:
    assert "another training seed" in page_of(make["comparison"]("right better")).cautions[-1]


def test_the_page_renders(make: Make) -> None:
    assert "33.5 points" in render(page_of(make["comparison"]("right better"))).replace("\xa0", " ")
