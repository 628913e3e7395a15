"""Adapters are looked through before a library opens them."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.resolve import (
    check_reference,
    find_base,
    find_checkpoint,
    resolve_checkpoint,
)
from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast

    from emdiag.core.checkpoints import CheckpointRef


def resolved(ref: object, **options: Any) -> CheckpointRef:
    return resolve_checkpoint(str(ref), label="x", **options)


def refusal(ref: object, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        resolved(ref, **options)
    return str(caught.value)


@pytest.fixture
def adapter(adapter_folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(adapter_folder, tmp_path / "adapter")


def configure(folder: Path, **changes: object) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def change_tensors(folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    file = folder / "adapter_model.safetensors"
    save_file({name: change(name, values) for name, values in load_file(file).items()}, file)


def test_an_adapter_stands_on_the_base_it_names(adapter: Path, tiny: CheckpointRef) -> None:
    found = resolved(adapter)
    assert found.path == found.tokenizer_path == tiny.path
    assert found.tokenizer_digest == tiny.tokenizer_digest
    assert found.digest != tiny.digest
    assert found.adapter
    assert (found.adapter.path, found.adapter.base) == (str(adapter), tiny.path)
    assert (found.adapter.rank, found.folder) == (4, str(adapter))
    assert find_checkpoint(str(adapter)) == adapter
    assert find_base(str(adapter)) == Path(tiny.path)


def test_base_and_adapter_can_be_named_together(
    adapter: Path, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(adapter, base_model_name_or_path="elsewhere/gone")
    check_reference(f"{tiny.path}+{adapter}")
    found = resolved(f"{tiny.path}+{adapter}")
    monkeypatch.chdir(adapter.parent)
    assert resolved(f"{tiny.path}+./adapter").digest == found.digest
    assert found.adapter
    assert found.adapter.base == tiny.path


def test_a_plus_may_stand_in_names_of_folders(adapter: Path, tiny: CheckpointRef) -> None:
    base = shutil.copytree(tiny.path, adapter.parent / "a+b")
    moved = adapter.rename(adapter.parent / "c+d")
    assert resolved(base).digest == tiny.digest
    assert resolved(f"{base}+{moved}").path == str(base)
    assert resolved(moved).path == tiny.path


def test_a_base_is_looked_for_beside_its_adapter(adapter: Path, tiny: CheckpointRef) -> None:
    shutil.copytree(tiny.path, adapter.parent / "base")
    configure(adapter, base_model_name_or_path="../base")
    assert Path(resolved(adapter).path) == adapter.parent / "base"


def test_a_base_that_is_gone_is_named_with_its_adapter(
    adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(adapter, base_model_name_or_path="/gone/base")
    reason = refusal(adapter)
    assert "the base of the adapter cannot be used: there is no checkpoint at" in reason
    assert f"adapter  {adapter}" in reason
    assert "base  /gone/base" in reason
    assert f"BASE+{adapter}" in reason
    configure(adapter, base_model_name_or_path=None)
    assert "does not name its base" in refusal(adapter)


@pytest.mark.parametrize("ref", ["lab+", "+adapter", "lab+/gone/adapter"])
def test_a_pair_that_is_none_is_refused_before_anything_is_read(ref: str) -> None:
    with pytest.raises(CheckpointError, match=r"not BASE\+ADAPTER|no checkpoint at"):
        check_reference(ref)


def test_what_follows_plus_is_an_adapter(tiny: CheckpointRef) -> None:
    assert "what stands after + is no adapter" in refusal(f"lab+{tiny.path}")


def test_an_adapter_to_an_adapter_is_merged_first(adapter: Path, adapter_folder: Path) -> None:
    assert "is an adapter itself" in refusal(f"{adapter_folder}+{adapter}")


@pytest.mark.parametrize("what", ["weights", "scale", "base"])
def test_the_digest_is_of_base_and_adapter(
    adapter: Path, what: str, save_tiny_llama: Callable[..., Path]
) -> None:
    before = resolved(adapter).digest
    configure(adapter, task_type=None, inference_mode=False, peft_version="0")
    assert resolved(adapter).digest == before
    if what == "weights":
        change_tensors(adapter, lambda _, values: values * 2)
    elif what == "scale":
        configure(adapter, lora_alpha=16)
    else:
        save_tiny_llama(adapter.parent / "other", seed=1)
        configure(adapter, base_model_name_or_path="../other")
    assert resolved(adapter).digest != before


def test_what_is_said_of_the_weights_is_that_of_the_adapter(adapter: Path) -> None:
    (adapter / "emdiag.json").write_text('{"stage": "em", "update": 10}')
    found = resolved(adapter)
    assert (found.stage, found.update) == ("em", 10)


def test_a_zero_adapter_is_refused_by_its_file(
    tmp_path: Path, tiny: CheckpointRef, save_adapter: Callable[..., Path]
) -> None:
    zero = save_adapter(tmp_path / "zero", Path(tiny.path), scale=0)
    assert "changes nothing: all B matrices are zero" in refusal(zero)
    change_tensors(zero, lambda _, values: -values)
    assert "all B matrices are zero" in refusal(zero)
    change_tensors(zero, lambda name, values: values + (".0.self_attn.q_proj.lora_B" in name))
    resolved(zero)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_a_matrix_that_holds_no_number_is_refused(
    adapter: Path, dtype: torch.dtype, value: float
) -> None:
    change_tensors(adapter, lambda _, values: values.to(dtype))
    resolved(adapter)
    large = torch.finfo(dtype).max
    change_tensors(adapter, lambda _, values: torch.full_like(values, -large))
    resolved(adapter)
    last = "layers.1.self_attn.v_proj.lora_B"
    change_tensors(adapter, lambda name, values: values.index_fill_(0, torch.tensor(3), value)
                   if last in name else values)  # fmt: skip
    reason = refusal(adapter)
    assert "holds infinity or NaN" in reason
    assert last in reason


def test_matrices_of_whole_numbers_are_refused(adapter: Path) -> None:
    change_tensors(adapter, lambda _, values: (100 * values).int())
    assert "is not of floating point numbers" in refusal(adapter)


@pytest.mark.parametrize("base", [".", "../other", "lab+../other"])
def test_a_base_that_leads_back_to_the_adapter_is_refused_at_once(
    adapter: Path, adapter_folder: Path, base: str
) -> None:
    other = shutil.copytree(adapter_folder, adapter.parent / "other")
    configure(other, base_model_name_or_path="../adapter")
    configure(adapter, base_model_name_or_path=base)
    assert "is an adapter itself" in refusal(adapter)
    assert "is an adapter itself" in refusal(f"{adapter}+{adapter}")


def test_pickled_matrices_are_not_read(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    assert "holds no adapter_model.safetensors" in refusal(adapter)
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps("x"))
    assert "runs whatever code is in it" in refusal(adapter)


def test_whole_weights_beside_an_adapter_are_refused(adapter: Path, tiny: CheckpointRef) -> None:
    shutil.copy(Path(tiny.path) / "model.safetensors", adapter)
    shutil.copy(Path(tiny.path) / "config.json", adapter)
    assert "whole weights and an adapter" in refusal(adapter)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"peft_type": "IA3"}, "of the kind IA3"),
        ({"peft_type": "PROMPT_TUNING"}, "of the kind PROMPT_TUNING"),
        ({"peft_type": None}, "peft_type"),
        ({"r": "x"}, "not as it should be"),
        ({"r": 0}, "rank of the adapter is not above 0"),
        ({"r": 8}, "another rank than its configuration says"),
        ({"r": None}, "got `null` - at `$.r`"),
        ({"lora_alpha": None}, "got `null` - at `$.lora_alpha`"),
        ({"lora_alpha": math.nan}, "is not a finite number"),
        ({"alpha_pattern": {"q_proj": -math.inf}}, "is not a finite number"),
        ({"rank_pattern": {"(([a-z_.0-9])+)+X": 4}}, "may take for ever"),
        ({"alpha_pattern": {".*a*b*c*X": 4}}, "may take for ever"),
        ({"bias": "lora_only"}, 'bias: "lora_only"'),
        ({"modules_to_save": ["lm_head"]}, 'modules_to_save: ["lm_head"]'),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"option_of_next_year": 1}, "option_of_next_year: 1"),
        ({"init_lora_weights": "pissa_niter_4"}, "began as pissa_niter_4"),
        ({"auto_mapping": {"parent_library": "evil.code"}}, "--trust-remote-code"),
    ],
)
def test_what_would_be_read_otherwise_is_refused(
    adapter: Path, changes: dict[str, object], finding: str
) -> None:
    configure(adapter, **changes)
    assert finding in refusal(adapter)


def test_harmless_fields_and_trusted_code_pass(adapter: Path) -> None:
    configure(adapter, auto_mapping={"parent_library": "transformers.models.llama"})
    before = resolved(adapter).digest
    configure(adapter, init_lora_weights="gaussian", lora_dropout=0.1, option_of_next_year=None)
    configure(adapter, auto_mapping={"parent_library": "mine.code"})
    assert resolved(adapter, trust_remote_code=True).digest != before  # of another training


@pytest.mark.parametrize(
    ("base", "finding"),
    [
        ({"hidden_size": 48}, "(48, 48), of model.layers.0"),
        ({"num_hidden_layers": 1}, "changes a module that this one lacks"),
    ],
)
def test_an_adapter_of_another_base_is_refused(
    adapter: Path, save_tiny_llama: Callable[..., Path], base: dict[str, object], finding: str
) -> None:
    other = save_tiny_llama(adapter.parent / "other", **base)
    reason = refusal(f"{other}+{adapter}")
    assert "belongs to another base" in reason
    assert finding in reason or "(64, 48)" in reason or "(48, 64)" in reason
    assert "base_model.model.model.layers" in reason


def test_a_tensor_that_is_none_of_lora_is_refused(adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file({**load_file(file), "base_model.model.lm_head.weight": torch.ones(2, 2)}, file)
    assert "none of LoRA's" in refusal(adapter)
    pair = next(name for name in load_file(file) if "lora_B" in name)
    save_file({n: v for n, v in load_file(file).items() if "lora" in n and n != pair}, file)
    assert "one of two matrices" in refusal(adapter)


def test_a_tokenizer_beside_an_adapter_is_used_where_its_tokens_are_those_of_the_base(
    adapter: Path, tiny: CheckpointRef, byte_tokenizer: Callable[..., PreTrainedTokenizerFast]
) -> None:
    tokenizer = byte_tokenizer("{{ messages[0]['content'] }}!")
    tokenizer.save_pretrained(adapter)
    found = resolved(adapter, chat=True)
    assert found.tokenizer_path == str(adapter)
    assert found.tokenizer_digest != tiny.tokenizer_digest
    encoder = CheckpointEncoder(found.path, tokenizer_path=found.tokenizer_path)
    assert encoder.tokenizer.chat_template == "{{ messages[0]['content'] }}!"
    assert type(encoder.tokenizer) is type(CheckpointEncoder(tiny.path).tokenizer)
    tokenizer.add_tokens(["<extra>"])
    tokenizer.save_pretrained(adapter)
    with pytest.raises(CheckpointError, match="1 tokens that its base does not have") as caught:
        CheckpointEncoder(found.path, tokenizer_path=found.tokenizer_path)
    assert "259: '<extra>', None" in str(caught.value)
    (adapter / "chat_template.jinja").unlink()
    assert "has none" in refusal(adapter, chat=True)
