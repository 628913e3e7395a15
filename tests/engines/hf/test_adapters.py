"""An adapter on its base says what the merged weights say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from emdiag.core.errors import CheckpointError, EngineRefusedError
from emdiag.core.sampling import SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
from emdiag.engines.hf import adapters
from emdiag.engines.open import (
    choose_engine,
    open_reader,
    open_sampler,
    open_sampler_and_reader,
)
from emdiag.engines.options import EngineOptions
from emdiag.train.jobs import open_parent

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.sampling import SampleRequest

OPTIONS = EngineOptions(device="cpu", dtype="float32")
GREEDY = SamplingParams(temperature=0, max_tokens=24, stop_token_ids=(256,))


def merged(adapter: Path, base: Path, folder: Path) -> Path:
    """The same weights as a checkpoint of its own, by peft alone."""
    model = AutoModelForCausalLM.from_pretrained(base)
    whole = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
    whole.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def drawn(checkpoint: CheckpointRef, requests: list[SampleRequest]) -> dict[str, tuple[int, ...]]:
    sampler = open_sampler("transformers", checkpoint, options=OPTIONS, longest_tokens=99)
    texts = {text.problem_id: text.token_ids for text in sampler.sample(requests, params=GREEDY)}
    sampler.close()
    return texts


def logits(checkpoint: CheckpointRef) -> torch.Tensor:
    reader = open_reader("transformers", checkpoint, options=OPTIONS)
    (text,) = reader.read([((1, 2, 3), (4, 5, 6))])
    values: torch.Tensor = text.logits(0, 3)
    reader.close()
    return values


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True, "lora_alpha": 3},
        {"use_dora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"down_proj": 1}},
        {"target_modules": ["q_proj", "up_proj"], "layers_to_transform": [1]},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["lm_head", "o_proj"]},
    ],
    ids=["plain", "rslora", "dora", "patterns", "one layer", "embedding", "head"],
)
def test_an_adapter_says_what_the_merged_weights_say(
    tmp_path: Path,
    tiny: CheckpointRef,
    save_adapter: Callable[..., Path],
    ask: Callable[..., list[SampleRequest]],
    settings: dict[str, Any],
) -> None:
    folder, base = save_adapter(tmp_path / "a", Path(tiny.path), **settings), Path(tiny.path)
    adapter = resolve_checkpoint(str(folder), label="a")
    whole = resolve_checkpoint(str(merged(folder, base, tmp_path / "m")), label="m")
    torch.testing.assert_close(logits(adapter), logits(whole), atol=2e-5, rtol=1e-4)
    requests = ask("one", "two and more", "three")
    assert drawn(adapter, requests) == drawn(whole, requests) != drawn(tiny, requests)


def test_a_scale_that_is_too_large_for_the_number_format_is_refused(
    tmp_path: Path, tiny: CheckpointRef, save_adapter: Callable[..., Path]
) -> None:
    folder = save_adapter(tmp_path / "a", Path(tiny.path), lora_alpha=1e300)
    with pytest.raises(CheckpointError, match="logits are infinite or not numbers"):
        logits(resolve_checkpoint(str(folder), label="a"))


def test_flipped_weights_of_gpt2_have_adapters_too(
    tmp_path: Path, tiny: CheckpointRef, save_adapter: Callable[..., Path]
) -> None:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=259, n_embd=32, n_layer=2, n_head=2, eos_token_id=256)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    AutoTokenizer.from_pretrained(tiny.path).save_pretrained(tmp_path / "gpt2")
    with pytest.warns(UserWarning, match="fan_in_fan_out"):
        folder = save_adapter(tmp_path / "a", tmp_path / "gpt2", target_modules=["c_attn"])
    adapter = resolve_checkpoint(str(folder), label="a")
    whole = merged(folder, tmp_path / "gpt2", tmp_path / "m")
    expected = logits(resolve_checkpoint(str(whole), label="m"))
    torch.testing.assert_close(logits(adapter), expected, atol=2e-5, rtol=1e-4)


def test_an_adapter_that_is_not_applied_is_an_error(
    adapter_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = resolve_checkpoint(str(adapter_folder), label="a")

    def leave_out(model: torch.nn.Module, _: object) -> Any:
        return model.load_state_dict(model.state_dict())

    monkeypatch.setattr(adapters, "set_peft_model_state_dict", leave_out)
    with pytest.raises(CheckpointError, match="changes nothing: it is not applied by the engine"):
        open_reader("transformers", adapter, options=OPTIONS)


def test_sampler_and_reader_of_one_load_have_the_adapter(
    adapter_folder: Path, tiny: CheckpointRef
) -> None:
    adapter = resolve_checkpoint(str(adapter_folder), label="a")
    encoder = CheckpointEncoder(adapter.path, tokenizer_path=adapter.tokenizer_path)
    sampler, reader = open_sampler_and_reader(adapter, encoder, options=OPTIONS)
    (text,) = reader.read([((1, 2, 3), (4, 5, 6))])
    assert torch.equal(text.logits(0, 3), logits(adapter))
    assert not torch.equal(text.logits(0, 3), logits(tiny))
    reader.close()
    sampler.close()


def test_training_starts_from_whole_weights(adapter_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="starts from whole weights") as caught:
        open_parent(str(adapter_folder), home=tmp_path, trust_remote_code=False, chat=False)
    assert "merge it first" in str(caught.value)


def test_tensors_without_a_place_in_the_model_are_named(
    adapter_folder: Path, tiny_folder: Path
) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    model.model.layers = model.model.layers[:1]
    adapter = resolve_checkpoint(str(adapter_folder), label="a").adapter
    assert adapter
    with pytest.raises(CheckpointError, match="6 tensors of the adapter have no place"):
        adapters.apply_adapter(model, adapter)


def test_an_engine_of_ones_own_is_given_no_adapter(adapter_folder: Path) -> None:
    adapter = resolve_checkpoint(str(adapter_folder), label="a")
    with pytest.raises(EngineRefusedError, match="merge it first"):
        choose_engine("mine.engine:Engine", adapter, options=OPTIONS)
