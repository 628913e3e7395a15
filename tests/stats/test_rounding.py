"""Numbers that differ by rounding alone, or are too large to be squared, and other dtypes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.special
import scipy.stats

from emdiag.core.errors import MeasurementError
from emdiag.measure.seed_summary import count_above
from emdiag.measure.votes import majority_right
from emdiag.stats import (
    comparisons,
    curves,
    detectable,
    families,
    intervals,
    jackknife,
    resampled,
    samples,
    two_way,
)

ALIKE = np.array([1 / 3 - 2 / 3, 2 / 3 - 1.0] * 10)  # all -1/3, two ways


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_differences_equal_up_to_rounding_claim_no_certainty() -> None:
    assert np.ptp(ALIKE) > 0
    assert intervals.of_differences(ALIKE) is None
    assert intervals.bootstrap_of_means([ALIKE, ALIKE]) is None
    assert detectable.gain_by_spread(ALIKE, score=0.5).gain is None
    assert intervals.of_share_arms([np.full((1, 20), 1 / 3)], [1 / 3 - ALIKE[None]]) is None


def test_differences_of_zero_up_to_rounding_reach_as_far_as_wilsons_for_none() -> None:
    rounding = np.where(np.arange(20) % 3, 0.0, 5e-17)
    found = intervals.of_differences(rounding)
    assert found is not None
    assert found.high == pytest.approx(intervals.wilson(0, 20).high)
    assert found.low == -found.high


def test_seeds_that_differ_by_rounding_have_no_test_of_their_common_gain() -> None:
    gains = np.full((3, 9), 1 / 3) + np.where(np.arange(9) % 2, 0.0, 5e-17)
    assert families.p_of_mean(gains) is None
    assert families.p_of_mean(gains, gains[:1, ::-1].copy()) == 1.0


def test_a_seed_as_good_as_the_base_is_not_above_it_by_rounding() -> None:
    assert count_above(np.array([5e-17, 0.0, -5e-17])).above == 0
    assert count_above(np.array([1e-6, 0.0, 0.5])).above == 2


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8, np.bool_])
def test_other_dtypes_give_what_float64_gives(dtype: type[np.generic]) -> None:
    values = np.array([1, 0, 1, 1, 0, 1], np.float64)
    other = values.astype(dtype)
    assert intervals.intervals_of_shares(other[None]) == intervals.intervals_of_shares(values[None])
    assert intervals.interval_of(other) == intervals.interval_of(values)
    assert intervals.of_share_arms([other[None]], [values[None]]) == intervals.of_share_arms(
        [values[None]], [values[None]]
    )
    assert resampled.rank_correlation(other, values) == resampled.rank_correlation(values, values)
    assert comparisons.holm(other) == comparisons.holm(values.tolist())
    assert resampled.seeds_apart(np.stack([other, other, other])) is None


def test_numbers_of_small_integers_do_not_overflow() -> None:
    assert samples.agreement(np.array([100, 60], np.int8)) == pytest.approx(13_440 / 25_440)


@pytest.mark.parametrize(
    "call",
    [
        lambda: intervals.interval_of(np.array([[1e300, -1e300], [2e300, 0.0]])),
        lambda: families.step_down([np.array([[1e160, 2e160, 3e160]])]),
        lambda: two_way.seed_reach([np.full((1, 2, 3), 1e308)], level=0.95),
        lambda: two_way.seed_reach([np.ones((1, 2, 1))], level=0.95),
        lambda: two_way.joined([]),
        lambda: jackknife.ratio_shape(np.full(3, 1e308), np.ones(3)),
        lambda: resampled.expected_best([1e308, 1e308], 1),
        lambda: curves.slope_weights([1e308, -1e308]),
        lambda: intervals.bootstrap_of_means([]),
        lambda: intervals.of_share_arms([], []),
        lambda: intervals.of_share_arms([np.ones((1, 3))], []),
        lambda: intervals.wilson(1, 2, level=1.0),
        lambda: intervals.least_share(1, 2, level=float("nan")),
        lambda: comparisons.agreeing_rate([(1, 2)], [(1, 2)], level=0.0),
        lambda: intervals.wilson(1.0, 2),
        lambda: samples.pass_at_k(4, 2, 1.0),
        lambda: comparisons.exact_mcnemar(wrong_to_right=1e308, right_to_wrong=1e308),
        lambda: majority_right(["7"], []),
    ],
)
def test_sizes_levels_and_counts_that_mean_nothing_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(MeasurementError):
        call()


def test_equal_distributions_have_a_best_temperature_of_exactly_one() -> None:
    grid = [2 ** (quarter / 4) for quarter in range(-12, 9)]
    random = np.random.default_rng(0).normal(size=(5, 98)) * 3
    cooled = [scipy.special.softmax(random / temperature, axis=1) for temperature in grid]
    as_read = np.float32(random) + np.random.default_rng(1).normal(scale=1e-4, size=random.shape)
    cooled[12] = scipy.special.softmax(as_read, axis=1)
    rows = np.stack([scipy.stats.entropy(cooled[12], q, axis=1) for q in cooled], axis=1)
    rows[:, 12] = scipy.stats.entropy(cooled[12], scipy.special.softmax(random, axis=1), axis=1)
    assert 0 < rows[:, 12].mean() < 1e-6
    found = curves.best_temperature(rows, grid)
    assert found.temperature == 1.0
    assert found.log_temperature_pseudo is not None
    assert not found.log_temperature_pseudo.any()


def test_places_as_good_as_zero_are_one_place() -> None:
    with pytest.raises(MeasurementError, match="two places"):
        curves.place_of(0.5, {0.0: 0.2, 1e-320: 0.4})
    assert curves.place_of(0.4, {0.0: 0.2, 1e-320: 0.4, 1.0: 0.6}) == 0.0
