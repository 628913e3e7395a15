from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from emdiag.cli.studies import score
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.training import TrainFolder
from emdiag.store.legacy import upgraded
from emdiag.store.training_folder import write_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result
    from torch import Tensor

FEW = (
    "--limit",
    "4",
    "--grader-workers",
    "1",
    "--engine",
    "transformers",
    "--device",
    "cpu",
    "--base",
    "lab",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    app = typer.Typer()
    app.command()(score)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def nudged(weights: dict[str, Tensor], *, by: float) -> None:
    """Changes one number by next to nothing."""
    weights["model.norm.weight"][0] *= 1 + by


@pytest.fixture
def trained(tmp_path: Path, lab_copy: Callable[..., Path]) -> str:
    """Seeds that do the same, by weights of which one is not bit by bit that of another."""
    out = tmp_path / "em-lab"
    cells = ("seed-0", "seed-1")
    folder = TrainFolder(
        key="0" * 64, method="em", chosen="seed-0/update-0010", cells=cells, saved_updates=(10,)
    )
    write_folder(out, folder)
    for number, cell in enumerate(cells):
        lab_copy(out / cell / "update-0010", partial(nudged, by=2e-7 * number))
        manifest = {"stage": "em", "train_seed": number, "update": 10}
        (out / cell / "update-0010" / "emdiag.json").write_text(json.dumps(manifest))
    return str(out)


def test_the_registered_checkpoint_is_named_and_equal_seeds_have_no_best_one(
    run: Callable[..., Result], trained: str
) -> None:
    found = run(trained, *FEW)
    assert found.exit_code == 0, found.output
    assert "Registered checkpoint, seed-0/update-0010: 75.0 % [" in found.stdout
    words = ("s.d.", "each checkpoint", "Registered checkpoint")
    order = [found.stdout.index(word) for word in words]
    assert order == sorted(order)
    assert "minus lab, points" in found.stdout
    assert "biased upwards" not in found.stdout
    assert "continues" in found.stderr


def test_json_is_one_record_that_can_be_read_back(run: Callable[..., Result], trained: str) -> None:
    found = run(trained, *FEW, "--json")
    assert found.exit_code == 0, found.output
    result = msgspec.convert(upgraded(json.loads(found.stdout)), SeedScoresResult)
    (benchmark,) = result.benchmarks
    assert benchmark.registered is not None
    assert [seed.seed for seed in benchmark.groups[0].seeds] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "holds training.json"),
        (["{out}", "--updates", "best"], "updates"),
        (["{out}", "--samples", "4"], "copies"),
    ],
)
def test_what_a_user_can_mend_ends_with_2_and_says_how(
    run: Callable[..., Result], trained: str, arguments: list[str], words: str
) -> None:
    found = run(*(argument.format(out=trained) for argument in arguments))
    assert found.exit_code == 2
    assert words in found.stderr
