from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.digest import digest
from emdiag.core.grades import Grade, Verdict
from emdiag.core.runs import EngineSpec, GradingSpec, RunSpec
from emdiag.core.sampling import Completion, SamplingParams
from emdiag.publish.places import FEWEST_OF_A_VERDICT, choose_places
from emdiag.publish.samples import (
    MOST_CHARACTERS,
    SampledRun,
    page_samples,
    shortened,
)
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.problems import problems_of_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emdiag.core.page_samples import PageSamples
    from emdiag.store.run_store import Run

    Sample = tuple[str, int, Verdict]

RIGHT, WRONG, NOTHING = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER


def _run(
    root: Path,
    samples: Sequence[Sample],
    *,
    temperature: float = 1.0,
    benchmark: str = "toy",
    text: str = "\\boxed{1}",
) -> Run:
    """A graded run of these problems, sample indices and verdicts."""
    spec = RunSpec(
        benchmark=benchmark,
        template="boxed",
        chat=False,
        prompts_sha256="p",
        checkpoint_digest="d",
        tokenizer_digest="t",
        sampling=SamplingParams(temperature=temperature, max_tokens=64),
        engine=EngineSpec(name="scripted", dtype="float32"),
    )
    run = RunStore(root).run(spec)
    with run.writing(), run.completion_writer() as journal:
        for problem, index, _ in samples:
            journal.append(
                Completion(
                    problem_id=problem,
                    sample_index=index,
                    text=text,
                    token_ids=(1, 2, 3),
                    prompt_tokens=4,
                    finish_reason="stop",
                    seed=0,
                )
            )
    grade(run, samples, grader="math-verify/1")
    return run


def grade(run: Run, samples: Sequence[Sample], *, grader: str) -> None:
    spec = GradingSpec(grader=grader, versions={}, golds_sha256="g")
    with run.writing(), run.grade_writer(spec) as journal:
        for problem, index, verdict in samples:
            journal.append(
                Grade(
                    problem_id=problem,
                    sample_index=index,
                    verdict=verdict,
                    extracted="1",
                    boxed=True,
                    answer_class="1",
                    grader=grader,
                    elapsed_s=0.0,
                )
            )


def _shown(runs: Sequence[SampledRun], *, home: Path, **limits: int) -> PageSamples | None:
    problems = problems_of_runs([column.run for column in runs], home=home)
    return page_samples(runs, problems, **limits)


def test_samples_of_two_runs_stand_side_by_side_under_what_tells_them_apart(
    tmp_path: Path, toy_ids: list[str]
) -> None:
    first = _run(tmp_path, [(name, 0, RIGHT) for name in toy_ids[:3]])
    second = _run(tmp_path, [(name, 0, WRONG) for name in toy_ids[:3]], temperature=0.6)
    runs = [SampledRun(run=first, label="em"), SampledRun(run=second, label="em")]
    book = _shown(runs, home=tmp_path)
    assert book is not None
    assert [column.title for column in book.columns] == ["em, T 1", "em, T 0.6"]
    assert [problem.id for problem in book.problems] == toy_ids[:3]
    assert all(problem.statement for problem in book.problems)
    assert [(one.problem, one.column) for one in book.samples] == [
        (problem, column) for problem in range(3) for column in range(2)
    ]
    assert (book.total, book.choice) == (6, None)


def test_a_second_grader_says_its_verdict_beside_the_first(
    tmp_path: Path, toy_ids: list[str]
) -> None:
    run = _run(tmp_path, [(toy_ids[0], 0, RIGHT)])
    main = digest(run.gradings()[-1])
    grade(run, [(toy_ids[0], 0, WRONG)], grader="another/1")
    book = _shown([SampledRun(run=run, label="base", grade_key=main)], home=tmp_path)
    assert book is not None
    (sample,) = book.samples
    assert (sample.verdict, sample.second_verdict) == (RIGHT, WRONG)
    assert book.graders == ("math-verify/1", "another/1")


def test_a_benchmark_that_is_not_here_leaves_statements_out_and_does_not_fail(
    tmp_path: Path,
) -> None:
    run = _run(tmp_path, [("mine/0001", 0, RIGHT)], benchmark="mine")
    book = _shown([SampledRun(run=run, label="base")], home=tmp_path)
    assert book is not None
    assert [(problem.statement, problem.answer) for problem in book.problems] == [("", None)]


def test_samples_without_a_grade_are_shown_without_a_verdict(
    tmp_path: Path, toy_ids: list[str]
) -> None:
    run = _run(tmp_path, [(toy_ids[0], 0, RIGHT)])
    with run.writing(), run.completion_writer() as journal:
        (drawn,) = run.completions().values()
        journal.append(
            Completion(
                problem_id=toy_ids[1],
                sample_index=0,
                text="",
                token_ids=(),
                prompt_tokens=1,
                finish_reason=drawn.finish_reason,
                seed=0,
            )
        )
    book = _shown([SampledRun(run=run, label="base")], home=tmp_path)
    assert book is not None
    assert (len(book.samples), book.total, book.choice) == (2, 2, None)
    assert [one.verdict for one in book.samples] == [RIGHT, None]


def test_too_many_samples_are_chosen_in_pairs_the_same_ones_every_time(
    tmp_path: Path, toy_ids: list[str]
) -> None:
    places = [(name, index) for name in toy_ids for index in range(20)]
    first = _run(tmp_path, [(*place, RIGHT if n % 3 else WRONG) for n, place in enumerate(places)])
    second = _run(tmp_path, [(*place, RIGHT) for place in places], temperature=0.6)
    runs = [SampledRun(run=first, label="a"), SampledRun(run=second, label="b")]
    book = _shown(runs, home=tmp_path, most_samples=100)
    assert book is not None
    assert book == _shown(runs, home=tmp_path, most_samples=100)
    shown = [{(s.problem, s.sample_index) for s in book.samples if s.column == c} for c in (0, 1)]
    assert shown[0] == shown[1]
    assert len(book.samples) == 100
    assert book.choice is not None
    assert book.total == 2 * len(places)
    verdicts = Counter(s.verdict for s in book.samples if s.column == 0)
    assert verdicts[WRONG] >= min(FEWEST_OF_A_VERDICT, len(places) // 3)


def test_a_run_without_samples_has_no_book(tmp_path: Path, toy_ids: list[str]) -> None:
    run = _run(tmp_path, [])
    assert _shown([SampledRun(run=run, label="base")], home=tmp_path) is None
    assert toy_ids


@given(length=st.integers(min_value=0, max_value=3 * MOST_CHARACTERS))
def test_a_long_text_keeps_its_two_ends_and_says_how_much_is_missing(length: int) -> None:
    text = "".join(chr(97 + n % 26) for n in range(length))
    shown, left_out = shortened(text)
    assert len(shown) <= MOST_CHARACTERS
    assert (left_out == 0) == (shown == text)
    if left_out:
        head = len(text) - left_out - 6_000
        assert shown[:head] == text[:head]
        assert shown.endswith(text[-6_000:])
        assert f"{left_out:,} characters are not shown" in shown


@given(
    common=st.integers(min_value=0, max_value=300),
    rare=st.integers(min_value=0, max_value=30),
    most=st.integers(min_value=0, max_value=400),
)
def test_a_choice_fits_keeps_rare_verdicts_and_else_the_proportions(
    common: int, rare: int, most: int
) -> None:
    verdicts = {("b", f"p{n}", 0): ((0, "correct"), (1, "correct")) for n in range(common)}
    verdicts |= {("b", f"r{n}", 0): ((0, "wrong"), (1, "correct")) for n in range(rare)}
    sizes = dict.fromkeys(verdicts, 1)
    chosen = choose_places(verdicts, sizes, most_samples=most, most_text=10**6)
    assert len(chosen) == min(most // 2, common + rare)
    assert len(set(chosen)) == len(chosen)
    wrong = sum(place[1].startswith("r") for place in chosen)
    if most >= 4 * 2 * FEWEST_OF_A_VERDICT:
        assert wrong >= min(rare, FEWEST_OF_A_VERDICT)


def test_without_rare_verdicts_a_choice_holds_the_proportions_to_one() -> None:
    verdicts = {("b", f"p{n}", 0): ((0, "correct"),) for n in range(300)}
    verdicts |= {("b", f"q{n}", 0): ((0, "wrong"),) for n in range(700)}
    chosen = choose_places(verdicts, dict.fromkeys(verdicts, 1), most_samples=200, most_text=10**6)
    assert abs(sum(place[1].startswith("p") for place in chosen) - 60) <= 1


@pytest.mark.parametrize("most_text", [0, 10, 55])
def test_the_texts_together_stay_within_their_limit(most_text: int) -> None:
    verdicts = {("b", f"p{n}", 0): ((0, "correct"),) for n in range(30)}
    sizes = {place: 1 + n for n, place in enumerate(verdicts)}
    chosen = choose_places(verdicts, sizes, most_samples=100, most_text=most_text)
    assert sum(sizes[place] for place in chosen) <= most_text
