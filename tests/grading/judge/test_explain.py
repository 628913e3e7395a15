from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emdiag.core.grades import Gold
from emdiag.grading.judge.explain import MOST_CHARACTERS, MOST_COMPARISONS
from emdiag.grading.pool.pool import GraderPool

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pool() -> Iterator[GraderPool]:
    with GraderPool(workers=1, deadline_s=5.0) as opened:
        yield opened


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
    pool: GraderPool, gold: str, completion: str, verdict: str, rule: str, found: str
) -> None:
    (judgement,) = pool.grade([(Gold(answer=gold), completion)])
    why = judgement.why
    assert why is not None
    assert (judgement.verdict, why.rule, why.found_by) == (verdict, rule, found)
    if why.span is not None and found == "box":
        assert completion[slice(*why.span)].strip() == judgement.extracted


def test_both_sides_are_shown_as_read_with_every_comparison(pool: GraderPool) -> None:
    completion = r"\boxed{x = 3 \text{ or } x = 2}"
    (judgement,) = pool.grade([(Gold(answer="3,1"), completion)])
    assert judgement.verdict == "wrong"
    assert judgement.why is not None
    *parts, whole = judgement.why.comparisons
    assert (whole.gold, whole.answer, whole.rule) == (
        "3, 1",
        "x = 3, x = 2",
        "members in any order",
    )
    assert {(step.gold, step.answer) for step in parts if step.holds} == {("3", "x = 3")}


def test_a_long_comparison_is_cut_to_what_a_reader_can_use(pool: GraderPool) -> None:
    numbers = ", ".join(map(str, range(300)))
    (judgement,) = pool.grade([(Gold(answer=numbers), rf"\boxed{{{numbers}, 7}}")])
    assert judgement.why is not None
    assert len(judgement.why.comparisons) <= MOST_COMPARISONS
    assert all(len(step.answer) <= MOST_CHARACTERS for step in judgement.why.comparisons)
