"""emdiag's EM step beside the plain way of the released code, on the same model and samples.

    python benchmarks/speed/em_step.py --model lab
    python benchmarks/speed/em_step.py --model MODEL --template boxed --problems FILE.jsonl
    python benchmarks/speed/em_step.py --memory
    python benchmarks/speed/em_step.py --memory --model MODEL

Plain: `model.generate` without a cache, in train mode with gradient checkpointing, all samples in
one batch (the released code draws two at a time); then two rows a forward pass with gradient
checkpointing, softmax and log-softmax of every position in float32, AdamW. Equal on both sides:
prompt, samples, new tokens (end tokens are switched off), temperature 0.5, number format, threads,
and the completions that the updates learn from, so that the losses printed must agree.

`--memory` measures the update alone. Every figure comes from a process of its own, after a short
update that fills Adam's moments. `level` is its memory before the update and `rise` what the update
adds at its highest; `beyond` leaves the gradients out, up to the optimiser's step and all in all.
glibc is told to give large blocks back at once, so that what is seen is tensors and not its habits.
Both sides take two rows a pass with gradient checkpointing unless told otherwise, and the model is
a random one in the shape of Qwen2 (hidden 256, 4 layers, tied) with a growing vocabulary, or MODEL.
Linux only: the peak is VmHWM, set back before the update.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import torch
from em_peaks import compare_memory, show_memory
from em_ways import TEMPERATURE, WARM_TOKENS, Emdiag, Plain, read_model
from engine_work import read_work

from emdiag.engines.checkpoint.tokenizers import open_tokenizer
from emdiag.engines.hf.sampler import TransformersSampler
from emdiag.resources import data_dir
from emdiag.train.em.loop import CPU_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

LOSS_TOLERANCE = 0.05  # weights of half precision round apart; float32 agrees to 1e-5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=None, help="hub id, folder, .gguf file or lab")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--new-tokens", type=int, default=256)
    chain = data_dir("benchmarks") / "chain" / "problems.jsonl"
    parser.add_argument("--problems", type=Path, default=chain, help="the first one is taken")
    parser.add_argument("--template", default="chain", help="boxed for a chat model")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=1, help="of the time, alternating")
    parser.add_argument("--micro-batch", type=int, default=None, help="of emdiag's update")
    parser.add_argument("--checkpointing", action=argparse.BooleanOptionalAction, default=None)
    parser.add_argument("--memory", action="store_true", help="peaks of the update, not time")
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[32_000, 64_000, 152_000])
    parser.add_argument("--growth", type=int, nargs="+", default=[1, 2, 4], help="of new tokens")
    parser.add_argument("--json", action="store_true", help="print raw figures alone")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.memory:
        report(args, {"cases": compare_memory(args)})
    else:
        report(args, compare_time(args))


def compare_time(args: argparse.Namespace) -> dict[str, Any]:
    work = SimpleNamespace(
        checkpoint=args.model or "lab",
        batch_size=args.samples,
        problems=args.problems,
        limit=1,
        no_chat=False,
        max_tokens=args.new_tokens,
        temperature=TEMPERATURE,
        **{name: getattr(args, name) for name in ("dtype", "threads", "template", "samples")},
    )
    checkpoint, requests, params, options = read_work(work, "transformers")
    params = msgspec.structs.replace(params, stop_token_ids=())
    ours_model, plain_model = (read_model(checkpoint.path, args.dtype) for _ in range(2))
    sampler = TransformersSampler(ours_model, open_tokenizer(checkpoint.path), options=options)
    ours = Emdiag(
        ours_model,
        temperature=TEMPERATURE,
        micro_batch=args.micro_batch or CPU_ROWS,
        checkpointing=bool(args.checkpointing),
    )
    plain = Plain(plain_model, temperature=TEMPERATURE)
    prompt = requests[0].token_ids

    def round_of(new_tokens: int) -> dict[str, dict[str, float]]:
        fixed = msgspec.structs.replace(params, max_tokens=new_tokens)
        drawn, ours_sampling = timed(
            "emdiag samples", lambda: list(sampler.sample(requests, params=fixed))
        )
        completions = [completion.token_ids for completion in drawn]
        loss, ours_update = timed("emdiag updates", lambda: ours.update(prompt, completions))
        count, plain_sampling = timed(
            "plain samples", lambda: plain.sample(requests, new_tokens=new_tokens)
        )
        plain_loss, plain_update = timed("plain updates", lambda: plain.update(prompt, completions))
        assert count == sum(map(len, completions)) == new_tokens * len(requests)
        if abs(loss - plain_loss) > LOSS_TOLERANCE * plain_loss:
            raise SystemExit(f"not the same update: losses {loss:.6g} and {plain_loss:.6g}")
        return {
            "emdiag": figures(ours_sampling, ours_update, loss),
            "plain": figures(plain_sampling, plain_update, plain_loss),
        }

    round_of(WARM_TOKENS)
    rounds = [round_of(args.new_tokens) for _ in range(args.rounds)]
    return {
        "prompt_tokens": len(prompt),
        "settings": sampler.info.settings,
        "dtype": sampler.info.dtype,
        "rounds": rounds,
        "ratios": {
            part: round(statistics.median(r["plain"][part] / r["emdiag"][part] for r in rounds), 3)
            for part in ("sampling_s", "update_s", "total_s")
        },
    }


def timed(what: str, work: Callable[[], Found]) -> tuple[Found, float]:
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    print(f"{what}: {seconds:.1f} s", file=sys.stderr)
    return found, seconds


def figures(sampling_s: float, update_s: float, loss: float) -> dict[str, float]:
    return {
        "sampling_s": round(sampling_s, 3),
        "update_s": round(update_s, 3),
        "total_s": round(sampling_s + update_s, 3),
        "loss": loss,
    }


def report(args: argparse.Namespace, found: dict[str, Any]) -> None:
    raw = {
        "arguments": {name: str(value) for name, value in vars(args).items()},
        "machine": platform.platform(),
        "torch_threads": torch.get_num_threads(),
        **found,
    }
    if not args.json:
        show_memory(found["cases"]) if args.memory else show_time(found)
    print(json.dumps(raw))


def show_time(found: dict[str, Any]) -> None:
    for number, row in enumerate(found["rounds"]):
        for name, values in row.items():
            print(
                f"round {number}  {name:8}" + "".join(f"  {k} {v:.6g}" for k, v in values.items())
            )
    for part, ratio in found["ratios"].items():
        print(f"ratio (plain / emdiag, {part}, median): {ratio:.2f}")


if __name__ == "__main__":
    main()
