from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

if TYPE_CHECKING:
    from types import ModuleType

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage"


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("coverage_script", SCRIPTS / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)
    spec.loader.exec_module(script)
    return script


def test_intervals_of_shares_cover_as_often_as_they_say(coverage: ModuleType) -> None:
    """Least 92 %: 93 % less 1.8 standard errors of 400 trials, over 36 cells with a fixed seed."""
    rows = list(coverage.shares_table(trials=400, quick=True))
    assert min(row.after[0] for row in rows) > 92
    assert max(row.after[0] for row in rows) < 99
    assert min(row.before[0] for row in rows) < 75


def test_seeds_whose_cells_are_noise_are_covered_by_narrower_intervals(
    coverage: ModuleType,
) -> None:
    row = coverage.seeds_row("none", 0.5, 3, 1, trials=400)
    assert row.before[0] > 98
    assert 93 < row.after[0] < 98.5
    assert row.after[1] < 0.9 * row.before[1]


@pytest.mark.parametrize(
    ("effect", "mean", "seeds"), [("some", 0.88, 5), ("some", 0.985, 3), ("much", 0.5, 10)]
)
def test_seeds_that_differ_are_covered_as_often_as_intervals_say(
    coverage: ModuleType, effect: str, mean: float, seeds: int
) -> None:
    row = coverage.seeds_row(effect, mean, seeds, 8, trials=400)
    assert 92 < row.after[0] < 99.5


def test_no_interval_over_three_seeds_holds_where_one_in_five_fails(coverage: ModuleType) -> None:
    three = coverage.seeds_row(coverage.FAILS, 0.88, 3, 1, trials=300)
    assert max(three.before[0], three.after[0]) < 60
    ten = coverage.seeds_row(coverage.FAILS, 0.88, 10, 1, trials=300)
    assert ten.after[0] > 85


def test_slopes_of_five_seeds_are_covered_by_intervals_two_thirds_as_wide(
    coverage: ModuleType,
) -> None:
    row = coverage.slopes_row("none", 300, 0.5, 5, trials=300)
    assert row.before[0] > 99
    assert 93 < row.after[0] < 98.5
    assert row.after[1] < 0.7 * row.before[1]
    differing = coverage.slopes_row("much", 40, 0.95, 5, trials=300)
    assert 93 < differing.after[0] < 98.5


def test_pooled_skewness_of_seeds_is_covered_as_often_as_its_docstring_says(
    coverage: ModuleType,
) -> None:
    row = coverage.pooled_row("some", 20, 3, trials=200)
    assert 88 < row.after[0] < row.before[0]
    assert row.after[1] < row.before[1]


def test_the_truth_of_pooled_skewness_is_that_of_drawn_tokens(coverage: ModuleType) -> None:
    random = np.random.default_rng(3)
    means, scales, lengths = coverage.drawn_problems(20_000, random)
    tokens = random.gumbel(np.repeat(means, lengths), np.repeat(scales, lengths))
    assert stats.skew(tokens) == pytest.approx(coverage.pooled_truth(0.0), abs=0.05)
