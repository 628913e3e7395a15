from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.stats.curves import place_of, slope_weights
from emdiag.stats.intervals import interval_of, intervals_of_shares, of_two_arms, over_problems

PLACES = st.lists(st.floats(0, 2, width=32), min_size=2, max_size=8, unique=True)


@given(PLACES, st.integers(0, 1000))
def test_weights_give_the_slope_of_the_least_squares_line(places: list[float], seed: int) -> None:
    if np.ptp(places) < 1e-3:
        return
    heights = np.random.default_rng(seed).random(len(places))
    expected = stats.linregress(places, heights).slope
    assert float(slope_weights(places) @ heights) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_on_a_grid_the_slope_along_one_axis_ignores_the_other() -> None:
    places = [(x, y) for x in (0.0, 0.5, 1.0) for y in (0.8, 0.9, 1.0)]
    heights = [3 * x + 100 * y for x, y in places]
    assert slope_weights([x for x, _ in places]) @ heights == pytest.approx(3)


def test_one_place_has_no_slope() -> None:
    with pytest.raises(MeasurementError, match="needs two places"):
        slope_weights([0.6, 0.6])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.floats(0, 1))
def test_a_rising_curve_takes_each_value_where_it_is_found(
    rises: list[float], share: float
) -> None:
    places = [float(number) for number in range(len(rises))]
    curve = dict(zip(places, np.cumsum(rises).tolist(), strict=True))
    value = (1 - share) * curve[places[0]] + share * curve[places[-1]]
    found = place_of(value, curve)
    assert found is not None
    below = [place for place in places if curve[place] < value - 1e-9]
    above = [place for place in places if curve[place] > value + 1e-9]
    assert all(place <= found + 1e-6 for place in below)
    assert all(place >= found - 1e-6 for place in above)


def test_a_value_outside_of_the_curve_has_no_place() -> None:
    assert place_of(2.0, {0.0: 0.0, 1.0: 1.0}) is None
    assert place_of(-0.1, {0.0: 0.0, 1.0: 1.0}) is None
    assert place_of(1.0, {0.0: 0.0, 1.0: 1.0}) == 1.0


def test_many_shares_have_the_intervals_each_has_alone() -> None:
    random = np.random.default_rng(1)
    values = np.stack([random.random(40), np.ones(40), random.integers(0, 2, 40).astype(float)])
    for row, found in zip(values, intervals_of_shares(values), strict=True):
        alone = over_problems(list(row))
        assert found is not None
        assert alone is not None
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=1e-12)
        assert found.method == alone.method


def test_two_arms_with_one_seed_each_are_paired_differences() -> None:
    random = np.random.default_rng(2)
    left, right = random.random((1, 30)), random.random((1, 30))
    assert of_two_arms(left, right) == interval_of(left - right)


def test_seeds_of_either_arm_widen_the_interval() -> None:
    random = np.random.default_rng(3)
    problems = random.normal(0, 0.1, 50)
    tight, loose = (problems + random.normal(0, spread, (4, 1)) for spread in (0.001, 0.5))
    other = problems + random.normal(0, 0.001, (4, 1))
    near, far = of_two_arms(tight, other, draws=2000), of_two_arms(loose, other, draws=2000)
    assert near is not None
    assert far is not None
    assert far.high - far.low > 10 * (near.high - near.low)
    turned = of_two_arms(other, loose, draws=2000)
    assert turned is not None
    assert turned.high - turned.low == pytest.approx(far.high - far.low, rel=0.2)


def test_equal_arms_have_no_interval() -> None:
    assert of_two_arms(np.ones((3, 5)), np.ones((2, 5))) is None


@pytest.mark.parametrize(("left", "right"), [(3, 4), (5, 2)])
def test_intervals_of_two_arms_cover_as_often_as_they_say(left: int, right: int) -> None:
    random, covered, trials = np.random.default_rng(4), 0, 150
    for _ in range(trials):
        shared = random.normal(0, 1, 40)
        sides = [
            0.5 * shared + random.normal(0, 0.3, (n, 1)) + random.normal(0, 0.5, (n, 40))
            for n in (left, right)
        ]
        found = of_two_arms(*sides, draws=600)
        assert found is not None
        covered += found.low < 0 < found.high
    assert 0.85 <= covered / trials <= 1.0
