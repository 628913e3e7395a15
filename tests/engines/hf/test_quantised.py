"""Quantised checkpoints: headers as libraries write them, and what runs without a GPU."""

from __future__ import annotations

import json
from importlib import util
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GptOssConfig, GptOssForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from emdiag.core.errors import (
    CheckpointError,
    EmdiagError,
    EngineMissingError,
    EngineRefusedError,
)
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.hf.logit_reader import ModelReader
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.open import choose_engine, open_reader
from emdiag.engines.options import EngineOptions
from emdiag.train.jobs import open_parent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import PreTrainedModel

Packed = dict[str, torch.Tensor]

CPU = EngineOptions(device="cpu", threads=1)
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [32, 32]}
TORCHAO = {"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8WeightOnlyConfig"}}}


def rows(out: int, into: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros(out, into, dtype=dtype)


def gptq(out: int, into: int) -> Packed:
    return {
        "qweight": rows(into // 8, out, torch.int32),
        "qzeros": rows(into // 32, out // 8, torch.int32),
        "scales": rows(into // 32, out, torch.float16),
        "g_idx": torch.zeros(into, dtype=torch.int32),
    }


def awq(out: int, into: int) -> Packed:
    return {
        "qweight": rows(into, out // 8, torch.int32),
        "qzeros": rows(into // 32, out // 8, torch.int32),
        "scales": rows(into // 32, out, torch.float16),
    }


def nf4(out: int, into: int) -> Packed:
    return {
        "weight": rows(out * into // 2, 1, torch.uint8),
        "weight.absmax": torch.zeros(out * into // 64, dtype=torch.uint8),
        "weight.quant_map": torch.zeros(16),
        "weight.nested_absmax": torch.zeros(1),
        "weight.quant_state.bitsandbytes__nf4": torch.zeros(80, dtype=torch.uint8),
    }


def int8(out: int, into: int) -> Packed:
    return {
        "weight": rows(out, into, torch.int8),
        "SCB": torch.zeros(out),
        "weight_format": torch.zeros((), dtype=torch.uint8),
    }


def packed(out: int, into: int) -> Packed:
    return {
        "weight_packed": rows(out, into // 8, torch.int32),
        "weight_scale": rows(out, into // 32, torch.bfloat16),
        "weight_shape": torch.tensor([out, into]),
    }


def fp8(out: int, into: int) -> Packed:
    scales = torch.ones(-(-out // 32), -(-into // 32))
    return {"weight": rows(out, into, torch.float8_e4m3fn), "weight_scale_inv": scales}


KINDS: dict[str, tuple[Callable[[int, int], Packed], dict[str, Any], str, str]] = {
    "gptq": (
        gptq,
        {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False},
        "gptq 4 bit",
        "pip install optimum",
    ),
    "awq": (
        awq,
        {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"},
        "awq 4 bit",
        "pip install gptqmodel",
    ),
    "nf4": (
        nf4,
        {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "bitsandbytes nf4 4 bit",
        "pip install -U bitsandbytes",
    ),
    "llm.int8": (
        int8,
        {"quant_method": "bitsandbytes", "load_in_8bit": True},
        "bitsandbytes 8 bit",
        "pip install -U bitsandbytes",
    ),
    "compressed-tensors": (
        packed,
        {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4}}},
        },
        "compressed-tensors pack-quantized 4 bit",
        "compressed-tensors",
    ),
    "torchao": (int8, TORCHAO, "torchao Int8WeightOnlyConfig", "torchao"),
    "hqq": (int8, {"quant_method": "hqq", "quant_config": {"nbits": 4}}, "hqq 4 bit", "HQQ"),
    "modelopt": (int8, {"quant_method": "modelopt"}, "modelopt", "Unknown quantization type"),
    "unnamed": (int8, {"bits": 3}, "method not named 3 bit", "no `quant_method` attribute"),
}


@pytest.fixture
def quantise(save_tiny_llama: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Writes a tiny model whose projections are packed."""

    def build(pack: Callable[[int, int], Packed], block: dict[str, Any] | None) -> Path:
        folder = save_tiny_llama(tmp_path / "packed", num_key_value_heads=4)
        tensors: Packed = {}
        for name, weight in load_file(folder / "model.safetensors").items():
            if "_proj" not in name:
                tensors[name] = weight
                continue
            layer = name.removesuffix("weight")
            tensors |= {f"{layer}{part}": of for part, of in pack(*weight.shape).items()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        describe(folder, block)
        return folder

    return build


def describe(folder: Path, block: dict[str, Any] | None, **changes: object) -> None:
    file = folder / "config.json"
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({**content, **({"quantization_config": block} if block else {})}))


@pytest.mark.parametrize("kind", KINDS)
def test_the_method_is_known_before_weights_are_read_and_what_it_needs_is_named(
    quantise: Callable[..., Path], kind: str
) -> None:
    pack, block, words, needed = KINDS[kind]
    folder = str(quantise(pack, block))
    checkpoint = resolve_checkpoint(folder, label="packed")
    assert checkpoint.quantization == words
    if kind == "compressed-tensors" and util.find_spec("compressed_tensors"):
        pytest.skip("its package is installed, so that nothing is missing")
    with pytest.raises((EngineMissingError, EngineRefusedError)) as early:
        choose_engine("transformers", checkpoint, options=CPU)
    assert needed in early.value.message
    assert "--engine vllm" in str(early.value.hint)
    with pytest.raises(EmdiagError) as late:
        load_model(folder, dtype="float32", options=CPU)
    assert late.value.message == early.value.message


@pytest.mark.parametrize("pack", [nf4, int8])
def test_packed_weights_that_no_configuration_explains_are_refused(
    quantise: Callable[..., Path], pack: Callable[[int, int], Packed]
) -> None:
    with pytest.raises(CheckpointError, match="names no quantization"):
        resolve_checkpoint(str(quantise(pack, None)), label="packed")


def test_a_method_named_inside_a_nested_configuration_is_seen(
    quantise: Callable[..., Path],
) -> None:
    folder = quantise(gptq, None)
    describe(folder, None, text_config={"quantization_config": {"quant_method": "gptq", "bits": 8}})
    assert resolve_checkpoint(str(folder), label="x").quantization == "gptq 8 bit"


def test_packed_embeddings_are_not_taken_for_another_vocabulary(
    quantise: Callable[..., Path],
) -> None:
    folder = quantise(gptq, {"quant_method": "gptq", "bits": 4})
    tensors = load_file(folder / "model.safetensors")
    tensors["model.embed_tokens.weight"] = torch.zeros(7, 16, dtype=torch.uint8)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert resolve_checkpoint(str(folder), label="x").quantization == "gptq 4 bit"


def test_quantised_weights_are_not_trained(quantise: Callable[..., Path], tmp_path: Path) -> None:
    folder = quantise(fp8, FP8)
    with pytest.raises(CheckpointError, match=r"quantised \(fp8 e4m3\).*not trained"):
        open_parent(str(folder), home=tmp_path, trust_remote_code=False, chat=False)


def test_fp8_weights_are_read_as_the_numbers_they_stand_for(
    quantise: Callable[..., Path], save_tiny_llama: Callable[..., Path], tmp_path: Path
) -> None:
    folder = quantise(fp8, FP8)
    plain = save_tiny_llama(tmp_path / "plain", num_key_value_heads=4)
    weights = load_file(plain / "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in weights if "_proj" in name]:
        half = weights[name] * 2
        tensors[name] = half.to(torch.float8_e4m3fn)
        tensors[f"{name}_scale_inv"] = torch.full_like(tensors[f"{name}_scale_inv"], 0.5)
        weights[name] = tensors[name].float() / 2
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(weights, plain / "model.safetensors", metadata={"format": "pt"})
    checkpoint = resolve_checkpoint(str(folder), label="fp8")
    assert checkpoint.file_facts == {"quantised": "fp8 e4m3"}
    assert choose_engine("transformers", checkpoint, options=CPU) == "transformers"
    both = [load_model(str(path), dtype="float32", options=CPU) for path in (folder, plain)]
    assert torch.equal(*map(logits, both))
    reader = open_reader("transformers", checkpoint, options=CPU)
    text = ((5, 6, 7), (8, 9, 10, 11))
    (read,) = reader.read([text])
    (expected,) = ModelReader(both[1]).read([text])
    assert torch.equal(read.logits(0, read.positions), expected.logits(0, expected.positions))
    reader.close()


def test_mxfp4_experts_are_read_as_the_numbers_they_stand_for(tmp_path: Path) -> None:
    config = GptOssConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_local_experts=4,
        num_experts_per_tok=2,
        layer_types=["sliding_attention", "full_attention"],
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    plain = GptOssForCausalLM(config).eval()
    plain.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, into, out = tensors.pop(name).shape
        blocks = torch.randint(0, 256, (experts, out, into // 32, 16), dtype=torch.uint8)
        scales = torch.randint(122, 126, (experts, out, into // 32), dtype=torch.uint8)
        tensors |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        numbers = convert_moe_packed_tensors(blocks, scales, dtype=torch.bfloat16)
        plain.get_parameter(name).data = numbers.float()
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    describe(tmp_path, {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]})
    loaded = load_model(str(tmp_path), dtype="float32", options=CPU)
    assert torch.equal(logits(loaded), logits(plain))


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = model(torch.arange(3, 30)[None]).logits
    return result
