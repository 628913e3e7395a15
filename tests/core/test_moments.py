from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.moments import Histogram, Moments

NOTHING = Moments(count=0, mean=0.0, m2=0.0, m3=0.0, m4=0.0)


def one(value: float) -> Moments:
    return Moments(count=1, mean=value, m2=0.0, m3=0.0, m4=0.0)


def test_without_values_nothing_is_defined() -> None:
    assert (NOTHING.sigma, NOTHING.skewness, NOTHING.excess_kurtosis) == (None, None, None)


def test_one_value_has_no_shape() -> None:
    assert one(3.0).sigma == 0
    assert one(3.0).skewness is None


def test_equal_values_have_no_shape_even_after_rounding() -> None:
    mean = 0.1 + 1e6
    found = Moments(count=1000, mean=mean, m2=1000 * (1e-13 * mean) ** 2, m3=1.0, m4=1.0)
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
