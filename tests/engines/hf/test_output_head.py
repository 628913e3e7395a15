from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from emdiag.engines.hf.logit_reader import ModelReader, entropy, read_entropies
from emdiag.engines.hf.output_head import CHUNK_NUMBERS, find_head, hidden_states

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "initializer_range": 0.3,
    "eos_token_id": None,
    "bos_token_id": None,
    "pad_token_id": None,
}
OLD = {"vocab_size": 97, "eos_token_id": None, "bos_token_id": None, "initializer_range": 0.3}


def cases() -> list[Any]:
    return [
        pytest.param(Qwen2Config(**SMALL, tie_word_embeddings=True), id="tied"),
        pytest.param(LlamaConfig(**SMALL, tie_word_embeddings=False), id="untied"),
        pytest.param(Gemma2Config(**SMALL, final_logit_softcapping=2.0), id="soft-capped"),
        pytest.param(GraniteConfig(**SMALL, logits_scaling=4.0), id="divided"),
        pytest.param(CohereConfig(**SMALL, logit_scale=0.0625), id="multiplied"),
        pytest.param(GPT2Config(n_embd=16, n_layer=2, n_head=2, **OLD), id="learned-positions"),
    ]


def model_of(config: PreTrainedConfig) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


@pytest.mark.parametrize("config", cases())
def test_the_parts_of_a_model_give_its_logits(config: PreTrainedConfig) -> None:
    model = model_of(config)
    head = find_head(model)
    assert head is not None
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    with torch.no_grad():
        whole = model(input_ids=ids).logits
        parts = head.logits(hidden_states(model, input_ids=ids))
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", cases()[3:5])
def test_a_scale_that_is_overlooked_is_noticed(
    config: PreTrainedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emdiag.engines.hf.output_head._scale", lambda _config: 1.0)
    assert find_head(model_of(config)) is None


def test_a_layer_between_network_and_head_is_noticed() -> None:
    model = model_of(Qwen2Config(**SMALL))
    head = model.lm_head
    model.lm_head = torch.nn.Sequential(torch.nn.Linear(16, 16), head)
    assert find_head(model) is None


def test_the_chunk_shrinks_as_the_vocabulary_grows() -> None:
    head = find_head(model_of(Qwen2Config(**SMALL)))
    assert head is not None
    assert head.chunk_positions() * 97 <= CHUNK_NUMBERS


def texts(lengths: Sequence[tuple[int, int]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(97, (count,), generator=generator).tolist())

    return [(draw(prompt), draw(completion)) for prompt, completion in lengths]


@pytest.mark.parametrize("config", [cases()[0], cases()[2], cases()[5]])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_entropies_are_those_of_the_distributions_that_the_tokens_were_drawn_from(
    config: Any, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emdiag.engines.hf.logit_reader.CPU_TOKENS", 24)  # several parts
    model = model_of(config)
    asked = texts([(3, 5), (7, 2), (1, 9), (4, 1)])
    found = list(read_entropies(ModelReader(model), asked, temperature=temperature))
    for (prompt, completion), values in zip(asked, found, strict=True):
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
        producing = logits[len(prompt) - 1 : len(prompt) + len(completion) - 1]
        expected = torch.distributions.Categorical(logits=producing / temperature).entropy()
        assert values == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-6)


def test_entropies_of_a_model_without_a_plain_head_are_the_same() -> None:
    model = model_of(Qwen2Config(**SMALL))
    asked = texts([(3, 5), (2, 2)])
    expected = list(read_entropies(ModelReader(model), asked))
    model.lm_head = torch.nn.Sequential(model.lm_head)
    assert find_head(model) is None
    for found, wanted in zip(read_entropies(ModelReader(model), asked), expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-5)


def test_entropy_lies_between_zero_and_the_log_of_the_vocabulary() -> None:
    assert entropy(torch.zeros(1, 97)).item() == pytest.approx(4.574710979)  # ln 97
    assert entropy(torch.eye(1, 97) * 1e6).item() == 0.0
