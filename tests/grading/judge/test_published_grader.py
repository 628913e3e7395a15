from __future__ import annotations

import pytest

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.published_grader import cleaned, extracted, judge_published
from emdiag.grading.pool.pool import GraderPool
from emdiag.grading.pool.rules import PUBLISHED

MATRIX = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"


def verdict(gold: str, completion: str, *, keeps_units: bool = False) -> Verdict:
    tolerance = "significant-digits" if keeps_units else "exact"
    return judge_published(Gold(answer=gold, tolerance=tolerance), completion)[0].verdict


def box(answer: str) -> str:
    return rf"So it is $\boxed{{{answer}}}$."


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"The final answer is $7$. I hope it is correct. \boxed{8}", "7"),
        (r"\boxed{1} and then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\frac{1}{2", r"\frac{1}{2"),
        ("The answer is 5.", "5"),
        ("A final answer is:6/", "6"),
        ("There were 3 and then 1,250 of them, so", "1250"),
        ("nothing at all", ""),
        ("", ""),
    ],
)
def test_the_answer_is_found_where_the_published_rules_look(completion: str, answer: str) -> None:
    assert extracted(completion) == answer


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        (r"\frac{1}{2}", "0.5", "correct"),
        (r"2\sqrt{3}", r"\sqrt{12}", "correct"),
        ("x^2+2x+1", "(x+1)^2", "correct"),
        ("120", "5!", "correct"),
        ("5", "x=5", "correct"),
        ("x=5", "5", "correct"),
        ("p+q=1", "q+p-1=0", "correct"),
        ("x+y=1", "y+x-1=0", "wrong"),  # `y=` is taken away
        ("1,3", "3,1", "wrong"),  # G2: an order
        ("1,3", "13", "correct"),  # G3: commas dropped
        ("27", "2700", "correct"),  # G4: times 100
        ("27", "0.27", "correct"),
        ("27", "27.01", "wrong"),
        ("27", "27.001", "correct"),
        ("(1,2)", "(1,2]", "correct"),  # G5: brackets do not count
        (
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            r"\begin{bmatrix}1&2\\3&4\end{bmatrix}",
            "correct",
        ),
        (MATRIX, r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", "wrong"),
        ("42", "forty-two", "wrong"),
    ],
)
def test_answers_are_compared_by_the_published_rules(gold: str, answer: str, expected: str) -> None:
    assert verdict(gold, box(answer)) == expected


def test_a_gold_in_e_notation_fails_as_published() -> None:
    assert verdict("4.5e33", box(r"4.5 \times 10^{33}"), keeps_units=True) is Verdict.WRONG  # G1
    assert verdict("4.5e33", box("4.5e33"), keeps_units=True) is Verdict.CORRECT


def test_one_letter_units_take_variables_away_unless_units_are_kept() -> None:
    assert cleaned(r"\frac{ab}{2}", keeps_units=False) == r"\frac{}{2}"  # G7
    assert cleaned(r"\frac{ab}{2}", keeps_units=True) == r"\frac{ab}{2}"


def test_the_last_number_of_a_text_without_an_answer_counts() -> None:
    assert verdict("12", "first we look at step 12") is Verdict.CORRECT  # G9
    assert verdict("12", "no idea") is Verdict.NO_ANSWER


def test_a_power_that_memory_does_not_hold_is_not_written_out() -> None:
    assert verdict("1", box("9^{9999999}")) is Verdict.WRONG
    assert verdict("1", box("99999!")) is Verdict.WRONG


def test_the_pool_runs_it_within_its_limits() -> None:
    with GraderPool(workers=1, deadline_s=2.0, rules=PUBLISHED) as pool:
        pairs = [(Gold(answer="27"), "2700"), (Gold(answer="1"), box("9^{9^{9^{9}}}"))]
        right, tower = pool.grade(pairs)
    assert (right.verdict, right.extracted) == (Verdict.CORRECT, "2700")
    assert tower.verdict in {Verdict.WRONG, Verdict.UNDECIDED}
