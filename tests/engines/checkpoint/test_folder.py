"""Broken checkpoint folders: each is an error that names the file, before weights are opened."""

from __future__ import annotations

import json
import os
import shutil
import struct
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
from emdiag.engines.checkpoint.weight_files import stray_weights
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.open import check_lengths
from emdiag.engines.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.sampling import FilledPrompt

OPTIONS = EngineOptions(device="cpu")


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_folder, tmp_path / "model")


def refusal(folder: Path, *, trust_remote_code: bool = False) -> str:
    with pytest.raises(CheckpointError) as caught:
        resolve_checkpoint(str(folder), label="x", trust_remote_code=trust_remote_code)
    return str(caught.value)


def use(folder: Path, prompts: list[FilledPrompt]) -> None:
    resolve_checkpoint(str(folder), label="x")
    encoder = CheckpointEncoder(str(folder))
    encoder.encode(prompts, chat=False)
    encoder.stop_token_ids()
    load_model(str(folder), dtype="float32", options=OPTIONS)


def opening(folder: Path, fill: Callable[..., list[FilledPrompt]]) -> str:
    with pytest.raises(CheckpointError) as caught:
        use(folder, fill("Compute."))
    return str(caught.value)


def configure(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**content, **changes}))


def index_of(folder: Path, shard: object, *, name: str = "model.norm.weight") -> None:
    (folder / "model.safetensors").rename(folder / "shard.safetensors")
    index = json.dumps({"metadata": {}, "weight_map": {name: shard}})
    (folder / "model.safetensors.index.json").write_text(index)


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("config.json", "[]", "no JSON object, but a list"),
        ("config.json", "", "not JSON"),
        ("config.json", "null", "but null"),
        ("config.json", "[" * 100_000, "not JSON"),
        ("config.json", '{"vocab_size": "x"}', "Expected `int | null`, got `str`"),
        ("config.json", '{"model_type": 3}', "model_type"),
        ("generation_config.json", "{", "not JSON"),
        ("generation_config.json", '{"eos_token_id": "x"}', "eos_token_id"),
        ("tokenizer_config.json", "[]", "but a list"),
        ("tokenizer_config.json", '{"chat_template": 3}', "chat_template"),
        ("tokenizer_config.json", '{"chat_template": [{"name": "x"}]}', "template"),
        ("tokenizer_config.json", '{"tokenizer_class": 3}', "tokenizer_class"),
        ("tokenizer_config.json", '{"bos_token": 7}', "bos_token"),
        ("tokenizer_config.json", '{"auto_map": 3}', "auto_map"),
        ("tokenizer_config.json", '{"model_max_length": "x"}', "model_max_length"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": 3}}', "added_tokens_decoder"),
        ("special_tokens_map.json", "[]", "but a list"),
        ("added_tokens.json", '{"x": "y"}', "Expected `int`, got `str`"),
        ("emdiag.json", "[" * 100_000, "not JSON"),
        ("model.safetensors", "", "0 bytes hold no header"),
        ("model.safetensors", "version https://git-lfs.github.com/spec/v1\n", "hold no header"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    folder: Path, name: str, content: str, finding: str
) -> None:
    (folder / name).write_text(content)
    reason = refusal(folder)
    assert finding in reason
    assert str(folder / name) in reason


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (os.mkfifo, "no plain file"),
        (os.mkdir, "a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "no plain file"),
        (lambda path: path.symlink_to("nowhere"), "a link to nowhere"),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
        *("chat_template.jinja", "model.safetensors", "model.safetensors.index.json"),
        *("emdiag.json", "adapter_config.json", "vocab.json", "merges.txt", "modeling_x.py"),
    ],
)
def test_what_is_no_file_is_not_waited_for(
    folder: Path, name: str, place: Callable[[Path], Any], kind: str
) -> None:
    (folder / name).unlink(missing_ok=True)
    place(folder / name)
    reason = refusal(folder)
    assert kind in reason
    assert name in reason


@pytest.mark.parametrize(
    ("shard", "finding"),
    [
        (3, "Expected `str`, got `int`"),
        ("shard.bin", "runs whatever code is in it"),
        ("shard.safetensors.bin", "runs whatever code is in it"),
        ("../model/shard.safetensors", "outside of its folder"),
        ("/etc/shard.safetensors", "outside of its folder"),
        ("linked.safetensors", "no whole safetensors file"),
        ("absent.safetensors", "1 of them are missing"),
    ],
)
def test_an_index_leads_to_safetensors_in_its_folder_alone(
    folder: Path, shard: object, finding: str
) -> None:
    (folder / "linked.safetensors").symlink_to("/etc/passwd")
    index_of(folder, shard)
    assert finding in refusal(folder)


def test_every_tensor_is_where_the_index_says(folder: Path) -> None:
    index_of(folder, "shard.safetensors", name="model.other.weight")
    reason = refusal(folder)
    assert "1 of them are not in their shards" in reason
    assert "model.other.weight in shard.safetensors" in reason


def test_shards_may_be_links_as_whole_weights_may(folder: Path, tmp_path: Path) -> None:
    expected = resolve_checkpoint(str(folder), label="x").digest
    blobs, snapshot = tmp_path / "hub/blobs", tmp_path / "hub/snapshots/0123"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    index_of(folder, "shard.safetensors")
    for file in folder.iterdir():
        shutil.copyfile(file, blobs / f"blob-{file.name}")
        (snapshot / file.name).symlink_to(f"../../blobs/blob-{file.name}")
    assert resolve_checkpoint(str(snapshot), label="x").digest != expected  # another file name
    (snapshot / "shard.safetensors").unlink()
    (snapshot / "shard.safetensors").symlink_to(folder / "shard.safetensors")
    resolve_checkpoint(str(snapshot), label="x")  # as `hf download --local-dir` once made them


def test_one_file_comes_before_an_index_as_when_it_is_loaded(folder: Path) -> None:
    before = resolve_checkpoint(str(folder), label="x").digest
    shutil.copyfile(folder / "model.safetensors", folder / "other.safetensors")
    index = {"metadata": {}, "weight_map": {"model.norm.weight": "other.safetensors"}}
    assert stray_weights(folder) == [folder / "other.safetensors"]
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert resolve_checkpoint(str(folder), label="x").digest == before
    assert stray_weights(folder) == [folder / "model.safetensors", folder / "other.safetensors"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:100],
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content[:8] + b"x" + content[9:],
        lambda content: bytes(len(content)),
        lambda _content: struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)
def test_weights_that_are_not_whole_are_named(
    folder: Path, change: Callable[[bytes], bytes]
) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(change(file.read_bytes()))
    reason = refusal(folder)
    assert "no whole safetensors file" in reason
    assert str(file) in reason


def test_a_template_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "chat_template.jinja").write_bytes(b"\xff{{ messages }}")
    assert "chat_template.jinja" in refusal(folder)


def test_outputs_are_read_by_name_whatever_the_configuration_asks_for(folder: Path) -> None:
    configure(folder, return_dict=False)
    model = load_model(str(folder), dtype="float32", options=OPTIONS)
    assert model(torch.tensor([[1]])).logits.shape == (1, 1, 259)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_beside_whole_weights_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")
    assert "whole weights and an adapter" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"attn_implementation": "kernels-community/flash-attn"}, "attn_implementation"),
        ({"_attn_implementation": "evil/kernel@main"}, "_attn_implementation"),
        ({"attn_implementation": {"text_config": "evil/kernel"}}, "attn_implementation"),
        ({"text_config": {"experts_implementation": "evil/kernel"}}, "text_config.experts"),
        ({"use_kernels": True}, "use_kernels"),
    ],
)
def test_code_that_is_fetched_by_name_needs_trust(
    folder: Path, changes: dict[str, object], finding: str
) -> None:
    configure(folder, **changes)
    reason = refusal(folder)
    assert finding in reason
    assert "--trust-remote-code" in reason
    resolve_checkpoint(str(folder), label="x", trust_remote_code=True)


def test_flash_attention_is_a_kernel_of_a_hub_where_it_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(folder, _attn_implementation="flash_attention_2")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "kernels" or None)
    assert "_attn_implementation is 'flash_attention_2'" in refusal(folder)


@pytest.mark.parametrize("name", ["adapter_model.bin", "x.safetensors"])
def test_weights_of_another_name_are_refused(folder: Path, name: str) -> None:
    configure(folder, transformers_weights=name)
    assert "transformers_weights" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocab_size", 10**12),
        ("vocab_size", 0),
        ("hidden_size", -1),
        ("hidden_size", 10**12),
        ("intermediate_size", 10**15),
        ("num_hidden_layers", 10**9),
    ],
)
def test_sizes_beyond_all_weights_are_refused_at_once(folder: Path, name: str, value: int) -> None:
    configure(folder, **{name: value})
    assert f"{name} is {value}, which the weights cannot be" in refusal(folder)


def test_sizes_left_out_are_not_those_of_a_large_model(
    folder: Path, fill: Callable[..., list[FilledPrompt]]
) -> None:
    (folder / "config.json").write_text('{"model_type": "qwen2"}')
    (folder / "model.safetensors").unlink()
    save_file({"x": torch.zeros(9)}, folder / "model.safetensors")
    assert "a larger model than the weights: vocab_size 151936" in opening(folder, fill)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"eos_token_id": "</s>"}, "eos_token_id"),
        ({"dtype": "float99"}, "float99"),
        ({"num_attention_heads": 0}, ""),
        ({"model_type": "evil"}, "evil"),
        ({"hidden_act": "evil"}, "evil"),
        ({"rope_parameters": 3}, ""),
        ({"auto_map": {"AutoConfig": "m.C"}, "model_type": "evil"}, "--trust-remote-code"),
        ({"model_type": "bert"}, ""),
        ({"text_config": {}}, "text_config"),
    ],
)
def test_what_a_library_says_of_a_configuration_is_an_error_of_the_checkpoint(
    folder: Path,
    fill: Callable[..., list[FilledPrompt]],
    changes: dict[str, object],
    finding: str,
) -> None:
    configure(folder, **changes)
    reason = opening(folder, fill)
    assert finding in reason
    assert str(folder) in reason


@pytest.mark.parametrize("ends", [5000, -1, [999, 5000]])
def test_end_tokens_that_the_model_lacks_are_said_and_refused_where_there_is_no_other(
    folder: Path, ends: object, caplog: pytest.LogCaptureFixture
) -> None:
    least = min(ends) if isinstance(ends, list) else ends
    finding = f"an end token is {least}, and the model has the token ids 0 to 258"
    configure(folder, eos_token_id=ends)  # the default of a family, say
    (folder / "generation_config.json").unlink()
    assert set(CheckpointEncoder(str(folder)).stop_token_ids()) > {256}
    assert finding in caplog.text
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"eos_token": None}))
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointError, match=finding):
        CheckpointEncoder(str(folder)).stop_token_ids()


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_weights_of_another_kind_of_number_are_refused(folder: Path, dtype: torch.dtype) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"].to(dtype)
    weights["model.position_ids"] = torch.arange(9)  # what some models keep beside them
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "1 weights are not floating point numbers (model.norm.weight" in refusal(folder)
    configure(folder, quantization_config={"quant_method": "x"})
    resolve_checkpoint(str(folder), label="x")


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "dynamic", "factor": "x"},
        {"rope_type": "longrope", "original_max_position_embeddings": "x", "factor": 2.0}
        | dict.fromkeys(("short_factor", "long_factor"), [1.0] * 4),
    ],
)
def test_rotary_factors_that_are_no_numbers_are_named(
    folder: Path, rope: dict[str, object], fill: Callable[..., list[FilledPrompt]]
) -> None:
    configure(folder, rope_parameters={"rope_theta": 1e4, **rope})
    checkpoint = resolve_checkpoint(str(folder), label="x")

    def begin() -> None:
        CheckpointEncoder(str(folder)).encode(fill("x"), chat=False)
        check_lengths("transformers", checkpoint, (), max_tokens=8, options=OPTIONS)

    with pytest.raises(CheckpointError, match="of the configuration cannot be read"):
        begin()


def test_layers_that_the_configuration_leaves_out_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    configure(folder, num_hidden_layers=1)
    with pytest.raises(CheckpointError, match="9 tensors that the configuration leaves out"):
        load_model(str(folder), dtype="float32", options=OPTIONS)
    weights["model.layers.1.eh_proj.weight"] = torch.zeros(4, 8)  # predicts further tokens
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    load_model(str(folder), dtype="float32", options=OPTIONS)


def test_other_shapes_are_shown(folder: Path, fill: Callable[..., list[FilledPrompt]]) -> None:
    configure(folder, intermediate_size=65)
    reason = opening(folder, fill)
    assert "another shape than the configuration asks for" in reason
    assert "expected  (32, 65)" in reason
    assert "found  (32, 64)" in reason
    configure(folder, intermediate_size=64, vocab_size=50)
    reason = opening(folder, fill)
    assert "(50, ...): vocab_size" in reason
    assert "(259, 32)" in reason


def test_a_token_that_the_model_has_no_room_for_is_named(
    folder: Path, fill: Callable[..., list[FilledPrompt]]
) -> None:
    content = json.loads((folder / "tokenizer.json").read_bytes())
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    content["added_tokens"].append({"id": 500, "content": "Compute", **flags})
    (folder / "tokenizer.json").write_text(json.dumps(content))
    reason = opening(folder, fill)
    assert "1 tokens that the model has no room for" in reason
    assert "(259, 'Compute')" in reason
    encoder = CheckpointEncoder(str(folder))
    assert encoder.encode(fill("Say."), chat=False)[0].token_ids  # where it is not fed


def test_a_lost_tensor_of_another_name_is_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.other"] = weights.pop("model.norm.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight"):
        load_model(str(folder), dtype="float32", options=OPTIONS)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_interruptions_and_full_memory_pass_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("emdiag.engines.hf.model_loading.AutoModelForCausalLM", fail)
    monkeypatch.setattr(fail, "from_pretrained", fail, raising=False)
    with pytest.raises(type(error)):
        load_model(str(folder), dtype="float32", options=OPTIONS)
