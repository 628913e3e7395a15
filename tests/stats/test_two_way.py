from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from emdiag.core.errors import MeasurementError
from emdiag.stats.intervals import (
    LEVEL,
    intervals_of_shares,
    least_share,
    of_differences,
    of_share_arms,
    over_problems,
)
from emdiag.stats.resampled import seeds_apart
from emdiag.stats.two_way import seed_reach


def test_the_reach_of_seeds_is_that_of_an_analysis_of_variance() -> None:
    values = np.random.default_rng(1).normal(size=(4, 15)) + np.array([[0.0], [1.0], [2.0], [1.5]])
    indicators = [np.repeat(np.eye(4), 15, axis=0), np.tile(np.eye(15), (4, 1))]
    residual = [
        float(((values.ravel() - x @ np.linalg.lstsq(x, values.ravel(), rcond=None)[0]) ** 2).sum())
        for x in (indicators[1], np.hstack(indicators))
    ]
    of_seeds, of_cells = (residual[0] - residual[1]) / 3, residual[1] / (3 * 14)
    variance = (of_seeds - of_cells) / values.size
    expected = stats.t.ppf(0.975, 3) * np.sqrt(variance)
    assert seed_reach([values[None]], level=LEVEL)[:, 0] == pytest.approx([expected, expected])


def test_seeds_that_differ_by_sampling_alone_add_nothing_to_the_problems() -> None:
    values = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    assert not seed_reach([values[None]], level=LEVEL).any()
    assert not seed_reach([values[None, :1]], level=LEVEL).any()


def test_an_interval_over_seeds_holds_that_over_problems() -> None:
    random = np.random.default_rng(2)
    rates = random.binomial(4, random.beta(2, 1, (1, 30)), (3, 30)) / 4
    (both,) = intervals_of_shares(rates[None])
    alone = over_problems(rates.mean(axis=0).tolist())
    assert both is not None
    assert alone is not None
    assert 0 <= both.low <= alone.low < alone.high <= both.high <= 1


def test_seeds_of_a_share_reach_on_the_logit_scale_and_stay_within_bounds() -> None:
    per_seed = np.array([0.999, 0.99, 0.9])
    (found,) = intervals_of_shares(np.repeat(per_seed[:, None], 50, axis=1)[None])
    assert found is not None
    mean, error = per_seed.mean(), stats.sem(per_seed)
    step = stats.t.ppf(0.975, 2) * error / (mean * (1 - mean))
    low, high = 1 / (1 + np.exp(-np.log(mean / (1 - mean)) + np.array([step, -step])))
    (of_problems,) = intervals_of_shares(np.full((1, 50), mean))
    assert of_problems is not None
    assert found.low == pytest.approx(mean - np.hypot(mean - low, mean - of_problems.low))
    assert found.high == pytest.approx(mean + np.hypot(high - mean, of_problems.high - mean))
    assert found.high < 1


def test_one_seed_on_either_side_is_a_paired_difference() -> None:
    left, right = np.random.default_rng(3).binomial(4, 0.5, (2, 1, 30)) / 4
    assert of_share_arms([left], [right]) == of_differences(left[0] - right[0])


def test_a_gap_that_is_the_same_on_every_problem_has_no_error_of_the_benchmarks() -> None:
    """Benchmarks of 300 and 10 problems; only sampling is left, a hundredth of a point or so."""
    random = np.random.default_rng(4)
    left = [random.normal(0.5, 1e-4, (3, size)) for size in (300, 10)]
    right = [values - 0.3 + random.normal(0, 1e-4, values.shape) for values in left]
    found = of_share_arms(left, right)
    assert found is not None
    assert 0.299 < found.low < 0.3 < found.high < 0.301


def test_seeds_of_several_benchmarks_are_shared() -> None:
    seeds = np.array([[0.1], [0.2], [0.6]])
    base = [np.full((1, size), 0.1) for size in (40, 60)]
    arms = [np.repeat(seeds, size, axis=1) for size in (40, 60)]
    together, alone = of_share_arms(arms, base), of_share_arms(arms[:1], base[:1])
    assert together is not None
    assert alone is not None
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_intervals_of_shares_cover_over_seeds_and_problems(seeds: int) -> None:
    """Crossed effects on the log-odds; symmetric, so the truth is one half."""
    random, trials, problems = np.random.default_rng(seeds), 600, 60
    odds = random.normal(0, 2, (trials, 1, problems)) + random.normal(0, 0.5, (trials, seeds, 1))
    right = (random.random((trials, seeds, problems)) < 1 / (1 + np.exp(-odds))).astype(float)
    found = intervals_of_shares(right, draws=1000)
    covered = np.mean([each is not None and each.low <= 0.5 <= each.high for each in found])
    assert 0.92 < covered < 0.985


@pytest.mark.parametrize(
    ("above", "seeds", "share"), [(3, 3, 0.368), (5, 5, 0.549), (10, 10, 0.741), (0, 4, 0.0)]
)
def test_the_share_of_seeds_above_is_exact(above: int, seeds: int, share: float) -> None:
    assert least_share(above, seeds) == pytest.approx(share, abs=0.0005)


@pytest.mark.parametrize(("above", "seeds"), [(2, 3), (7, 9), (1, 20)])
def test_the_share_of_seeds_above_is_the_end_of_clopper_and_pearson(above: int, seeds: int) -> None:
    two_sided = proportion_confint(above, seeds, alpha=0.1, method="beta")
    assert least_share(above, seeds) == pytest.approx(two_sided[0])


@pytest.mark.parametrize(("above", "seeds"), [(0, 0), (2, 1), (-1, 3)])
def test_a_share_of_no_seeds_is_refused(above: int, seeds: int) -> None:
    with pytest.raises(MeasurementError, match="share of trials is not defined"):
        least_share(above, seeds)


def _around(means: list[float]) -> np.ndarray:
    noise = np.random.default_rng(5).normal(0, 0.1, (len(means), 100))
    return np.array(means)[:, None] + noise - noise.mean(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("means", "lower"),
    [
        ([0.88, 0.87, 0.17, 0.20, 0.22, 0.73, 0.88, 0.87], 3),
        ([0.86, 0.87, 0.85, 0.20, 0.86], 1),
        ([0.88, 0.875, 0.17], 1),
        ([0.88, 0.80, 0.17], None),
        ([0.60, 0.70, 0.75, 0.82, 0.90], None),
        ([0.500, 0.501, 0.500, 0.520, 0.500], None),
        ([0.9, 0.1], None),
        ([0.5, 0.5, 0.5], None),
    ],
)
def test_seeds_in_two_groups_are_seen(means: list[float], lower: int | None) -> None:
    assert seeds_apart(_around(means)) == lower


def test_normal_seeds_are_seldom_seen_as_two_groups() -> None:
    random = np.random.default_rng(6)
    for seeds in (3, 5, 10):
        apart = [
            seeds_apart(random.normal(0, 1, (seeds, 1)) + random.normal(0, 0.01, (seeds, 50)))
            for _ in range(200)
        ]
        assert sum(lower is not None for lower in apart) <= 20
