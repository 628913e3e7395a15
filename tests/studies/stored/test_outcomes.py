from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from emdiag.core.digest import digest
from emdiag.core.grades import Grade, Verdict
from emdiag.core.runs import EngineSpec, GradingSpec, RunSpec
from emdiag.core.sampling import Completion, FinishReason, SamplingParams
from emdiag.store.run_store import Run, RunStore
from emdiag.studies.stored.find_runs import graded
from emdiag.studies.stored.outcomes import on_shared_samples, outcomes_of, rates_by_seed

if TYPE_CHECKING:
    from pathlib import Path

GRADING = GradingSpec(grader="by hand", versions={}, golds_sha256="x")
KEY = digest(GRADING)
RIGHT, WRONG = Verdict.CORRECT, Verdict.WRONG
Drawn = tuple[str, int, Verdict]


def _run(folder: Path, drawn: list[Drawn], *, loops: bool = False) -> Run:
    run = RunStore(folder).run(
        RunSpec(
            benchmark="toy",
            template="boxed",
            chat=False,
            prompts_sha256="a",
            checkpoint_digest="b",
            tokenizer_digest="c",
            sampling=SamplingParams(temperature=1.0, max_tokens=64),
            engine=EngineSpec(name="scripted", dtype="float32"),
        )
    )
    with run.writing(), run.completion_writer() as completions, run.grade_writer(GRADING) as grades:
        for number, (problem, index, verdict) in enumerate(drawn):
            cut_off = loops and number % 2 == 0
            finish: FinishReason = "length" if cut_off else "stop"
            completions.append(
                Completion(
                    problem_id=problem,
                    sample_index=index,
                    text="the answer is four and " * 40 if cut_off else "short",
                    token_ids=tuple(range(10 if cut_off else 2)),
                    prompt_tokens=3,
                    finish_reason=finish,
                    seed=7,
                )
            )
            grades.append(
                Grade(
                    problem_id=problem,
                    sample_index=index,
                    verdict=verdict,
                    extracted=verdict.value,
                    boxed=verdict is RIGHT,
                    answer_class=verdict.value,
                    grader="by hand",
                    elapsed_s=0.0,
                )
            )
    return run


def test_samples_lie_problem_by_problem_whatever_order_they_were_drawn_in(tmp_path: Path) -> None:
    drawn = [("b", 1, RIGHT), ("a", 0, RIGHT), ("b", 0, WRONG), ("a", 1, RIGHT), ("a", 2, WRONG)]
    found = outcomes_of(_run(tmp_path, drawn), KEY, label="x")
    assert found.problems == ("a", "b")
    assert found.right.tolist() == [True, True, False, False, True]
    assert found.correct == {"a": [True, True, False], "b": [False, True]}
    assert found.rates == pytest.approx([2 / 3, 1 / 2])
    assert found.rates_on(["b", "a"]) == pytest.approx([1 / 2, 2 / 3])
    assert found.counts.tolist() == [3, 2]
    assert [score.correct for score in found.scores] == [2, 1]
    assert [score.rate for score in found.scores] == pytest.approx(found.rates.tolist())


def test_a_problem_with_fewer_samples_than_the_others_enters_no_score(tmp_path: Path) -> None:
    drawn = [("a", 0, RIGHT), ("a", 1, WRONG), ("b", 0, RIGHT), ("c", 1, RIGHT), ("c", 0, RIGHT)]
    run = _run(tmp_path, drawn)
    assert graded(run, label="x").correct == {"a": [True, False], "c": [True, True]}
    assert graded(run, label="x", samples=1).problems == ("a", "b", "c")


def test_rates_of_completions_are_shares_of_all_samples(tmp_path: Path) -> None:
    drawn = [("p", 0, Verdict.UNDECIDED), ("p", 1, RIGHT)]
    rates = outcomes_of(_run(tmp_path, drawn, loops=True), KEY, label="x").text_rates
    assert (rates.truncated_frac, rates.no_box_frac, rates.undecided_frac) == (0.5, 0.5, 0.5)
    assert (rates.repeated_frac, rates.mean_tokens) == (0.5, 6.0)


def test_two_runs_are_paired_on_the_samples_that_both_have(tmp_path: Path) -> None:
    one = _run(tmp_path / "one", [("a", 0, RIGHT), ("a", 1, WRONG), ("b", 0, RIGHT)])
    other = _run(tmp_path / "other", [("a", 1, RIGHT), ("b", 0, WRONG), ("c", 0, RIGHT)])
    pair = on_shared_samples(*(outcomes_of(run, KEY, label="x") for run in (one, other)))
    assert [side.correct for side in pair] == [
        {"a": [False], "b": [True]},
        {"a": [True], "b": [False]},
    ]
    assert np.array_equal(rates_by_seed(pair, ["b", "a"]), [[1, 0], [0, 1]])


def test_texts_are_read_only_where_something_asks_for_them(tmp_path: Path) -> None:
    run = _run(tmp_path, [("a", 0, RIGHT)])
    (run.path / "completions.jsonl").unlink()
    found = outcomes_of(run, KEY, label="x")
    assert found.rates.tolist() == [1.0]
    with pytest.raises(KeyError):
        _ = found.tokens
