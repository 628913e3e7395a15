from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from emdiag.cli import lab
from emdiag.cli.studies import rl
from emdiag.core.problems import Problem
from emdiag.core.training import TrainResult
from emdiag.store.journal import read_journal

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(pretty_exceptions_enable=False)
app.command("rl")(rl)
app.add_typer(lab.app, name="lab")
SMALL = ["--recipe", "lab", "--updates", "1", "--completions", "8", "--group-size", "4"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    out = tmp_path / "lab-train.jsonl"
    done = CliRunner().invoke(app, ["lab", "problems", "--out", str(out), "--size", "20"])
    assert done.exit_code == 0, done.output
    return out


def test_problems_of_the_lab_are_written_and_trained_on(file: Path, tmp_path: Path) -> None:
    assert len(list(read_journal(file, Problem))) == 20
    out = tmp_path / "rl"
    arguments = ["rl", "lab", "-b", str(file), "--out", str(out), "--json", *SMALL]
    done = CliRunner().invoke(app, [*arguments, "--reward", "format", "--set", "beta=0.01"])
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert content["stage"] == "rl"
    assert content["cells"][0]["recipe"].endswith("beta=0.01")
    assert ("kind", *TrainResult.__struct_fields__) == tuple(content)
    assert (out / "training.svg").is_file()
    manifest = json.loads((out / "update-0001" / "emdiag.json").read_bytes())
    assert manifest["settings"]["reward"] == "format"
    assert manifest["settings"]["max_tokens"] == 64


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reward", "length"], "does not fit"),
        (["--set", "reward"], "FIELD=VALUE"),
        (["--save-updates", "9"], "save_updates"),
        (["--dtype", "float16"], "dtype"),
        (["--seeds", "3..1"], "seeds are written"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_written(
    file: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "rl"
    done = CliRunner().invoke(
        app, ["rl", "lab", "-b", str(file), "--out", str(out), *SMALL, *arguments]
    )
    assert done.exit_code == 2
    assert said in done.stderr
    assert not out.exists()


def test_a_file_of_training_problems_may_not_be_called_as_the_benchmark(tmp_path: Path) -> None:
    out = tmp_path / "chain.jsonl"
    done = CliRunner().invoke(app, ["lab", "problems", "--out", str(out)])
    assert done.exit_code == 2
    assert "called 'chain'" in done.stderr
    assert not out.exists()
