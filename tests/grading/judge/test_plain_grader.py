from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from math_verify import parse, verify

from emdiag.core.grades import Gold, is_second_grader
from emdiag.grading.pool.pool import GraderPool
from emdiag.grading.pool.rules import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = r"The answer is \boxed{\int_0^{\infty} \frac{\sin(x^{x^x})}{\ln(\cos(x^3)+2)} dx}"


@pytest.fixture(scope="module")
def plain() -> Iterator[GraderPool]:
    with GraderPool(workers=1, deadline_s=2.0, rules=PLAIN) as opened:
        yield opened


def test_verdicts_are_those_of_math_verify_called_directly(plain: GraderPool) -> None:
    cases = [
        ("4.5e33", r"so \boxed{4.5 \times 10^{33}}"),
        (r"\frac{1}{2}", "The answer is 0.5."),
        ("3, 1", r"\boxed{1, 3}"),
        ("$x+1$", r"\boxed{1+x}"),
        ("12 cm", r"\boxed{12}"),
        ("7", "I counted 3 and then 7"),
    ]
    found = list(plain.grade((Gold(answer=gold), text) for gold, text in cases))
    for (gold, text), judgement in zip(cases, found, strict=True):
        marked = gold if "$" in gold else rf"\boxed{{{gold}}}"
        expected = verify(parse(marked), parse(text))
        assert judgement.verdict.value == ("correct" if expected else "wrong"), (gold, text)


def test_e_notation_in_a_gold_is_not_read_as_a_power_of_ten(plain: GraderPool) -> None:
    pair = (Gold(answer="4.5e33"), r"\boxed{4.5 \times 10^{33}}")
    (alone,) = plain.grade([pair])
    with GraderPool(workers=1) as ours:
        (main,) = ours.grade([pair])
    assert (main.verdict.value, alone.verdict.value) == ("correct", "wrong")


def test_a_bare_number_counts_where_the_main_grader_wants_an_answer(plain: GraderPool) -> None:
    (found,) = plain.grade([(Gold(answer="7"), "First 3, then 7, and I stop here\nwithout a box")])
    assert found.verdict.value == "correct"
    assert found.extracted == "7"
    assert not found.boxed


def test_what_holds_nothing_is_no_answer_and_what_hangs_is_undecided(plain: GraderPool) -> None:
    nothing, slow = plain.grade([(Gold(answer="5"), "I do not know."), (Gold(answer="5"), SLOW)])
    assert (nothing.verdict.value, nothing.extracted) == ("no_answer", None)
    assert slow.verdict.value == "undecided"
    assert slow.note == "the comparison took longer than 2 s"


def test_only_second_graders_are_called_second(plain: GraderPool) -> None:
    assert is_second_grader(plain.identity)
    assert is_second_grader("published/1")
    assert not is_second_grader("math-verify/1")
    assert not is_second_grader("my_package.rules:Published published/1")
