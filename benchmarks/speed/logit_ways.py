"""Pooled moments of raw logits along texts: emdiag's reading, the plain way, the pass alone.

Run by itself it measures the peak memory of one way, in a process that does nothing else.
"""

from __future__ import annotations

import copy
import gc
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats
import torch
from em_peaks import TRIM, memory
from em_ways import read_model

from emdiag.engines.hf.logit_reader import ModelReader, ReadText
from emdiag.measure.logit_pairs import pair_traces
from emdiag.measure.logits import TracedText, trace
from emdiag.stats.moments import MomentColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from emdiag.core.protocols import Text

WARM_TOKENS = 4
"""Tokens of the completion that is read before memory is looked at."""

COOLED = 1.25
"""What the final norm of the second checkpoint of a pair is multiplied by: T 0.8."""

WIDE_NUCLEUS = 100
"""Rows whose nucleus is larger than this are sorted whole, which takes time."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Moments of all logits of all positions; `wide_frac` is of positions with a wide nucleus."""

    mean: float
    sigma: float
    skewness: float
    wide_frac: float | None = None


def emdiag_way(reader: ModelReader, texts: Sequence[Text]) -> Pooled:
    """Every statistic of every position; then the pooled moments of what was kept."""
    traces = [
        trace(found, read_of(number, text, vocabulary_of(found)))
        for number, (text, found) in enumerate(zip(texts, reader.read(texts), strict=True))
    ]

    def joined(name: str) -> np.ndarray[Any, Any]:
        return np.concatenate([np.array(getattr(each, name)) for each in traces])

    mean = joined("mean")
    columns = MomentColumns(
        count=np.full(len(mean), traces[0].vocab_size),
        mean=mean,
        m2=joined("m2"),
        m3=joined("m3"),
        m4=joined("m4"),
    )
    pooled = columns.pooled()
    assert pooled.sigma is not None
    assert pooled.skewness is not None
    wide = float((joined("nucleus_size") > WIDE_NUCLEUS).mean())
    return Pooled(mean=pooled.mean, sigma=pooled.sigma, skewness=pooled.skewness, wide_frac=wide)


def plain_way(model: PreTrainedModel, texts: Sequence[Text]) -> Pooled:
    """Keep the logits of all positions, flatten them, and ask scipy."""
    kept = []
    with torch.inference_mode():
        for prompt, completion in texts:
            logits = model(torch.tensor([prompt + completion]), use_cache=False).logits
            kept.append(logits[0, len(prompt) - 1 : -1].float().numpy().flatten())
    del logits
    flat = np.concatenate(kept)
    del kept
    return Pooled(
        mean=float(flat.mean()), sigma=float(flat.std()), skewness=float(scipy.stats.skew(flat))
    )


def bare_pass(model: PreTrainedModel, texts: Sequence[Text]) -> None:
    """The logits of every text, dropped at once."""
    with torch.inference_mode():
        for prompt, completion in texts:
            _ = model(torch.tensor([prompt + completion]), use_cache=False).logits


def paired_way(base: ModelReader, reader: ModelReader, texts: Sequence[Text]) -> None:
    """The base leaves hidden states; the other one is read beside what is made of them."""
    kept = [base.keep(text, found) for text, found in zip(texts, base.read(texts), strict=True)]
    for number, (text, found) in enumerate(zip(texts, reader.read(texts), strict=True)):
        read = read_of(number, text, vocabulary_of(found))
        pair_traces(kept[number], found, base_read=read, read=read)


def vocabulary_of(read: ReadText) -> int:
    """Logits of each position."""
    return int(read.states.shape[1] if read.head is None else read.head.weight.shape[0])


def read_of(number: int, text: Text, vocab_size: int) -> TracedText:
    return TracedText(
        name="speed",
        problem_id=str(number),
        sample_index=0,
        written=text[1],
        vocab_size=vocab_size,
    )


def find_model(case: dict[str, Any]) -> PreTrainedModel:
    """The weights of `path`, or random ones with so many tokens; the same ones every time."""
    if case["path"]:
        return read_model(case["path"], case["dtype"])
    torch.manual_seed(0)
    model = random_qwen2(case["random_vocab"], hidden=case["hidden"], layers=case["layers"])
    return with_sharper_logits(model, case["sharpness"])


def random_qwen2(vocabulary: int, *, hidden: int, layers: int) -> PreTrainedModel:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    return Qwen2ForCausalLM(config).eval()


def with_sharper_logits(model: PreTrainedModel, factor: float) -> PreTrainedModel:
    """The model itself; its last norm makes every logit `factor` times as large."""
    norm: Any = model.base_model.norm
    with torch.no_grad():
        norm.weight.mul_(factor)
    return model


def cooled_copy(model: PreTrainedModel) -> PreTrainedModel:
    """Another checkpoint to be read beside the model."""
    return with_sharper_logits(copy.deepcopy(model), COOLED)


def write_texts(
    model: PreTrainedModel, *, count: int, prompt_tokens: int, completion_tokens: int
) -> list[Text]:
    """What the model itself writes from one first token on, at temperature 1; all of one length."""
    torch.manual_seed(0)
    first = torch.full((count, 1), model.config.bos_token_id or 0)
    new_tokens = prompt_tokens + completion_tokens - 1
    rows = model.generate(
        first,
        attention_mask=torch.ones_like(first),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        eos_token_id=None,
        pad_token_id=0,
    ).tolist()
    return [(tuple(row[:prompt_tokens]), tuple(row[prompt_tokens:])) for row in rows]


def peak_in_child(way: str, texts: Sequence[Text], *, case: dict[str, Any]) -> dict[str, float]:
    """What one way adds to memory, in MiB, in a process of its own."""
    order = json.dumps({**case, "way": way, "texts": texts})
    done = subprocess.run(
        [sys.executable, __file__],
        input=order,
        env={**os.environ, **TRIM},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{way} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_peak(case: dict[str, Any]) -> dict[str, float]:
    """Memory of one way, in MiB: before, at its highest, and the difference."""
    torch.set_num_threads(case["threads"])
    model = find_model(case)
    texts = [(tuple(prompt), tuple(completion)) for prompt, completion in case["texts"]]
    reader = ModelReader(model, threads=case["threads"])
    warm = [(prompt, completion[:WARM_TOKENS]) for prompt, completion in texts[:1]]
    for each in (warm, texts):
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        level = memory("VmRSS")
        plain_way(model, each) if case["way"] == "plain" else emdiag_way(reader, each)
        peak = memory("VmHWM")
    return {"level": round(level, 1), "peak": round(peak, 1), "rise": round(peak - level, 1)}


if __name__ == "__main__":
    print(json.dumps(measure_peak(json.load(sys.stdin))))
