from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from emdiag.core.results import Interval
from emdiag.stats.comparisons import conclude, exact_mcnemar, holm, sign_flip


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_test_on_flips(up: int, down: int) -> None:
    expected = stats.binomtest(up, up + down).pvalue if up + down else 1.0
    assert exact_mcnemar(wrong_to_right=up, right_to_wrong=down) == pytest.approx(expected)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_that_of_statsmodels(up: int, down: int) -> None:
    expected = mcnemar([[0, down], [up, 0]], exact=True).pvalue
    found = exact_mcnemar(wrong_to_right=up, right_to_wrong=down)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_sign_flips_match_all_flips_done_by_hand() -> None:
    differences = np.array([0.5, 0.25, -0.125, 0.75, 0.25, -0.5])
    seen = abs(differences.mean())
    flipped = [abs(np.mean(differences * signs)) for signs in product([1, -1], repeat=6)]
    expected = np.mean([value >= seen - 1e-12 for value in flipped])
    assert sign_flip(differences) == pytest.approx(expected)


def test_no_difference_at_all_has_p_value_one() -> None:
    assert sign_flip(np.zeros(10)) == 1.0


@settings(max_examples=20)  # a call takes 60 ms
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_steps_down(p_values: list[float]) -> None:
    order = np.argsort(p_values)
    expected = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(p_values) - rank) * p_values[index])
        expected[index] = min(1.0, running)
    assert holm(p_values) == pytest.approx(list(expected))


def _interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="by hand")


@pytest.mark.parametrize(
    ("low", "high", "p_value", "expected"),
    [
        (0.01, 0.2, 0.01, "right better"),
        (-0.2, -0.01, 0.01, "left better"),
        (0.01, 0.2, 0.06, "undecided"),
        (0.001, 0.015, 0.2, "equivalent"),
        (-0.015, 0.015, 0.9, "equivalent"),
        (-0.015, 0.025, 0.001, "undecided"),
        (0.01, 0.2, None, "undecided"),
    ],
)
def test_a_winner_needs_the_interval_and_the_corrected_test(
    low: float, high: float, p_value: float | None, expected: str
) -> None:
    assert conclude(_interval(low, high), p_value=p_value, margin=0.02) == expected


def test_without_an_interval_nothing_is_concluded() -> None:
    assert conclude(None, p_value=0.0001, margin=0.02) == "undecided"
