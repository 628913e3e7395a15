from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from emdiag.core.errors import MeasurementError
from emdiag.stats.intervals import (
    bootstrap_of_means,
    interval_of,
    intervals_of,
    intervals_of_shares,
    of_differences,
    over_problems,
    wilson,
)


@given(st.integers(1, 200), st.data())
def test_wilson_matches_its_closed_form(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    z = stats.norm.ppf(0.975)
    p = successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    reach = z / (1 + z**2 / trials) * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    found = wilson(successes, trials)
    assert found.low == pytest.approx(max(0, centre - reach), abs=1e-9)
    assert found.high == pytest.approx(min(1, centre + reach), abs=1e-9)


@given(st.integers(1, 2_000), st.sampled_from([0.9, 0.95, 0.99]), st.data())
def test_wilson_is_that_of_statsmodels(trials: int, level: float, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = proportion_confint(successes, trials, alpha=1 - level, method="wilson")
    found = wilson(successes, trials, level=level)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


def test_the_bootstrap_agrees_with_a_plain_loop_over_resamples() -> None:
    values = np.random.default_rng(1).beta(2, 2, size=60)
    random = np.random.default_rng(2)
    means = [random.choice(values, size=60).mean() for _ in range(10_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    found = over_problems(list(values))
    assert found is not None
    assert found.low == pytest.approx(low, abs=0.004)
    assert found.high == pytest.approx(high, abs=0.004)


def test_the_bootstrap_resamples_problems_and_not_samples() -> None:
    few_problems = [0.0, 1.0] * 10
    found = over_problems(few_problems)
    assert found is not None
    as_if_independent = wilson(160, 320)  # 16 samples a problem, all alike
    assert found.high - found.low > 3 * (as_if_independent.high - as_if_independent.low)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        chances = random.beta(1, 1, size=80)
        rates = random.binomial(4, chances) / 4
        found = over_problems(list(rates), draws=1000)
        assert found is not None
        covered += found.low <= 0.5 <= found.high
    assert 180 <= covered <= 198  # 95 % of 200, give or take three standard errors


def test_problems_that_all_agree_do_not_give_certainty() -> None:
    found = over_problems([1.0] * 40)
    assert found is not None
    assert found == wilson(40, 40)
    assert found.low < 0.95


@pytest.mark.parametrize(("right", "problems"), [(0, 40), (3, 40), (20, 40), (299, 300)])
def test_shares_nearly_0_or_1_have_nearly_the_interval_of_jeffreys(
    right: int, problems: int
) -> None:
    values = np.array([1 - 1e-12] * right + [1e-12] * (problems - right))
    found = over_problems(values.tolist(), draws=100_000)
    assert found is not None
    expected = stats.beta.ppf([0.025, 0.975], right + 0.5, problems - right + 0.5)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.002)


def test_problems_that_are_all_half_right_do_not_give_certainty() -> None:
    found = over_problems([0.5] * 30)
    assert found is not None
    random = np.random.default_rng(1)
    halves, at_one = random.beta(1, 30, 100_000), random.beta(0.5, 0.5, 100_000)
    expected = np.quantile(0.5 + (at_one - 0.5) * halves, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize("values", [[], [np.nan, 0.5], [np.inf, 0.5], [1.1, 0.5], [-0.1, 0.5]])
def test_an_interval_of_a_share_needs_shares(values: list[float]) -> None:
    with pytest.raises(MeasurementError, match="between 0 and 1"):
        over_problems(values)


def test_an_interval_needs_two_problems() -> None:
    assert over_problems([1.0]) is None
    assert over_problems([0.5]) is None
    assert of_differences(np.array([0.5])) is None


def test_no_flips_among_few_problems_is_not_proof_of_no_difference() -> None:
    found = of_differences(np.zeros(40))
    assert found is not None
    assert found.low == -found.high
    assert found.high == pytest.approx(wilson(0, 40).high)


def test_a_macro_average_counts_each_benchmark_once() -> None:
    big, small = np.zeros(1000), np.ones(10)
    big[0], small[0] = 0.1, 0.9
    found = bootstrap_of_means([big, small])
    assert found is not None
    assert 0.48 < found.low < found.high < 0.51


def test_equal_seeds_give_equal_intervals() -> None:
    values = [0.0, 0.25, 0.5, 1.0] * 5
    assert over_problems(values, seed=1) == over_problems(values, seed=1)
    assert over_problems(values, seed=1, draws=500) != over_problems(values, seed=2, draws=500)


def test_seeds_that_all_agree_leave_the_interval_of_the_problems() -> None:
    rates = np.random.default_rng(1).beta(2, 2, size=200)
    found = interval_of(np.tile(rates, (5, 1)))
    expected = over_problems(list(rates))
    assert found is not None
    assert expected is not None
    assert found.low == pytest.approx(expected.low, abs=0.003)
    assert found.high == pytest.approx(expected.high, abs=0.003)


def test_problems_that_all_agree_leave_the_interval_of_the_seeds() -> None:
    per_seed = np.random.default_rng(2).normal(0.5, 0.1, size=30)
    found = interval_of(np.repeat(per_seed[:, None], 50, axis=1))
    expected = stats.ttest_1samp(per_seed, 0).confidence_interval(0.95)
    assert found is not None
    assert found.low == pytest.approx(expected.low, abs=0.003)
    assert found.high == pytest.approx(expected.high, abs=0.003)


def test_the_difficulty_of_shared_problems_does_not_average_out_over_seeds() -> None:
    random = np.random.default_rng(3)
    chances = random.choice([0.05, 0.95], size=60)
    few, many = ((random.random((n, 60)) < chances).astype(float) for n in (4, 40))
    narrow, wide = interval_of(many), interval_of(few)
    assert narrow is not None
    assert wide is not None
    assert narrow.high - narrow.low > 0.7 * (wide.high - wide.low)


@pytest.mark.parametrize(
    ("seeds", "problems", "spread"), [(5, 80, 1.0), (3, 200, 0.6), (10, 60, 0.1)]
)
def test_intervals_over_seeds_and_problems_cover_the_truth_about_as_often_as_they_say(
    seeds: int, problems: int, spread: float
) -> None:
    """Crossed effects on the log-odds; symmetric, so the truth is one half."""
    random = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        odds = random.normal(0, 2, size=problems) + random.normal(0, spread, size=(seeds, 1))
        right = (random.random((seeds, problems)) < 1 / (1 + np.exp(-odds))).astype(float)
        found = interval_of(right, draws=1000)
        assert found is not None
        covered += found.low <= 0.5 <= found.high
    assert covered >= 180  # 95 % of 200, less three standard errors; at most 99 % was seen


def test_an_interval_over_seeds_needs_two_problems_and_some_spread() -> None:
    random = np.random.default_rng(5)
    assert interval_of(random.random((40, 1))) is None
    assert interval_of(np.ones((5, 40))) is None
    crossed = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert interval_of(crossed) is None
    (of_shares,) = intervals_of_shares(crossed[None])
    assert of_shares is not None
    assert of_shares.low < 0.2
    assert of_shares.high > 0.8


def test_equal_seeds_give_equal_intervals_over_seeds() -> None:
    values = np.random.default_rng(6).random((4, 30))
    assert interval_of(values, seed=1) == interval_of(values, seed=1)
    assert interval_of(values, seed=1) != interval_of(values, seed=2)


def test_an_interval_of_any_unit_scales_with_it() -> None:
    values = np.random.default_rng(21).gumbel(size=20)
    plain, scaled = interval_of(values), interval_of(1000 * values - 5)
    assert plain is not None
    assert scaled is not None
    assert scaled.low == pytest.approx(1000 * plain.low - 5)
    assert scaled.high == pytest.approx(1000 * plain.high - 5)


def test_seeds_and_problems_in_any_unit_scale_with_it() -> None:
    values = np.random.default_rng(22).gumbel(size=(3, 20))
    plain, scaled = interval_of(values), interval_of(1000 * values - 5)
    assert plain is not None
    assert scaled is not None
    assert scaled.low == pytest.approx(1000 * plain.low - 5)


def test_few_problems_widen_the_percentiles_as_student_does() -> None:
    values = np.random.default_rng(23).normal(size=20) / 4
    found = interval_of(values)
    plain = bootstrap_of_means([values])
    assert found is not None
    assert plain is not None
    expected = stats.t.ppf(0.975, 19) / stats.norm.ppf(0.975) * math.sqrt(20 / 19)
    assert (found.high - found.low) / (plain.high - plain.low) == pytest.approx(expected, rel=0.03)
    student = stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(student, abs=0.03 / 4)


@pytest.mark.parametrize("shape", [(20,), (3, 20), (1, 20)])
def test_many_statistics_at_once_have_the_intervals_they_have_alone(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(24).gumbel(size=(7, *shape))
    values[2, ..., :4] = np.nan
    values[3] = 1.5
    values[4, ..., 1:] = np.nan
    found = intervals_of(values, draws=2000, seed=3)
    for place in (0, 1, 2, 5, 6):
        there = values[place][..., ~np.isnan(values[place]).reshape(-1, 20).any(axis=0)]
        alone, together = interval_of(there, draws=2000, seed=3), found[place]
        assert alone is not None
        assert together is not None
        assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert found[3] is None
    assert found[4] is None


def test_equal_values_and_one_problem_give_no_interval_in_any_unit() -> None:
    assert interval_of(np.array([7.0])) is None
    assert interval_of(np.array([[7.0], [8.0]])) is None
    assert interval_of(np.full(30, 0.1)) is None
    assert interval_of(0.1 + 1e-16 * np.arange(9, dtype=np.float64)) is None
    assert interval_of(np.zeros((2, 5))) is None
    assert intervals_of(np.empty((0, 5))) == []


def test_two_problems_reach_as_far_as_both() -> None:
    found = interval_of(np.array([1.0, 2.0]))
    assert found is not None
    assert (found.low, found.high) == (1, 2)


def test_intervals_in_any_unit_cover_the_mean_of_few_problems_about_as_often_as_they_say() -> None:
    values = np.random.default_rng(25).normal(3, 10, size=(400, 15))
    found = intervals_of(values, draws=1000)
    covered = sum(each is not None and each.low <= 3 <= each.high for each in found)
    assert 365 <= covered <= 393  # 95 % of 400, give or take three standard errors
