from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.results import Interval, direction_of
from emdiag.findings import numbers


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="bootstrap over problems")


def test_a_minus_is_a_minus_sign_and_plus_stands_only_before_differences() -> None:
    between = interval(-0.005, 0.064)
    assert numbers.points(0.031, between) == "+3.1 points [−0.5, 6.4]"
    assert numbers.points_cell(-0.031) == "−3.1"
    assert numbers.percent(0.6, interval(0.544, 0.654)) == "60.0 % [54.4, 65.4]"
    assert numbers.change(0.305, interval(0.28, 0.33)) == "+0.305 [0.280, 0.330]"


def test_a_quantity_keeps_its_interval_and_shows_whole_numbers_whole() -> None:
    assert numbers.quantity(-1319) == "−1,319"
    assert numbers.quantity(3, interval(-1, 5)) == "3 [−1, 5]"
    assert numbers.quantity(3, interval(0.5, 5)) == "3.0 [0.5, 5.0]"


def test_words_of_others_get_a_true_minus_and_keep_their_hyphens() -> None:
    assert numbers.true_minus("-5 and +3 points, 1-2, pass-1") == "−5 and +3 points, 1-2, pass-1"


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.00 KiB"), (5 * 2**29, "2.50 GiB"),
     (2**60, "1,048,576 TiB")],
)  # fmt: skip
def test_storage_is_said_in_powers_of_1024(size: int, words: str) -> None:
    assert numbers.storage(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.96, "0.960 s"), (119, "119 s"), (720, "12.0 min"), (12240, "3.40 h")]
)
def test_a_duration_has_the_unit_that_fits(seconds: float, words: str) -> None:
    assert numbers.duration(seconds) == words


def test_a_distance_is_turned_with_its_interval() -> None:
    assert numbers.distance(-0.03, interval(-0.05, -0.01)) == "3.0 points [1.0, 5.0]"
    assert numbers.distance(0.03, interval(0.01, 0.05)) == "3.0 points [1.0, 5.0]"


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (2.2412, 2.19, 2.30, "2.24 [2.19, 2.30]"),
        (43.71, 42.6, 44.9, "43.7 [42.6, 44.9]"),
        (0.0019, 0.00188, 0.00195, "0.001900 [0.001880, 0.001950]"),
        (1319.0, 1200.0, 1450.0, "1,319 [1,200, 1,450]"),
    ],
)
def test_a_statistic_has_two_digits_on_the_scale_of_its_interval(
    value: float, low: float, high: float, words: str
) -> None:
    assert numbers.statistic(value, interval(low, high)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.09999, "0.100"), (52.04, "52.0"), (1319.2, "1,319"), (-2e-6, "−2e−06"), (0.0, "0.00")],
)
def test_short_numbers_have_three_digits(value: float, words: str) -> None:
    assert numbers.short(value) == words
    assert numbers.from_to(value, None) == "-"
    assert numbers.from_to(value, value) == f"{words} → {words}"


@given(st.floats(1e-5, 1), st.floats(1e-5, 1))
def test_an_end_that_is_not_zero_is_never_written_as_zero(low: float, high: float) -> None:
    written = numbers.points_cell(0.0, interval(-low, high)).split(" ", 1)[1]
    ends = [float(end.replace("−", "-")) for end in written.strip("[]").split(", ")]
    assert ends[0] < 0 < ends[1]
    assert ends == pytest.approx([-100 * low, 100 * high], abs=0.05 + 1e-9)  # halves go either way


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (0.0004, 0.031, "[0.04, 3.1]"),
        (-0.0004, 0.031, "[−0.04, 3.1]"),
        (0.0, 0.031, "[0.0, 3.1]"),
        (-1e-16, 1.0, "[0.0, 100.0]"),
        (-0.2, -0.1, "[−20.0, −10.0]"),
    ],
)
def test_ends_in_points(low: float, high: float, written: str) -> None:
    assert numbers.points(0.0, interval(low, high)) == f"+0.0 points {written}"


@pytest.mark.parametrize(
    ("p_value", "words", "cell"),
    [
        (0.0004, "p < 0.001", "< 0.001"),
        (0.0321, "p = 0.032", "0.032"),
        (None, "not tested", "-"),
    ],
)
def test_p_values_have_one_form(p_value: float | None, words: str, cell: str) -> None:
    assert numbers.p_value(p_value) == words
    assert numbers.p_cell(p_value) == cell


def test_plurals_are_right() -> None:
    assert numbers.count(1, "problem") == "1 problem"
    assert numbers.count(1319, "problem") == "1,319 problems"
    assert numbers.count(2, "entropy", "entropies") == "2 entropies"
    assert numbers.span([3, 5], "seed") == "3 to 5 seeds"
    assert numbers.listed(["base", "em", "rl"]) == "base, em and rl"


@pytest.mark.parametrize(
    ("low", "high", "p_value", "direction"),
    [
        (0.01, 0.05, None, "undecided"),
        (0.01, 0.05, 0.04, "higher"),
        (0.01, 0.05, 0.06, "undecided"),
        (-0.05, -0.01, 0.01, "lower"),
        (-0.05, 0.01, 0.01, "undecided"),
        (0.0, 0.05, 0.01, "undecided"),
    ],
)
def test_significant_is_what_interval_and_corrected_test_both_allow(
    low: float, high: float, p_value: float | None, direction: str
) -> None:
    assert direction_of(interval(low, high), p_value) == direction


def test_nothing_is_significant_without_an_interval() -> None:
    assert direction_of(None, 0.0001) == "undecided"
