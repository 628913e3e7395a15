"""No values, nan, inf, impossible counts and degenerate data in every function of the room."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.core.moments import Moments
from emdiag.stats import (
    comparisons,
    curves,
    detectable,
    families,
    intervals,
    jackknife,
    moments,
    resampled,
    samples,
    two_way,
)

NAN, INF = float("nan"), float("inf")
GRID = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
Of = Callable[[list[float]], Any]


def _array(values: list[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(values, np.float64)


OF_VALUES: dict[str, Of] = {
    "sign_flip": lambda v: comparisons.sign_flip(_array(v)),
    "over_problems": intervals.over_problems,
    "intervals_of_shares": lambda v: intervals.intervals_of_shares(_array(v)[None, None]),
    "of_differences": lambda v: intervals.of_differences(_array(v)),
    "bootstrap_of_means": lambda v: intervals.bootstrap_of_means([np.array([0.1, 0.5]), _array(v)]),
    "of_share_arms": lambda v: intervals.of_share_arms([_array(v)[None]], [_array(v)[None]]),
    "interval_of": lambda v: intervals.interval_of(_array(v)),
    "of_two_arms": lambda v: intervals.of_two_arms(_array(v)[None], _array(v)[None]),
    "rank_correlation": lambda v: resampled.rank_correlation(_array(v), _array(v)),
    "best_over_worst": lambda v: resampled.best_over_worst(_array(v)[None]),
    "seeds_apart": lambda v: resampled.seeds_apart(_array(v)[None]),
    "expected_best": lambda v: resampled.expected_best(v, 1),
    "p_of_mean": lambda v: families.p_of_mean(_array(v)[None]),
    "two_way_t": lambda v: families.two_way_t(_array(v)[None]),
    "seed_reach": lambda v: two_way.seed_reach([_array(v)[None, None]], level=0.95),
    "on_logit_scale": lambda v: two_way.on_logit_scale(_array(v), np.full((2, len(v)), 0.1)),
    "slope_weights": curves.slope_weights,
    "place_of": lambda v: curves.place_of(0.5, dict(zip(v, v, strict=True))),
    "best_temperature": lambda v: curves.best_temperature(_array(v)[None], GRID),
    "ratio_shape": lambda v: jackknife.ratio_shape(_array(v), _array(v)),
}
FINITE_OR_NONE: dict[
    str, Of
] = {  # of no value they have an answer: None, nothing or an empty count
    "gain_by_spread": lambda v: detectable.gain_by_spread(_array(v), score=0.5),
    "within_problem_auroc": lambda v: comparisons.within_problem_auroc(v, [0.5]),
    "holm": comparisons.holm,
    "histogram_of": lambda v: moments.histogram_of(_array(v), low=0, width=1, bins=2),
    "pooled_shape": lambda v: jackknife.pooled_shape(
        [Moments(count=2, mean=value, m2=1.0, m3=0.0, m4=1.0) for value in v]
    ),
}


@pytest.mark.parametrize("name", [*OF_VALUES, *FINITE_OR_NONE])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_nan_and_inf_are_refused(name: str, bad: float) -> None:
    of = (OF_VALUES | FINITE_OR_NONE)[name]
    with pytest.raises(MeasurementError, match=r"finite|between"):
        of([0.5, 0.25, 0.75, 0.5, bad, 0.5])


@pytest.mark.parametrize("name", OF_VALUES)
def test_no_value_is_refused(name: str) -> None:
    with pytest.raises(MeasurementError, match=r"no value|two places"):
        OF_VALUES[name]([])


@pytest.mark.parametrize("name", [*OF_VALUES, *FINITE_OR_NONE])
@pytest.mark.parametrize("values", [[0.5], [0.5] * 6, [0.0] * 6, [1.0] * 6, [0.0, 1.0]])
def test_one_value_and_equal_ones_give_a_finite_number_none_or_a_sentence(
    name: str, values: list[float]
) -> None:
    try:
        found = (OF_VALUES | FINITE_OR_NONE)[name](values)
    except MeasurementError:
        return  # a sentence
    assert "nan" not in repr(found)


@pytest.mark.parametrize(
    "of",
    [
        intervals.wilson,
        intervals.least_share,
        lambda part, whole: samples.pass_at_k(whole, part, 1),
        lambda part, whole: comparisons.agreeing_rate([(part, whole)], [(1, 2)], level=0.95),
        lambda part, whole: comparisons.agreeing_rate([(1, 2)], [(part, whole)], level=0.95),
    ],
)
@pytest.mark.parametrize(("part", "whole"), [(0, 0), (3, 2), (-1, 2), (0.5, 2), (NAN, 2), (1, INF)])
def test_counts_that_cannot_have_been_counted_are_refused(
    of: Callable[[Any, Any], object], part: float, whole: float
) -> None:
    with pytest.raises(MeasurementError):
        of(part, whole)


@pytest.mark.parametrize(
    "call",
    [
        lambda: comparisons.exact_mcnemar(wrong_to_right=-1, right_to_wrong=3),
        lambda: comparisons.agreeing_rate([], [], level=0.95),
        lambda: comparisons.agreeing_rate([(1, 2)], [], level=0.95),
        lambda: comparisons.holm([0.5, 1.5]),
        lambda: samples.outcome_variance(2, 3),
        lambda: samples.pass_at_k(4, 2, 5),
        lambda: samples.agreement([2, -1]),
        lambda: samples.answer_entropy([-1]),
        lambda: resampled.expected_best([0.5, 0.6], 3),
        lambda: resampled.expected_best([0.5, 0.6], 0),
        lambda: resampled.rank_correlation(np.arange(5.0), np.arange(4.0)),
        lambda: families.p_of_mean(np.zeros((1, 5)), np.zeros((1, 4))),
        lambda: families.step_down([np.zeros((1, 5)), np.zeros((1, 4))]),
        lambda: families.step_down([np.array([[1.0, INF, 2.0]])]),
        lambda: intervals.of_two_arms(np.zeros((2, 5)), np.zeros((2, 1))),
        lambda: intervals.of_share_arms([np.zeros((2, 5))], [np.zeros((2, 1))]),
        lambda: two_way.seed_reach([np.zeros((1, 2, 5)), np.zeros((1, 3, 5))], level=0.95),
        lambda: curves.best_temperature(np.zeros((2, 5)), GRID[:5]),
        lambda: curves.best_temperature(np.zeros((2, 6)), GRID[::-1]),
        lambda: detectable.power_of_mcnemar(40, 0.2, 0.3, alpha=0.05),
        lambda: detectable.planned_gains(-1, score=0.5),
        lambda: moments.decile_of(-1),
    ],
)
def test_other_input_that_means_nothing_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(MeasurementError):
        call()


def test_the_sign_of_one_problem_says_nothing() -> None:
    assert comparisons.sign_flip(np.array([0.5])) == 1.0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("items", [4, 5, 9])
def test_a_perfect_rank_correlation_lies_within_its_interval_and_excludes_zero_as_its_exact_test(
    items: int, sign: int
) -> None:
    found = resampled.rank_correlation(np.arange(items), sign * np.arange(items) ** 3)
    assert found is not None
    rho, interval = found
    assert rho == pytest.approx(sign)
    assert interval.low <= rho <= interval.high
    exact = 2 / math.factorial(items)  # of all orders, the two perfect ones
    assert (interval.low > 0 or interval.high < 0) == (exact < 0.05)


def test_rank_correlations_of_four_to_nine_items_cover_the_truth() -> None:
    random = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.9 / 2)
    held = 0
    for trial in range(600):
        left, noise = random.normal(size=(2, 4 + trial % 6))
        found = resampled.rank_correlation(left, 0.9 * left + np.sqrt(0.19) * noise)
        assert found is not None
        held += found[1].low <= truth <= found[1].high
    assert held / 600 > 0.93


def test_a_mean_of_benchmarks_without_any_spread_claims_no_certainty() -> None:
    none, gained = np.zeros(40), np.full(40, 0.5)
    found = intervals.bootstrap_of_means([none, none, none])
    assert found is not None
    assert found.high == pytest.approx(intervals.wilson(0, 40).high / np.sqrt(3))
    assert found.low == -found.high
    assert intervals.bootstrap_of_means([none, gained]) is None
    assert intervals.bootstrap_of_means([np.zeros(1), none]) is None


def test_two_equal_problems_beside_many_claim_no_certainty_of_their_benchmark() -> None:
    many = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], 300)
    wide = intervals.bootstrap_of_means([many, np.ones(2)])
    alone = intervals.of_differences(many)
    assert wide is not None
    assert alone is not None
    of_two = intervals.wilson(0, 2).high  # so many of all problems may be unlike these two
    centre = (many.mean() + 1) / 2
    below = np.hypot((many.mean() - alone.low) / 2, of_two)  # each of them off by 2, halved
    assert wide.low == pytest.approx(centre - below, abs=0.01)
    assert wide.high == pytest.approx(centre + (alone.high - many.mean()) / 2, abs=0.01)


def test_seeds_that_all_gain_the_same_on_all_problems_have_no_p_value() -> None:
    assert families.p_of_mean(np.full((3, 9), 0.5)) is None
    assert families.p_of_mean(np.zeros((3, 9))) == 1.0


def test_intervals_of_shares_and_seeds_stay_within_0_and_1() -> None:
    """The rates are 1 but for rounding, whose weighted sums may round to more."""
    random = np.random.default_rng(2)
    for _ in range(40):
        shape = (1, *random.integers(1, 6, 1), *random.integers(2, 40, 1))
        rates = 1 - random.choice([0.0, 2e-16, 0.1], shape, p=[0.5, 0.45, 0.05])
        (found,) = intervals.intervals_of_shares(rates, draws=200)
        assert found is not None
        assert 0 <= found.low <= rates.mean() <= found.high <= 1


def test_best_over_worst_without_a_draw_that_is_ever_right_has_no_interval() -> None:
    rates = np.zeros((6, 60))
    rates[:, :2] = rates[np.arange(6), np.arange(6) + 10] = 1.0
    found = resampled.best_over_worst(rates, draws=2)
    if found is not None:
        assert math.isfinite(found[0])
        assert found[1] is None or math.isfinite(found[1].low)


def test_a_gain_cannot_be_found_where_nothing_changes() -> None:
    assert detectable.power_of_mcnemar(40, 0.0, 0.0, alpha=0.05) == 0.0
    power = detectable.power_of_mcnemar(12, 1.0, 1.0, alpha=0.05)
    assert power == pytest.approx(float(stats.binomtest(12, 12).pvalue < 0.05))
