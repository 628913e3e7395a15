from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pytest

import emdiag
from emdiag.cli.console import Out
from emdiag.cli.show import show
from emdiag.core.checkpoints import Arm
from emdiag.core.results import as_given, direction_of
from emdiag.core.temperature_sweep import SlopeDifference, TemperatureSweepResult
from emdiag.findings.sweep.statements import (
    answers,
    baselines,
    baselines_by_checkpoint,
    different_slopes,
    slope_difference,
    statements,
    trend,
    trends,
    trends_by_checkpoint,
)
from emdiag.findings.sweep.tables import cautions, difference_table, question, sweep_findings
from tests.findings.sweeps import (
    around,
    make_control,
    make_point,
    make_slope,
    make_sweep,
    metric,
)

GOLDEN = Path(__file__).parent / "golden" / "sweep.txt"


def pair(value: float, *, p_holm: float = 0.002, right: str = "em") -> SlopeDifference:
    return SlopeDifference(
        left="base",
        right=right,
        benchmark="chain",
        axis="temperature",
        value=value,
        interval=around(value, 0.02),
        p_value=0.001,
        p_holm=p_holm,
        direction=direction_of(around(value, 0.02), p_holm),
    )


def rich_sweep() -> TemperatureSweepResult:
    """Three arms, a slope of each kind, and a baseline of each kind."""
    arms: tuple[tuple[str, Any, int], ...] = (("base", "base", 1), ("em", "em", 3), ("rl", "rl", 1))
    return make_sweep(
        arms=tuple(
            Arm(
                label=label,
                stage=stage,
                checkpoints=tuple("abc")[:seeds],
                digests=tuple("abc")[:seeds],
            )
            for label, stage, seeds in arms
        ),
        points=(
            *(
                make_point(label, temperature, start - 0.2 * temperature, problems=20)
                for label, start in (("base", 0.6), ("em", 0.9), ("rl", 0.8))
                for temperature in (0.0, 0.5, 1.0)
            ),
            make_point("base", 0.7, 0.5, is_control=True, truncated_frac=metric("truncated", 0.1)),
        ),
        slopes=(
            make_slope("base", 0.01, "undecided"),
            make_slope("em", -0.2, "falls"),
            make_slope("rl", 0.1, "rises", interval=None),
        ),
        slope_differences=(pair(0.1), pair(-0.1, right="rl"), pair(0.03, p_holm=0.2, right="rl")),
        controls=(
            make_control("more than cooling", is_headline=True),
            make_control("undecided", temperature=0.5, is_matched=False),
            make_control("less than cooling", -0.2, checkpoint="rl", is_headline=True),
        ),
        notes=(as_given("resumed"),),
        figures=("out/accuracy",),
    )


def test_the_terminal_shows_a_sweep_like_this(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refresh with `EMDIAG_REFRESH=1 python -m pytest tests/findings`, and read the difference."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    show(sweep_findings(rich_sweep()), Out(json=False))
    shown = capsys.readouterr()
    text = "\n".join(line.rstrip() for line in f"{shown.out}--\n{shown.err}".splitlines()) + "\n"
    if os.environ.get("EMDIAG_REFRESH"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("name", "direction", "tone", "words"),
    [
        ("rises", "higher", "better", "rises with temperature"),
        ("falls", "lower", "worse", "falls with temperature"),
        ("undecided", "undecided", "undecided", "shows no clear trend with temperature"),
    ],
)
def test_a_trend_is_as_the_record_decided(name: Any, direction: str, tone: str, words: str) -> None:
    slope = make_slope("em", 0.2, name)
    statement = trend(slope)
    assert (statement.kind, statement.subject) == ("trend", "em on chain")
    assert (statement.direction, statement.tone) == (direction, tone)
    assert (statement.value, statement.interval) == (slope.value, slope.interval)
    assert words in statement.words


def test_trained_checkpoints_come_before_the_base() -> None:
    assert [statement.subject for statement in trends(make_sweep())] == [
        "em on chain",
        "base on chain",
    ]


@pytest.mark.parametrize(
    ("value", "p_holm", "direction"),
    [
        (0.1, 0.002, "higher"),
        (-0.1, 0.002, "lower"),
        (0.01, 0.002, "undecided"),
        (0.1, 0.2, "undecided"),
    ],
)
def test_slopes_differ_only_where_interval_and_test_agree(
    value: float, p_holm: float, direction: Literal["higher", "lower", "undecided"]
) -> None:
    difference = pair(value, p_holm=p_holm)
    statement = slope_difference(difference)
    assert statement.direction == direction
    assert (statement.value, statement.interval) == (value, difference.interval)
    assert ("does not differ significantly" in statement.words) is (direction == "undecided")
    stated = different_slopes(make_sweep(slope_differences=(difference,)))
    assert stated == (() if direction == "undecided" else (statement,))


def test_em_against_rl_is_the_first_difference() -> None:
    stated = different_slopes(rich_sweep())
    assert [statement.subject for statement in stated] == [
        "base and em on chain",
        "base and rl on chain",
    ]
    em_against_rl = SlopeDifference(
        left="em",
        right="rl",
        benchmark="chain",
        axis="temperature",
        value=0.1,
        interval=around(0.1, 0.02),
        p_value=0.001,
        p_holm=0.002,
        direction="higher",
    )
    result = make_sweep(arms=rich_sweep().arms, slope_differences=(pair(0.1), em_against_rl))
    assert different_slopes(result)[0].subject == "em and rl on chain"


@pytest.mark.parametrize(
    ("verdict", "difference", "direction", "tone"),
    [
        ("more than cooling", 0.2, "higher", "better"),
        ("cooling", 0.001, "undecided", "plain"),
        ("less than cooling", -0.2, "lower", "worse"),
        ("undecided", 0.03, "undecided", "undecided"),
    ],
)
def test_a_baseline_is_stated_by_its_verdict(
    verdict: Any, difference: float, direction: str, tone: str
) -> None:
    control = make_control(verdict, difference)
    (statement,) = baselines(make_sweep(controls=(control,)))
    assert (statement.kind, statement.subject) == ("entropy-matched", "em on chain")
    assert (statement.direction, statement.tone) == (direction, tone)
    assert (statement.value, statement.interval) == (control.difference, control.interval)
    assert "minus base at equal entropy (T 0.7): " in statement.words
    assert not {"above", "below"} & set(statement.words.split())  # which an interval alone had said


def test_entropies_that_could_not_be_matched_decide_nothing() -> None:
    result = make_sweep(controls=(make_control("undecided", is_matched=False),))
    (statement,) = baselines(result)
    assert (statement.direction, statement.tone) == ("undecided", "undecided")
    assert (statement.value, statement.interval) == (None, None)
    assert any("no base temperature matches the entropy" in words for words in cautions(result))


def test_the_headline_states_the_baseline_and_names_the_others() -> None:
    controls = (
        make_control("less than cooling", temperature=0.2),
        make_control("more than cooling", temperature=0.8, is_headline=True),
        make_control("more than cooling", temperature=0.5),
    )
    (statement,) = baselines(make_sweep(controls=controls))
    assert statement.words.endswith("more than cooling; also more at T 0.5, less at T 0.2")


def test_over_several_benchmarks_trends_and_verdicts_are_counted() -> None:
    benchmarks = ("chain", "amc23", "math500")
    result = make_sweep(
        benchmarks=benchmarks,
        slopes=tuple(
            make_slope("em", -0.2, name, benchmark=benchmark)
            for name, benchmark in zip(("falls", "undecided", "falls"), benchmarks, strict=True)
        ),
        controls=tuple(
            make_control(verdict, benchmark=benchmark)
            for verdict, benchmark in zip(
                ("cooling", "undecided", "cooling"), benchmarks, strict=True
            )
        ),
    )
    (counted,) = trends_by_checkpoint(result, "temperature")
    assert "falls on 2, shows no clear trend on 1 of 3 benchmarks" in counted.words
    (verdicts,) = baselines_by_checkpoint(result)
    assert "no more than cooling in 2, undecided" in verdicts.words
    assert verdicts.words.endswith(" in 1 of 3 comparisons")


def test_without_trend_or_baseline_the_accuracies_are_stated() -> None:
    result = make_sweep(slopes=(), slope_differences=(), controls=())
    first = statements(result)[0]
    assert (first.kind, first.value, first.subject) == ("score", 0.6, "base on chain")
    assert answers(result, 2) == statements(result)[:2]
    assert "entropy" not in question(result)


def test_some_statements_of_each_kind_are_answers() -> None:
    kinds = [statement.kind for statement in answers(rich_sweep(), 6)]
    assert kinds == ["trend", "trend", *["entropy-matched"] * 2, *["slope difference"] * 2]


def test_tones_are_as_the_record_decided() -> None:
    weak = make_sweep(slope_differences=(pair(0.1, p_holm=0.2), pair(0.1)))
    differences = difference_table(weak)
    assert [row[2].tone for row in differences.rows] == ["undecided", "plain"]


def test_truncation_few_problems_and_partial_runs_are_cautions() -> None:
    point = make_point("em", 0.5, 0.9, problems=20, truncated_frac=metric("truncated", 0.2))
    words = "\n".join(cautions(make_sweep(points=(point,), notes=(as_given("resumed"),))))
    assert "Partial: 20 of 300 problems of chain" in words
    assert "em on chain, T 0.5: 20.0 % of samples were cut off" in words
    assert "One training seed each for em" in words
    assert "resumed" in words.lower()


def test_statements_of_a_result_are_public() -> None:
    stated = emdiag.statements(rich_sweep())
    assert [statement.words for statement in stated]
    assert {statement.kind for statement in stated} >= {"trend"}
