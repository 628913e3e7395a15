from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from safetensors.torch import load_file, save_file

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.resolve import resolve_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_folder, tmp_path / "model")


def digest(folder: Path) -> str:
    return resolve_checkpoint(str(folder), label="x").digest


def test_a_folder_is_found_with_what_its_trainer_wrote(folder: Path) -> None:
    origin = {"stage": "em", "recipe": "em/1", "train_seed": 3, "update": 10, "other": [1]}
    (folder / "emdiag.json").write_text(json.dumps(origin))
    found = resolve_checkpoint(str(folder), label="em")
    assert (found.label, found.ref, found.path) == ("em", str(folder), str(folder))
    assert (found.stage, found.recipe, found.train_seed, found.update) == ("em", "em/1", 3, 10)
    assert found.revision is None


def test_a_recipe_may_be_an_object(folder: Path) -> None:
    (folder / "emdiag.json").write_text('{"recipe": {"name": "em", "lr": 1e-4}}')
    found = resolve_checkpoint(str(folder), label="em")
    assert found.recipe == '{"lr": 0.0001, "name": "em"}'
    assert found.stage is None


@pytest.mark.parametrize(
    ("text", "finding"),
    [('{"stage": "sft"}', "stage is 'sft'"), ("[1]", "no JSON object"), ("{", "not JSON")],
)
def test_a_wrong_origin_file_is_an_error(folder: Path, text: str, finding: str) -> None:
    (folder / "emdiag.json").write_text(text)
    with pytest.raises(CheckpointError, match=finding):
        resolve_checkpoint(str(folder), label="em")


def test_one_changed_weight_changes_the_digest(folder: Path) -> None:
    before = digest(folder)
    state = load_file(folder / "model.safetensors")
    state["model.norm.weight"][0] += 0.001
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    assert digest(folder) != before


def test_a_changed_configuration_changes_the_digest_and_its_writer_does_not(folder: Path) -> None:
    before, path = digest(folder), folder / "config.json"
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({**content, "transformers_version": "0", "_name_or_path": "y"}))
    assert digest(folder) == before
    path.write_text(json.dumps({**content, "rms_norm_eps": 1e-3}))
    assert digest(folder) != before


def test_the_sampling_defaults_of_a_checkpoint_are_no_part_of_it(folder: Path) -> None:
    before = digest(folder)
    (folder / "generation_config.json").write_text('{"temperature": 0.6, "top_k": 20}')
    assert digest(folder) == before


def test_a_changed_chat_template_changes_the_tokenizer_digest_alone(folder: Path) -> None:
    before = resolve_checkpoint(str(folder), label="x")
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    after = resolve_checkpoint(str(folder), label="x")
    assert after.tokenizer_digest != before.tokenizer_digest
    assert after.digest == before.digest


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "last.ckpt"])
def test_pickled_weights_are_refused_with_reason_and_remedy(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(CheckpointError, match="runs whatever code is in it") as caught:
        resolve_checkpoint(str(folder), label="x")
    assert "save_pretrained" in str(caught.value)
    assert name in str(caught.value)


def test_pickled_weights_beside_safetensors_are_left_alone(folder: Path) -> None:
    before = digest(folder)
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    assert digest(folder) == before


@pytest.mark.parametrize(
    ("missing", "finding"),
    [("config.json", "needs config.json"), ("tokenizer.json", "needs a tokenizer")],
)
def test_a_missing_part_is_named(folder: Path, missing: str, finding: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match=finding):
        resolve_checkpoint(str(folder), label="x")


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {
        "metadata": {},
        "weight_map": {"a": "model-00001-of-2.safetensors", "b": "model-00002-of-2.safetensors"},
    }
    (folder / "model.safetensors").rename(folder / "model-00001-of-2.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="1 of them are missing") as caught:
        resolve_checkpoint(str(folder), label="x")
    assert "model-00002-of-2" in str(caught.value)


def test_whole_shards_are_read_and_fingerprinted(folder: Path) -> None:
    index = {"metadata": {}, "weight_map": {"model.norm.weight": "model-00001-of-1.safetensors"}}
    shard = folder / "model-00001-of-1.safetensors"
    (folder / "model.safetensors").rename(shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    before = digest(folder)
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert digest(folder) != before


def test_a_folder_of_gguf_files_asks_for_the_file(tmp_path: Path) -> None:
    (tmp_path / "model.Q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match="name the file itself"):
        resolve_checkpoint(str(tmp_path), label="x")


def test_a_gguf_file_is_fingerprinted_whole(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    empty = b"GGUF" + (3).to_bytes(4, "little") + bytes(16)
    file.write_bytes(empty + b"one")
    before = resolve_checkpoint(str(file), label="x")
    file.write_bytes(empty + b"two")
    after = resolve_checkpoint(str(file), label="x")
    assert before.path == str(file)
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [("a.gguf", b"Z" * 24, "is not GGUF"), ("a.bin", b"", "ends in '.bin'")],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, finding: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=finding):
        resolve_checkpoint(str(tmp_path / name), label="x")


@pytest.mark.parametrize("ref", ["./nowhere", "/no/such/folder", "a/b/c", "no such name", "~/none"])
def test_what_can_be_no_hub_id_is_not_looked_for_there(ref: str) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        resolve_checkpoint(ref, label="x")


def test_a_hub_id_is_fetched_with_its_revision(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    asked = []

    def fetch(repo: str, *, revision: str | None, with_code: bool) -> Path:
        asked.append((repo, revision, with_code))
        return folder

    monkeypatch.setattr("emdiag.engines.checkpoint.hub.fetch_snapshot", fetch)
    found = resolve_checkpoint("team/model@v1.2", label="x")
    assert asked == [("team/model", "v1.2", False)]
    assert found.revision == folder.name
    assert found.ref == "team/model@v1.2"


def test_code_of_a_trusted_checkpoint_is_part_of_it(folder: Path) -> None:
    plain = resolve_checkpoint(str(folder), label="x").digest
    (folder / "modeling_x.py").write_text("A = 1")
    assert resolve_checkpoint(str(folder), label="x").digest == plain
    trusted = resolve_checkpoint(str(folder), label="x", trust_remote_code=True).digest
    (folder / "modeling_x.py").write_text("A = 2")
    assert resolve_checkpoint(str(folder), label="x", trust_remote_code=True).digest != trusted


def test_the_same_weights_have_the_same_digest_in_another_folder(
    save_tiny_llama: Callable[..., Path], tmp_path: Path
) -> None:
    one, two = save_tiny_llama(tmp_path / "one"), save_tiny_llama(tmp_path / "two")
    assert digest(one) == digest(two)
    assert digest(save_tiny_llama(tmp_path / "three", seed=1)) != digest(one)
