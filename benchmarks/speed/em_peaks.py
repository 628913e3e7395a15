"""Peak memory of one update by entropy minimisation, each figure from a process of its own."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from em_ways import TEMPERATURE, WARM_TOKENS, Emdiag, Plain, read_model

from emdiag.engines.checkpoint.resolve import resolve_checkpoint

if TYPE_CHECKING:
    import argparse

    from transformers import PreTrainedModel

MIB = 2**20
PROMPT_TOKENS = 16
TRIM = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}


def compare_memory(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each way, vocabulary and length, each from its own process."""
    found = []
    for vocabulary in [None] if args.model else args.vocabularies:
        for growth in args.growth:
            for way in ("emdiag", "plain"):
                case = {
                    "way": way,
                    "model": args.model,
                    "vocabulary": vocabulary,
                    "samples": args.samples,
                    "new_tokens": args.new_tokens * growth,
                    "dtype": args.dtype,
                    "micro_batch": args.micro_batch or 2,
                    "checkpointing": args.checkpointing is not False,
                }
                command = [sys.executable, __file__, json.dumps(case)]
                done = subprocess.run(
                    command, env={**os.environ, **TRIM}, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    raise SystemExit(f"{case} ended with {done.returncode}: {done.stderr[-2000:]}")
                found.append({**case, **json.loads(done.stdout.splitlines()[-1])})
    return found


def measure_peak(case: dict[str, Any]) -> dict[str, float]:
    """Memory of one update, in MiB, in a process that does nothing else."""
    torch.manual_seed(0)
    if case["model"]:
        path = resolve_checkpoint(case["model"], label="speed").path
        model = read_model(path, case["dtype"])
    else:
        model = random_qwen2(case["vocabulary"])
    way: Emdiag | Plain = (
        Plain(model, temperature=TEMPERATURE)
        if case["way"] == "plain"
        else Emdiag(
            model,
            temperature=TEMPERATURE,
            micro_batch=case["micro_batch"],
            checkpointing=case["checkpointing"],
        )
    )
    vocabulary = model.config.vocab_size
    prompt = tuple(torch.randint(vocabulary, (PROMPT_TOKENS,)).tolist())
    drawn = torch.randint(vocabulary, (case["samples"], case["new_tokens"])).tolist()
    completions = [tuple(tokens) for tokens in drawn]
    way.update(prompt, [tokens[:WARM_TOKENS] for tokens in completions])
    way.optimizer.zero_grad()
    gc.collect()
    at_step = []
    way.optimizer.register_step_pre_hook(lambda *_: at_step.append(memory("VmHWM")))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    level = memory("VmRSS")
    way.update(prompt, completions)
    peak = memory("VmHWM")
    weights = sum(weight.nbytes for weight in model.parameters()) / MIB
    return {
        "vocabulary": vocabulary,
        "weights": round(weights, 1),
        "level": round(level, 1),
        "peak": round(peak, 1),
        "rise": round(peak - level, 1),
        "beyond_until_step": round(at_step[0] - level - weights, 1),
        "beyond": round(peak - level - weights, 1),
    }


def random_qwen2(vocabulary: int) -> PreTrainedModel:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    return Qwen2ForCausalLM(config).eval()


def memory(name: str) -> float:
    """A line of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    found = next(line for line in lines if line.startswith(f"{name}:"))
    return int(found.split()[1]) / 1024


def show_memory(cases: list[dict[str, Any]]) -> None:
    shown = ("vocabulary", "new_tokens", "level", "peak", "rise", "beyond_until_step", "beyond")
    print("MiB    " + "".join(f"{name:>18}" for name in shown))
    for case in cases:
        print(f"{case['way']:7}" + "".join(f"{case[name]:>18,}" for name in shown))
    for ours, plain in zip(cases[::2], cases[1::2], strict=True):
        print(
            f"ratio (plain / emdiag) at {ours['vocabulary']:,} x {ours['new_tokens']:,}: "
            f"peak {plain['peak'] / ours['peak']:.2f}, rise {plain['rise'] / ours['rise']:.2f}, "
            f"beyond gradients {plain['beyond'] / max(1.0, ours['beyond']):.2f}"
        )


if __name__ == "__main__":
    print(json.dumps(measure_peak(json.loads(sys.argv[1]))))
