"""The look at a model when it is opened, with models that are wrong in one way each."""

from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from emdiag.core.errors import CheckpointError, EngineError, EngineRefusedError
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.hf import checked
from emdiag.engines.hf.checked import CHECKS_NAME, examined
from emdiag.engines.hf.load_check import LoadCheck, check_model
from emdiag.engines.hf.logit_reader import ModelReader
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.hf.sampler import TransformersSampler, load_sampler
from emdiag.engines.open import open_reader
from emdiag.engines.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef

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
CPU = EngineOptions(device="cpu", batch_size=4)


class WrongCache(LlamaForCausalLM):
    """Forgets its cache where it has one."""

    def forward(self, *args: Any, past_key_values: Any = None, **named: Any) -> Any:
        found = super().forward(*args, past_key_values=past_key_values, **named)
        if past_key_values is not None and named["input_ids"].shape[1] == 1:
            named |= {"attention_mask": None, "position_ids": None, "use_cache": False}
            found.logits = super().forward(*args, **named).logits
        return found


class MixesRows(LlamaForCausalLM):
    """Looks at all rows of a batch."""

    def forward(self, *args: Any, past_key_values: Any = None, **named: Any) -> Any:
        found = super().forward(*args, past_key_values=past_key_values, **named)
        found.logits = found.logits + found.logits.roll(1, 0) * (len(found.logits) > 1)
        return found


class SeesPadding(LlamaForCausalLM):
    """Takes padding for text."""

    def forward(self, *args: Any, past_key_values: Any = None, **named: Any) -> Any:
        if (mask := named.get("attention_mask")) is not None:
            named["attention_mask"] = torch.ones_like(mask)
        return super().forward(*args, past_key_values=past_key_values, **named)


class LooksAhead(LlamaForCausalLM):
    """Mixes a little of the next position into every position."""

    def forward(self, *args: Any, past_key_values: Any = None, **named: Any) -> Any:
        found = super().forward(*args, past_key_values=past_key_values, **named)
        found.logits = found.logits + 0.01 * found.logits.roll(-1, 1)
        return found


def made(kind: type[LlamaForCausalLM], **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return kind(LlamaConfig(**{**SMALL, **changes})).eval()


@pytest.mark.parametrize(
    ("kind", "way", "together", "reason"),
    [
        (LlamaForCausalLM, "refill", True, None),
        (WrongCache, "uncached", True, "alone: logits differ by"),
        (MixesRows, "alone", False, "a text has other logits beside a longer one"),
        (SeesPadding, "equal", True, "padded: logits differ by"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_quickest_way_that_gives_the_models_own_logits_is_taken(
    kind: type[LlamaForCausalLM],
    way: str,
    together: bool,  # noqa: FBT001 - a parametrised case
    reason: str | None,
    dtype: torch.dtype,
) -> None:
    model = made(kind).to(dtype)
    check = check_model(model)
    assert (check.way, check.reads_together, check.refusal) == (way, together, None)
    if reason is None:
        assert check.reasons == ()
        assert check.note is None
    else:
        assert reason in " ".join(check.reasons)
        assert reason in (check.note or "")


@pytest.mark.parametrize("kind", [WrongCache, MixesRows, SeesPadding])
def test_what_is_sampled_in_another_way_is_what_the_model_says_alone(
    kind: type[LlamaForCausalLM], byte_tokenizer: Callable[..., Any], caplog: Any
) -> None:
    model = made(kind)
    with caplog.at_level(logging.WARNING):
        sampler = TransformersSampler(model, byte_tokenizer(), options=CPU)
    assert f"{kind.__name__}: " in caplog.text
    assert sampler.info.settings["rows"] == sampler.check.way
    prompts = [(5, 9, 200), (7, 7, 31), (3, 90, 41, 17, 60, 2, 8)]
    requests = [
        SampleRequest(problem_id="p", sample_index=n, token_ids=prompt, seed=n)
        for n, prompt in enumerate(prompts)
    ]
    params = SamplingParams(temperature=0.0, max_tokens=12)
    drawn = {c.sample_index: c.token_ids for c in sampler.sample(requests, params=params)}
    for number, prompt in enumerate(prompts):
        text = list(prompt)
        for _ in range(12):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([text]), use_cache=False).logits
            text.append(int(logits[0, -1].argmax()))
        assert drawn[number] == tuple(text[len(prompt) :])
    reader = ModelReader(model, check=sampler.check)
    texts = [(prompt, drawn[number]) for number, prompt in enumerate(prompts)]
    for (prompt, completion), read in zip(texts, reader.read(texts), strict=True):
        with torch.no_grad():
            whole = model(input_ids=torch.tensor([prompt + completion])).logits
        wanted = whole[0, len(prompt) - 1 : -1]
        assert torch.allclose(read.logits(0, read.positions), wanted, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_looks_ahead_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(EngineRefusedError, match="not causal") as caught:
        examined(made(LooksAhead).to(dtype))
    assert caught.value.facts["architecture"] == "LooksAhead"


def test_a_model_that_cannot_read_is_refused() -> None:
    model = made(LlamaForCausalLM)
    model.model.layers[0].mlp.up_proj = torch.nn.Linear(3, 64)
    with pytest.raises(CheckpointError, match="cannot read a text: RuntimeError: mat1"):
        examined(model)


def test_a_configuration_that_cannot_be_run_is_named_with_the_librarys_reason(
    tiny_folder: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    config = json.loads((broken / "config.json").read_bytes())
    config |= {"model_type": "qwen2", "layer_types": ["sliding_attention"] * 2}
    (broken / "config.json").write_text(json.dumps(config))
    weights = load_file(broken / "model.safetensors")
    for name in list(weights):
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
            weights[name.replace("weight", "bias")] = torch.zeros(len(weights[name]))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    checkpoint = resolve_checkpoint(str(broken), label="x")
    for _ in range(2):  # found, and remembered
        with pytest.raises(
            CheckpointError, match=r"cannot read a text: .*sliding_window"
        ) as caught:
            load_sampler(checkpoint, dtype="float32", options=CPU, home=tmp_path)
        assert caught.value.facts["file"] == str(broken / "config.json")


class TakesOneText(LlamaForCausalLM):
    """Reads no two texts at once."""

    def forward(self, *args: Any, **named: Any) -> Any:
        if len(named["input_ids"]) > 1:
            raise AssertionError("one text, please")
        return super().forward(*args, **named)


def test_a_model_that_reads_one_text_only_reads_them_one_by_one() -> None:
    check = check_model(made(TakesOneText))
    assert (check.way, check.reads_together, check.refusal) == ("alone", False, None)
    assert "two texts cannot be read at once: AssertionError: one text" in check.reasons[0]


def test_where_nothing_can_be_compared_the_librarys_own_way_is_taken(
    byte_tokenizer: Callable[..., Any],
) -> None:
    model = made(LlamaForCausalLM)
    with torch.no_grad():
        model.model.embed_tokens.weight[100:] = torch.nan
    check = check_model(model)
    assert (check.way, check.reads_together, check.refusal) == ("alone", False, None)
    assert "not numbers" in (check.note or "")
    with torch.no_grad():
        model.model.embed_tokens.weight[:] = torch.nan
    sampler = TransformersSampler(model, byte_tokenizer(), options=CPU)
    request = SampleRequest(problem_id="p", sample_index=0, token_ids=(5, 6), seed=0)
    with pytest.raises(EngineError, match="logits are not numbers"):
        list(sampler.sample([request], params=SamplingParams(temperature=0.0, max_tokens=2)))


def test_the_look_takes_the_threads_of_the_engine(
    tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def counted(model: Any) -> LoadCheck:
        counts.append(torch.get_num_threads())
        return check_model(model)

    monkeypatch.setattr(checked, "check_model", counted)
    torch.set_num_threads(2)
    for threads in (None, 3):
        options = EngineOptions(device="cpu", threads=threads)
        load_sampler(tiny, dtype="float32", options=options).close()
        open_reader("transformers", tiny, options=options).close()
    torch.set_num_threads(1)
    assert counts == [1, 1, 3, 3]


def test_a_vocabulary_of_one_word_is_looked_at_as_well() -> None:
    assert check_model(made(LlamaForCausalLM, vocab_size=1)).way == "refill"


def test_what_was_found_belongs_to_this_emdiag_and_its_kernels(
    tiny: CheckpointRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_sampler(tiny, dtype="float32", options=CPU, home=tmp_path).close()
    monkeypatch.setattr(checked, "version", lambda: "9.9")
    load_sampler(tiny, dtype="float32", options=CPU, home=tmp_path).close()
    monkeypatch.setattr(checked, "_KERNELS", ("json",))
    load_sampler(tiny, dtype="float32", options=CPU, home=tmp_path).close()
    assert len(json.loads((tmp_path / CHECKS_NAME).read_bytes())) == 3


def test_attention_that_a_cpu_would_compile_is_refused_at_once(
    tiny_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "flex")
    config = json.loads((folder / "config.json").read_bytes())
    config["attn_implementation"] = "flex_attention"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="asks for flex_attention") as caught:
        load_model(str(folder), dtype="float32", options=CPU)
    assert caught.value.facts["file"] == str(folder / "config.json")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_routers_of_experts_are_no_reason(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    config = MixtralConfig(**SMALL, num_local_experts=8, num_experts_per_tok=2)
    check = check_model(MixtralForCausalLM(config).eval().to(dtype))
    assert check == LoadCheck(way="refill")


@pytest.mark.parametrize("room", [8, 12, 20])
def test_a_short_context_is_room_enough(room: int) -> None:
    assert check_model(made(LlamaForCausalLM, max_position_embeddings=room)).way == "refill"


def test_memory_that_ends_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(LlamaForCausalLM)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "forward", full)
    with pytest.raises(EngineError, match="do not fit into memory") as caught:
        check_model(model)
    assert not isinstance(caught.value, EngineRefusedError)


def test_a_look_changes_neither_mode_nor_settings() -> None:
    model = made(WrongCache).train()
    own = model.generation_config
    check_model(model)
    assert model.training
    assert model.generation_config is own


def test_what_was_found_is_kept_with_the_digest(
    tiny: CheckpointRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def counted(model: Any) -> LoadCheck:
        looked.append(1)
        return check_model(model)

    monkeypatch.setattr(checked, "check_model", counted)
    for dtype in ("float32", "float32", "bfloat16"):
        sampler = load_sampler(tiny, dtype=dtype, options=CPU, home=tmp_path)
        assert sampler.check.way == "refill"
    assert len(looked) == 2
    open_reader("transformers", tiny, options=CPU, home=tmp_path).close()
    assert len(looked) == 2
    monkeypatch.setattr(checked, "REVISION", 99)
    load_sampler(tiny, dtype="float32", options=CPU, home=tmp_path)
    assert len(looked) == 3
    (tmp_path / CHECKS_NAME).write_text('{"half')
    load_sampler(tiny, dtype="float32", options=CPU, home=tmp_path)
    assert len(looked) == 4
    assert len(json.loads((tmp_path / CHECKS_NAME).read_bytes())) == 1


def test_a_refusal_is_kept_too(
    tmp_path: Path, byte_tokenizer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = BertConfig(**{**SMALL, "pad_token_id": 0})
    BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    byte_tokenizer().save_pretrained(tmp_path / "bert")
    checkpoint = resolve_checkpoint(str(tmp_path / "bert"), label="bert")
    for _ in range(2):
        with pytest.raises(EngineRefusedError, match="not causal"):
            load_sampler(checkpoint, dtype="float32", options=CPU, home=tmp_path)
        monkeypatch.setattr(checked, "check_model", lambda _: pytest.fail("looked again"))
    with pytest.raises(EngineRefusedError, match="not causal"):
        open_reader("transformers", checkpoint, options=CPU, home=tmp_path)


def test_a_whole_encoder_decoder_is_not_taken_for_its_decoder(
    tmp_path: Path, byte_tokenizer: Callable[..., Any]
) -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    sizes = {f"{part}_layers": 1 for part in ("encoder", "decoder")}
    BartForConditionalGeneration(
        BartConfig(vocab_size=259, d_model=32, max_position_embeddings=64, **sizes)
    ).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    checkpoint = resolve_checkpoint(str(tmp_path), label="bart")
    with pytest.raises(CheckpointError, match="an encoder with a decoder"):
        load_sampler(checkpoint, dtype="float32", options=CPU)
