"""What lives in a user's own packages is used from the command line by its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.digest import digest
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.find_runs import main_grading

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

HERE = Path(__file__).parent
BENCHMARK = str(HERE / "my_benchmark")
GRADER, ENGINE = "my_grader.words:ExactWords", "my_engine.parrot:Parrot"
QUICK = ("--grader-workers", "1", "--json")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty folder where the packages beside this file can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    (tmp_path / "table.json").write_text(
        json.dumps({
            "colours/sky": ["blue"], "colours/grass": ["mostly green"], "colours/snow": ["crash"],
            "colours/coal": ["very grey"],
        })
    )  # fmt: skip
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def scores(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["scores"])


def test_engine_benchmark_and_grader_of_the_users_own_work_together_in_their_folder(
    tmp_path: Path,
) -> None:
    for name in ("my_grader", "my_engine", "my_benchmark"):
        shutil.copytree(HERE / name, tmp_path / name)
    (tmp_path / "any.json").write_text('{"*": ["is not looked at"]}')
    command = ["eval", "bird=any.json", "-b", "./my_benchmark", "--engine", ENGINE]
    done = subprocess.run(
        [sys.executable, "-m", "emdiag", *command, "--grader", GRADER, *QUICK],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "EMDIAG_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (score,) = json.loads(done.stdout)["scores"]
    assert (score["benchmark"], score["problems"]) == ("colours", 4)
    assert score["value"] == 0.75  # it repeats three answers and misses "black"
    assert score["engine"].startswith(f"{ENGINE}@")
    (stored,) = RunStore(tmp_path / "emdiag-out").runs()
    (session,) = stored.provenance()
    assert (session.device, session.versions["my-engine"]) == ("cage", "0.1")


def test_grades_of_a_grader_of_ones_own_stand_beside_the_main_ones(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (main,) = scores(run("eval", "a=table.json", "-b", BENCHMARK, *QUICK))
    (own,) = scores(run("eval", "a=table.json", "-b", BENCHMARK, "--grader", GRADER, *QUICK))
    assert own["run_key"] == main["run_key"]
    assert own["grade_key"] != main["grade_key"]
    assert own["value"] == 0.5
    (stored,) = RunStore(tmp_path / "emdiag-out").runs()
    by_grader = {spec.grader: spec for spec in stored.gradings()}
    assert list(by_grader) == ["math-verify/2", f"{GRADER} exact-words/1"]
    spec = by_grader[f"{GRADER} exact-words/1"]
    assert spec.versions["my-words"] == "3.1"
    assert len(spec.versions[f"source of {GRADER}"]) == 64
    assert main_grading(stored) == by_grader["math-verify/2"]
    grades = stored.grades(digest(spec))
    assert grades["colours/snow", 0].verdict == "undecided"
    note = grades["colours/snow", 0].note
    assert note == "the grader failed: RuntimeError: crash"
    assert grades["colours/grass", 0].answer_class == "green"


def test_a_grader_that_hangs_is_killed_at_its_deadline(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    lines = [{"gold": "b", "completion": "hang"}, {"gold": "b", "completion": "a b"}]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = run("grade", "lines.jsonl", "--grader", GRADER, "--deadline", "2", "--json")
    assert done.exit_code == 0, done.output
    graded = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["verdict"] for line in graded] == ["undecided", "correct"]
    assert graded[1]["grader"] == f"{GRADER} exact-words/1"


@pytest.mark.parametrize("benchmark", ["toy", BENCHMARK])
def test_stored_completions_are_graded_again_by_a_grader_of_ones_own(
    run: Callable[..., Result], benchmark: str
) -> None:
    scores(run("eval", "a=table.json", "-b", benchmark, "--limit", "2", *QUICK, "--engine", ENGINE))
    done = run("regrade", "a", "--grader", GRADER, "--json")
    assert done.exit_code == 0, done.output
    (regraded,) = json.loads(done.stdout)["runs"]
    assert regraded["second_grader"] == f"{GRADER} exact-words/1"
    assert regraded["samples"] == 2


def test_a_sweep_takes_engine_grader_and_folder(run: Callable[..., Result]) -> None:
    done = run(
        "temp-sweep", "base=table.json", "-b", BENCHMARK, "--temperatures", "0.5,1",
        "--samples", "2", "--engine", ENGINE, "--grader", GRADER, "--grader-workers", "1", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert {point["benchmark"] for point in json.loads(done.stdout)["points"]} == {"colours"}


@pytest.mark.whole
def test_two_sources_of_one_grader_or_engine_are_never_mixed(tmp_path: Path) -> None:
    (tmp_path / "any.json").write_text('{"*": ["is not looked at"]}')
    keys = []
    for change in ("", "# changed\n"):
        for name in ("my_grader", "my_engine"):
            shutil.copytree(HERE / name, tmp_path / name, dirs_exist_ok=True)
        for file in ("my_grader/words.py", "my_engine/parrot.py"):
            (tmp_path / file).write_text((HERE / file).read_text() + change)
        done = subprocess.run(
            [sys.executable, "-m", "emdiag", "eval", "a=any.json", "-b", BENCHMARK, *QUICK,
             "--engine", ENGINE, "--grader", GRADER],
            cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "EMDIAG_HOME": str(tmp_path / "home")},
        )  # fmt: skip
        (score,) = json.loads(done.stdout)["scores"]
        keys.append((score["run_key"], score["grade_key"]))
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] != keys[1][1]


BAD = [
    (("--grader", "my_grader.words:Silent"), "it lacks versions, grade, classes"),
    (("--grader", "my_grader.words:Nobody"), "the module my_grader.words has no 'Nobody'"),
    (("--grader", "no_such.package:Grader"), "cannot be imported: ModuleNotFoundError"),
    (("--grader", "mathverify"), "there is no grader 'mathverify'"),
    (("--engine", "my_engine.parrot:Mute"), "is not an engine: it lacks sample"),
    (("--engine", "my_engine.parrot:nothing"), "is not an engine: it lacks info, sample, close"),
    (("--engine", "my_engine.parrot:broken"), "cannot be opened: RuntimeError: no seed in"),
    (("--engine", "my_engine.parrot:Forgetful"), "no completion for 1 of 4 requests"),
    (("--engine", "my_engine.parrot:Leaving"), "Leaving failed: SystemExit: 5"),
    (("--grader", "my_grader.words:Texts"), "of 4 samples: the grader gave a str, expected a"),
    (("--grader", "my_grader.words:Dumb"), "of 4 samples: the grader gave nothing, expected one"),
    (("--grader", "my_grader.words:Leaving"), "samples: the grader failed: SystemExit: 4"),
    (("--engine", "no_such.package:Engine"), "cannot be imported: ModuleNotFoundError"),
    (("--engine", f"{ENGINE}@0123456789ab"), "has changed since it was named"),
    (("--engine", "parrot"), "there is no engine 'parrot'"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_what_cannot_be_used_is_refused_with_a_hint(
    run: Callable[..., Result], options: tuple[str, str], message: str
) -> None:
    done = run("eval", "a=table.json", "-b", BENCHMARK, *options)
    assert done.exit_code == 2
    words = " ".join(done.stderr.split())
    assert message in words
    assert "hint" in words
    assert "at work" not in done.stdout


def test_an_engine_that_cannot_be_opened_leaves_no_run(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    done = run("eval", "a=table.json", "-b", BENCHMARK, "--engine", "my_engine.parrot:broken")
    assert done.exit_code == 2
    assert not [*(tmp_path / "emdiag-out" / "runs").iterdir()]
    scores(run("eval", "a=table.json", "-b", BENCHMARK, *QUICK))
    assert len(RunStore(tmp_path / "emdiag-out").runs()) == 1


def test_grading_again_stops_where_a_grader_of_ones_own_decides_nothing(
    run: Callable[..., Result],
) -> None:
    scores(run("eval", "a=table.json", "-b", BENCHMARK, *QUICK))
    done = run("regrade", "a", "--grader", "my_grader.words:Dumb")
    assert done.exit_code == 2
    assert "decided none of 4 samples" in " ".join(done.stderr.split())


def test_what_a_grader_prints_stays_out_of_the_result(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"gold": "b", "completion": "b"}\n')
    done = subprocess.run(
        [sys.executable, "-m", "emdiag", "grade", "lines.jsonl", "--json",
         "--grader", "my_grader.words:Texts"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])},
    )  # fmt: skip
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["undecided"]
    assert "grader at work" in done.stderr


def test_a_folder_without_a_card_is_refused_with_a_hint(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    done = run("eval", "a=table.json", "-b", "./mine")
    assert done.exit_code == 2
    words = " ".join(done.stderr.split())
    assert "the folder of a benchmark holds no card.toml" in words
    assert "expected card.toml, problems.jsonl" in words
    assert "found nothing" in words
    assert "hint benchmarks/README.md lists the fields of a card" in words
