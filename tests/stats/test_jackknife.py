from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emdiag.core.moments import Moments
from emdiag.stats.intervals import interval_of
from emdiag.stats.jackknife import Jackknifed, pooled_shape, ratio_shape
from tests.stats.array_moments import moments_of

if TYPE_CHECKING:
    from collections.abc import Callable

STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": np.mean,
    "sigma": np.std,
    "skewness": stats.skew,
    "excess_kurtosis": stats.kurtosis,
}


def problems(random: np.random.Generator, *, number: int, offset: float = 0) -> list[np.ndarray]:
    """Texts of different lengths, means and spreads."""
    return [
        offset + random.normal(0, 0.7) + np.exp(0.2 * random.normal()) * random.gumbel(size=size)
        for size in random.integers(20, 200, size=number)
    ]


def found(parts: list[np.ndarray], name: str) -> Jackknifed:
    return pooled_shape([moments_of(part) for part in parts])[name]


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_pseudo_values_are_those_of_leaving_problems_out_of_the_raw_values(
    name: str, offset: float
) -> None:
    parts = problems(np.random.default_rng(1), number=8, offset=offset)
    statistic = STATISTICS[name]
    without = np.array(
        [statistic(np.concatenate(parts[:place] + parts[place + 1 :])) for place in range(8)]
    )
    result = found(parts, name)
    value = statistic(np.concatenate(parts))
    assert result.value == pytest.approx(value, rel=1e-8)
    assert result.pseudo_values is not None
    assert result.pseudo_values - value == pytest.approx(
        7 * (without.mean() - without), rel=1e-5, abs=1e-6
    )


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_the_mean_of_pseudo_values_is_the_statistic(seed: int, number: int) -> None:
    parts = problems(np.random.default_rng(seed), number=number)
    for name in STATISTICS:
        result = found(parts, name)
        assert result.pseudo_values is not None
        assert result.pseudo_values.mean() == pytest.approx(result.value, rel=1e-9, abs=1e-9)


def test_with_seeds_problems_and_seeds_are_left_out_whole() -> None:
    random = np.random.default_rng(2)
    table = [problems(random, number=6) for _ in range(3)]
    skewness = pooled_shape([[moments_of(part) for part in row] for row in table])["skewness"]
    assert skewness.pseudo_values is not None
    values, value = skewness.pseudo_values, skewness.value
    assert values.shape == (3, 6)
    assert value == pytest.approx(stats.skew(np.concatenate([p for row in table for p in row])))

    def skew(seeds: list[int], which: list[int]) -> float:
        return float(stats.skew(np.concatenate([table[s][p] for s in seeds for p in which])))

    of_problems = np.array([skew([0, 1, 2], [q for q in range(6) if q != p]) for p in range(6)])
    of_seeds = np.array([skew([t for t in range(3) if t != s], list(range(6))) for s in range(3)])
    assert values.mean(axis=0) == pytest.approx(value + 5 * (of_problems.mean() - of_problems))
    assert values.mean(axis=1) == pytest.approx(value + 2 * (of_seeds.mean() - of_seeds))


def test_one_seed_is_no_seed() -> None:
    parts = [moments_of(part) for part in problems(np.random.default_rng(3), number=5)]
    alone, nested = pooled_shape(parts)["sigma"], pooled_shape([parts])["sigma"]
    assert alone.pseudo_values is not None
    assert nested.pseudo_values == pytest.approx(alone.pseudo_values[None])


def test_equal_problems_of_equal_length_give_a_mean_that_is_a_plain_mean() -> None:
    table = np.random.default_rng(4).normal(size=(7, 30))
    result = found(list(table), "mean")
    assert result.pseudo_values == pytest.approx(table.mean(axis=1))


def test_nothing_is_defined_without_values_and_no_shape_without_spread() -> None:
    assert pooled_shape([moments_of(np.array([]))]) == {}
    assert pooled_shape([]) == {}
    flat = pooled_shape([moments_of(np.full(4, 2.5)), moments_of(np.full(5, 2.5))])
    assert {name: each.value for name, each in flat.items()} == {"mean": 2.5, "sigma": 0}


def test_what_hangs_on_one_problem_says_nothing_of_how_sure_it_is() -> None:
    spread, flat = np.array([1.0, 2.0, 4.0]), np.full(5, 2.0)
    assert found([spread, flat], "skewness").pseudo_values is None
    assert found([spread, np.array([])], "mean").pseudo_values is None
    assert found([spread], "mean").pseudo_values == pytest.approx([7 / 3])


def test_a_ratio_is_that_of_the_sums_with_each_problem_left_out() -> None:
    above, below = np.array([1.0, 5.0, 2.0, 0.0]), np.array([10.0, 20.0, 3.0, 7.0])
    result = ratio_shape(above, below)
    assert result is not None
    assert result.value == 0.2
    without = np.array([7 / 30, 3 / 20, 6 / 37, 8 / 33])
    assert result.pseudo_values == pytest.approx(0.2 + 3 * (without.mean() - without))


def test_a_ratio_to_nothing_is_not_defined() -> None:
    assert ratio_shape(np.zeros(3), np.zeros(3)) is None
    alone = ratio_shape(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
    assert alone is not None
    assert alone.pseudo_values is None


def test_a_ratio_takes_seeds_as_a_second_level() -> None:
    above = np.arange(12, dtype=np.float64).reshape(3, 4)
    result = ratio_shape(above, np.full_like(above, 2.0))
    assert result is not None
    assert result.pseudo_values == pytest.approx(above / 2)


def _exact(random: np.random.Generator, number: int) -> np.ndarray:
    """Lengths, means and spreads of problems, `[number, 3]`."""
    length = np.round(100 * np.exp(0.7 * random.normal(size=number))).clip(1)
    return np.stack(
        [length, 0.7 * random.normal(size=number), np.exp(0.2 * random.normal(size=number))], 1
    )


def _gumbel_like(length: float, mean: float, sigma: float) -> Moments:
    n = int(length)
    return Moments(
        count=n,
        mean=mean,
        m2=n * sigma**2,
        m3=n * 1.139547 * sigma**3,
        m4=n * 5.4 * sigma**4,
    )


@pytest.mark.parametrize(("number", "least"), [(20, 0.85), (100, 0.88)])
def test_intervals_of_pooled_skewness_cover_it_nearly_as_often_as_they_say(
    number: int, least: float
) -> None:
    truth = 0.691  # of four million such problems
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        shape = pooled_shape([_gumbel_like(*row) for row in _exact(random, number)])
        assert shape["skewness"].pseudo_values is not None
        interval = interval_of(shape["skewness"].pseudo_values, draws=500)
        assert interval is not None
        covered += interval.low <= truth <= interval.high
    assert least <= covered / 200 <= 0.99
