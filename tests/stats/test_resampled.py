from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from emdiag.stats.resampled import best_over_worst, expected_best, rank_correlation


def test_rank_correlation_is_scipys_and_its_interval_covers_the_truth() -> None:
    random = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman of normal columns correlated by 0.6
    covered = 0
    for _ in range(400):
        left, noise = random.normal(size=(2, 20))
        right = 0.6 * left + 0.8 * noise
        found = rank_correlation(left, right)
        assert found is not None
        rho, interval = found
        assert rho == pytest.approx(stats.spearmanr(left, right).statistic)
        covered += interval.low <= truth <= interval.high
    assert 0.91 <= covered / 400 <= 0.985


def test_a_constant_column_or_three_items_have_no_rank_correlation() -> None:
    assert rank_correlation(np.ones(9), np.arange(9.0)) is None
    assert rank_correlation(np.arange(3.0), np.arange(3.0)) is None


def test_the_expected_best_is_the_mean_over_all_choices() -> None:
    means = [0.3, 0.9, 0.4, 0.4, 0.7]
    for n in range(1, 6):
        every = [max(chosen) for chosen in combinations(means, n)]
        assert expected_best(means, n) == pytest.approx(np.mean(every))


@pytest.mark.parametrize("problems", [120, 300])
@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.4, 0.6)])
def test_noise_alone_does_not_part_seeds_and_the_low_end_keeps_below_the_truth(
    problems: int, low: float, high: float
) -> None:
    random = np.random.default_rng(1)
    chances = np.linspace(low, high, 10)[:, None]
    values, missed = [], 0
    for trial in range(100):
        right = (random.random((10, problems)) < chances).astype(np.float64)
        found = best_over_worst(right, draws=300, seed=trial)
        assert found is not None
        assert found[1] is not None
        values.append(np.log(found[0]))
        missed += found[1].low > high / low
    assert missed <= 5
    assert np.mean(values) < np.log(1.03 * high / low)


def test_two_seeds_far_apart_have_the_ratio_of_their_means() -> None:
    random = np.random.default_rng(2)
    chances = np.array([[0.8], [0.6], [0.4]])
    inside, values = 0, []
    for trial in range(100):
        right = (random.random((3, 150)) < chances).astype(np.float64)
        found = best_over_worst(right, draws=500, seed=trial)
        assert found is not None
        assert found[1] is not None
        values.append(found[0])
        inside += found[1].low <= 2.0 <= found[1].high
    assert inside >= 90
    assert np.mean(values) == pytest.approx(2.0, abs=0.1)


def test_a_seed_that_is_never_right_has_no_ratio() -> None:
    assert best_over_worst(np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])) is None
    assert best_over_worst(np.ones((1, 9))) is None


def test_seeds_that_differ_on_one_problem_alone_have_a_ratio_and_no_interval() -> None:
    rates = np.ones((3, 40))
    rates[0, 7] = 0.0
    assert best_over_worst(rates) == (1.0, None)
