from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from emdiag.cli.console import Out
from emdiag.cli.show import show
from emdiag.core.checkpoints import Arm
from emdiag.core.logit_skew import (
    Decomposition,
    LogitDifference,
    LogitEstimate,
    LogitSkewResult,
    PublishedFigure,
    QuirkStep,
    QuirkValue,
    TextInfo,
    TopTokenFlow,
)
from emdiag.core.moments import COOLING_TEMPERATURES
from emdiag.core.results import Interval, direction_of, remark
from emdiag.findings.logits.rows import POOLED_SKEWNESS, RANKS, SKEWNESS, LogitRows, rank_range
from emdiag.findings.logits.statements import (
    cooling_statements,
    difference_statement,
    flip_statements,
    headline_statements,
    logit_cautions,
    logit_findings,
    published_statements,
    shift_statements,
    skewness_statements,
    tenth_statements,
    text_statements,
)

if TYPE_CHECKING:
    from emdiag.core.logit_skew import Finding, StatisticKind
    from emdiag.findings.page import Statement

GOLDEN = Path(__file__).parent / "golden" / "logits.txt"
UP, DOWN, BOTH = (0.5, 1.0), (-1.0, -0.5), (-0.5, 1.0)


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="bootstrap over problems")


def estimate(
    statistic: str = "skewness",
    kind: StatisticKind = "per_token",
    *,
    change: tuple[float, float] | None = None,
    p_holm: float | None = 0.001,
    **fields: Any,
) -> LogitEstimate:
    """One row of em on the base's text; its difference has the interval `change`, if any."""
    difference = None
    if change is not None:
        between = interval(*change)
        difference = LogitDifference(
            base="base",
            value=sum(change) / 2,
            interval=between,
            p_value=p_holm,
            p_holm=p_holm,
            direction=direction_of(between, p_holm),
        )
    known: dict[str, Any] = {
        "checkpoint": "em", "text": "base", "source": "raw", "part": None, "value": 1.0,
        "interval": None, "tokens": 10, "problems": 8, "seeds": 1, "difference": difference,
    }  # fmt: skip
    return LogitEstimate(statistic=statistic, kind=kind, **{**known, **fields})


def decomposition(
    finding: Finding, temperature: float | None = 0.7, **fields: Any
) -> Decomposition:
    known: dict[str, Any] = {
        "checkpoint": "em", "text": "base", "kl_nats": 0.2, "cooling_nats": 0.15,
        "reranking_nats": 0.03, "rest_nats": 0.02, "own_temperatures_nats": 0.16,
        "curve_temperatures": COOLING_TEMPERATURES,
        "curve_nats": (0.1,) * len(COOLING_TEMPERATURES),
    }  # fmt: skip
    return Decomposition(finding=finding, temperature=temperature, **known | fields)


def study(*estimates: LogitEstimate, **fields: Any) -> LogitSkewResult:
    """A result of base and em that read texts of the base and their own."""
    texts = tuple(
        TextInfo(
            name=name, writer=writer, run="runs/1", problems=8, texts=8, tokens=120,
            temperature=1.0, truncated_frac=cut,
        )
        for name, writer, cut in (("base", "base", 0.0), ("own", "base", 0.0), ("own", "em", 0.25))
    )  # fmt: skip
    known: dict[str, Any] = {
        "benchmark": "chain", "problems": 8, "problems_total": 300, "samples": 1,
        "continuation": "both", "base": "base", "texts": texts, "estimates": estimates,
        "decompositions": (), "flows": (), "histograms": (), "published": None,
        "notes": (remark("partial", problems=8, total=300),), "store": "emdiag-out",
        "arms": tuple(
            Arm(label=label, stage=stage, checkpoints=("a",), digests=("0",))
            for label, stage in (("base", "base"), ("em", "em"))
        ),
    }  # fmt: skip
    return LogitSkewResult(**known | fields)


def spoken(*estimates: LogitEstimate, text: str = "base", **fields: Any) -> list[Statement]:
    return text_statements(LogitRows(study(*estimates, **fields)), [text])


def only(*estimates: LogitEstimate, **fields: Any) -> Statement:
    (statement,) = spoken(*estimates, **fields)
    return statement


SHARE = estimate("cooling_share", value=0.9, interval=interval(0.85, 0.95))


@pytest.mark.parametrize(
    ("row", "kind", "direction"),
    [
        (estimate(change=UP), "skewness", "higher"),
        (estimate(change=DOWN), "skewness", "lower"),
        (estimate("entropy_nats", change=UP), "entropy", "higher"),
        (estimate("entropy_nats", change=DOWN), "entropy", "lower"),
        (estimate(kind="pooled", change=UP), "pooled skewness", "higher"),
        (estimate(change=BOTH), "skewness", "undecided"),
    ],
)
def test_a_statement_says_what_the_record_decided(
    row: LogitEstimate, kind: str, direction: str
) -> None:
    statement = only(row)
    assert row.difference is not None
    assert (statement.kind, statement.direction) == (kind, direction)
    assert statement.subject == "em on the text of base"
    assert (statement.value, statement.interval) == (row.difference.value, row.difference.interval)
    assert statement.tone == ("undecided" if direction == "undecided" else "plain")


def test_own_texts_have_statements_of_their_own() -> None:
    row = estimate(change=UP, text="own")
    assert spoken(row) == []
    assert only(row, text="own").subject == "em on each checkpoint's own text"


@given(
    low=st.floats(-1, 1),
    width=st.floats(0, 1),
    p_holm=st.one_of(st.none(), st.floats(0, 1)),
)
def test_no_direction_is_claimed_while_zero_is_possible(
    low: float, width: float, p_holm: float | None
) -> None:
    statement = only(estimate(change=(low, low + width), p_holm=p_holm))
    excludes = low > 0 or low + width < 0
    is_decided = excludes and p_holm is not None and p_holm < 1 - 0.95
    assert (statement.direction != "undecided") == is_decided
    assert ("skewed than" in statement.words) == is_decided
    assert ("No significant difference" in statement.words) == (not is_decided)


def test_without_an_interval_nothing_is_claimed() -> None:
    row = estimate(change=UP)
    assert row.difference is not None
    gap = replace(row.difference, interval=None, direction="undecided")
    statement = only(replace(row, difference=gap))
    assert (statement.direction, statement.interval) == ("undecided", None)
    assert statement.words.endswith("without an interval")


@pytest.mark.parametrize(
    ("base", "value", "direction", "words"),
    [
        (2.0, 1.5, "lower", "less right-skewed"),
        (0.1, -0.2, "lower", "more left-skewed"),
        (-0.1, -0.3, "lower", "more left-skewed"),
        (1.5, 2.0, "higher", "more right-skewed"),
        (-0.1, 0.3, "higher", "more right-skewed"),
        (-0.4, -0.3, "higher", "less left-skewed"),
    ],
)
def test_the_side_of_a_skew_is_that_it_moved_to(
    base: float, value: float, direction: Any, words: str
) -> None:
    row = estimate(value=value, change=UP if direction == "higher" else DOWN)
    start = estimate(checkpoint="base", value=base)
    statement = difference_statement(LogitRows(study(start, row)), "em", "base", SKEWNESS)
    assert statement is not None
    assert statement.words.startswith(f"em is {words} than base on the text of base: ")


def test_opposite_signs_are_said_only_where_both_are_significant() -> None:
    def opposite(
        per_token: tuple[float, float], pooled: tuple[float, float], p: float
    ) -> list[Any]:
        rows = estimate(change=per_token), estimate(kind="pooled", change=pooled, p_holm=p)
        return [one.direction for one in spoken(*rows) if one.kind == "opposite skewness"]

    assert opposite(DOWN, UP, 0.001) == ["lower"]
    assert opposite(UP, DOWN, 0.001) == ["higher"]
    for per_token, pooled in ((UP, UP), (DOWN, DOWN), (UP, BOTH), (BOTH, DOWN)):
        assert opposite(per_token, pooled, 0.001) == []
    assert opposite(UP, DOWN, 0.2) == []


def test_log_probabilities_parts_and_the_base_are_not_spoken_of() -> None:
    for row in (
        estimate(source="log_prob", change=UP),
        estimate(part="decile 3", change=UP),
        estimate(checkpoint="base", change=UP),
        estimate("sigma", change=UP),
        estimate(),
    ):
        assert spoken(row) == []


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("cooling", "is cooling"),
        ("partly cooling", "is partly cooling"),
        ("not cooling", "is not cooling"),
        ("undecided", "may or may not be cooling"),
    ],
)
def test_what_one_temperature_explains_is_said_with_its_share(finding: Finding, words: str) -> None:
    statement = only(SHARE, decompositions=(decomposition(finding),))
    assert (statement.kind, statement.direction) == ("cooling", None)
    assert (statement.value, statement.interval) == (SHARE.value, SHARE.interval)
    assert statement.tone == ("undecided" if finding == "undecided" else "plain")
    assert statement.words == (
        f"The change from base to em {words} on the text of base: one temperature (T = 0.700) "
        "explains 90.0 % [85.0, 95.0] of the KL of 0.200 nats per token"
    )


def test_without_a_best_temperature_none_is_named() -> None:
    statement = only(SHARE, decompositions=(decomposition("undecided", None),))
    assert "no temperature from 1/8 to 4 is best" in statement.words
    assert "T =" not in statement.words


def test_a_checkpoint_like_the_base_is_said_to_be_like_it() -> None:
    statement = only(decompositions=(decomposition("unchanged", 1.0, kl_nats=2e-4),))
    assert (statement.kind, statement.value) == ("cooling", None)
    assert "unchanged from base" in statement.words
    assert "0.000200 nats" in statement.words


def test_the_headline_is_skewness_and_cooling_on_the_text_of_the_base() -> None:
    own, shared = estimate(text="own", change=UP), estimate(change=DOWN)
    entropy = estimate("entropy_nats", change=UP)
    rows = LogitRows(study(own, entropy, shared, decompositions=(decomposition("cooling"),)))
    headline = headline_statements(rows)
    assert [one.kind for one in headline] == ["skewness", "cooling"]
    assert {one.subject for one in headline} == {"em on the text of base"}
    (elsewhere,) = headline_statements(LogitRows(study(own)))
    assert elsewhere.subject == "em on each checkpoint's own text"


def test_what_is_not_compared_has_values_and_no_direction() -> None:
    base, em = (
        estimate(checkpoint=label, text="own", value=value, interval=interval(value - 1, value + 1))
        for label, value in (("base", 2.0), ("em", 3.0))
    )
    (alone,) = headline_statements(LogitRows(study(base)))
    assert (alone.direction, alone.value, alone.interval) == (None, 2.0, base.interval)
    (unpaired,) = skewness_statements(LogitRows(study(base, em)), "own", SKEWNESS)
    assert (unpaired.direction, unpaired.value) == (None, 3.0)
    assert unpaired.words.endswith("unpaired, so not compared")
    (missing,) = skewness_statements(LogitRows(study(base)), "own", POOLED_SKEWNESS)
    assert missing.words.endswith("not defined")


def test_tenths_are_counted_by_their_direction() -> None:
    changes = [DOWN] * 7 + [BOTH] * 2 + [UP]
    tenths = [
        estimate(part=f"decile {tenth}", change=change) for tenth, change in enumerate(changes, 1)
    ]
    (statement,) = tenth_statements(LogitRows(study(*tenths)), "base")
    assert statement.kind == "along the text"
    assert "skewness lower in 7 and higher in 1 of 10 tenths" in statement.words
    undecided = [estimate(part=f"decile {tenth}", change=BOTH) for tenth in range(1, 11)]
    (statement,) = tenth_statements(LogitRows(study(*undecided)), "base")
    assert "without a significant difference in 10 tenths" in statement.words


@pytest.mark.parametrize(
    ("head", "tail", "direction", "words"),
    [
        (UP, DOWN, "higher", "head raised, tail lowered"),
        (BOTH, DOWN, "undecided", "head undecided, tail lowered"),
        (UP, BOTH, "higher", "head raised, tail undecided"),
        (DOWN, DOWN, "lower", "head and tail lowered"),
        (DOWN, UP, "lower", "head lowered, tail raised"),
        (BOTH, BOTH, "undecided", "no significant shift"),
    ],
)
def test_head_and_tail_are_spoken_of_where_interval_and_test_decide(
    head: tuple[float, float], tail: tuple[float, float], direction: str, words: str
) -> None:
    rows = [
        estimate(
            "log_prob_shift_nats",
            source="log_prob",
            part=part,
            interval=interval(*ends),
            change=ends,
        )
        for part, ends in ((RANKS[0], head), (RANKS[-1], tail))
    ]
    (statement,) = shift_statements(LogitRows(study(*rows)), "base")
    assert (statement.kind, statement.direction) == ("shift by rank", direction)
    assert statement.interval == interval(*head)
    assert statement.words.endswith(words)
    for lacking, ends_with in ({"interval": None}, "an interval"), ({"difference": None}, "a test"):
        bare = [
            replace(row, **{"difference": estimate(change=BOTH).difference} | lacking)
            for row in rows
        ]
        (statement,) = shift_statements(LogitRows(study(*bare)), "base")
        assert statement.words.endswith(f"without {ends_with}")


def test_ranks_are_written_as_ranges() -> None:
    assert [rank_range(part) for part in (*RANKS[:3], RANKS[-1])] == ["1", "2", "3-4", "1025+"]


def flow(before: str, after: str, number: int) -> TopTokenFlow:
    return TopTokenFlow(
        checkpoint="em", text="base", from_token=before, to_token=after, count=number, share=0.1
    )


def test_the_most_frequent_flip_is_named_so_that_it_can_be_read() -> None:
    flows = flow("3", "4", 2), flow("\n\u202e", "x" * 99, 40)
    rows = LogitRows(study(FLIPPED, flows=flows))
    (statement,) = flip_statements(rows, "base", ["em"])
    assert (statement.kind, statement.value) == ("flips", FLIPPED.value)
    assert "'\\n\\u202e'" in statement.words
    assert "(40 times)" in statement.words
    assert len(statement.words) < 200
    assert flip_statements(LogitRows(study()), "base", ["em"]) == []


FLIPPED = estimate("top1_flips_frac", value=0.11, interval=interval(0.09, 0.13))


def published() -> PublishedFigure:
    def step(name: str, base: float, em: float, between: tuple[float, float]) -> QuirkStep:
        values = (
            QuirkValue(
                checkpoint="base", mean=0.0, sigma=1.0, skewness=base, tokens=60,
                interval=interval(base - 0.1, base + 0.1),
            ),
            QuirkValue(
                checkpoint="em", mean=0.0, sigma=1.0, skewness=em, tokens=60, change=em - base,
                interval=interval(em - 0.1, em + 0.1), change_interval=interval(*between),
            ),
        )  # fmt: skip
        return QuirkStep(name=name, undone=(), cumulative=True, values=values)

    first = step("as published", 0.5, 1.5, (0.8, 1.2))
    last = step("also without pooled", 2.0, 1.9, (-0.2, 0.02))
    return PublishedFigure(
        temperature=0.6, top_k=50, positions=37, texts=(), undone=(), shown=first,
        alone=(step("without top-k", 0.5, 1.2, (0.5, 0.9)),), ladder=(first, last),
    )  # fmt: skip


def test_the_published_figure_has_no_direction_since_nothing_tests_it() -> None:
    (statement,) = published_statements(study(published=published()))
    assert (statement.kind, statement.subject) == ("published", "em")
    assert (statement.direction, statement.value) == (None, 1.0)
    assert statement.interval == interval(0.8, 1.2)
    assert published_statements(study()) == []


def test_cautions_hold_the_notes_few_problems_truncation_and_single_seeds() -> None:
    cautions = logit_cautions(study(estimate(value=None)))
    assert cautions[0] == "Partial: the first 8 of 300 problems."
    for words in ("8 problems only", "em's text (own): 25.0 %", "skewness", "One training seed"):
        assert any(words in caution for caution in cautions), words


def example() -> LogitSkewResult:
    """A small study in which everything that is shown has something to show."""
    rows = []
    for text, change in (("base", (-0.4, -0.2)), ("own", (-0.1, 0.2))):
        for statistic, kind, start in (
            *(("skewness", "per_token", 2.24), ("skewness", "pooled", -0.04)),
            *(("entropy_nats", "per_token", 0.5), ("top1_prob", "per_token", 0.8)),
        ):
            named: Any = kind
            for label, far in (("base", 0.0), ("em", sum(change) / 2)):
                value = start + far
                row = estimate(
                    statistic, named, checkpoint=label, text=text, value=value,
                    interval=interval(value - 0.05, value + 0.05),
                    change=None if label == "base" else change,
                )  # fmt: skip
                rows.append(row)
    for statistic, value in (
        *(("kl_nats", 0.2), ("cooling_temperature", 0.7), ("cooling_share", 0.75)),
        *(("reranking_nats", 0.03), ("top1_flips_frac", 0.11)),
    ):
        between = interval(0.9 * value, 1.1 * value)
        rows.append(estimate(statistic, value=value, interval=between, problems=7))
    return study(
        *rows,
        decompositions=(decomposition("partly cooling"),),
        flows=(flow("3", "4", 40),),
        published=published(),
        figures=("emdiag-out/figures/chain-base-em/cooling",),
    )


def test_the_whole_output_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All words of a small study at 80 columns, compared exactly.

    `EMDIAG_REFRESH=1 python -m pytest tests/findings/test_logits.py -k whole_output` writes the
    file anew, to be read before it is committed.
    """
    for name, value in (("COLUMNS", "80"), ("TTY_COMPATIBLE", "1"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    show(logit_findings(example()), Out(json=False))
    output = capsys.readouterr()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output.out + output.err)
    text = "".join(f"{line.rstrip()}\n" for line in plain.splitlines())
    if os.environ.get("EMDIAG_REFRESH"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_main_tables_name_where_every_statistic_is() -> None:
    whole, brief = logit_findings(example()), logit_findings(example(), all_statistics=False)
    assert len(brief.tables) < len(whole.tables)
    assert "--wide" in brief.next[0]
    assert brief.statements == whole.statements


def test_statements_of_all_texts_are_more_than_those_of_the_main_ones() -> None:
    extra = estimate(text="reference", change=UP)
    result = study(estimate(change=UP), extra)
    assert len(logit_findings(result).statements) == 1
    both = logit_findings(result, all_texts=True).statements
    assert [one.subject for one in both] == ["em on the text of base", "em on the reference text"]


def test_cooling_is_said_of_every_checkpoint_that_was_decomposed() -> None:
    rows = LogitRows(study(SHARE, decompositions=(decomposition("cooling"),)))
    assert [one.subject for one in cooling_statements(rows, "base")] == ["em on the text of base"]
    assert cooling_statements(rows, "own") == []
