from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.errors import PlanError
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.find_runs import find_run, require_run

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
    """A graded run of the shipped toy problems, in a store of its own."""
    emdiag.evaluate(
        scripted("perfect", right_answers(toy_ids)), "toy", store=tmp_path / "out", home=tmp_path,
        engine="scripted", grader_workers=1,
    )  # fmt: skip
    return tmp_path / "out"


def test_a_run_is_known_by_its_name_and_by_the_first_digits_of_its_key(store: Path) -> None:
    opened = RunStore(store)
    (run,) = opened.runs()
    for name in (run.path.name, run.key, run.key[:4], str(run.path)):
        assert find_run(name, store=opened) is run
    assert find_run(run.key[:3], store=opened) is None


def test_a_folder_that_is_a_run_is_accepted_wherever_it_is(store: Path, tmp_path: Path) -> None:
    (run,) = RunStore(store).runs()
    elsewhere = tmp_path / "copied" / "somewhere"
    elsewhere.parent.mkdir()
    run.path.rename(elsewhere)
    empty = RunStore(tmp_path / "empty")
    for folder in (elsewhere, elsewhere / ".." / "somewhere"):
        moved = require_run(str(folder), store=empty)
        assert (moved.key, moved.path.resolve()) == (run.key, elsewhere)
        assert len(moved.completions()) > 0
    with pytest.raises(PlanError, match="there is no run"):
        require_run(str(tmp_path), store=empty)


@pytest.mark.parametrize("command", [["runs", "show"], ["regrade", "--workers", "1"]])
def test_commands_take_a_run_folder_outside_of_the_default_store(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path))
    (run,) = RunStore(store).runs()
    done = CliRunner().invoke(app, [*command, f"out/runs/{run.path.name}"])
    assert done.exit_code == 0, done.output
    assert "toy" in done.stdout
