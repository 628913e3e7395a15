from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from emdiag.core.moments import Histogram, Moments

VALUES = hnp.arrays(np.float64, st.integers(0, 30), elements=st.integers(-4000, 4000).map(float))
NOTHING = Moments(count=0, mean=0.0, m2=0.0, m3=0.0, m4=0.0)


def one(value: float) -> Moments:
    return Moments(count=1, mean=value, m2=0.0, m3=0.0, m4=0.0)


def one_by_one(values: np.ndarray) -> Moments:
    found = NOTHING
    for value in values:
        found = found.merge(one(float(value)))
    return found


def assert_alike(left: Moments, right: Moments, scale: float) -> None:
    """Equal up to rounding, which grows with the power of the largest value."""
    assert left.count == right.count
    for power, name in enumerate(("mean", "m2", "m3", "m4"), start=1):
        reach = 1e-12 * max(left.count, 1) * max(scale, 1) ** power
        assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-9, abs=reach), name


@given(VALUES)
def test_merging_values_one_by_one_gives_what_scipy_finds(values: np.ndarray) -> None:
    found = one_by_one(values)
    if np.ptp(values) if values.size else 0:
        assert found.sigma == pytest.approx(values.std(), rel=1e-9)
        assert found.skewness == pytest.approx(stats.skew(values), rel=1e-8, abs=1e-8)
        assert found.excess_kurtosis == pytest.approx(stats.kurtosis(values), rel=1e-8, abs=1e-8)
    else:
        assert found.skewness is None
        assert found.excess_kurtosis is None


@given(VALUES, VALUES, VALUES)
def test_neither_order_nor_split_of_a_merge_matters(
    first: np.ndarray, second: np.ndarray, third: np.ndarray
) -> None:
    a, b, c = one_by_one(first), one_by_one(second), one_by_one(third)
    scale = float(np.abs(np.concatenate([first, second, third, [0]])).max())
    whole = one_by_one(np.concatenate([first, second, third]))
    for found in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b)):
        assert_alike(found, whole, scale)


@given(VALUES)
def test_a_stream_without_values_changes_nothing(values: np.ndarray) -> None:
    found = one_by_one(values)
    assert found.merge(NOTHING) == found
    assert NOTHING.merge(found) == found


def test_without_values_nothing_is_defined() -> None:
    assert (NOTHING.sigma, NOTHING.skewness, NOTHING.excess_kurtosis) == (None, None, None)


def test_one_value_has_no_shape() -> None:
    assert one(3.0).sigma == 0
    assert one(3.0).skewness is None


def test_equal_values_have_no_shape_even_after_rounding() -> None:
    found = one_by_one(np.full(1000, 0.1 + 1e6))
    assert found.is_constant
    assert found.excess_kurtosis is None


COUNTS = st.lists(st.integers(0, 50), min_size=3, max_size=3)


def histogram(counts: list[int], below: int, above: int) -> Histogram:
    return Histogram(low=-1.0, width=0.5, counts=tuple(counts), below=below, above=above)


@given(COUNTS, COUNTS, st.integers(0, 9), st.integers(0, 9))
def test_histograms_add_up_in_either_order(
    left: list[int], right: list[int], below: int, above: int
) -> None:
    a, b = histogram(left, below, 0), histogram(right, 1, above)
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).total == a.total + b.total
    assert a.merge(b).counts == tuple(np.add(left, right))


def test_histograms_of_other_edges_are_not_added() -> None:
    with pytest.raises(AssertionError, match="different edges"):
        histogram([1, 2, 3], 0, 0).merge(histogram([1, 2, 3, 4], 0, 0))
