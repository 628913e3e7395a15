from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.errors import PlanError, StoreError
from emdiag.findings.regrades import graders_table, regrade_statement
from emdiag.store.run_store import RunStore, summarise
from emdiag.studies.stored.find_runs import graded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Table = dict[str, list[str]]


@pytest.fixture
def store(
    tmp_path: Path,
    toy_ids: list[str],
    scripted: Callable[[str, Table], str],
    right_answers: Callable[[Sequence[str]], Table],
) -> Path:
    """A graded run of the shipped toy problems, every answer as its gold is written."""
    ref = scripted("perfect", right_answers(toy_ids))
    emdiag.evaluate(
        ref, "toy", store=tmp_path / "out", home=tmp_path, engine="scripted", grader_workers=1
    )
    return tmp_path / "out"


def test_disagreements_are_exactly_the_samples_whose_verdicts_differ(
    store: Path, tmp_path: Path
) -> None:
    (one,) = emdiag.regrade("perfect", store=store, home=tmp_path, workers=1).runs
    (run,) = RunStore(store).runs()
    main, second = run.grades(one.grade_key), run.grades(one.second_grade_key)
    expected = {s for s in main if main[s].verdict is not second[s].verdict}
    found = {(d.problem_id, d.sample_index): d for d in one.disagreements}
    assert set(found) == expected
    assert any(d.gold_raw == "8.64e7" and d.second_verdict.value == "wrong" for d in found.values())
    right = [np.mean([g.verdict.value == "correct" for g in by.values()]) for by in (main, second)]
    assert one.score.value == pytest.approx(right[0]) == 1.0
    assert one.second_score.value == pytest.approx(right[1])
    assert one.difference == pytest.approx(right[1] - right[0])
    assert one.lost == len([d for d in found.values() if d.verdict.value == "correct"])
    assert one.interval is not None
    assert one.interval.low <= one.difference <= one.interval.high


def test_the_main_score_and_its_grader_stay_what_they_were(store: Path, tmp_path: Path) -> None:
    (run,) = RunStore(store).runs()
    before = graded(run, label="a").correct
    emdiag.regrade(run.key, store=store, home=tmp_path, workers=1)
    assert graded(run, label="a").correct == before
    assert run.gradings()[-1].grader == "math-verify/2"
    assert [spec.grader for spec in run.gradings()] == ["plain-math-verify/1", "math-verify/2"]
    assert summarise(run).graded == len(before)


def test_a_second_call_grades_nothing_anew_and_says_the_same(store: Path, tmp_path: Path) -> None:
    (run,) = RunStore(store).runs()
    first = emdiag.regrade([run.key, "perfect"], store=store, home=tmp_path, workers=1)
    size = sum(file.stat().st_size for file in run.path.glob("grades-*.jsonl"))
    assert emdiag.regrade(str(run.path), store=store, home=tmp_path, workers=1) == first
    assert sum(file.stat().st_size for file in run.path.glob("grades-*.jsonl")) == size


def test_an_unknown_grader_or_run_and_an_ungraded_run_are_refused(
    store: Path, tmp_path: Path
) -> None:
    (run,) = RunStore(store).runs()
    with pytest.raises(PlanError, match="no second grader 'judge'"):
        emdiag.regrade("perfect", grader="judge", store=store, home=tmp_path)
    with pytest.raises(PlanError, match="no run is called 'nobody'"):
        emdiag.regrade("nobody", store=store, home=tmp_path)
    for file in run.path.glob("grading-*.json"):
        file.unlink()
    with pytest.raises(StoreError, match="no grades to set a second grader beside"):
        emdiag.regrade(run.key, store=store, home=tmp_path)


def test_the_command_shows_both_scores_and_where_the_graders_disagree(store: Path) -> None:
    done = CliRunner().invoke(app, ["regrade", "perfect", "-o", str(store), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "8.64e7" in done.stdout
    assert "plain-math-verify/1 minus math-verify/2: −8.3 points [−25.0, 0.0]" in done.stdout
    again = CliRunner().invoke(app, ["regrade", "perfect", "-o", str(store), "--json"])
    (one,) = json.loads(again.stdout)["runs"]
    assert one["second_grader"] == "plain-math-verify/1"


def test_where_the_graders_agree_no_interval_is_made_up(
    tmp_path: Path,
    scripted: Callable[[str, Table], str],
    right_answers: Callable[[Sequence[str]], Table],
    toy_ids: list[str],
) -> None:
    ref, out = scripted("agreed", right_answers(toy_ids[:1])), tmp_path / "out"
    emdiag.evaluate(
        ref, "toy", store=out, home=tmp_path, engine="scripted", grader_workers=1, limit=2
    )
    result = emdiag.regrade("agreed", store=out, home=tmp_path, workers=1)
    (one,) = result.runs
    assert (one.difference, one.interval, one.disagreements) == (0.0, None, ())
    assert regrade_statement(one).words.endswith("no difference, both judge all of 2 samples alike")
    (row,) = graders_table(result).rows
    assert "none" in [cell.text for cell in row]
