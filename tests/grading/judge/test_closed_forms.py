"""What is read without algebra says what algebra says."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.closed_forms import PI, ClosedForms, constant, polynomial
from emdiag.grading.judge.judge import judge, quick
from emdiag.grading.judge.math_verify_grader import Algebra
from emdiag.grading.judge.terms import NeedsWorkerError

SMALL = st.integers(0, 30)
SURD = st.builds(lambda a, b: rf"{a or ''}\sqrt{{{b}}}", SMALL, SMALL)
CONSTANT = st.one_of(
    SMALL.map(str), SURD, SMALL.map(lambda a: rf"{a or ''}\pi"),
    st.builds(lambda a, sign, b: f"{a} {sign} {b}", SMALL, st.sampled_from("+-"), SURD),
)  # fmt: skip
POLYNOMIAL = st.builds(
    lambda sign, a, x, b, y, c: f"{sign}{a}{x}^{b} + {y} - {c}",
    st.sampled_from(["", "-"]), SMALL, st.sampled_from("xkn"), st.integers(1, 9),
    st.sampled_from("xaiy"), SMALL,
)  # fmt: skip
PLAIN = st.one_of(CONSTANT, POLYNOMIAL)
FORM = st.one_of(
    PLAIN, st.builds(lambda a, b: rf"\frac{{{a}}}{{{b}}}", PLAIN, CONSTANT),
    st.builds(lambda a, b: f"{a}.{b}", SMALL, SMALL),
)  # fmt: skip


@given(gold=FORM, answer=FORM, tolerance=st.sampled_from(["exact", "significant-digits"]))
@settings(max_examples=600, deadline=None)
def test_the_quick_path_says_what_algebra_says(gold: str, answer: str, tolerance: str) -> None:
    pair = Gold(answer=gold, tolerance=tolerance)  # type: ignore[arg-type]
    here = quick(pair, answer)
    if here is not None:
        assert here.verdict == judge(pair, answer, Algebra()).verdict


@given(FORM)
@settings(max_examples=300, deadline=None)
def test_a_constant_is_the_number_that_algebra_finds(text: str) -> None:
    number = constant(text)
    if number is not None:
        exact = Algebra().value(text)
        assert exact is not None
        assert abs(number - exact) < Fraction(1, 10**50) * max(1, abs(exact))


def test_pi_has_its_digits() -> None:
    assert abs(sympy.Rational(PI.numerator, PI.denominator) - sympy.pi.evalf(100)) < 10**-79


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{3\sqrt{3}}{4}", "1.3"), ("8n^2 + 4n + 1", "202"), ("6 - 5i", "-50"),
        (r"\frac{11+9a}{20}", r"\sqrt{2}"), ("203", "x^5 - x^4 + x - 1"), ("2k", "2n"),
    ],
)  # fmt: skip
def test_what_cannot_be_equal_needs_no_worker(gold: str, answer: str) -> None:
    outcome = quick(Gold(answer=gold), answer)
    assert outcome is not None
    assert outcome.verdict is Verdict.WRONG


@pytest.mark.parametrize(
    "text",
    ["x^10", "xy", "2x3", "i^2", "x - x", "5e", "e^2", "x(x+1)", "2 3", r"\pi r", "N", "x +", ""],
)
def test_other_forms_are_left_to_algebra(text: str) -> None:
    assert constant(text) is None
    assert polynomial(text) is None
    with pytest.raises(NeedsWorkerError):
        ClosedForms().value(text)
    with pytest.raises(NeedsWorkerError):
        ClosedForms().same("x", text)
    with pytest.raises(NeedsWorkerError):
        ClosedForms().same(r"\sqrt{12}", r"2\sqrt{3}")
