"""Made-up results for pages, as plain as they come; every field can be changed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.claims import ClaimFigure, ClaimResult
from emdiag.core.results import BenchmarkScore, Comparison, TextRates, as_given
from emdiag.core.training import UpdateRecord
from emdiag.plots.figures import sweep_figures
from emdiag.plots.style import figure_svg
from tests.findings.sweeps import (
    around,
    make_control,
    make_point,
    make_slope,
    make_sweep,
    metric,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from emdiag.findings.page import Page


def make_checkpoint(label: str, stage: Any) -> CheckpointRef:
    return CheckpointRef(
        label=label, ref=label, path=label, digest="0", tokenizer_digest="0", stage=stage
    )


def make_score(label: str = "em", value: float = 0.9, **other: Any) -> BenchmarkScore:
    rates: dict[str, Any] = {
        "truncated_frac": 0.0,
        "no_box_frac": 0.0,
        "undecided_frac": 0.0,
        "repeated_frac": 0.0,
        "mean_tokens": 40.0,
    }
    rates |= other.pop("rates", {})
    samples = other.get("samples", 1)
    fields: dict[str, Any] = {
        "label": label,
        "checkpoint": make_checkpoint(label, other.pop("stage", None)),
        "benchmark": "chain",
        "benchmark_revision": 1,
        "template": "chain",
        "chat": False,
        "temperature": 0.0,
        "engine": "transformers",
        "run_key": label,
        "grade_key": "0",
        "metric": f"avg@{samples}",
        "value": value,
        "interval": around(value, 0.02),
        "problems": 300,
        "problems_total": 300,
        "partial": False,
        "samples": samples,
        "pass_at_k": tuple(metric(f"pass@{k}", value) for k in range(1, samples + 1)),
        "maj_at_k": metric("maj", value) if samples > 1 else None,
        "without_tagged": None,
        "by_verdict": {"correct": 270, "wrong": 30},
        "rates": TextRates(**rates),
        "tokens_per_s": None,
        "groups": (),
        "notes": (),
    }
    return BenchmarkScore(**fields | other)


def make_comparison(conclusion: Any, difference: float = 0.335, **other: Any) -> Comparison:
    fields: dict[str, Any] = {
        "left": "base",
        "right": "em",
        "benchmark": "chain",
        "metric": "avg@1",
        "left_value": 0.6,
        "right_value": 0.6 + difference,
        "difference": difference,
        "interval": around(difference, 0.054),
        "test": "mcnemar",
        "p_value": 0.01,
        "p_holm": 0.02,
        "problems": 300,
        "left_samples": 1,
        "right_samples": 1,
        "wrong_to_right": ("chain/0001", "chain/0002"),
        "right_to_wrong": (),
        "margin": 0.02,
        "conclusion": conclusion,
        "notes": (),
    }
    return Comparison(**fields | other)


def make_updates(*, shift: float = 0.0, updates: int = 3) -> list[UpdateRecord]:
    """EM whose held-out entropy falls from 0.5 by 0.1 an update."""
    return [
        UpdateRecord(
            update=update,
            method="em",
            loss=0.2 / update if update else None,
            held_out_entropy_nats=0.5 - 0.1 * update + shift,
            answer_flips_frac=0.05 * update,
            truncated_frac=0.0,
        )
        for update in range(updates + 1)
    ]


def make_claim(id_: str, verdict: Any, value: float | None = 0.3, **other: Any) -> ClaimResult:
    figure = ClaimFigure(
        name=as_given("EM minus base on chain, greedy"),
        value=value,
        interval=None if value is None else around(value, 0.02),
        unit=other.pop("unit", "points"),
    )
    fields: dict[str, Any] = {
        "id": id_,
        "statement": "One prompt raises greedy accuracy",
        "arms": ("em",),
        "benchmarks": ("chain",),
        "verdict": verdict,
        "figures": (figure,),
        "published": "+25.8",
        "rule": "holds if the lower bound is above 0",
        "why": (as_given("+30.0 points [28.0, 32.0]"),),
        "would_decide": as_given("more seeds") if verdict == "undecided" else None,
    }
    return ClaimResult(**fields | other)


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[..., Any]]:
    """Makers of results by name."""
    return {
        "around": around,
        "checkpoint": make_checkpoint,
        "claim": make_claim,
        "comparison": make_comparison,
        "control": make_control,
        "metric": metric,
        "point": make_point,
        "score": make_score,
        "slope": make_slope,
        "sweep": make_sweep,
        "updates": make_updates,
    }


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of sweeps show the figures of the plain one; for tests of words, which are quicker."""
    monkeypatch.setattr("emdiag.reports.pages.sweep_figures", lambda _: _plain_figures())
    monkeypatch.setattr("emdiag.reports.pages.figure_svg", _written_once)


_written_once = cache(figure_svg)


@cache
def _plain_figures() -> dict[str, Figure]:
    return sweep_figures(make_sweep())


@pytest.fixture(scope="session")
def said() -> Callable[[Page], str]:
    """Everything that a page answers, on one line each."""
    return lambda page: "\n".join(f"{one.tone}: {one.words}" for one in page.answers)
