"""The grader on real golds, changed and rewritten by rule: no verdict is written by hand."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

import pytest

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.importers import import_files
from emdiag.benchmarks.load import load_problems
from emdiag.core.grades import Gold, Verdict
from emdiag.grading.pool.pool import GraderPool

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.problems import Problem


@pytest.fixture(scope="module")
def problems(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Problem]:
    home = tmp_path_factory.mktemp("home")
    card = load_card("math500")
    import_files(card, [shared_data / "math500" / "test.jsonl"], home=home)
    return load_problems(card, home=home)


def accepted(pairs: list[tuple[Problem, str]]) -> list[tuple[str, str]]:
    golds = [Gold(answer=problem.answer, answer_type=problem.answer_type) for problem, _ in pairs]
    texts = [f"So we get $\\boxed{{{answer}}}$." for _, answer in pairs]
    with GraderPool(workers=2) as pool:
        judged = list(pool.grade(zip(golds, texts, strict=True)))
    return [
        (problem.answer, answer)
        for (problem, answer), judgement in zip(pairs, judged, strict=True)
        if judgement.verdict is Verdict.CORRECT
    ]


def test_no_gold_with_one_digit_changed_is_accepted(problems: list[Problem]) -> None:
    random = Random(1)
    pairs = []
    for problem in problems:
        places = [found.start() for found in re.finditer(r"\d", problem.answer)]
        if places:
            at = random.choice(places)
            other = random.choice([d for d in "123456789" if d != problem.answer[at]])
            pairs.append((problem, problem.answer[:at] + other + problem.answer[at + 1 :]))
    assert len(pairs) > 400
    assert accepted(pairs) == []


def test_every_rewriting_of_a_number_is_accepted(problems: list[Problem]) -> None:
    pairs = []
    for problem in problems:
        whole = re.fullmatch(r"-?\d+", problem.answer)
        ratio = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", problem.answer)
        if whole:
            n = int(whole[0])
            forms = [f"{n}.0", f"x = {n}", rf"\text{{{n}}}", f"{2 * n}/2", rf"{n} \text{{ units}}"]
            forms += [f"{n:,}", f"{n:,}".replace(",", "{,}")] if abs(n) >= 1000 else []
        elif ratio:
            a, b = int(ratio[1]), int(ratio[2])
            forms = [f"{a}/{b}", rf"\dfrac{{{3 * a}}}{{{3 * b}}}", f"{a / b:.8f}"]
        else:
            forms = [f"{problem.answer}.", rf"\,{problem.answer}\,"]
        pairs += [(problem, form) for form in forms]
    assert len(pairs) > 1000
    assert len(accepted(pairs)) == len(pairs)
