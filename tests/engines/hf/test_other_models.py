"""Models whose caches or positions differ from the plain case, against transformers' generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    Lfm2Config,
    MistralConfig,
    PreTrainedConfig,
    Qwen3NextConfig,
)

from emdiag.core.sampling import SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.hf.sampler import load_sampler
from emdiag.engines.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL: dict[str, Any] = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "head_dim": 8,
    "eos_token_id": None,
    "bos_token_id": None,
    "pad_token_id": None,
}


def cases() -> list[Any]:
    old = {"vocab_size": 259, "eos_token_id": None, "bos_token_id": None, "initializer_range": 0.3}
    window = {**SMALL, "sliding_window": 8}
    linear = {
        **SMALL,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "num_experts": 0,
    }
    conv = {**SMALL, "layer_types": ["conv", "full_attention"], "block_multiple_of": 16}
    return [
        pytest.param(GPT2Config(n_embd=32, n_layer=2, n_head=4, **old), True, id="learned"),
        pytest.param(BloomConfig(hidden_size=32, n_layer=2, n_head=4, **old), True, id="alibi"),
        pytest.param(GPTNeoXConfig(**{**SMALL, "num_key_value_heads": 4}), True, id="partial-rope"),
        pytest.param(MistralConfig(**window), True, id="sliding-window"),
        pytest.param(Gemma2Config(**window), True, id="alternating-window"),
        pytest.param(Qwen3NextConfig(**linear), False, id="linear-attention"),
        pytest.param(Lfm2Config(**conv), False, id="convolution"),
    ]


@pytest.mark.parametrize(("config", "refills"), cases())
def test_greedy_equals_generate_for_other_kinds_of_model(
    config: PreTrainedConfig,
    refills: bool,  # noqa: FBT001 - a parametrised case
    tmp_path: Path,
    byte_tokenizer: Callable[..., Any],
    ask: Callable[..., Any],
) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    sampler = load_sampler(
        resolve_checkpoint(str(tmp_path), label="x"),
        dtype="float32",
        options=EngineOptions(device="cpu", batch_size=3),
    )
    assert sampler.info.settings["refill"] == str(refills).lower()
    requests = ask("a", "Compute 3+4.", "hello there, a rather long one", "xy" * 20, "b", "Why?")
    params = SamplingParams(temperature=0, max_tokens=20)
    found = {f.problem_id: f.token_ids for f in sampler.sample(requests, params=params)}
    for request in requests:
        ids = torch.tensor([request.token_ids])
        expected = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=20,
            pad_token_id=0,
        )
        assert found[request.problem_id] == tuple(expected[0, ids.shape[1] :].tolist())
