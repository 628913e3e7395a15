"""What a template and a tokenizer put around answers is no part of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emdiag.benchmarks.prompts import load_template, question_mark
from emdiag.core.grades import Gold, Verdict
from emdiag.engines.checkpoint.tokenizers import tokens_of
from emdiag.grading.parse.extract import before_question, extract
from emdiag.grading.parse.origin import GraderOfOrigin, Origin
from emdiag.grading.pool.pool import GraderPool
from emdiag.resources import lab_weights

OWN = Origin(question_mark="Task 3)", tokens=("[B]", "<fim>"), turn_ends=("<END>",))


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("So \\boxed{5}.\nTask 4) And 3+3?\n\\boxed{6}", "5"),
        ("The answer is 5.\n  Task 12) 3+3?\nThe answer is 6.", "5"),
        ("Task 4) restated\nSo \\boxed{5}.", "5"),  # nothing is answered before it
        ("So \\boxed{5}. See Task 4) for \\boxed{6}", "6"),  # no line of its own
        ("[B]The answer is 5<END> \\boxed{6}", "5"),
        ("<END>\\boxed{5}<END>\\boxed{6}", "5"),  # a turn that says nothing is none
        ("\\boxed{5<fim>}", "5"),
    ],
)
def test_an_answer_ends_where_its_origin_says(completion: str, answer: str) -> None:
    spoken = OWN.spoken(completion)
    extraction = extract(spoken)
    assert extraction.answer is not None
    assert extraction.answer.strip(" .") == answer
    assert extraction.span is not None
    start, end = extraction.span
    assert answer in completion[start:end]


def test_a_grader_of_an_origin_judges_what_is_said() -> None:
    pairs = [(Gold(answer="5"), "\\boxed{5}\nTask 4) 3+3?\n\\boxed{6}")]
    with GraderPool(workers=1) as pool:
        assert [judged.verdict for judged in pool.grade(pairs)] == [Verdict.WRONG]
        graded = GraderOfOrigin(pool, OWN)
        assert [judged.verdict for judged in graded.grade(pairs)] == [Verdict.CORRECT]
        assert graded.identity == pool.identity


@pytest.mark.parametrize(
    ("plain", "mark"),
    [
        ("Question: {statement}\\nAnswer:", "Question:"),
        ("Be brief.\\n\\n### Aufgabe\\n{statement}\\n", "### Aufgabe"),
        ("{statement}", None),
        ("1. {statement}", None),
    ],
)
def test_a_template_says_how_it_marks_a_question(
    tmp_path: Path, plain: str, mark: str | None
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(f'name="own"\nchat=false\nuser="{{statement}}"\nplain="{plain}"\n')
    assert question_mark(load_template(str(file))) == mark


def test_marks_of_shipped_templates() -> None:
    names = ("boxed", "plain", "chain", "qwen-math")
    marks = {name: question_mark(load_template(name)) for name in names}
    assert marks == {"boxed": None, "plain": None, "chain": None, "qwen-math": "<|im_start|>user"}


def test_a_mark_that_is_no_pattern_is_taken_letter_by_letter() -> None:
    text = "\\boxed{1}\n(Q.*) [x]\n\\boxed{2}"
    assert before_question(text, "(Q.*) [x]") == "\\boxed{1}\n"
    assert before_question(text, "(Q..) [x]") == text


def test_the_tokens_of_a_checkpoint_are_its_tokenizers_own() -> None:
    tokens, turn_ends = tokens_of(str(lab_weights()))
    assert turn_ends
    assert set(turn_ends) <= set(tokens)
