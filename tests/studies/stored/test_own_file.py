from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import emdiag
from emdiag.core.errors import BenchmarkError
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.export import export_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path, scripted: Callable[[str, dict[str, list[str]]], str]) -> Path:
    """A user's own file of one problem, answered rightly by a run in `out` beside it."""
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({"problem": "What is 1+1?", "answer": "2"}) + "\n")
    table = scripted("base", {"*": ["\\boxed{2}"]})
    emdiag.evaluate(table, str(file), store=tmp_path / "out", home=tmp_path, grader_workers=1)
    return file


def test_a_run_on_a_users_own_file_is_exported_with_its_statements_and_golds(
    own: Path, tmp_path: Path
) -> None:
    (run,) = RunStore(tmp_path / "out").runs()
    written = tmp_path / "samples.jsonl"
    assert export_run(run, written, home=tmp_path) == (1, ())
    row = json.loads(written.read_text())
    assert (row["statement"], row["gold"]) == ("What is 1+1?", "2")
    own.unlink()
    (note,) = export_run(run, written, home=tmp_path)[1]
    assert note.code == "problems-not-found"


def test_a_run_on_a_users_own_file_is_graded_a_second_way(own: Path, tmp_path: Path) -> None:
    (run,) = RunStore(tmp_path / "out").runs()
    regraded = emdiag.regrade(run.path.name, store=tmp_path / "out", home=tmp_path, workers=1)
    assert regraded.runs[0].second_score.value == 1.0
    own.unlink()
    with pytest.raises(BenchmarkError, match="golds are needed to grade again"):
        emdiag.regrade(run.path.name, store=tmp_path / "out", home=tmp_path, workers=1)
