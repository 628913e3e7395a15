from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import Qwen2ForCausalLM

from emdiag.core.errors import CheckpointError
from emdiag.core.files import remove_partial
from emdiag.core.training import TrainManifest, next_stage
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.train.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def manifest() -> TrainManifest:
    return TrainManifest(
        stage="em",
        recipe="paper",
        train_seed=3,
        update=7,
        method="em",
        parent="x",
        parent_digest="0" * 64,
        parent_stage="base",
        settings={},
        prompts_sha256="0" * 64,
        problem_ids=("toy/0000",),
        notes=(),
        provenance={},
    )


@pytest.fixture
def model(tiny: Path) -> Any:
    return Qwen2ForCausalLM.from_pretrained(tiny)


def test_a_saved_checkpoint_reads_back_with_the_parents_tokenizer(
    tiny: Path, model: Any, tmp_path: Path
) -> None:
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    save_checkpoint(tmp_path / "update-0007", model, parent=tiny, manifest=manifest())
    found = resolve_checkpoint(str(tmp_path / "update-0007"), label="em")
    assert (found.stage, found.recipe, found.train_seed, found.update) == ("em", "paper", 3, 7)
    assert found.tokenizer_digest == resolve_checkpoint(str(tiny), label="b").tokenizer_digest
    again = Qwen2ForCausalLM.from_pretrained(tmp_path / "update-0007")
    torch.testing.assert_close(again.model.norm.weight, model.model.norm.weight)


def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(
    tiny: Path, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "update-0007"
    save_checkpoint(target, model, parent=tiny, manifest=manifest())
    before = resolve_checkpoint(str(target), label="em").digest

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emdiag.train.checkpoints.shutil.copyfile", full)
    with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
        save_checkpoint(target, model, parent=tiny, manifest=manifest())
    assert [path.name for path in tmp_path.iterdir()] == ["update-0007"]
    assert resolve_checkpoint(str(target), label="em").digest == before


def test_what_an_interrupted_write_left_is_no_checkpoint_and_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".update-0007.partial-12"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    assert not list(tmp_path.glob("update-*"))
    remove_partial(tmp_path)
    assert not left.exists()


def test_weights_that_came_from_quantised_ones_are_saved_as_floats(
    tiny: Path, model: Any, tmp_path: Path
) -> None:
    model.config.quantization_config = {"quant_method": "gguf"}
    save_checkpoint(tmp_path / "saved", model, parent=tiny, manifest=manifest())
    assert "quantization_config" not in (tmp_path / "saved/config.json").read_text()


@pytest.mark.parametrize(
    ("parent", "method", "stage"),
    [
        (None, "em", "em"),
        ("base", "rl", "rl"),
        ("em", "em", "em"),
        ("rl", "rl", "rl"),
        ("em", "rl", "em_rl"),
        ("rl", "em", "rl_em"),
        ("em_rl", "em", "rl_em"),
        ("rl_em", "rl", "em_rl"),
        ("em_rl", "rl", "em_rl"),
        ("rl_em", "em", "rl_em"),
    ],
)
def test_the_stage_names_the_last_two_ways_of_training(
    parent: Any, method: Any, stage: str
) -> None:
    assert next_stage(parent, method) == stage


def test_a_parent_whose_sampling_settings_cannot_be_written_is_still_trained(
    model: Any, tmp_path: Path, save_tiny: Any
) -> None:
    parent = save_tiny(tmp_path / "parent")
    settings = b'{"eos_token_id": 256, "temperature": 0.7}'  # and no `do_sample`
    (parent / "generation_config.json").write_bytes(settings)
    model.generation_config.temperature = 0.7
    target = tmp_path / "update-0007"
    save_checkpoint(target, model, parent=parent, manifest=manifest())
    assert (target / "generation_config.json").read_bytes() == settings
    assert model.generation_config.temperature == 0.7
