from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.results import Interval, direction_of
from emdiag.stats.comparisons import within_problem_auroc


def between(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="by hand")


@pytest.mark.parametrize(
    ("interval", "p_holm", "direction"),
    [
        (between(0.1, 0.4), 0.01, "higher"),
        (between(-0.4, -0.1), 0.01, "lower"),
        (between(0.1, 0.4), None, "undecided"),
        (between(0.1, 0.4), 0.06, "undecided"),
        (between(-0.1, 0.4), 0.001, "undecided"),
        (between(0.0, 0.4), None, "undecided"),
        (between(0.0, 0.0), None, "undecided"),
        (None, 0.001, "undecided"),
    ],
)
def test_a_direction_needs_both_the_interval_and_the_test(
    interval: Interval | None, p_holm: float | None, direction: str
) -> None:
    assert direction_of(interval, p_holm) == direction


ENTROPIES = st.lists(st.integers(0, 8).map(lambda eighths: eighths / 8), min_size=1, max_size=12)


@given(ENTROPIES, ENTROPIES)
def test_auroc_is_the_share_of_pairs_with_ties_as_halves(
    right: list[float], wrong: list[float]
) -> None:
    pairs = [1.0 if r < w else 0.5 if r == w else 0.0 for r in right for w in wrong]
    assert within_problem_auroc(right, wrong) == pytest.approx(sum(pairs) / len(pairs))
    opposite = within_problem_auroc(wrong, right)
    assert opposite is not None
    assert within_problem_auroc(right, wrong) == pytest.approx(1 - opposite)


def test_right_answers_with_less_entropy_give_one() -> None:
    assert within_problem_auroc([0.1, 0.2], [0.3, 0.4]) == 1


def test_without_right_or_without_wrong_answers_there_is_no_auroc() -> None:
    assert within_problem_auroc([], [0.1]) is None
    assert within_problem_auroc([0.1], []) is None
