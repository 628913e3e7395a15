from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.store.legacy import upgraded
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

EMDIAG = [sys.executable, "-m", "emdiag"]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # a small model gains nothing from more


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty folder with an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"*": ["\\boxed{\\frac{1}{2}}", "nothing"]}))
    return str(path)


def test_eval_prints_a_score_with_its_interval_and_says_how_to_continue(
    run: Callable[..., Result], table: str
) -> None:
    found = run("eval", f"base={table}", "-b", "toy", "--grader-workers", "1")
    assert found.exit_code == 0, found.output
    assert "8.3 [1.5, 35.4]" in found.stdout  # 1 of 12 by Wilson
    assert "continues" in found.stderr
    assert "emdiag-out" in found.stderr


def test_a_limit_beyond_the_benchmark_is_said(run: Callable[..., Result], table: str) -> None:
    found = run("eval", table, "-b", "toy", "--limit", "1000", "--grader-workers", "1")
    assert "toy has 12 problems; --limit is 1,000" in found.stderr


def printed(found: Result) -> EvaluateResult:
    return msgspec.convert(upgraded(json.loads(found.stdout)), EvaluateResult)


def test_json_is_the_same_record_as_the_python_twin(run: Callable[..., Result], table: str) -> None:
    found = run("eval", table, "-b", "toy", "--json", "--limit", "4")
    assert found.exit_code == 0, found.output
    (score,) = printed(found).scores
    assert score.label == "table.json"
    assert score.partial
    assert score.interval is not None
    assert (score.value, score.problems) == (0.25, 4)


def test_runs_are_listed_shown_exported_and_compared(
    run: Callable[..., Result], table: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"*": ["\\boxed{0}"]}))
    arguments = ["--samples", "2", "--temperature", "1"]
    assert run("eval", f"a={table}", f"b={other}", "-b", "toy", *arguments).exit_code == 0
    (first, second) = json.loads(run("runs", "list", "--json").stdout)
    assert {first["completions"], second["completions"]} == {24}
    assert "session" in run("runs", "show", first["key"][:8]).stdout
    for name in ("rows.jsonl", "rows.parquet"):
        assert run("runs", "export", first["key"], name).exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 24
    assert rows[0]["statement"]
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == rows
    kept = tmp_path / first["path"] / "completions.jsonl"
    drawn = kept.read_bytes()
    for words in (["runs", "export", second["key"]], ["lab", "problems", "--out"]):
        refused = run(*words, str(kept))
        assert (refused.exit_code, kept.read_bytes()) == (2, drawn)
        assert "a file of a run would be lost" in refused.output
    compared = run("compare", "a", "b", "--json")
    (comparison,) = msgspec.json.decode(compared.stdout, type=CompareResult).comparisons
    assert (comparison.left, comparison.right, comparison.problems) == ("a", "b", 12)
    assert "b minus a" in run("compare", "a", "b").stdout


def test_runs_that_differ_in_how_they_were_sampled_are_told_apart(
    run: Callable[..., Result], table: str
) -> None:
    for further in ([], ["--min-p", "0.1"], ["--top-p", "0.9", "--seed", "3"]):
        asked = ["eval", f"a={table}", "-b", "toy", "--limit", "1", "--temperature", "1", *further]
        assert run(*asked).exit_code == 0
    listed = run("runs", "list", "--wide").stdout
    assert "min-p 0.1" in listed
    assert "top-p 0.9, seed 3" in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eval", "no/such/folder"], "no/such/folder"),
        (["eval", "lab", "-b", "math500"], "emdiag benchmarks import math500"),
        (["eval", "lab", "-b", "mat500"], "did you mean math500?"),
        (["eval", "lab", "--samples", "4"], "copies"),
        (["eval", "lab", "--dtype", "int3"], "int3"),
        (["eval", "lab", "--engine", "magic"], "magic"),
        (["eval", "a=lab", "a=lab"], "two checkpoints are called 'a'"),
        (["compare", "a", "b"], "the store 'emdiag-out' does not exist"),
        (["runs", "show", "abcd"], "there is no run"),
        (["runs", "export", "abcd", "x.csv"], "there is no run"),
        (["runs", "list", "--store", "nowhere"], "the store 'nowhere' does not exist"),
        (["claims", "--store", "nowhere"], "the store 'nowhere' does not exist"),
    ],
)
def test_what_a_user_can_fix_exits_with_2_and_a_hint(
    run: Callable[..., Result], arguments: list[str], words: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 2, found.output
    assert found.stderr.startswith("error: ")
    assert words in found.stderr


def test_the_lab_is_measured_out_of_the_box(run: Callable[..., Result]) -> None:
    found = run("eval", "lab", "--limit", "8", "--json", "--engine", "transformers")
    assert found.exit_code == 0, found.output
    (score,) = printed(found).scores
    assert (score.benchmark, score.problems) == ("chain", 8)
    assert score.rates.no_box_frac == 0


@pytest.mark.whole
def test_a_killed_evaluation_goes_on_without_losing_or_repeating_a_sample(tmp_path: Path) -> None:
    command = [*EMDIAG, "eval", "lab", "--limit", "20", "--samples", "4", "--temperature", "1"]
    command += ["--engine", "transformers", "--batch-size", "4"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=ONE_THREAD)
        journal = _wait_for_lines(tmp_path, process, lines=5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = [line for line in journal.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    assert 5 <= len(before) < 80
    again = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=ONE_THREAD
    )
    assert again.returncode == 0, again.stderr
    after = journal.read_bytes().splitlines(keepends=True)
    assert after[: len(before)] == before
    samples = [(row["problem_id"], row["sample_index"]) for row in map(json.loads, after)]
    assert len(samples) == len(set(samples)) == 80


def _wait_for_lines(folder: Path, process: subprocess.Popen[bytes], *, lines: int) -> Path:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for run in RunStore(folder / "emdiag-out").runs():
            journal = run.path / "completions.jsonl"
            if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
                return journal
        time.sleep(0.02)
    pytest.fail(f"no samples appeared: {(folder / 'log').read_text()}")


def _mind_ctrl_c() -> None:
    """A shell starts background jobs deaf to Ctrl-C, and what they start inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.whole
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_says_that_nothing_is_lost(tmp_path: Path, number: int, code: int) -> None:
    command = [*EMDIAG, "eval", "lab", "--samples", "4", "--temperature", "1", "--batch-size", "4"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--engine", "transformers"],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            env=ONE_THREAD,
            preexec_fn=_mind_ctrl_c,  # noqa: PLW1509 - no thread is running here
        )
        _wait_for_lines(tmp_path, process, lines=5)
        os.kill(process.pid, number)
        assert process.wait(timeout=60) == code
    assert "the same command continues it" in (tmp_path / "log").read_text()
