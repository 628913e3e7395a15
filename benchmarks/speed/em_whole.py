"""Whole peak memory of `emdiag train em`, from the imports to the last checkpoint, by size.

    python benchmarks/speed/em_whole.py
    python benchmarks/speed/em_whole.py --sizes 262144x640x18 --samples 8 --max-tokens 64

Models are random ones in the shape of Qwen2 with tied weights: `VOCABULARYxHIDDENxLAYERS`. Every
figure is the highest resident memory of a process of its own that trains two updates on a CPU in
float32, as the system counts it; files that are mapped count too. `ratio` is that over the weights:
weights, gradient and two moments are 4 of it. The plain way is in `em_step.py --memory`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from emdiag.resources import lab_weights

SIZES = ["32768x384x12", "152064x640x18", "262144x384x12", "262144x640x18"]
HEAD = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="print raw figures alone")
    args = parser.parse_args()
    cases = [measure(size, args) for size in args.sizes]
    if not args.json:
        print(f"{'size':16} {'million':>8} {'weights':>8} {'peak':>8}  MiB; ratio")
        for case in cases:
            print(
                f"{case['size']:16} {case['millions']:8,.0f} {case['weights']:8,.0f} "
                f"{case['peak']:8,.0f}  {case['peak'] / case['weights']:.2f}"
            )
    print(json.dumps({"arguments": vars(args), "machine": platform.platform(), "cases": cases}))


def measure(size: str, args: argparse.Namespace) -> dict[str, Any]:
    """Weights and peak in MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parameters = save_random(folder / "model", *map(int, size.split("x")))
        command = [sys.executable, "-m", "emdiag", "train", "em", str(folder / "model")]
        command += ["--problem", "chain/0000", "--recipe", "lab", "--updates", "2"]
        command += ["--samples", str(args.samples), "--max-tokens", str(args.max_tokens)]
        command += ["--held-out", "none", "--device", "cpu", "--out", str(folder / "em")]
        with (folder / "log").open("w+") as log:
            child = subprocess.Popen(command, stdout=log, stderr=log)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                log.seek(0)
                raise SystemExit(f"{size} ended with {child.returncode}: {log.read()[-2000:]}")
    return {
        "size": size,
        "millions": parameters / 1e6,
        "weights": parameters * 4 / 2**20,
        "peak": used.ru_maxrss / 1024,
    }


def save_random(folder: Path, vocabulary: int, hidden: int, layers: int) -> int:
    """A random model with the lab's tokenizer; its number of weights."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 3,
        num_hidden_layers=layers,
        num_attention_heads=hidden // HEAD,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=1,
    )
    model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(lab_weights() / name, folder / name)
    return model.num_parameters()


if __name__ == "__main__":
    main()
