from __future__ import annotations

import pytest

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.explain import explain
from emdiag.grading.judge.judge import RULES
from emdiag.grading.judge.math_verify_grader import Algebra


@pytest.mark.parametrize(
    ("gold", "completion", "verdict", "rule", "found"),
    [
        ("5", "\\boxed{5}", "correct", "the same text", "box"),
        ("5", "\\boxed{5 \\text{ cm}}", "correct", "the same number", "box"),
        (
            r"\frac{1}{3}",
            "The answer is 0.3333.",
            "correct",
            "rounded at its last digit",
            "announcement",
        ),
        ("1,3", "$x=\\boxed{3}$ or $x=\\boxed{1}$", "correct", "members in any order", "boxes"),
        (r"\sqrt{12}", r"\boxed{2\sqrt{3}}", "correct", "exact algebra", "box"),
        ("10^{45}+1", r"\boxed{10^{45}}", "wrong", "exact algebra", "box"),
        ("(1,2)", r"\boxed{(2,1)}", "wrong", "coordinates in their order", "box"),
        (r"\text{7:45 a.m.}", r"\boxed{7:45\text{ PM}}", "wrong", "times of day", "box"),
        (r"x \equiv 2 \pmod 6", r"\boxed{x \equiv 2 \pmod 3}", "wrong", "the moduli differ", "box"),
        ("5 \\text{ cm}", r"\boxed{5 \text{ m}}", "wrong", "the units differ", "box"),
        ("7", "7", "correct", "the same text", "whole text"),
        ("7", "I gave up. Sorry.", "no_answer", "no box and no answer line", "nothing"),
    ],
)
def test_a_verdict_names_the_rule_that_decided_and_what_found_the_answer(
    gold: str, completion: str, verdict: str, rule: str, found: str
) -> None:
    why = explain(Gold(answer=gold), completion, Algebra())
    assert (why.verdict.value, why.rule, why.found_by) == (verdict, rule, found)
    assert why.rules == RULES
    if why.span is not None and found == "box":
        assert completion[slice(*why.span)].strip() == why.extracted


def test_both_sides_are_shown_as_read_with_every_comparison() -> None:
    why = explain(Gold(answer="3,1"), r"\boxed{x = 3 \text{ or } x = 2}", Algebra())
    assert why.verdict is Verdict.WRONG
    assert (why.gold, why.answer) == ("3, 1", "x = 3, x = 2")
    assert {(step.gold, step.answer) for step in why.comparisons if step.holds} == {("3", "x = 3")}
    assert why.comparisons[-1].rule == "members in any order"
