from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emdiag.benchmarks import golds

if TYPE_CHECKING:
    from decimal import Decimal


@given(
    mantissa=st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=0),
    exponent=st.integers(-400, 400),
)
def test_scientific_notation_keeps_every_digit_even_beyond_floats(
    mantissa: Decimal, exponent: int
) -> None:
    digits = format(mantissa, "f")
    assert golds.scientific(f"{digits}e{exponent}") == rf"{digits} \times 10^{{{exponent}}}"


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("4.5e33", r"4.5 \times 10^{33}"),
        ("-2e-05", r"-2 \times 10^{-5}"),
        (".5E+3", r".5 \times 10^{3}"),
        ("1.70e4", r"1.70 \times 10^{4}"),
    ],
)
def test_e_notation_becomes_a_power_of_ten(raw: str, normalised: str) -> None:
    assert golds.scientific(raw) == normalised


@pytest.mark.parametrize("text", ["e^{t} / 3", "3e^{-2t}", "2e", "e5", "1e5 m", "7.6 Z"])
def test_the_number_e_is_not_taken_for_a_power_of_ten(text: str) -> None:
    assert golds.scientific(text) == text


@pytest.mark.parametrize(
    ("solution", "box"),
    [
        (r"so \boxed{\frac{1}{\sqrt{2}}c}.", r"\frac{1}{\sqrt{2}}c"),
        (r"\boxed{1} and then \boxed{ 2 }", "2"),
        (r"\boxed{\text{a \boxed{3}}}", "3"),
        (r"first \boxed{4}, cut off \boxed{5", "4"),
        (r"no box, \boxed 5", None),
        ("", None),
    ],
)
def test_the_last_box_is_found_by_its_braces(solution: str, box: str | None) -> None:
    assert golds.last_box(solution) == box


@given(st.text("ab{}\\", max_size=30))
def test_a_box_ends_where_its_braces_balance(content: str) -> None:
    depth = 0
    for character in content:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return
    if depth == 0 and "\\boxed{" not in content:
        assert golds.last_box(rf"x \boxed{{{content}}} y}}") == content.strip()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1, 2,3", ["1", "2", "3"]),
        (r"(1,2), \left[3,4\right)", ["(1,2)", r"\left[3,4\right)"]),
        ("(3,4]", ["(3,4]"]),
        (r"\frac{1,5}{2}", [r"\frac{1,5}{2}"]),
        (r"1\,000", [r"1\,000"]),
        (r"\quad(2,1)", ["(2,1)"]),
        ("E_{1},E_{2}", ["E_{1}", "E_{2}"]),
    ],
)
def test_commas_separate_answers_only_outside_brackets(text: str, parts: list[str]) -> None:
    assert golds.members(text) == parts


@pytest.mark.parametrize(
    ("raw", "answer", "kind", "unit"),
    [
        (r"3, 5, 7", "3, 5, 7", "list", None),
        (r"58,500", "58500", "number", None),
        (r"10,\!080", "10080", "number", None),
        (r"11,\! 111,\! 100", "11111100", "number", None),
        (r"\$18.90", "18.90", "number", None),
        (r"56.0", "56.0", "number", None),
        (r"1 \pm \sqrt{19}", r"1 + \sqrt{19}, 1 - \sqrt{19}", "list", None),
        (r"\{1\pm\sqrt{5},-2\}", r"1+\sqrt{5}, 1-\sqrt{5}, -2", "list", None),
        (r"x \in [-2,7]", "[-2,7]", "interval", None),
        (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty, 2) \cup (3, \infty)", "interval", None),
        (r"\left( 3, \frac{\pi}{2} \right)", r"\left( 3, \frac{\pi}{2} \right)", "tuple", None),
        (r"864 \mbox{ inches}^2", "864", "number", "inches^2"),
        (r"5.4 \text{ cents}", "5.4", "number", "cents"),
        (r"\text{(C)}", r"\text{(C)}", "text", None),
        (r"\text{Evelyn}", r"\text{Evelyn}", "text", None),
        (r"90^\circ", r"90^\circ", "number", None),
        (r"52_8", "52_8", "number", None),
        (r"\cot x", r"\cot x", "expression", None),
        (r"(a+5)(b+2)", "(a+5)(b+2)", "expression", None),
        (r"f(2,3)", "f(2,3)", "expression", None),
    ],
)
def test_latex_golds(raw: str, answer: str, kind: str, unit: str | None) -> None:
    gold = golds.latex_gold(raw)
    assert (gold.answer, gold.answer_type, gold.unit) == (answer, kind, unit)


@pytest.mark.parametrize(("raw", "whole"), [("27.0", "27"), ("-1.00", "-1"), ("27.5", "27.5")])
def test_counts_written_as_floats_lose_their_zeros_only(raw: str, whole: str) -> None:
    assert golds.whole_number(raw) == whole


@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_are_removed_without_changing_the_number(value: int) -> None:
    assert golds.without_separators(f"{value:,}") == str(value)


@example(r"\{\}")
@given(st.text(r"\{}[](),.$0123456789aexpm ^_", min_size=1, max_size=20))
def test_no_text_is_normalised_away(text: str) -> None:
    assert golds.latex_gold(text).answer


def test_an_error_bound_is_written_out_exactly() -> None:
    assert golds.error_bound("1e-1") == "0.1"
    assert golds.error_bound("2.50E-20") == "0.0000000000000000000250"


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "0", "-1", "1e9999999", "1e-9999999", "a little", "", "0x1"]
)
def test_an_error_that_is_no_finite_number_above_zero_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a finite number above 0"):
        golds.error_bound(text)
