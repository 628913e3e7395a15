from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.results import Interval

SHARES = st.floats(-1, 1, allow_subnormal=False)


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="made up")


@given(SHARES, SHARES)
def test_an_end_that_is_not_zero_is_never_written_as_zero(low: float, high: float) -> None:
    written = interval(low, high).ends(scale=100)[1:-1].split(", ")
    for value, text in zip((low, high), written, strict=True):
        if abs(100 * value) >= 0.0001:
            assert float(text) * value > 0
            assert float(text) == pytest.approx(100 * value, abs=0.05)


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (0.0004, 0.031, "[0.04, 3.1]"),
        (-0.0004, 0.031, "[-0.04, 3.1]"),
        (0.0, 0.031, "[0.0, 3.1]"),
        (-1e-16, 1.0, "[0.0, 100.0]"),
        (-0.2, -0.1, "[-20.0, -10.0]"),
    ],
)
def test_ends_in_points(low: float, high: float, written: str) -> None:
    assert interval(low, high).ends(scale=100) == written


def test_signs_are_written_where_they_are_asked_for() -> None:
    assert interval(-0.01, 0.02).ends(scale=100, sign="+") == "[-1.0, +2.0]"
