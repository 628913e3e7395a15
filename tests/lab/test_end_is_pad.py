"""The lab whose end token is its pad, and what the recipe `released-code` does there."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from emdiag.core.errors import CheckpointError
from emdiag.lab.end_is_pad import write_end_is_pad
from emdiag.resources import lab_weights
from emdiag.store.training_folder import read_updates
from emdiag.train.em.run import train_em

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "coverage" / "released_code.py"


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_end_is_pad(tmp_path_factory.mktemp("variant") / "lab")


def test_it_is_the_shipped_weights_with_another_pad(variant: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        assert (variant / name).read_bytes() == (lab_weights() / name).read_bytes()
    tokenizer = AutoTokenizer.from_pretrained(variant)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 0
    with pytest.raises(CheckpointError, match="new or empty folder"):
        write_end_is_pad(variant)


def test_after_the_end_token_the_released_loss_is_blind_only_where_end_is_pad(
    variant: Path, tmp_path: Path
) -> None:
    """T2, T4: by plain code, beside what the trainer wrote down."""
    first_update = runpy.run_path(str(SCRIPT))["first_update"]
    norms = {}
    for name, folder in (("lab", lab_weights()), ("variant", variant)):
        train_em(
            str(folder), out=tmp_path / name, recipe="released-code", updates=4,
            problems=["chain/0012"], template="chain", chat=False, max_tokens=64, held_out="none",
        )  # fmt: skip
        found = first_update(folder)
        record = read_updates(tmp_path / name)[-1]
        assert record.gradient_norm == pytest.approx(found.gradient_norm, rel=1e-3)
        norms[name] = found.gradient_norm
        if name == "lab":
            assert found.share_after_end == pytest.approx(0.263, abs=0.002)
            assert found.after_end > 10 * found.elsewhere
        else:
            assert (found.share_after_end, found.after_end) == (0.0, None)
    assert norms["lab"] > 15 * norms["variant"]
