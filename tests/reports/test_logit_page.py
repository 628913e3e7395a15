from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.checkpoints import Arm
from emdiag.core.logit_skew import (
    Decomposition,
    LogitDifference,
    LogitEstimate,
    LogitSkewResult,
    TextInfo,
)
from emdiag.core.results import remark
from emdiag.findings.logits.rows import LogitRows
from emdiag.findings.logits.statements import headline_statements
from emdiag.reports.pages import logit_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def estimate(make: Make, label: str, statistic: str, value: float, **other: Any) -> LogitEstimate:
    fields: dict[str, Any] = {
        "checkpoint": label,
        "text": "base",
        "statistic": statistic,
        "kind": "per_token",
        "source": "raw",
        "part": None,
        "value": value,
        "interval": make["around"](value, 0.02),
        "tokens": 1000,
        "problems": 60,
        "seeds": 1,
    }
    return LogitEstimate(**fields | other)


def study(
    make: Make, *, direction: Any = "lower", finding: Any = "not cooling", **other: Any
) -> LogitSkewResult:
    gap = LogitDifference(
        base="base",
        value=-0.3,
        interval=make["around"](-0.3, 0.02),
        p_value=0.001,
        p_holm=0.002,
        direction=direction,
    )
    stages: dict[str, Any] = {"base": "base", "em": "em"}
    fields: dict[str, Any] = {
        "benchmark": "chain",
        "problems": 60,
        "problems_total": 300,
        "samples": 1,
        "continuation": "shared",
        "base": "base",
        "arms": tuple(
            Arm(label=label, stage=stage, checkpoints=("a",), digests=("0",))
            for label, stage in stages.items()
        ),
        "texts": (
            TextInfo(
                name="base",
                writer="base",
                run="runs/1",
                problems=60,
                texts=60,
                tokens=1000,
                temperature=1.0,
                truncated_frac=0.2,
            ),
        ),
        "estimates": (
            estimate(make, "base", "skewness", 2.2),
            estimate(make, "em", "skewness", 1.9, difference=gap),
            estimate(make, "em", "cooling_share", 0.1),
            estimate(make, "em", "mystery_frac", 0.1, part="rank 1"),
        ),
        "decompositions": (
            Decomposition(
                checkpoint="em",
                text="base",
                temperature=0.9,
                kl_nats=0.05,
                cooling_nats=0.005,
                reranking_nats=0.02,
                rest_nats=0.025,
                own_temperatures_nats=0.01,
                curve_temperatures=(0.9, 1.0),
                curve_nats=(0.045, 0.05),
                finding=finding,
            ),
        ),
        "flows": (),
        "histograms": (),
        "published": None,
        "notes": (remark("partial", problems=60, total=300),),
        "store": "runs",
    }
    return LogitSkewResult(**fields | other)


def page_of(result: LogitSkewResult) -> Page:
    return logit_page(result)


def test_the_answers_are_skewness_and_cooling_on_the_text_of_the_base(make: Make) -> None:
    result = study(make)
    answers = page_of(result).answers
    assert list(answers) == headline_statements(LogitRows(result))
    assert [(one.kind, one.direction) for one in answers] == [
        ("skewness", "lower"),
        ("cooling", None),
    ]
    assert answers[0].interval == make["around"](-0.3, 0.02)


@pytest.mark.parametrize(
    ("direction", "finding", "tones"),
    [
        ("lower", "cooling", ["plain", "plain"]),
        ("undecided", "not cooling", ["undecided", "plain"]),
        ("higher", "undecided", ["plain", "undecided"]),
    ],
)
def test_the_tone_of_an_answer_is_that_of_the_record(
    make: Make, direction: Any, finding: Any, tones: list[str]
) -> None:
    answers = page_of(study(make, direction=direction, finding=finding)).answers
    assert [one.tone for one in answers] == tones
    assert answers[0].direction == direction


def test_what_cannot_be_compared_is_answered_with_its_value(make: Make) -> None:
    rows = (estimate(make, "base", "skewness", 2.2, text="own"),)
    (answer,) = page_of(study(make, estimates=rows, decompositions=())).answers
    assert (answer.kind, answer.direction, answer.value) == ("skewness", None, 2.2)


def test_a_value_and_its_difference_each_have_a_table(make: Make) -> None:
    values, differences = page_of(study(make)).sections[0].tables
    assert [cell.text for cell in values.rows[0]] == [
        "skewness, per token",
        "2.200 [2.180, 2.220]",
        "1.900 [1.880, 1.920]",
    ]
    name, cell = differences.rows[0]
    assert name.text == "skewness, per token"
    assert cell.text == "\u22120.300 [\u22120.320, \u22120.280] \N{DOWNWARDS ARROW}"
    assert cell.hint == "corrected p = 0.002"


def test_statistics_without_a_name_of_ours_are_still_in_the_folded_table(make: Make) -> None:
    detail = page_of(study(make)).sections[-1]
    assert detail.is_detail
    names = [row[0].text for made in detail.tables for row in made.rows]
    assert "mystery (rank 1)" in names


def test_notes_and_truncated_texts_are_doubted(make: Make) -> None:
    found = "\n".join(page_of(study(make)).cautions)
    assert "Partial: the first 60 of 300 problems." in found
    assert "20.0 % of samples were cut off" in found


def test_the_page_renders(make: Make) -> None:
    assert "Skewness" in render(page_of(study(make)))
