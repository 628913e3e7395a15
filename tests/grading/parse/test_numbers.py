from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emdiag.grading.parse.latex import tidy
from emdiag.grading.parse.numbers import Quantity, agreement, parse_number, same_number

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)


def quantity(text: str) -> Quantity:
    number = parse_number(tidy(text))
    assert number is not None, text
    return Quantity(value=number.value, number=number)


def exact(gold: str, answer: str) -> bool:
    return agreement(quantity(gold), quantity(answer), tolerance="exact") is not None


@given(DECIMALS)
def test_a_decimal_has_the_value_that_the_decimal_module_gives_it(value: Decimal) -> None:
    number = parse_number(str(value))
    assert number is not None
    assert number.value == Fraction(value)


@given(DECIMALS, st.integers(-40, 40))
def test_every_notation_of_a_number_is_the_same_number(value: Decimal, power: int) -> None:
    plain = f"{value:f}"
    forms = [f"{plain}e{power}", rf"{plain} \times 10^{{{power}}}", rf"{plain}\cdot10^{power}"]
    numbers = [parse_number(tidy(form)) for form in forms]
    assert all(number is not None and same_number(number, numbers[0]) for number in numbers)  # type: ignore[arg-type]
    assert numbers[0] is not None
    assert numbers[0].value == Fraction(value) * Fraction(10) ** power


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_fractions_and_mixed_numbers_are_exact(above: int, below: int) -> None:
    value = Fraction(above, below)
    assert quantity(rf"\frac{{{above}}}{{{below}}}").value == value
    assert quantity(f"-{above}/{below}").value == -value
    if above < below:
        assert quantity(rf"3\frac{{{above}}}{{{below}}}").value == 3 + value


@given(st.integers(1, 10**4), st.integers(3, 10**4), st.integers(4, 12))
def test_four_rounded_or_cut_digits_stand_for_a_fraction_without_a_short_decimal(
    above: int, below: int, digits: int
) -> None:
    value = Fraction(above, below)
    assume(value.denominator % 3 == 0)  # never ends
    with localcontext() as context:
        context.prec = digits
        for rounding in (ROUND_HALF_EVEN, ROUND_DOWN):
            context.rounding = rounding
            written = Decimal(value.numerator) / Decimal(value.denominator)
            assume("E" not in str(written) and "." in str(written))
            assert exact(f"{above}/{below}", str(written))
            off = written + 2 * Decimal(1).scaleb(int(written.as_tuple().exponent))
            assert not exact(f"{above}/{below}", str(off))


@pytest.mark.parametrize("below", [1, 2, 4, 8, 16, 5, 25, 40])
def test_a_short_decimal_is_written_in_full_or_wrong(below: int) -> None:
    gold = Fraction(10_007, 10_000) + Fraction(1, below)
    short = f"{float(gold):.10f}".rstrip("0")
    assert exact(f"{gold.numerator}/{gold.denominator}", short) or below in {16, 8}
    assert not exact(f"{gold.numerator}/{gold.denominator}", f"{float(gold) + 2e-4:.4f}")


@given(st.integers(1, 10**9), st.integers(-300, 300), st.integers(-300, 300))
def test_no_magnitude_is_rounded_away(mantissa: int, power: int, other: int) -> None:
    assert exact(f"{mantissa}e{power}", f"{mantissa}e{other}") == (power == other)
    assert not exact(f"{mantissa}e{power}", f"{mantissa + 1}e{power}")
    assert not exact("0", f"{mantissa}e{power}")


@given(st.integers(100, 999), st.integers(-30, 30), st.integers(-120, 120))
def test_significant_digits_mean_one_percent_or_half_a_unit_up_to_five(
    digits: int, power: int, off: int
) -> None:
    gold = Fraction(digits, 100) * Fraction(10) ** power
    answer = gold * (1 + Fraction(off, 1000))
    half = Fraction(10) ** (power - 2) / 2
    allowed = max(gold / 100, min(half, gold / 20))
    how = agreement(
        quantity(f"{digits // 100}.{digits % 100:02d}e{power}"),
        Quantity(value=answer),
        tolerance="significant-digits",
    )
    assert (how is not None) == (abs(answer - gold) <= allowed)


def test_an_exponent_of_a_million_digits_costs_nothing() -> None:
    huge = parse_number("1e" + "9" * 4000)
    assert huge is not None
    assert huge.value is None
    assert not exact("5", "1e999999999")
    assert exact("1e999999999", r"10 \times 10^{999999998}")
