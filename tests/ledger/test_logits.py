from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emdiag.core.logit_skew import (
    LogitDifference,
    LogitEstimate,
    LogitSkewResult,
    PublishedFigure,
    QuirkStep,
    QuirkValue,
)
from emdiag.core.results import remark
from emdiag.store.run_store import RunStore
from tests.ledger.claim_stores import arm, between, judged

if TYPE_CHECKING:
    from pathlib import Path


def estimate(
    label: str,
    statistic: str,
    text: str,
    *,
    change: float = 0.0,
    p_holm: float = 0.01,
    **more: object,
) -> LogitEstimate:
    """A statistic of `label` with a change of half-width 0.05 against the base."""
    difference = LogitDifference(
        base="base", value=change, interval=between(change - 0.05, change + 0.05), p_value=0.01,
        p_holm=p_holm, direction="undecided",
    )  # fmt: skip
    fields: dict[str, object] = {
        "checkpoint": label, "text": text, "statistic": statistic, "kind": "per_token",
        "source": "raw", "part": None, "value": 1.0, "interval": None, "tokens": 9, "problems": 40,
        "seeds": 5, "difference": None if label == "base" else difference,
    }  # fmt: skip
    return LogitEstimate(**{**fields, **more})  # type: ignore[arg-type]


def write_study(
    root: Path,
    *estimates: LogitEstimate,
    published: dict[str, float] | None = None,
    samples: int = 8,
) -> None:
    step = QuirkStep(
        name="as published",
        undone=(),
        cumulative=True,
        values=tuple(
            QuirkValue(
                checkpoint=label, mean=0.0, sigma=1.0, skewness=1.5, interval=None, tokens=9,
                change=change, change_interval=between(change - 0.01, change + 0.01),
            )
            for label, change in (published or {}).items()
        ),
    )  # fmt: skip
    figure = PublishedFigure(
        temperature=0.6, top_k=50, positions=9, texts=(), undone=(), shown=step, alone=(),
        ladder=(step,),
    )  # fmt: skip
    RunStore(root).save(
        LogitSkewResult(
            benchmark="toy", problems=40, problems_total=40, samples=samples, continuation="both",
            base="base", texts=(), estimates=estimates, decompositions=(), flows=(), histograms=(),
            arms=(arm("base", "base", "b"), arm("em", "em", "e"), arm("rl", "rl", "r")),
            published=figure if published else None, notes=(), store="out",
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "right", "left"),
    [(0.06, "holds", "fails"), (0.04, "undecided", "undecided"), (-0.06, "fails", "holds")],
)
def test_skewness_is_judged_by_the_interval_on_the_bases_own_text(
    tmp_path: Path, change: float, right: str, left: str
) -> None:
    write_study(
        tmp_path,
        *(estimate(label, "skewness", "base", change=change) for label in ("base", "em", "rl")),
        *(estimate(label, "skewness", "own", change=-change) for label in ("em", "rl")),
        estimate("em", "skewness", "base", change=-change, kind="pooled"),
    )
    assert (judged(tmp_path, "C05")[0].verdict, judged(tmp_path, "C06")[0].verdict) == (right, left)
    assert judged(tmp_path, "C05")[0].figures[0].value == change


def test_the_published_figure_stands_beside_and_never_decides(tmp_path: Path) -> None:
    write_study(
        tmp_path, estimate("em", "skewness", "base", change=0.06), published={"em": -0.5}
    )  # fmt: skip
    (one,) = judged(tmp_path, "C05")
    assert one.verdict == "holds"
    assert one.figures[1].value == -0.5
    assert one.why[-1].code == "as-published"
    assert one.why[-1].values["differs"] is True


def test_the_last_study_counts_and_too_few_problems_decide_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, estimate("em", "skewness", "base", change=0.06))
    write_study(tmp_path, estimate("em", "skewness", "base", change=0.06, problems=19))
    (one,) = judged(tmp_path, "C05")
    assert one.verdict == "undecided"
    short = remark("problems-short", needed=20, measured=19)
    assert one.why[-1] == remark("rule-asks", lacks=(short,))


def test_a_gap_that_its_corrected_test_calls_chance_decides_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, estimate("em", "skewness", "base", change=0.06, p_holm=0.05))
    assert judged(tmp_path, "C05")[0].verdict == "undecided"


def test_four_seeds_of_a_trained_side_decide_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, estimate("em", "skewness", "base", change=0.06, seeds=4))
    (one,) = judged(tmp_path, "C05")
    assert (one.verdict, one.alpha) == ("undecided", 0.0)
    short = remark("seeds-of-role", needed=5, role="em", measured=4)
    assert one.why[-1] == remark("rule-asks", lacks=(short,))


@pytest.mark.parametrize(("low", "verdict"), [(0.51, "holds"), (0.49, "undecided")])
def test_right_answers_have_less_entropy_only_if_the_auroc_stays_above_a_half(
    tmp_path: Path, low: float, verdict: str
) -> None:
    found = estimate("base", "entropy_auroc", "own", value=0.7, interval=between(low, 0.9))
    write_study(tmp_path, found, estimate("em", "entropy_auroc", "own", value=0.1))
    (one,) = judged(tmp_path, "C09")
    assert (one.verdict, one.figures[0].value) == (verdict, 0.7)
    assert one.alpha == 0.025  # the base has one seed


def test_right_answers_are_looked_at_by_tenths_too_and_need_eight_samples(tmp_path: Path) -> None:
    interval = between(0.6, 0.9)
    whole = estimate("base", "entropy_auroc", "own", value=0.7, interval=interval, seeds=1)
    tenths = [
        estimate("base", "entropy_auroc", "own", value=n / 20, part=f"decile {n}", seeds=1)
        for n in range(1, 11)
    ]
    write_study(tmp_path, whole, *tenths)
    (one,) = judged(tmp_path, "C09")
    assert one.verdict == "holds"
    assert [figure.value for figure in one.figures[1:]] == [n / 20 for n in range(1, 11)]
    assert one.figures[1].name == remark("auroc-of-part", label="base", part="decile 1")
    write_study(tmp_path, whole, samples=4)
    (one,) = judged(tmp_path, "C09")
    assert one.verdict == "undecided"
    short = remark("samples-short", needed=8, drawn=4)
    assert one.why[-1] == remark("rule-asks", lacks=(short,))
