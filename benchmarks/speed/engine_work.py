"""The work both engine comparisons do: prompts of mixed length, encoded for one checkpoint."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.benchmarks.prompts import fill, load_template
from emdiag.core.digest import derive_seed
from emdiag.core.problems import Problem
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.open import open_encoder
from emdiag.engines.options import EngineOptions
from emdiag.resources import data_dir

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.runs import EngineName
    from emdiag.core.sampling import Completion


def arguments(description: str, *, batch_size: int | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("checkpoint", help="hub id, folder, .gguf file or lab")
    parser.add_argument(
        "--problems", type=Path, default=data_dir("benchmarks") / "chain" / "problems.jsonl"
    )
    parser.add_argument("--template", default="chain", help="boxed for a chat model")
    parser.add_argument("--no-chat", action="store_true", help="leave the chat template out")
    parser.add_argument("--limit", type=int, default=64, help="problems")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=batch_size)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=1, help="alternate so often")
    parser.add_argument("--json", action="store_true", help="print raw figures alone")
    return parser.parse_args()


def read_work(
    args: argparse.Namespace, engine: EngineName
) -> tuple[CheckpointRef, list[SampleRequest], SamplingParams, EngineOptions]:
    options = EngineOptions(dtype=args.dtype, batch_size=args.batch_size, threads=args.threads)
    checkpoint = resolve_checkpoint(args.checkpoint, label="speed")
    encoder = open_encoder(engine, checkpoint, options=options)
    template = load_template(args.template)
    filled = [fill(template, problem) for problem in read_problems(args.problems, args.limit)]
    prompts = encoder.encode(filled, chat=template.chat and not args.no_chat)
    params = SamplingParams(
        temperature=args.temperature,
        max_tokens=args.max_tokens,
        stop_token_ids=encoder.stop_token_ids(),
    )
    requests = [
        SampleRequest(
            problem_id=prompt.problem_id,
            sample_index=index,
            token_ids=prompt.token_ids,
            seed=derive_seed(0, prompt.problem_id, index),
        )
        for prompt in prompts
        for index in range(args.samples)
    ]
    return checkpoint, requests, params, options


def read_problems(path: Path, limit: int) -> list[Problem]:
    """The first rows of a JSONL file with a `statement`, `problem` or `question`."""
    problems = []
    for number, line in enumerate(path.read_text().splitlines()[:limit]):
        row = json.loads(line)
        text = next(row[name] for name in ("statement", "problem", "question") if name in row)
        problems.append(
            Problem(
                id=f"speed/{number:04d}", benchmark="x", statement=text, answer="", answer_raw=""
            )
        )
    return problems


def timed(completions: Iterable[Completion]) -> dict[str, float]:
    start = time.perf_counter()
    lengths = [len(found.token_ids) for found in completions]
    return figures(lengths, time.perf_counter() - start)


def figures(lengths: list[int], seconds: float) -> dict[str, float]:
    return {
        "samples": len(lengths),
        "tokens": sum(lengths),
        "longest": max(lengths),
        "seconds": round(seconds, 3),
        "tokens_per_s": round(sum(lengths) / seconds, 2),
    }


def report(
    args: argparse.Namespace, rounds: list[dict[str, dict[str, float]]], settings: dict[str, str]
) -> None:
    """Print every round, the median of their ratios, and every figure as JSON."""
    ours, plain = rounds[0]
    ratios = [found[ours]["tokens_per_s"] / found[plain]["tokens_per_s"] for found in rounds]
    ratio = statistics.median(ratios)
    raw = {
        "arguments": {name: str(value) for name, value in vars(args).items()},
        "machine": platform.platform(),
        "settings": settings,
        "rounds": rounds,
        "ratios": [round(value, 3) for value in ratios],
        "ratio": round(ratio, 3),
    }
    if not args.json:
        for number, found in enumerate(rounds):
            for name, row in found.items():
                print(f"round {number}  {name:28} " + "  ".join(f"{k} {v}" for k, v in row.items()))
        print(f"ratio ({ours} / {plain}, tokens per second, median): {ratio:.3f}")
    print(json.dumps(raw))
