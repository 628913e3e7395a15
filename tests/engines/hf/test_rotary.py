"""Rotary factors that switch with the length of a text, against `generate` of each prompt alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig, Phi3Config

from emdiag.core.errors import EngineError, PlanError
from emdiag.core.sampling import Prompt, SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.hf.logit_reader import ModelReader
from emdiag.engines.hf.rotary import RotarySwitch, require_short, rotary_switch
from emdiag.engines.hf.sampler import TransformersSampler
from emdiag.engines.open import check_lengths
from emdiag.engines.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
    "eos_token_id": None,
    "bos_token_id": None,
    "pad_token_id": None,
}
BEGINS = 40
NEW = 20
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0] * 4,
    "long_factor": [3.0, 5.0, 9.0, 17.0],
    "rope_theta": 10000.0,
    "original_max_position_embeddings": BEGINS,
}
DYNAMIC = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}
PHI3 = Phi3Config(**SMALL, rope_parameters=LONGROPE, original_max_position_embeddings=BEGINS)
LLAMA = LlamaConfig(**SMALL, rope_parameters=LONGROPE)
NTK = LlamaConfig(**{**SMALL, "max_position_embeddings": BEGINS}, rope_parameters=DYNAMIC)
CONFIGS = {"phi3": PHI3, "llama": LLAMA, "dynamic": NTK}


def made(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def requests(*lengths: int) -> list[SampleRequest]:
    numbers = torch.Generator().manual_seed(3)
    return [
        SampleRequest(
            problem_id="p",
            sample_index=index,
            token_ids=tuple(torch.randint(5, 250, (length,), generator=numbers).tolist()),
            seed=index,
        )
        for index, length in enumerate(lengths)
    ]


@cache
def generated(name: str, prompt: tuple[int, ...]) -> tuple[int, ...]:
    """By a model that has read nothing before."""
    ids = torch.tensor([list(prompt)])
    found = made(CONFIGS[name]).generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=NEW,
        pad_token_id=0,
    )
    return tuple(found[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize(
    ("name", "lengths"),
    [
        ("phi3", (5, 12, 21, 41, 44, 60, 44)),
        ("llama", (21, 60, 3, 41)),
        ("dynamic", (5, 21, 22, 25, 25, 39, 40, 41, 55, 10, 55)),
    ],
)
def test_greedy_equals_generate_on_either_side_of_a_switch(
    name: str, lengths: Sequence[int], batch_size: int, byte_tokenizer: Callable[..., Any]
) -> None:
    options = EngineOptions(device="cpu", batch_size=batch_size)
    sampler = TransformersSampler(made(CONFIGS[name]), byte_tokenizer(), options=options)
    params = SamplingParams(temperature=0.0, max_tokens=NEW)
    for _ in range(2):  # the second time after longer texts
        asked = requests(*lengths)
        drawn = {c.sample_index: c.token_ids for c in sampler.sample(asked, params=params)}
        for request in asked:
            assert drawn[request.sample_index] == generated(name, request.token_ids)


@pytest.mark.parametrize("config", [PHI3, LLAMA])
def test_a_text_that_would_cross_the_switch_of_longrope_is_refused(
    config: Any, byte_tokenizer: Callable[..., Any]
) -> None:
    sampler = TransformersSampler(
        made(config), byte_tokenizer(), options=EngineOptions(device="cpu")
    )
    params = SamplingParams(temperature=0.0, max_tokens=NEW)
    with pytest.raises(EngineError, match=r"pass 40 tokens.*\(longrope\)") as caught:
        list(sampler.sample(requests(5, 22), params=params))
    assert caught.value.hint == "--max-tokens 19 is the most that stays on one side"
    fits = SamplingParams(temperature=0.0, max_tokens=19)
    assert len(list(sampler.sample(requests(5, 22), params=fits))) == 2


def test_dynamic_factors_have_room_as_far_as_they_stretch(
    byte_tokenizer: Callable[..., Any],
) -> None:
    sampler = TransformersSampler(made(NTK), byte_tokenizer(), options=EngineOptions(device="cpu"))
    params = SamplingParams(temperature=0.0, max_tokens=NEW)
    with pytest.raises(EngineError, match="exceed the context"):
        list(sampler.sample(requests(4 * BEGINS - NEW + 1), params=params))
    assert len(list(sampler.sample(requests(4 * BEGINS - NEW), params=params))) == 1


@pytest.mark.parametrize("config", [PHI3, LLAMA, NTK])
def test_reading_beside_a_text_of_the_other_side_changes_nothing(config: Any) -> None:
    model = made(config)
    lengths = (5, 60, 21, 41) if config is not NTK else (5, 21, 20)
    texts = [(request.token_ids, tuple(range(7, 7 + NEW))) for request in requests(*lengths)]
    for (prompt, completion), read in zip(texts, ModelReader(model).read(texts), strict=True):
        with torch.no_grad():
            alone = made(config)(input_ids=torch.tensor([prompt + completion[:-1]])).logits
        wanted = alone[0, len(prompt) - 1 :]
        assert torch.allclose(read.logits(0, NEW), wanted, atol=1e-4)
    across = [(requests(22)[0].token_ids, tuple(range(7, 7 + NEW)))]
    with pytest.raises(EngineError, match="a text of 42 tokens would pass 40 tokens"):
        list(ModelReader(model).read(across))


def test_where_the_factors_switch_is_read_from_the_configuration() -> None:
    assert rotary_switch(PHI3) == RotarySwitch(kind="longrope", length=BEGINS)
    assert rotary_switch(LLAMA) == RotarySwitch(kind="longrope", length=BEGINS)
    assert rotary_switch(NTK) == RotarySwitch(kind="dynamic", length=BEGINS)
    assert rotary_switch(LlamaConfig(**SMALL)) is None
    of_layers = {"sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
                 "full_attention": DYNAMIC}  # fmt: skip
    found = rotary_switch(
        Gemma3TextConfig(**{**SMALL, "pad_token_id": 0}, rope_parameters=of_layers)
    )
    assert found == RotarySwitch(kind="dynamic", length=256)


def test_training_across_a_switch_is_refused() -> None:
    prompt = Prompt(problem_id="p", text="x", token_ids=(5,) * 21, template_sha256="0" * 64)
    require_short(PHI3, [prompt], max_tokens=19)
    require_short(LlamaConfig(**SMALL), [prompt], max_tokens=200)
    for config in (PHI3, NTK):
        with pytest.raises(PlanError, match="training would pass 40 tokens"):
            require_short(config, [prompt], max_tokens=20)


def test_a_crossing_is_said_before_weights_are_loaded(
    tmp_path: Path, byte_tokenizer: Callable[..., Any]
) -> None:
    made(PHI3).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    checkpoint = resolve_checkpoint(str(tmp_path), label="phi")
    options = EngineOptions(device="cpu")
    for engine in ("transformers", "vllm"):
        check_lengths(engine, checkpoint, requests(5, 22), max_tokens=19, options=options)
    check_lengths("vllm", checkpoint, requests(5, 22), max_tokens=NEW, options=options)
    with pytest.raises(EngineError, match=r"pass 40 tokens.*\(longrope\)"):
        check_lengths("transformers", checkpoint, requests(5, 22), max_tokens=NEW, options=options)
