from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

QUICK = (
    *("--problem", "chain/0000", "--recipe", "lab", "--updates", "2", "--samples", "8"),
    *("--max-tokens", "24", "--held-out-problems", "2"),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty folder with an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_trained_folder_is_a_checkpoint_for_the_next_command(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    made = run("train", "em", "lab", *QUICK, "--out", "out/em")
    assert made.exit_code == 0, made.stderr
    assert "Registered checkpoint: out/em/update-0002" in made.stdout
    assert "next: emdiag eval base=lab em=out/em" in made.stderr
    assert (tmp_path / "out/em/training.svg").read_text().count("<svg") == 1
    assert (tmp_path / "out/em/training.png").read_bytes()[:4] == b"\x89PNG"
    scored = run(
        "eval", "em=out/em", "-b", "chain", "--engine", "transformers", "--limit", "4", "--json"
    )
    assert scored.exit_code == 0, scored.stderr
    checkpoint = json.loads(scored.stdout)["scores"][0]["checkpoint"]
    assert checkpoint["stage"] == "em"
    assert checkpoint["update"] == 2
    again = run("train", "em", "out/em", *QUICK, "--out", "out/twice", "--json")
    assert json.loads(again.stdout)["parent"].endswith("out/em/update-0002")


def test_seeds_and_a_grid_are_one_table(run: Callable[..., Result]) -> None:
    made = run(
        "train", "em", "lab", *QUICK, "--out", "out", "--grid", "lr=1e-4,3e-4", "--seeds", "0,3"
    )
    assert made.exit_code == 0, made.stderr
    for cell in ("learning_rate=1e-4/seed-0", "learning_rate=3e-4/seed-3"):
        assert cell in made.stdout
    assert "A grid has no registered checkpoint" in made.stdout
    refused = run("eval", "em=out", "-b", "chain", "--limit", "2")
    assert refused.exit_code == 2
    assert "a grid of 4 cells has no checkpoint of its own" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lab", "--out", "o"), "a training prompt is named in one way"),
        (("nowhere", "--problem", "chain/0000", "--out", "o"), "nowhere"),
        (("lab", *QUICK, "--out", "o", "--set", "x"), "is set as FIELD=VALUE"),
        (("lab", *QUICK, "--out", "o", "--set", "x=1"), "a recipe has no field 'x'"),
        (("lab", *QUICK, "--out", "o", "--seeds", "x"), "seeds are written as"),
        (("lab", *QUICK, "--out", "o", "--tracker", "carrier-pigeon"), "wrong type or value"),
        (("lab", *QUICK, "--out", "o", "--save-updates", "3"), "there is no update 3 to save"),
        (("lab", "--problem", "math500/0", "--out", "o"), "are not on this machine"),
        (("lab", *QUICK, "--max-tokens", "1000", "--out", "o"), "exceed the context"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_hint(
    arguments: tuple[str, ...], message: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    found = run("train", "em", *arguments)
    assert found.exit_code == 2, found.output
    assert message in found.stderr
    assert not (tmp_path / "o").exists()


def test_the_released_code_on_eight_devices_is_two_updates(run: Callable[..., Result]) -> None:
    made = run(
        *("train", "em", "lab", "--problem", "chain/0000", "--recipe", "released-code"),
        *("--processes", "8", "--no-chat", "--max-tokens", "40", "--out", "out", "--json"),
    )
    assert made.exit_code == 0, made.stderr
    (cell,) = json.loads(made.stdout)["cells"]
    assert cell["last"]["update"] == 2
    assert cell["last"]["samples"] == 64
    assert any("on 8 devices are 2 optimiser updates" in note for note in cell["notes"])


def test_a_tensorboard_record_is_written_beside_ours(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    made = run("train", "em", "lab", *QUICK, "--out", "out", "--tracker", "tensorboard")
    assert made.exit_code == 0, made.stderr
    assert list((tmp_path / "out").rglob("events.out.tfevents.*"))


def test_the_progress_line_says_how_it_goes(run: Callable[..., Result]) -> None:
    made = run("train", "em", "lab", *QUICK, "--out", "out")
    assert re.search(r"2/2 .*update 2, loss 0\.\d+ at T 0\.5, held-out entropy 0\.\d+", made.stderr)
