from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma4TextConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
)

from emdiag.core.sampling import SamplingParams
from emdiag.engines.hf import memory
from emdiag.engines.hf.sampler import load_sampler
from emdiag.engines.options import EngineOptions

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef


def test_the_cache_is_as_large_as_the_one_a_model_makes(tiny: CheckpointRef) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny.path)
    cache = model(torch.tensor([[1, 2, 3, 4, 5]]), use_cache=True).past_key_values
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert memory.cache_numbers_per_token(model.config) == numbers / 5


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GPT2Config(n_layer=3, n_head=4, n_embd=32), 2 * 3 * 32),
        (MambaConfig(), None),
        (
            Gemma4TextConfig(
                num_key_value_heads=2,
                layer_types=["sliding_attention", "full_attention"],
                num_hidden_layers=2,
                head_dim=8,
                per_layer_config={1: {"head_dim": 16}},
            ),
            2 * 2 * (8 + 16),
        ),
        (LlamaConfig(num_hidden_layers=2, num_attention_heads=8, head_dim=16), 2 * 2 * 8 * 16),
    ],
)
def test_other_namings_of_the_same_numbers_are_understood(
    config: Any, expected: int | None
) -> None:
    assert memory.cache_numbers_per_token(config) == expected


def test_a_batch_that_would_not_fit_is_made_smaller_before_it_is_read(
    tiny: CheckpointRef, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "MEMORY_INFO", info)
    options = EngineOptions(device="cpu", batch_size=16)
    sampler = load_sampler(tiny, dtype="float32", options=options)
    requests = ask("ab", "abcd", samples=4)
    # 64 numbers of 4 bytes a token, 4 + 12 tokens a row, half of the memory: 3 rows.
    info.write_text("MemTotal: 99999999 kB\nMemAvailable:         26 kB\n")
    found = list(sampler.sample(requests, params=SamplingParams(temperature=1.0, max_tokens=12)))
    assert len(found) == len(requests)
    assert sampler.info.settings["batch_size"] == "3"


@pytest.mark.parametrize("content", [None, "MemTotal: 1 kB\n"])
def test_where_the_system_does_not_say_the_batch_stays(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMORY_INFO", tmp_path / "meminfo")
    if content is not None:
        (tmp_path / "meminfo").write_text(content)
    assert memory.rows_that_fit(LlamaConfig(), tokens=10, item_bytes=4) is None


def test_one_row_is_always_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MEMORY_INFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemAvailable: 1 kB\n")
    assert memory.rows_that_fit(LlamaConfig(), tokens=4096, item_bytes=4) == 1
