from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedModel,
)

from emdiag.core.errors import EngineError
from emdiag.engines.hf import logit_reader
from emdiag.engines.hf.logit_reader import ModelReader, ReadAgain, ReadText
from emdiag.engines.hf.output_head import hidden_states
from emdiag.measure.logit_statistics import positions_of
from emdiag.measure.logits import TracedText, trace
from emdiag.resources import lab_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.core.protocols import Text

KINDS = ["llama", "gpt2", "gemma2-soft-capped", "head-in-a-sequential"]
SMALL: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "eos_token_id": None,
    "bos_token_id": None,
    "pad_token_id": None,
}


def build(kind: str) -> PreTrainedModel:
    """A random model in evaluation mode, on the CPU."""
    torch.manual_seed(0)
    config: Any = LlamaConfig(**SMALL)
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=128,
            initializer_range=0.3, eos_token_id=None, bos_token_id=None,
        )  # fmt: skip
    if kind == "gemma2-soft-capped":
        config = Gemma2Config(**{**SMALL, "head_dim": 8, "final_logit_softcapping": 2.0})
    auto: Any = AutoModelForCausalLM
    model: Any = auto.from_config(config, dtype=torch.float32).eval()
    if kind == "head-in-a-sequential":
        model.lm_head = nn.Sequential(model.lm_head)
    found: PreTrainedModel = model
    return found


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return build(request.param)


@pytest.fixture(scope="module")
def llama() -> PreTrainedModel:
    return build("llama")


def texts(count: int = 7, *, vocab: int = 97, seed: int = 3) -> list[Text]:
    """Texts of different lengths, the first with one prompt token and one written one."""
    random = np.random.default_rng(seed)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(random.integers(vocab, size=length).tolist())

    return [(ids(1 + 5 * number % 11), ids(1 + 9 * number % 31)) for number in range(count)]


def produced(model: PreTrainedModel, text: Text) -> torch.Tensor:
    """Logits that the written tokens are drawn from, of the model fed with this text alone."""
    prompt, completion = text
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([prompt + completion])).logits[0]
    return torch.stack([whole[len(prompt) + i - 1] for i in range(len(completion))])


def all_of(text: ReadText | ReadAgain, *, step: int = 4) -> torch.Tensor:
    parts = [text.logits(at, at + step) for at in range(0, text.positions, step)]
    return torch.cat(parts)


@pytest.mark.parametrize("tokens", [1, 60, 10_000])
def test_what_is_read_are_the_models_logits_at_the_positions_that_wrote_each_token(
    model: PreTrainedModel, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logit_reader, "CPU_TOKENS", tokens)
    asked = texts()
    for text, found in zip(asked, ModelReader(model).read(asked), strict=True):
        expected = produced(model, text)
        assert (found.positions, all_of(found).shape) == (len(expected), expected.shape)
        assert found.chunk_positions >= 1
        assert torch.allclose(all_of(found), expected, rtol=1e-5, atol=2e-5)
        assert all_of(found).dtype == torch.float32


def test_a_reader_that_were_off_by_one_would_be_seen(llama: PreTrainedModel) -> None:
    (text,) = texts(5)[4:]
    moved = (text[0] + text[1][:1], text[1][1:])
    (found,) = ModelReader(llama).read([text])
    assert not torch.allclose(all_of(found)[:-1], produced(llama, moved), atol=0.1)
    assert torch.allclose(all_of(found)[1:], produced(llama, moved), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_kept_readings_give_the_same_logits_in_any_order_and_once_the_network_is_gone(
    kind: str,
) -> None:
    reader = ModelReader(build(kind))
    asked = texts()
    kept, expected = [], []
    for text, found in zip(asked, reader.read(asked), strict=True):
        kept.append(reader.keep(text, found))
        expected.append(all_of(found).clone())
    assert reader.frees_network == (kind != "head-in-a-sequential")
    if reader.frees_network:
        reader.close()
    else:
        assert all(isinstance(one, ReadAgain) for one in kept)
    for one, logits in list(zip(kept, expected, strict=True))[::-1]:
        assert (one.positions, all_of(one).shape) == (len(logits), logits.shape)
        assert torch.allclose(all_of(one), logits, rtol=1e-6, atol=2e-5)
        assert torch.allclose(all_of(one, step=100), logits, rtol=1e-6, atol=2e-5)
    if not reader.frees_network:
        reader.close()


def test_a_text_without_a_plain_head_is_read_once_for_all_of_its_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build("head-in-a-sequential")
    reader = ModelReader(model)
    (text,) = texts(6)[5:]
    (found,) = reader.read([text])
    kept = reader.keep(text, found)
    calls: list[int] = []
    whole = reader._states

    def counting(part: Any) -> torch.Tensor:
        calls.append(len(part))
        return whole(part)

    monkeypatch.setattr(reader, "_states", counting)
    assert kept.positions > 8
    all_of(kept, step=2)
    assert calls == [1]


def test_the_reader_says_how_its_logits_are_made_and_gives_its_threads_back() -> None:
    before = torch.get_num_threads()
    plain, whole = ModelReader(build("llama"), threads=1), ModelReader(build(KINDS[3]))
    assert plain.info.settings["head"] == "in chunks"
    assert whole.info.settings["head"] == "whole"
    whole.close()
    plain.close()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (((1,) * 100, (2,) * 29), "129 tokens is longer than the context of 128"),
        (((1, 2), ()), "at least one token"),
        (((), (1, 2)), "at least one token"),
        (((1, 97), (2,)), "holds token 97, and the model has 97 tokens"),
        (((1,), (2, 120)), "holds token 120"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_before_any_is(
    llama: PreTrainedModel, text: Text, words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        next(ModelReader(llama).read([((1,), (2,)), text]))
    assert caught.value.hint


def test_a_text_as_long_as_the_context_is_read(llama: PreTrainedModel) -> None:
    (found,) = ModelReader(llama).read([((1,) * 100, (2,) * 28)])
    assert found.positions == 28


@pytest.fixture
def rows_that_fit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Makes memory run out beyond so many rows; gives the sizes of all attempts."""

    def limit(most: int) -> list[int]:
        tried: list[int] = []

        def limited(model: PreTrainedModel, **inputs: torch.Tensor) -> torch.Tensor:
            tried.append(len(inputs["input_ids"]))
            if tried[-1] > most:
                raise torch.OutOfMemoryError("out of memory")
            return hidden_states(model, **inputs)

        monkeypatch.setattr(logit_reader, "hidden_states", limited)
        return tried

    return limit


@pytest.mark.parametrize("most", [1, 2])
def test_where_memory_runs_out_fewer_texts_are_read_at_a_time(
    llama: PreTrainedModel, rows_that_fit: Callable[[int], list[int]], most: int
) -> None:
    reader = ModelReader(llama)
    tried = rows_that_fit(most)
    asked = texts(5)
    found = list(reader.read(asked))
    assert tried[0] == 5
    assert sum(rows for rows in tried if rows <= most) == 5
    for text, one in zip(asked, found, strict=True):
        assert torch.allclose(all_of(one), produced(llama, text), rtol=1e-5, atol=2e-5)


def test_a_text_that_does_not_fit_by_itself_is_an_error_that_says_what_to_do(
    llama: PreTrainedModel, rows_that_fit: Callable[[int], list[int]]
) -> None:
    reader = ModelReader(llama)
    rows_that_fit(0)
    with pytest.raises(EngineError, match="4 tokens does not fit into memory") as caught:
        next(reader.read([((1, 2), (3, 4))]))
    assert "--max-tokens" in str(caught.value.hint)


def test_another_failure_of_the_network_is_not_taken_for_want_of_memory(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ModelReader(llama)

    def broken(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(logit_reader, "hidden_states", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        next(reader.read([((1, 2), (3, 4)), ((1, 2), (3, 4))]))


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
def test_moments_of_the_lab_are_those_of_scipy_on_all_of_its_logits(
    dtype: torch.dtype, rounding: float
) -> None:
    lab: Any = AutoModelForCausalLM.from_pretrained(lab_weights(), dtype=dtype)
    lab.eval()
    asked = [(prompt, written + written[::-1]) for prompt, written in texts(12, vocab=98, seed=0)]
    traces, read, whole = [], [], []
    for number, (text, found) in enumerate(zip(asked, ModelReader(lab).read(asked), strict=True)):
        read.append(all_of(found, step=found.chunk_positions).double().numpy())
        whole.append(produced(lab, text).double().numpy())
        spec = TracedText(
            name="lab", problem_id=str(number), sample_index=0, written=text[1], vocab_size=98
        )
        traces.append(trace(found, spec))
    positions = positions_of(traces, problems=[str(number) for number in range(len(asked))])
    assert len(positions) > 200
    pooled = positions.moments.pooled()
    # The reader's own logits, and the model's of each text alone: other rows, other rounding.
    for logits, close in ((np.concatenate(read), 1e-10), (np.concatenate(whole), rounding)):
        for name, expected in (
            ("mean", logits.mean(axis=1)),
            ("sigma", logits.std(axis=1)),
            ("skewness", stats.skew(logits, axis=1)),
            ("excess_kurtosis", stats.kurtosis(logits, axis=1)),
        ):
            gaps = np.abs(positions.statistics[name] - expected) / np.maximum(1, np.abs(expected))
            assert gaps.max() < close, name
            assert np.median(gaps) < 1e-6
        within = min(close, 1e-6)
        assert pooled.mean == pytest.approx(logits.mean(), rel=within)
        assert pooled.sigma == pytest.approx(logits.std(), rel=within)
        assert pooled.skewness == pytest.approx(stats.skew(logits, axis=None), rel=within)
        kurtosis = stats.kurtosis(logits, axis=None)
        assert pooled.excess_kurtosis == pytest.approx(kurtosis, rel=within)
