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
from emdiag.findings.page import Context
from emdiag.reports.logit_page import logit_page
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
        "statements": (),
        "notes": ("partial: the first 60 of 300 problems",),
        "store": "runs",
    }
    return LogitSkewResult(**fields | other)


def page_of(result: LogitSkewResult) -> Page:
    return logit_page(result, context=Context())


def test_skewness_and_cooling_of_a_checkpoint_are_one_answer(
    make: Make, said: Callable[[Page], str]
) -> None:
    assert said(page_of(study(make))) == (
        "plain: On the text of base, em is less right-skewed than base: per-token skewness "
        "-0.300 [-0.320, -0.280]. The change is not cooling: one temperature explains "
        "10.0 % [8.0, 12.0] of the KL"
    )


def test_a_direction_is_named_only_where_the_study_claims_one(
    make: Make, said: Callable[[Page], str]
) -> None:
    words = said(page_of(study(make, direction="undecided", finding="undecided")))
    assert words.startswith("undecided: On the text of base, undecided whether em is more or less")
    assert "Undecided whether the change is cooling" in words


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("cooling", "The change is cooling: one"),
        ("partly cooling", "The change is cooling in part: one"),
        ("unchanged", "The distribution has hardly changed (0.05 nats of KL per token)"),
    ],
)
def test_each_finding_has_its_words(
    make: Make, said: Callable[[Page], str], finding: Any, words: str
) -> None:
    assert words in said(page_of(study(make, finding=finding)))


def test_what_cannot_be_compared_is_said_in_the_words_of_the_study(
    make: Make, said: Callable[[Page], str]
) -> None:
    result = study(
        make,
        estimates=(estimate(make, "base", "skewness", 2.2, text="own"),),
        statements=("On its own text, base has skewness 2.2",),
        decompositions=(),
    )
    assert said(page_of(result)) == "plain: On its own text, base has skewness 2.2"


def test_a_cell_holds_value_and_direction_and_hints_at_the_difference(make: Make) -> None:
    row = page_of(study(make)).sections[0].tables[0].rows[0]
    assert [cell.text for cell in row] == [
        "skewness, per token",
        "2.200 [2.180, 2.220]",
        "1.900 [1.880, 1.920] \N{DOWNWARDS ARROW}",
    ]
    assert row[2].hint == "minus base: -0.300 [-0.320, -0.280], corrected p 0.00200"


def test_statistics_without_a_name_of_ours_are_still_in_the_folded_table(make: Make) -> None:
    detail = page_of(study(make)).sections[-1]
    assert detail.is_detail
    assert "mystery (rank 1)" in [row[0].text for row in detail.tables[0].rows]


def test_notes_and_truncated_texts_are_doubted(make: Make) -> None:
    found = "\n".join(page_of(study(make)).cautions)
    assert "Partial: the first 60 of 300 problems." in found
    assert "20.0 % of samples were cut off" in found


def test_the_page_renders(make: Make) -> None:
    assert "Skewness" in render(page_of(study(make)))
