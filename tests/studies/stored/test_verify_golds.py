from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.importers import import_files
from emdiag.benchmarks.load import load_problems
from emdiag.core.codec import encode
from emdiag.core.grades import Gold, Judgement, Verdict
from emdiag.core.problems import Problem
from emdiag.grading.pool.pool import GraderPool
from emdiag.studies.stored.verify_golds import other_wording, verify_benchmark, written_gold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class GraderOfWords:
    """Right where the written box holds the gold character for character; keeps what it saw."""

    identity = "words/1"
    versions: dict[str, str] = {"words": "1"}  # noqa: RUF012 - a fake

    def __init__(self) -> None:
        self.pairs: list[tuple[Gold, str]] = []

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        for gold, text in pairs:
            self.pairs.append((gold, text))
            right = rf"\boxed{{{gold.answer}}}" in text and gold.answer != "broken"
            verdict = Verdict.CORRECT if right else Verdict.UNDECIDED
            yield Judgement(
                verdict=verdict, extracted=None, boxed=True, elapsed_s=0.5, note="because"
            )

    def classes(self, groups: Sequence[Sequence[str]]) -> list[list[str]]:
        raise NotImplementedError


def problem(answer: str, *, name: str = "p/0", **more: object) -> Problem:
    plain = Problem(id=name, benchmark="p", statement="s", answer=answer, answer_raw=answer)
    return msgspec.structs.replace(plain, **more)


def test_golds_that_differ_from_themselves_are_listed_and_tagged_ones_apart() -> None:
    problems = [
        problem("1", name="p/0"),
        problem("broken", name="p/1"),
        problem("broken", name="p/2", tags=("bad-gold",)),
        problem("3", name="p/3", tags=("names-lost",)),
    ]
    found = verify_benchmark(load_card("toy"), problems, grader=GraderOfWords())
    assert (found.problems, found.agreeing, found.passed) == (4, 2, False)
    assert [(c.problem_id, c.verdict, c.note) for c in found.disagreeing] == [
        ("p/1", Verdict.UNDECIDED, "because")
    ]
    assert [check.problem_id for check in found.tagged] == ["p/2", "p/3"]
    assert found.slowest_s == 0.5
    assert verify_benchmark(load_card("toy"), problems[2:], grader=GraderOfWords()).passed
    assert b'"grader":"words/1"' in encode(found)


def test_the_grader_is_told_type_unit_error_and_tolerance() -> None:
    grader = GraderOfWords()
    one = problem("4.2", answer_type="number", unit="km", error="0.1")
    verify_benchmark(load_card("minerva_math"), [one], grader=grader)
    (gold, text), (_, other) = grader.pairs
    assert other == r"The answer is $\boxed{1 \cdot \left(4.2\right)\text{ km}}$."
    assert gold == Gold(
        answer="4.2", answer_type="number", unit="km", error="0.1", tolerance="significant-digits"
    )
    assert text == r"The answer is $\boxed{4.2\text{ km}}$."


@pytest.mark.parametrize(
    ("unit", "box"),
    [
        (None, r"\boxed{5}"),
        ("%", r"\boxed{5\%}"),
        (r"^\circ", r"\boxed{5^\circ}"),
        ("cm^2", r"\boxed{5\text{ cm}^2}"),
        ("km/h", r"\boxed{5\text{ km/h}}"),
    ],
)
def test_units_are_written_after_the_gold_as_latex(unit: str | None, box: str) -> None:
    assert box in written_gold(problem("5", unit=unit))


@pytest.mark.parametrize(
    ("answer", "kind", "other"),
    [
        ("1, (2, 3)", "list", r"\boxed{(2, 3), 1}"),
        (r"\frac{1}{2}", "number", r"\boxed{1 \cdot \left(\frac{1}{2}\right)}"),
        ("a - b", "expression", r"\boxed{1 \cdot \left(a - b\right)}"),
        ("y = 2x", "expression", None),
        (r"k \geqslant 2", "expression", None),
        ("52_8", "number", None),
        (r"25\%", "number", None),
        (r"90^\circ", "number", None),
        ("(1, 2)", "tuple", None),
        (r"\text{west}", "text", None),
    ],
)
def test_golds_are_reworded_only_where_the_meaning_surely_stays(
    answer: str, kind: str, other: str | None
) -> None:
    text = other_wording(problem(answer, answer_type=kind))
    assert text is None if other is None else other in str(text)


def test_a_gold_that_is_accepted_only_as_text_is_listed_without_failing() -> None:
    one = problem("1", answer_type="number")
    found = verify_benchmark(load_card("toy"), [one], grader=GraderOfWords())
    assert found.passed
    assert (found.agreeing, found.reworded) == (1, 1)
    assert [check.problem_id for check in found.only_as_text] == ["p/0"]


def test_all_golds_of_shipped_sets_are_graded(tmp_path: Path) -> None:
    card = load_card("toy")
    problems = load_problems(card, home=tmp_path)
    grader = GraderOfWords()
    assert verify_benchmark(card, problems, grader=grader).problems == 12
    assert [gold.answer for gold, _ in grader.pairs[:12]] == [
        problem.answer for problem in problems
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("toy", "amc23", "gsm8k", "math500", "olympiadbench"),
        pytest.param(("minerva_math",), marks=pytest.mark.slow),
    ],
)
def test_every_gold_equals_itself_and_is_read(
    names: tuple[str, ...], shared_data: Path, tmp_path: Path
) -> None:
    with GraderPool(workers=2) as grader:
        for name in names:
            card = load_card(name)
            if not card.shipped:
                import_files(card, [shared_data / name / "test.jsonl"], home=tmp_path)
            found = verify_benchmark(card, load_problems(card, home=tmp_path), grader=grader)
            assert found.disagreeing == ()
            assert found.only_as_text == ()
            assert len(found.tagged) == (24 if name == "olympiadbench" else 0)
