from __future__ import annotations

import ast
import hashlib
import operator
import re
from collections import Counter
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.prompts import fill, load_template
from emdiag.core.codec import decode, encode
from emdiag.core.problems import Problem, Solution
from emdiag.lab.chain import (
    WORDINGS,
    Chain,
    draw_chain,
    held_out_problems,
    training_documents,
    writes_steps,
)
from emdiag.lab.recipe import LabRecipe, recipe_name
from emdiag.resources import data_dir

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = data_dir("benchmarks") / "chain"
OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def python_value(expression: str) -> int:
    """What Python makes of an expression, through its own parser."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Constant)
        assert isinstance(node.value, int)
        return node.value

    return value(ast.parse(expression, mode="eval").body)


def expression_of(statement: str) -> str:
    [found] = re.findall(r"[(\d][-\d+*()]{6,}\d", statement)
    return str(found)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    digits = draw(st.lists(st.integers(0, 9), min_size=2, max_size=9))
    operators = draw(st.text("+-*", min_size=len(digits) - 1, max_size=len(digits) - 1))
    return Chain(digits=tuple(digits), operators=operators)


def test_the_example_of_the_documentation_comes_out_as_written() -> None:
    chain = Chain(digits=(3, 5, 7, 2), operators="+*-")
    assert chain.expression == "((3+5)*7)-2"
    assert chain.solution(Random(0)) == r"3+5=8. 8*7=6. 6-2=4. \boxed{4}"


@given(chain=chains())
def test_the_answer_is_what_python_computes_modulo_10(chain: Chain) -> None:
    assert chain.answer == python_value(chain.expression) % 10


@given(chain=chains())
def test_every_step_of_a_careful_solution_is_true_and_starts_at_the_last_result(
    chain: Chain,
) -> None:
    *steps, box = chain.solution(Random(0)).split(". ")
    results = [str(chain.digits[0])]
    for step in steps:
        calculation, result = step.split("=")
        assert calculation.startswith(results[-1])
        assert python_value(calculation) % 10 == int(result)
        results.append(result)
    assert box == rf"\boxed{{{chain.answer}}}"
    assert results[-1] == str(chain.answer)


@given(chain=chains(), seed=st.integers(0, 2**32))
def test_a_sloppy_step_is_wrong_and_the_next_one_builds_on_it(chain: Chain, seed: int) -> None:
    *steps, box = chain.solution(Random(seed), sloppiness=1.0).split(". ")
    value = chain.digits[0]
    for step in steps:
        calculation, result = step.split("=")
        assert calculation.startswith(str(value))
        assert python_value(calculation) % 10 != int(result)
        value = int(result)
    assert box == rf"\boxed{{{value}}}"


def test_the_text_mixes_styles_and_wrong_steps_as_the_recipe_says() -> None:
    recipe, count = LabRecipe(), 12_000
    stepwise, seen, wrong, written = Counter[int](), Counter[int](), 0, 0
    for document in islice(training_documents(recipe), count):
        statement, answer = document.split("\n")
        expression = expression_of(statement)
        wording = WORDINGS.index(statement.replace(expression, "{expression}"))
        seen[wording] += 1
        if not writes_steps(answer):
            assert answer == rf"\boxed{{{python_value(expression) % 10}}}"
            continue
        stepwise[wording] += 1
        for calculation, result in re.findall(r"(\d[-+*]\d)=(\d)\.", answer):
            written += 1
            wrong += python_value(calculation) % 10 != int(result)
    for wording, share in enumerate(recipe.steps_share):
        assert seen[wording] / count == pytest.approx(0.25, abs=0.02)
        # Four standard errors of a share among 3,000 documents are at most 0.037.
        assert stepwise[wording] / seen[wording] == pytest.approx(share, abs=0.037)
    assert wrong / written == pytest.approx(recipe.sloppiness, abs=0.005)


def test_no_benchmark_expression_occurs_in_the_training_text() -> None:
    held_out = {expression_of(problem.statement) for problem in held_out_problems()}
    assert len(held_out) == 300
    for seed in (0, 1):
        documents = islice(training_documents(LabRecipe(seed=seed)), 10_000)
        read = {expression_of(document.split("\n")[0]) for document in documents}
        assert not held_out & read


def test_without_the_hash_rule_training_text_would_meet_the_benchmark() -> None:
    random = Random(0)
    held_out = {draw_chain(random, 4, held_out=True).expression for _ in range(2_000)}
    assert all(hashlib.sha256(expression.encode()).hexdigest()[1] == "0" for expression in held_out)
    free = {draw_chain(random, 4, held_out=False).expression for _ in range(20_000)}
    careless = {draw_chain(random, 4, held_out=True).expression for _ in range(2_000)}
    assert not held_out & free
    assert held_out & careless


def test_the_shipped_problems_are_what_the_seed_makes_byte_for_byte() -> None:
    content = (FOLDER / "problems.jsonl").read_bytes()
    assert content == b"".join(encode(problem) + b"\n" for problem in held_out_problems())
    card = load_card("chain")
    assert hashlib.sha256(content).hexdigest() == card.source.sha256
    assert card.size == len(content.splitlines())


def test_the_shipped_solutions_are_the_careful_ones_of_the_problems_byte_for_byte() -> None:
    solutions = []
    for problem in held_out_problems():
        expression = re.search(r"[(\d][-+*()\d]*[-+*]\d", problem.statement)
        assert expression is not None
        digits = tuple(map(int, re.findall(r"\d", expression[0])))
        chain = Chain(digits=digits, operators="".join(re.findall(r"[-+*]", expression[0])))
        solutions.append(Solution(problem_id=problem.id, text=chain.solution(Random(0))))
    content = b"".join(encode(solution) + b"\n" for solution in solutions)
    assert (FOLDER / "solutions.jsonl").read_bytes() == content


def test_a_shipped_solution_works_off_the_expression_of_its_own_problem() -> None:
    lines = (FOLDER / "solutions.jsonl").read_bytes().splitlines()
    for line, problem in zip(lines, held_out_problems(), strict=True):
        solution = decode(line, Solution)
        assert solution.problem_id == problem.id
        first, *links = re.findall(r"[-+*]?\d", expression_of(problem.statement))
        *steps, box = solution.text.split(". ")
        for step, link in zip(steps, links, strict=True):
            calculation, result = step.split("=")
            assert calculation == f"{first}{link}"
            assert python_value(calculation) % 10 == int(result)
            first = result
        assert box == rf"\boxed{{{problem.answer}}}"


def test_wordings_and_lengths_are_balanced_and_answers_are_right() -> None:
    lines = (FOLDER / "problems.jsonl").read_bytes().splitlines()
    problems = [decode(line, Problem) for line in lines]
    cells = Counter((problem.subject, problem.level) for problem in problems)
    assert cells == {
        (f"wording {wording}", digits): 15 for wording in range(1, 5) for digits in range(4, 9)
    }
    for position, problem in enumerate(problems):
        assert problem.id == f"chain/{position:04d}"
        expression = expression_of(problem.statement)
        wording = WORDINGS.index(problem.statement.replace(expression, "{expression}")) + 1
        assert problem.subject == f"wording {wording}"
        assert problem.level == len(re.findall(r"\d", expression))
        assert problem.answer == problem.answer_raw == str(python_value(expression) % 10)


def test_the_prompt_ends_where_the_training_text_starts_its_answer() -> None:
    template = load_template("chain")
    starts = {re.sub(r"[-\d+*()]+", "", text) for text in WORDINGS}
    for problem in held_out_problems(8):
        prompt = fill(template, problem).plain
        assert prompt == f"{problem.statement}\n"
    for document in islice(training_documents(LabRecipe()), 200):
        statement, answer = document.split("\n")
        assert statement.split(" ")[0] in {start.split(" ")[0] for start in starts}
        assert re.fullmatch(r"(\d[-+*]\d=\d\. )*\\boxed\{\d\}", answer)


def test_the_longest_solution_and_its_end_fit_the_limit_of_the_card() -> None:
    documents = islice(training_documents(LabRecipe()), 3_000)
    longest = max(len(document.split("\n")[1]) for document in documents)
    assert longest == 7 * len("3+5=8. ") + len(r"\boxed{4}")
    assert longest + 1 <= load_card("chain").max_tokens


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (r"3+5=8. \boxed{8}", True),
        (r"\boxed{8}", False),
        (r"\boxed{8} since 3+5=8", False),
        ("3+5=8. 8*", True),
        ("", False),
    ],
)
def test_a_completion_writes_steps_if_it_calculates_before_the_box(
    completion: str,
    expected: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    assert writes_steps(completion) is expected


def test_a_changed_recipe_does_not_go_by_the_shipped_name() -> None:
    assert recipe_name(LabRecipe(seed=7)) == "lab/1"
    assert recipe_name(LabRecipe(steps=10)) == "lab/1 with steps=10"
