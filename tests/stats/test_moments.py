from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

from emdiag.core.errors import MeasurementError
from emdiag.stats.moments import MomentColumns, decile_of, histogram_of
from tests.stats.array_moments import moments_of

if TYPE_CHECKING:
    from emdiag.core.moments import Moments

RANDOM = np.random.default_rng(4)
SHAPES: dict[str, np.ndarray] = {
    "normal": RANDOM.normal(size=5000),
    "gumbel": RANDOM.gumbel(3, 2, size=5000),
    "heavy tails": RANDOM.standard_t(3, size=5000),
    "near constant": 7 + 1e-5 * RANDOM.gumbel(size=5000),
    "large offset": 1e6 + RANDOM.gumbel(size=5000),
    "float32": RANDOM.gumbel(size=5000).astype(np.float32),
    "logits": RANDOM.normal(-3, 2, size=(50, 100)),
}
TABLES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(2, 12)),
    elements=st.integers(-200, 200).map(lambda tenths: tenths / 10),
)


def columns_of(rows: list[np.ndarray]) -> MomentColumns:
    return MomentColumns.of([moments_of(row) for row in rows])


def assert_matches_scipy(found: Moments, values: np.ndarray, *, rel: float = 1e-8) -> None:
    exact = np.asarray(values, np.float64).ravel()
    described = stats.describe(exact, ddof=0)
    assert found.count == described.nobs
    assert found.mean == pytest.approx(described.mean, rel=1e-12)
    assert found.sigma == pytest.approx(np.sqrt(described.variance), rel=rel)
    assert found.skewness == pytest.approx(described.skewness, rel=rel, abs=rel)
    assert found.excess_kurtosis == pytest.approx(described.kurtosis, rel=rel, abs=rel)


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_of_moments_is_what_scipy_finds(name: str) -> None:
    assert_matches_scipy(moments_of(SHAPES[name]), SHAPES[name])


def test_an_empty_array_has_no_moments_and_equal_values_have_no_shape() -> None:
    assert moments_of(np.array([])).sigma is None
    assert moments_of(np.full(1001, 0.1)).m2 == 0
    assert moments_of(np.full(7, 1e6 + 0.1)).skewness is None


@pytest.mark.parametrize("name", SHAPES)
def test_columns_find_at_every_position_what_scipy_finds(name: str) -> None:
    rows = SHAPES[name].reshape(50, 100).astype(np.float64)
    columns = columns_of(list(rows))
    assert columns.sigma() == pytest.approx(rows.std(axis=1), rel=1e-9)
    assert columns.skewness() == pytest.approx(stats.skew(rows, axis=1), rel=1e-7, abs=1e-7)
    assert columns.excess_kurtosis() == pytest.approx(
        stats.kurtosis(rows, axis=1), rel=1e-7, abs=1e-7
    )


def test_where_moments_say_not_defined_columns_say_nan() -> None:
    rows = [np.array([]), np.array([5.0]), np.full(9, 0.1), np.array([1.0, 2.0, 4.0])]
    each = [moments_of(row) for row in rows]
    columns = MomentColumns.of(each)
    for name in ("sigma", "skewness", "excess_kurtosis"):
        found = getattr(columns, name)()
        expected = [np.nan if getattr(one, name) is None else getattr(one, name) for one in each]
        assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_pooled_moments_are_those_of_all_values_together(offset: float) -> None:
    rows = [RANDOM.gumbel(offset + place, 1 + place / 9, size=20 + place) for place in range(40)]
    assert_matches_scipy(columns_of(rows).pooled(), np.concatenate(rows), rel=1e-7)


def test_nothing_pooled_is_nothing() -> None:
    assert MomentColumns.of([]).pooled() == moments_of(np.array([]))
    assert columns_of([np.array([]), np.array([])]).pooled().count == 0


@given(TABLES, st.integers(-20, 20).map(float), st.data())
def test_zeros_taken_out_leave_what_scipy_finds_without_them(
    table: np.ndarray, value: float, data: st.DataObject
) -> None:
    added = np.array(
        data.draw(st.lists(st.integers(0, 9), min_size=len(table), max_size=len(table)))
    )
    blocks = [
        np.concatenate([row, np.full(times, value)])
        for row, times in zip(table, added, strict=True)
    ]
    left = columns_of(blocks).without(value, added)
    assert left.mean == pytest.approx(table.mean(axis=1), abs=1e-9)
    assert left.sigma() == pytest.approx(table.std(axis=1), abs=1e-6)
    for place, row in enumerate(table):
        if row.std() > 0.01:
            # What is taken out lies so many sigmas away, and its fourth power cancels.
            lost = 1e-14 * (abs(row.mean() - value) / row.std()) ** 4
            near = {"rel": 1e-6, "abs": 1e-6 + lost}
            assert left.skewness()[place] == pytest.approx(stats.skew(row), **near)
            assert left.excess_kurtosis()[place] == pytest.approx(stats.kurtosis(row), **near)
        elif np.ptp(row) == 0:
            assert np.isnan(left.skewness()[place])


def test_nothing_is_left_where_all_values_are_taken_out() -> None:
    left = columns_of([np.zeros(4), np.array([0.0, 0.0, 3.0])]).without(0.0, np.array([4, 2]))
    assert left.count.tolist() == [0, 1]
    assert left.mean.tolist() == [0.0, 3.0]
    assert left.m4.tolist() == [0.0, 0.0]
    assert left.pooled() == moments_of(np.array([3.0]))


def test_no_more_is_taken_out_than_there_is() -> None:
    with pytest.raises(MeasurementError, match="take out"):
        columns_of([np.zeros(4)]).without(0.0, np.array([5]))


def test_a_constant_per_position_moves_pooled_figures_alone() -> None:
    rows = RANDOM.gumbel(size=(30, 200))
    constant = RANDOM.gumbel(0, 3, size=30)
    before, after = columns_of(list(rows)), columns_of(list(rows)).shifted(constant)
    assert np.array_equal(after.sigma(), before.sigma())
    assert np.array_equal(after.skewness(), before.skewness())
    assert np.array_equal(after.excess_kurtosis(), before.excess_kurtosis())
    assert_matches_scipy(after.pooled(), rows + constant[:, None])
    assert after.pooled().skewness != pytest.approx(before.pooled().skewness, abs=0.05)


@given(TABLES, st.floats(0.1, 8))
def test_a_temperature_scales_sigma_and_leaves_the_shape(
    table: np.ndarray, temperature: float
) -> None:
    before = columns_of(list(table))
    after = before.scaled(1 / temperature)
    assert after.mean == pytest.approx(table.mean(axis=1) / temperature)
    assert after.sigma() == pytest.approx(before.sigma() / temperature)
    assert after.skewness() == pytest.approx(before.skewness(), nan_ok=True)
    assert after.excess_kurtosis() == pytest.approx(before.excess_kurtosis(), nan_ok=True)


def test_a_negative_factor_turns_the_skewness_round() -> None:
    columns = columns_of([RANDOM.gumbel(size=100)])
    assert columns.scaled(-1).skewness() == pytest.approx(-columns.skewness())


def test_log_probabilities_have_the_shape_of_their_logits() -> None:
    rows = RANDOM.normal(0, 3, size=(20, 300))
    shifted = columns_of(list(rows)).shifted(-special.logsumexp(rows, axis=1))
    expected = special.log_softmax(rows, axis=1)
    assert_matches_scipy(shifted.pooled(), expected)


def test_selected_positions_keep_their_moments() -> None:
    rows = list(RANDOM.gumbel(size=(9, 20)))
    whole = columns_of(rows)
    assert whole.select(np.arange(9) < 4).pooled() == columns_of(rows[:4]).pooled()
    assert whole.select(slice(4, 9)).pooled() == columns_of(rows[4:]).pooled()
    assert len(whole.select(np.array([2, 5]))) == 2


@given(
    hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(-9, 9)),
    st.sampled_from([0.25, 0.1, 0.3]),
)
def test_a_histogram_counts_as_its_edges_say(values: np.ndarray, width: float) -> None:
    found = histogram_of(values, low=-2.0, width=width, bins=12)
    edges = [-2.0 + place * width for place in range(13)]
    expected = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    assert list(found.counts) == expected
    assert found.below == sum(value < edges[0] for value in values)
    assert found.above == sum(value >= edges[-1] for value in values)
    assert found.total == len(values)


def test_histograms_of_two_halves_add_up_to_that_of_the_whole() -> None:
    values = RANDOM.gumbel(size=(40, 10))
    halves = [histogram_of(half, low=-1, width=0.5, bins=8) for half in (values[:7], values[7:])]
    assert halves[0].merge(halves[1]) == histogram_of(values, low=-1, width=0.5, bins=8)


def test_nan_lies_in_no_bin() -> None:
    with pytest.raises(MeasurementError, match="finite numbers"):
        histogram_of(np.array([np.nan]), low=0, width=1, bins=2)


@given(st.integers(0, 500))
def test_deciles_are_tenths_of_the_answer_in_order(positions: int) -> None:
    found = decile_of(positions)
    assert found.tolist() == [10 * place // positions + 1 for place in range(positions)]
    sizes = np.bincount(found, minlength=11)[1:]
    assert sizes.size == 10
    assert sizes.max() - sizes.min() <= 1
