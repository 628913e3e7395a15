"""Options from a file, old spellings, and the plan that every result prints."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


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


def test_options_come_from_a_file_and_typed_ones_win(
    run: Callable[..., Result], table: str, tmp_path: Path
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        f'checkpoints = ["base={table}"]\nbenchmarks = "toy"\nlimit = 4\n'
        "samples = 2\ntemperature = 0.5\ngrader-workers = 1\n"
    )
    found = run("eval", "--plan", str(file), "--limit", "3", "--json")
    assert found.exit_code == 0, found.output
    (score,) = json.loads(found.stdout)["scores"]
    assert (score["label"], score["problems"], score["samples"]) == ("base", 3, 2)
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("plan: ")]
    assert "--limit 3" in line
    again = run(*shlex.split(line.removeprefix("plan: "))[1:], "--json")
    assert json.loads(again.stdout)["scores"] == json.loads(found.stdout)["scores"]


@pytest.mark.parametrize(
    ("command", "content", "words"),
    [
        ("eval", "temperatur = 1", ["unknown options: temperatur", "did you mean temperature?"]),
        ("temp-sweep", "samples = true", ["samples has the wrong type", "a whole number"]),
        ("logits-skew", "limit = 0", ["`limit` must be >= 1, got 0"]),
        ("train em", "objective = 3", ["does not fit"]),
        ("train em", "grid = ", ["not TOML"]),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_the_file(
    run: Callable[..., Result], tmp_path: Path, command: str, content: str, words: list[str]
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(f"{content}\n")
    own = ["lab", "--out", "o"] if command == "train em" else ["lab"]
    found = run(*command.split(), *own, "--plan", str(file))
    assert found.exit_code == 2, found.output
    for word in [*words, str(file)]:
        assert word in found.stderr
    assert "Traceback" not in found.output


def test_a_plan_that_is_not_there_is_refused(run: Callable[..., Result]) -> None:
    found = run("eval", "lab", "--plan", "no.toml")
    assert found.exit_code == 2
    assert "does not exist" in found.stderr
    assert "no.toml" in found.stderr
    assert "hint" in found.stderr


OLD = [
    (["eval", "{table}", "-b", "toy", "--limit", "2"], "--out", "--store"),
    (["eval", "{table}", "-b", "toy", "--limit", "2"], "-o", "--store"),
    (["temp-sweep", "{table}", "-b", "toy", "--limit", "2", "--temperatures", "0,1"], "--out",
     "--store"),
    (["logits-skew", "{table}", "-b", "toy"], "--out", "--store"),
    (["compare", "a", "b"], "--out", "--store"),
    (["claims"], "--out", "--store"),
    (["regrade", "a"], "--out", "--store"),
    (["runs", "list"], "--out", "--store"),
    (["runs", "show", "a"], "-o", "--store"),
    (["runs", "export", "a", "b.jsonl"], "--out", "--store"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "old", "new"), OLD)
def test_an_old_spelling_of_the_store_works_with_a_note(
    run: Callable[..., Result], table: str, words: list[str], old: str, new: str
) -> None:
    arguments = [word.format(table=table) for word in words]
    found = run(*arguments, old, "elsewhere")
    again = run(*arguments, new, "elsewhere")
    note = f"note: --out is now {new}; the old spelling goes in version 0.3"
    assert note in found.stderr
    assert note not in again.stderr
    assert found.exit_code == again.exit_code
    assert found.stdout == again.stdout


@pytest.mark.parametrize(
    ("words", "old", "new"),
    [
        *OLD,
        (["logits-skew", "{table}", "-b", "toy"], "--problems", "--limit"),
        (["demo"], "--problems", "--limit"),
    ],
)
def test_an_old_spelling_beside_the_new_one_is_refused(
    run: Callable[..., Result], tmp_path: Path, words: list[str], old: str, new: str
) -> None:
    for both in ([old, "3", new, "4"], [f"{new}=4", old, "3"]):
        found = run(*words, *both)
        assert found.exit_code == 2, found.output
        assert f"error: both {old} and {new} are given" in found.stderr
        assert f"hint  keep {new}" in found.stderr
    assert not list(tmp_path.iterdir())


def test_the_old_number_of_problems_works_with_a_note(
    run: Callable[..., Result], table: str
) -> None:
    found = run("logits-skew", table, "-b", "toy", "--problems", "0")
    assert "note: --problems is now --limit" in found.stderr
    assert "`limit` must be >= 1, got 0" in found.stderr


def test_the_demonstration_takes_its_old_number_of_problems(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emdiag.core.errors import PlanError
    from emdiag.demonstration import run as demonstration

    def stop(plan: object, *_: object) -> None:
        raise PlanError(f"problems {plan.problems}")  # type: ignore[attr-defined]

    monkeypatch.setattr(demonstration, "run_demo", stop)
    found = run("demo", "--problems", "7")
    assert "note: --problems is now --limit" in found.stderr
    assert "problems 7" in found.stderr


def test_old_spellings_are_not_shown(run: Callable[..., Result]) -> None:
    for words in (["eval"], ["logits-skew"], ["compare"], ["runs", "list"], ["demo"]):
        shown = run(*words, "--help").stdout
        assert "--problems" not in shown
        assert words == ["demo"] or "--out" not in shown


def test_help_shows_what_stands_in_brackets(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    shown = run("train", "em", "--help").stdout
    assert "Optimiser updates [paper: 10]." in shown
    assert "the same command continues. [required]" in shown
