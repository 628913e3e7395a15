from __future__ import annotations

import json
import random
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.judge import judge, members, quick
from emdiag.grading.judge.math_verify_grader import Algebra
from emdiag.grading.parse.extract import extract

if TYPE_CHECKING:
    from pathlib import Path

PIECES = [
    "\\frac", "\\sqrt", "{", "}", "(", ")", "[", "]", "\\{", "\\}", "\\text{", "^", "_", "1", "27",
    "x", "e", "E5", "\\pm", ",", " and ", "=", "<", "\\le", "%", "\\degree", "\\cup", "\\infty",
    "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", ".", "!", "/", "-", "\\pi", "cm", "B", "|",
    "\\langle", "\\in", "\\approx", "\\overline{3}", "$", "\u221a", "\u00bd", "\u00b2", "base 2",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@given(gold=SOUP, answer=SOUP)
@settings(max_examples=400, deadline=None)
def test_reading_never_fails_on_any_mixture_of_latex(gold: str, answer: str) -> None:
    for kind in ("unknown", "list", "tuple"):
        quick(Gold(answer=gold, answer_type=kind), answer)
        itself = quick(Gold(answer=gold, answer_type=kind), gold)
        assert itself is not None
        assert itself.verdict in {Verdict.CORRECT, Verdict.NO_ANSWER}


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_reading_never_fails_on_any_text(text: str) -> None:
    quick(Gold(answer=r"\frac{1}{2}, 3"), text)
    itself = quick(Gold(answer=text), text)
    assert itself is None or itself.verdict in {Verdict.CORRECT, Verdict.NO_ANSWER}


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=4))
def test_a_list_is_its_members_however_often_and_in_any_order(values: list[int]) -> None:
    gold = Gold(answer=",".join(map(str, values)))
    assert members(gold) == len(values)
    for order in permutations(map(str, values)):
        for joined in (", ".join(order), " and ".join(order), rf"\{{{', '.join(order)}\}}"):
            outcome = quick(gold, joined)
            assert outcome is not None
            assert outcome.verdict == Verdict.CORRECT
    for other in (values[1:], [*values, values[0]], [values[0] + 1, *values[1:]]):
        outcome = quick(gold, ", ".join(map(str, other)))
        assert outcome is not None
        assert outcome.verdict == Verdict.WRONG


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_an_expanded_square_equals_the_square_and_nothing_near_it(a: int, b: int, n: int) -> None:
    gold = Gold(answer=f"({n}x + {a})^2 + {b}y")
    spread = f"{n * n}x^2 + {2 * n * a}x + {a * a}"
    assert judge(gold, f"{b}y + {spread}", Algebra()).verdict == Verdict.CORRECT
    assert judge(gold, f"{b}y + {spread} + 1", Algebra()).verdict == Verdict.WRONG


def _golds(folder: Path) -> dict[str, list[Gold]]:
    def rows(name: str) -> list[dict[str, object]]:
        text = (folder / name / "test.jsonl").read_text(encoding="utf-8")
        return [json.loads(line, parse_float=str) for line in text.splitlines()]

    def last_box(row: dict[str, object]) -> str:
        return "\\boxed" + str(row["solution"]).rpartition("\\boxed")[2]

    def olympiad(row: dict[str, object]) -> Gold:
        answers = row["final_answer"]
        assert isinstance(answers, list)
        several = "list" if row["is_multiple_answer"] else "unknown"
        return Gold(answer=answers[0], answer_type=several, unit=row["unit"], error=row["error"])

    return {
        "math500": [Gold(answer=str(row["answer"])) for row in rows("math500")],
        "minerva_math": [Gold(answer=last_box(row)) for row in rows("minerva_math")],
        "olympiadbench": [olympiad(row) for row in rows("olympiadbench")],
        "amc23": [Gold(answer=str(row["answer"])) for row in rows("amc23")],
        "gsm8k": [Gold(answer=str(row["answer"]).rpartition("####")[2]) for row in rows("gsm8k")],
    }


def test_every_gold_of_five_benchmarks_equals_itself(shared_data: Path) -> None:
    for name, golds in _golds(shared_data).items():
        for gold in golds:
            answer = extract(gold.answer).answer if name == "minerva_math" else gold.answer
            outcome = quick(gold, str(answer))
            assert outcome is not None, gold
            assert outcome.verdict == Verdict.CORRECT, gold


@pytest.mark.parametrize("name", ["math500", "olympiadbench"])
def test_a_gold_is_hardly_ever_the_answer_to_another_problem(shared_data: Path, name: str) -> None:
    """What is accepted was looked at: `5` for `x=5`, `36` for `\\$36`, `8` for `8\\%`."""
    golds = _golds(shared_data)[name]
    draw = random.Random(0)
    accepted = []
    for gold in draw.sample(golds, 120):
        for other in draw.sample(golds, 6):
            outcome = quick(gold, other.answer)
            if outcome and outcome.verdict == Verdict.CORRECT:
                accepted.append((gold.answer, other.answer))
    numbers = [
        "".join(char for char in pair[0] + " " + pair[1] if char in "0123456789. ")
        for pair in accepted
    ]
    assert all(len(set(pair.split())) <= 1 for pair in numbers), accepted
