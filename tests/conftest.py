from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.load import load_problems
from emdiag.resources import lab_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    Weights = dict[str, Tensor]

Table = dict[str, list[str]]

# No test asserts how fast a machine is, and equal code passes equally often: new cases are looked
# for by `pytest --hypothesis-profile search`.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("emdiag", untimed, derandomize=True)
settings.register_profile("search", untimed, max_examples=1000)
settings.load_profile("emdiag")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of upstream benchmark files beside the repository; the test is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"upstream benchmark files are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def lab_copy() -> Callable[..., Path]:
    """Writes the lab with changed weights: folder, and what changes them in place."""

    def write(folder: Path, change: Callable[[Weights], None]) -> Path:
        from safetensors.torch import load_file, save_file

        skipped = shutil.ignore_patterns("model.safetensors", "emdiag.json")
        shutil.copytree(lab_weights(), folder, ignore=skipped)
        weights = load_file(lab_weights() / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return write


@pytest.fixture
def toy_ids(tmp_path: Path) -> list[str]:
    """Ids of the shipped toy problems, in order."""
    return [problem.id for problem in load_problems(load_card("toy"), home=tmp_path)]


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[[str, Table], str]:
    """Writes a table of texts and gives the checkpoint argument that names it."""

    def write(label: str, table: Table) -> str:
        path = tmp_path / f"{label}.json"
        path.write_text(json.dumps(table))
        return f"{label}={path}"

    return write


@pytest.fixture
def right_answers(tmp_path: Path) -> Callable[[Sequence[str]], Table]:
    """A table that answers the named toy problems with their golds, all others with nonsense."""
    golds = {p.id: p.answer for p in load_problems(load_card("toy"), home=tmp_path)}

    def table(right: Sequence[str]) -> Table:
        return {
            problem: ["\\boxed{" + (gold if problem in right else "123456789") + "}"]
            for problem, gold in golds.items()
        }

    return table
