from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from emdiag.core.errors import CheckpointError, EngineError, EngineMissingError
from emdiag.core.sampling import Completion, SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.hf import batch
from emdiag.engines.hf.batch import DecodingBatch
from emdiag.engines.hf.sampler import (
    TransformersSampler,
    is_out_of_memory,
    load_sampler,
)
from emdiag.engines.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef

    Ask = Callable[..., list[SampleRequest]]

TEXTS = ("a", "Compute 3+4.", "hello there, a rather long prompt of text", "xy" * 30, "Why?")


def engine(checkpoint: CheckpointRef, **options: Any) -> TransformersSampler:
    return load_sampler(checkpoint, dtype="float32", options=EngineOptions(device="cpu", **options))


def params(**changes: Any) -> SamplingParams:
    return SamplingParams(**{"temperature": 0.0, "max_tokens": 24, **changes})


def draw(
    sampler: TransformersSampler, requests: list[SampleRequest], **changes: Any
) -> dict[tuple[str, int], Completion]:
    drawn = list(sampler.sample(requests, params=params(**changes)))
    assert len(drawn) == len(requests)
    return {(found.problem_id, found.sample_index): found for found in drawn}


def generated(
    checkpoint: CheckpointRef, request: SampleRequest, stop: tuple[int, ...], **settings: Any
) -> tuple[int, ...]:
    """What transformers' own greedy generate gives for one prompt alone."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=torch.float32)
    ids = torch.tensor([request.token_ids])
    found = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=24,
        eos_token_id=list(stop) or None,
        pad_token_id=0,
        **settings,
    )
    return tuple(found[0, ids.shape[1] :].tolist())


@pytest.fixture(scope="module")
def sampler(tiny: CheckpointRef) -> TransformersSampler:
    return engine(tiny, batch_size=3)


@pytest.mark.parametrize("penalty", [1.0, 1.4])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_greedy_equals_generate_in_every_batch(
    tiny: CheckpointRef, ask: Ask, batch_size: int, penalty: float
) -> None:
    requests = ask(*TEXTS)
    found = draw(engine(tiny, batch_size=batch_size), requests, repetition_penalty=penalty)
    for request in requests:
        expected = generated(tiny, request, (), repetition_penalty=penalty)
        assert found[request.problem_id, 0].token_ids == expected


@pytest.mark.parametrize("changes", [{}, {"top_p": 0.9}, {"top_k": 12, "repetition_penalty": 1.2}])
def test_a_sample_is_its_seeds_in_any_batch_and_order(
    tiny: CheckpointRef, ask: Ask, changes: dict[str, float]
) -> None:
    requests = ask(*TEXTS, samples=3)
    together = draw(engine(tiny, batch_size=4), requests, temperature=0.9, **changes)
    turned = draw(engine(tiny, batch_size=16), requests[::-1], temperature=0.9, **changes)
    alone = draw(engine(tiny, batch_size=1), requests[4:7], temperature=0.9, **changes)
    assert together == turned
    assert alone == {key: together[key] for key in alone}
    tokens = [together["p/0000", index].token_ids for index in range(3)]
    assert len(set(tokens)) == 3


def test_end_tokens_end_a_completion_and_are_kept_but_no_text(
    sampler: TransformersSampler, tiny: CheckpointRef, ask: Ask
) -> None:
    requests = ask(*TEXTS, samples=4)
    free = draw(sampler, requests, temperature=1.0)
    stop = tuple(sorted({found.token_ids[5] for found in free.values()}))
    ended = draw(sampler, requests, temperature=1.0, stop_token_ids=stop)
    for key, found in ended.items():
        tokens = free[key].token_ids
        first = next((n for n, token in enumerate(tokens) if token in stop), None)
        assert first is not None
        assert found.token_ids == tokens[: first + 1]
        assert found.finish_reason == "stop"
        assert found.text == sampler._decode(tokens[:first])
    greedy = draw(sampler, ask("Why?"), stop_token_ids=stop)["p/0000", 0]
    assert greedy.token_ids == generated(tiny, ask("Why?")[0], stop)


def test_a_limit_is_a_limit(sampler: TransformersSampler, ask: Ask) -> None:
    for limit in (1, 2, 24):
        found = draw(sampler, ask(*TEXTS), max_tokens=limit)
        assert {f.finish_reason for f in found.values()} == {"length"}
        assert {len(f.token_ids) for f in found.values()} == {limit}
    stop = draw(sampler, ask("a"), max_tokens=1)["p/0000", 0].token_ids
    assert draw(sampler, ask("a"), max_tokens=1, stop_token_ids=stop)["p/0000", 0].text == ""


def test_an_end_on_the_last_token_allowed_is_a_stop(sampler: TransformersSampler, ask: Ask) -> None:
    free = draw(sampler, ask("Why?"), max_tokens=6)["p/0000", 0]
    at = free.token_ids.index(free.token_ids[-1]) + 1
    ended = draw(sampler, ask("Why?"), max_tokens=at, stop_token_ids=(free.token_ids[-1],))
    assert ended["p/0000", 0].finish_reason == "stop"


def test_a_stop_string_across_tokens_ends_the_answer_and_is_cut_off(
    sampler: TransformersSampler, ask: Ask
) -> None:
    requests = ask(*TEXTS, samples=3)
    free = draw(sampler, requests, temperature=1.0)
    for request in requests:
        text = free[request.problem_id, request.sample_index].text
        plain = [n for n in range(2, len(text) - 3) if text[n : n + 3].isascii()]
        if not plain:
            continue
        word = text[plain[0] : plain[0] + 3]
        found = draw(sampler, [request], temperature=1.0, stop=(word,))
        (cut,) = found.values()
        assert cut.finish_reason == "stop"
        assert cut.text == text[: text.index(word)]
        assert sampler._decode(cut.token_ids) == text[: text.index(word) + 3]


def test_special_tokens_are_no_text(tiny: CheckpointRef, ask: Ask) -> None:
    sampler = engine(tiny)
    for found in draw(sampler, ask(*TEXTS, samples=8), temperature=3.0).values():
        assert "<|" not in found.text
        assert found.prompt_tokens == len(TEXTS[int(found.problem_id[-1])])


def test_short_answers_arrive_before_long_ones_are_done(
    sampler: TransformersSampler, ask: Ask
) -> None:
    requests = ask(*TEXTS, samples=2)
    free = draw(sampler, requests, temperature=1.0)
    stop = (free["p/0003", 0].token_ids[1],)
    stream = sampler.sample(requests, params=params(temperature=1.0, stop_token_ids=stop))
    steps = 0
    step = DecodingBatch.step

    def counted(batch: DecodingBatch) -> Any:
        nonlocal steps
        steps += 1
        return step(batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DecodingBatch, "step", counted)
        next(stream)
        assert steps <= 2
        rest = list(stream)
    assert len(rest) == len(requests) - 1
    # Ten answers of up to 24 tokens in batches of three: refilled, not waited for.
    assert steps < 24 * 4


def test_equal_prompts_are_read_once(
    tiny: CheckpointRef, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    plain = batch.pad_rows

    def seen(prompts: Any, **named: Any) -> Any:
        read.append(len(prompts))
        return plain(prompts, **named)

    sampler = engine(tiny, batch_size=12)
    monkeypatch.setattr(batch, "pad_rows", seen)
    draw(sampler, ask("a", "bcd", samples=6), temperature=1.0)
    assert read == [2]


@pytest.mark.parametrize("where", ["admit", "step"])
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_a_batch_that_does_not_fit_is_halved_and_nothing_changes(
    tiny: CheckpointRef,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: Exception,
) -> None:
    requests = ask(*TEXTS, samples=3)
    expected = draw(engine(tiny), requests, temperature=1.0)
    forward = DecodingBatch._forward
    at_step = where == "step"

    def limited(batch: DecodingBatch, ids: Any, mask: Any, *rest: Any) -> Any:
        if ids.shape[0] > 3 and (ids.shape[1] == 1) == at_step and mask.shape[1] > 10:
            raise error
        return forward(batch, ids, mask, *rest)

    sampler = engine(tiny, batch_size=15)
    monkeypatch.setattr(DecodingBatch, "_forward", limited)
    with caplog.at_level(logging.WARNING):
        found = draw(sampler, requests, temperature=1.0)
    assert found == expected
    assert sampler.info.settings["batch_size"] == ("3" if at_step else "7")
    assert "memory ran out" in caplog.text


def test_one_row_that_does_not_fit_is_a_clear_error(
    tiny: CheckpointRef, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    sampler = engine(tiny, batch_size=4)
    monkeypatch.setattr(DecodingBatch, "_forward", full)
    with pytest.raises(EngineError, match="one completion alone does not fit"):
        draw(sampler, ask("a"))


def test_other_failures_are_not_taken_for_lack_of_memory(
    tiny: CheckpointRef, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    sampler = engine(tiny, batch_size=4)
    monkeypatch.setattr(DecodingBatch, "_forward", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        draw(sampler, ask("a"))
    assert not is_out_of_memory(ValueError("x"))


def test_a_checkpoint_with_nan_weights_is_named_not_sampled(
    tiny_folder: Path, tmp_path: Path, ask: Ask
) -> None:
    folder = tmp_path / "nan"
    folder.mkdir()
    for file in tiny_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    state = load_file(folder / "model.safetensors")
    state["model.layers.1.mlp.up_proj.weight"][3] = float("nan")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    sampler = engine(resolve_checkpoint(str(folder), label="nan"))
    with pytest.raises(EngineError, match="not numbers") as caught:
        draw(sampler, ask("a"))
    assert "p/0000" in str(caught.value)


def test_a_checkpoint_that_lacks_a_tensor_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lacks"
    folder.mkdir()
    for file in tiny_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    state = load_file(folder / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks 1 tensors") as caught:
        engine(resolve_checkpoint(str(folder), label="x"))
    assert "layers.1.mlp.up_proj" in str(caught.value)


def test_damaged_weights_are_an_error_of_the_checkpoint(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    for file in tiny_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        engine(resolve_checkpoint(str(folder), label="x"))


def test_the_checkpoints_own_sampling_defaults_change_nothing(
    tiny: CheckpointRef, tiny_folder: Path, tmp_path: Path, ask: Ask
) -> None:
    folder = tmp_path / "defaults"
    folder.mkdir()
    for file in tiny_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    defaults = {"do_sample": True, "top_k": 1, "temperature": 0.1, "repetition_penalty": 9.0}
    (folder / "generation_config.json").write_text(json.dumps(defaults))
    other = engine(resolve_checkpoint(str(folder), label="x"))
    requests = ask(*TEXTS)
    assert draw(other, requests, temperature=1.0) == draw(engine(tiny), requests, temperature=1.0)


@pytest.mark.parametrize(
    ("texts", "changes", "finding"),
    [
        (("",), {}, "holds no token"),
        (("x" * 250,), {}, "250 tokens and 24 new ones exceed the context"),
        (("x" * 300,), {}, "leave the problem out"),
        (("x",), {"temperature": -1.0}, "`temperature` must be >= 0, got -1.0"),
        (("x",), {"top_p": 0.0}, "top_p"),
        (("x",), {"max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is(
    sampler: TransformersSampler, ask: Ask, texts: Any, changes: Any, finding: str
) -> None:
    with pytest.raises(EngineError, match=finding):
        next(sampler.sample(ask("fine", *texts), params=params(**changes)))


def test_no_requests_give_no_completions(sampler: TransformersSampler) -> None:
    assert list(sampler.sample([], params=params())) == []


def test_the_engine_says_what_it_is(sampler: TransformersSampler) -> None:
    info = sampler.info
    assert (info.name, info.device, info.dtype) == ("transformers", "cpu", "float32")
    assert info.versions["torch"] == torch.__version__
    assert info.settings["batch_size"] == "3"
    assert info.settings["refill"] == "true"
    assert info.deterministic is False


def test_a_device_that_is_not_there_is_named(tiny: CheckpointRef) -> None:
    with pytest.raises(EngineMissingError, match="cannot use the device 'warp'"):
        load_sampler(tiny, dtype="float32", options=EngineOptions(device="warp"))


def test_a_closed_engine_has_let_go_of_its_weights_and_threads(tiny: CheckpointRef) -> None:
    torch.set_num_threads(2)
    try:
        sampler = engine(tiny)
        assert sampler.info.settings["threads"] == "1"
        sampler.close()
        assert not hasattr(sampler, "_model")
        assert torch.get_num_threads() == 2
        chosen = engine(tiny, threads=2)
        assert chosen.info.settings["threads"] == "2"
    finally:
        torch.set_num_threads(1)


def test_scores_are_log_probabilities_of_the_raw_logits(tiny: CheckpointRef, ask: Ask) -> None:
    sampler = engine(tiny)
    sampler.scores = {}
    drawn = draw(sampler, ask(*TEXTS), temperature=0.5, top_k=3)
    assert sampler.scores.keys() == drawn.keys()
    model = AutoModelForCausalLM.from_pretrained(tiny.path, dtype=torch.float32)
    for request in ask(*TEXTS):
        sample = (request.problem_id, request.sample_index)
        ids = torch.tensor([[*request.token_ids, *drawn[sample].token_ids]])
        log_p = model(ids).logits[0].detach().log_softmax(-1)[len(request.token_ids) - 1 : -1]
        for row, token, score in zip(
            log_p, drawn[sample].token_ids, sampler.scores[sample], strict=True
        ):
            first, second = row.topk(2).values
            assert score.log_prob == pytest.approx(float(row[token]), abs=1e-4)
            assert score.margin == pytest.approx(float(first - second), abs=1e-4)


def test_scores_of_rows_that_are_drawn_again_are_those_of_the_last_time(
    tiny: CheckpointRef, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = DecodingBatch.step, iter(range(100))

    def failing(self: DecodingBatch) -> Any:
        if next(calls) == 3:
            raise MemoryError
        return step(self)

    sampler = engine(tiny, batch_size=4)
    monkeypatch.setattr(DecodingBatch, "step", failing)
    sampler.scores = {}
    drawn = draw(sampler, ask(*TEXTS))
    assert {sample: len(scores) for sample, scores in sampler.scores.items()} == {
        sample: len(completion.token_ids) for sample, completion in drawn.items()
    }
