from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.errors import MeasurementError
from emdiag.stats.samples import outcome_variance, pass_at_k


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(
    samples: int, data: st.DataObject
) -> None:
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    outcomes = [True] * correct + [False] * (samples - correct)
    subsets = list(combinations(outcomes, k))
    assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_k_stays_exact_for_many_samples() -> None:
    assert pass_at_k(1024, 1, 512) == 0.5


@pytest.mark.parametrize(("samples", "correct", "k"), [(4, 5, 1), (4, 1, 5), (4, 1, 0), (4, -1, 1)])
def test_pass_at_k_outside_its_range_is_refused(samples: int, correct: int, k: int) -> None:
    with pytest.raises(MeasurementError, match="is not defined"):
        pass_at_k(samples, correct, k)


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_the_outcome_variance_is_numpys_sample_variance(outcomes: list[bool]) -> None:
    expected = np.var(np.array(outcomes, dtype=float), ddof=1)
    assert outcome_variance(len(outcomes), sum(outcomes)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("samples", [2, 3, 8])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_the_outcome_variance_is_p_times_1_minus_p_on_average(samples: int, p: float) -> None:
    weighted = []
    for outcomes in product([0, 1], repeat=samples):
        chance = np.prod([p if right else 1 - p for right in outcomes])
        found = outcome_variance(samples, sum(outcomes))
        assert found is not None
        weighted.append(chance * found)
    assert sum(weighted) == pytest.approx(p * (1 - p), abs=1e-12)


def test_the_outcome_variance_needs_two_samples_and_a_possible_count() -> None:
    assert outcome_variance(1, 1) is None
    assert outcome_variance(0, 0) is None
    with pytest.raises(MeasurementError, match="is not defined"):
        outcome_variance(4, 5)
