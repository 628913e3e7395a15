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
from tests.grading.answer_forms import answer_forms
from tests.grading.near_misses import near_misses, real_golds

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


def drawn_near_misses(
    golds: dict[str, list[Gold]], *, most: int | None
) -> list[tuple[str, Gold, str]]:
    random = Random(1)
    drawn = []
    for of_benchmark in golds.values():
        some = of_benchmark if most is None else random.sample(of_benchmark, min(most, 1_000))
        for gold in some[:most]:
            drawn += [(kind, gold, text) for kind, text in near_misses(gold, random)]
    return drawn


def wrongly_accepted(drawn: list[tuple[str, Gold, str]]) -> list[tuple[str, str, str]]:
    pairs = [(gold, f"So we get $\\boxed{{{text}}}$.") for _, gold, text in drawn]
    with GraderPool(workers=2) as pool:
        judged = list(pool.grade(pairs))
    return [
        (kind, gold.answer, text)
        for (kind, gold, text), judgement in zip(drawn, judged, strict=True)
        if judgement.verdict is Verdict.CORRECT and (gold.answer, text) not in TRULY_EQUAL
    ]


TRULY_EQUAL = {("\\binom{2n}{n}", "|\\binom{2n}{n}|")}
"""Near misses that are no misses: a count is not negative."""


def test_no_near_miss_of_a_real_gold_is_accepted(shared_data: Path) -> None:
    drawn = drawn_near_misses(real_golds(shared_data), most=25)
    assert len(drawn) > 500
    assert wrongly_accepted(drawn) == []


@pytest.mark.slow
def test_no_near_miss_of_any_gold_is_accepted(shared_data: Path) -> None:
    drawn = drawn_near_misses(real_golds(shared_data), most=None)
    assert len(drawn) > 18_000
    assert len({kind for kind, _, _ in drawn}) >= 20
    assert wrongly_accepted(drawn) == []


def refused_forms(golds: dict[str, list[Gold]], *, most: int | None) -> dict[str, list[str]]:
    random = Random(2)
    drawn = []
    for of_benchmark in golds.values():
        some = of_benchmark if most is None else random.sample(of_benchmark, min(most, 40))
        drawn += [(form, gold, text) for gold in some for form, text in answer_forms(gold)]
    with GraderPool(workers=2) as pool:
        judged = list(pool.grade((gold, text) for _, gold, text in drawn))
    forms: dict[str, list[str]] = {form: [] for form, _, _ in drawn}
    assert len(forms) >= 25 or most is not None
    for (form, gold, _), judgement in zip(drawn, judged, strict=True):
        if judgement.verdict is not Verdict.CORRECT:
            forms[form].append(gold.answer)
    return forms


def test_every_form_of_a_right_answer_is_accepted(shared_data: Path) -> None:
    refused = refused_forms(real_golds(shared_data), most=20)
    assert {form: golds for form, golds in refused.items() if golds} == {}


@pytest.mark.slow
def test_hardly_a_form_around_any_gold_is_refused(shared_data: Path) -> None:
    refused = refused_forms(real_golds(shared_data), most=None)
    assert {form: golds for form, golds in refused.items() if len(golds) > 3} == {}


def near(gold: Gold, other: Gold) -> bool:
    """Whether the tolerance of a gold covers another one, such as 28.71 and 28.8."""
    try:
        a, b = float(gold.answer), float(other.answer)
    except ValueError:
        return False
    return gold.tolerance != "exact" and abs(a - b) <= 0.05 * abs(a)


def unequal_pairs(
    golds: dict[str, list[Gold]], random: Random, count: int
) -> list[tuple[Gold, str]]:
    """Golds beside golds of other problems of their benchmark that do not share their numbers."""
    pairs = []
    for of_benchmark in golds.values():
        for _ in range(count // len(golds)):
            gold, other = random.sample(of_benchmark, 2)
            if near(gold, other):
                continue
            digits, others = (re.sub(r"[^0-9]", "", text.answer) for text in (gold, other))
            words, of_other = (re.sub(r"[^a-z]", "", text.answer.lower()) for text in (gold, other))
            if digits != others or (not digits and words != of_other):
                pairs.append((gold, other.answer))
    return pairs


@pytest.mark.parametrize("count", [500, pytest.param(6_500, marks=pytest.mark.slow)])
def test_no_gold_is_the_answer_to_another_problem(shared_data: Path, count: int) -> None:
    pairs = unequal_pairs(real_golds(shared_data), Random(3), count)
    assert len(pairs) > count * 0.9
    with GraderPool(workers=2) as pool:
        judged = list(pool.grade((gold, f"\\boxed{{{text}}}") for gold, text in pairs))
    accepted = {
        (gold.answer, text)
        for (gold, text), judgement in zip(pairs, judged, strict=True)
        if judgement.verdict is Verdict.CORRECT
    }
    assert accepted == set()
