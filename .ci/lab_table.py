"""Trains the lab's EM, RL, chained and control checkpoints, and prints what became of them.

Usage: python .ci/lab_table.py FOLDER [--seeds 10] [--chains 5] [--only NAME ...] [--print-only]

Every arm is trained on problems that no benchmark holds and measured on all of `chain`: greedy and
at T = 1 (4 samples), with the share of step-by-step answers and the entropy at T = 1 of texts that
each checkpoint wrote itself. Interrupt it at any time: the same command continues. Two processes
can share the work with --only. One to two hours of a core for all.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.load import load_problems
from emdiag.benchmarks.prompts import fill, load_template
from emdiag.core.codec import encode
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.open import open_encoder, read_text_entropies
from emdiag.engines.options import EngineOptions
from emdiag.lab.chain import training_problems, writes_steps
from emdiag.resources import default_home
from emdiag.stats.intervals import interval_of, over_problems
from emdiag.store.run_store import Run, RunStore
from emdiag.store.training_folder import chosen_checkpoint
from emdiag.studies.evaluate.run import evaluate
from emdiag.train.em.run import train_em
from emdiag.train.rl.run import train_rl

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 4
ENTROPY_TEXTS = 300
"""Texts at T = 1 whose entropy is read: the first sample of every problem."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--chains", type=int, default=5)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--print-only", action="store_true")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    prompts = write_prompts(folder)
    rows = {}
    for name in arms(arguments.chains):
        if arguments.only and name not in arguments.only:
            continue
        file = folder / f"{name}.json"
        if not file.exists() and not arguments.print_only:
            began = time.perf_counter()
            checkpoints = train(name, folder, prompts, arguments.seeds, arguments.chains)
            trained = time.perf_counter()
            found = measure(name, checkpoints, folder)
            found["train_s"] = trained - began
            found["measure_s"] = time.perf_counter() - trained
            file.write_text(json.dumps(found))
        if file.exists():
            rows[name] = json.loads(file.read_text())
            print(line(name, rows[name]), flush=True)
    total = sum(row["train_s"] + row["measure_s"] for row in rows.values())
    print(f"all together {total / 60:.1f} minutes of one core")


def arms(chains: int) -> list[str]:
    """Names in the order of the table; an arm comes after those it starts from."""
    em = [f"em-w{wording}-1e-4" for wording in (1, 2, 3, 4)]
    more = ["em-w1-3e-4", "em-w4-3e-4", "max-w1-1e-4", "random-w1-1e-4"]
    last = ["em_rl", "rl_em"] if chains else []
    return ["base", *em, *more, "rl", *last]


def write_prompts(folder: Path) -> dict[int, Path]:
    """One training prompt of six digits for each wording, and 512 problems for RL (key 0)."""
    problems = training_problems(512, seed=0)
    files = {0: folder / "problems.jsonl"}
    files[0].write_bytes(b"".join(encode(problem) + b"\n" for problem in problems))
    for wording in (1, 2, 3, 4):
        wanted = f"wording {wording}"
        chosen = next(p for p in problems if p.subject == wanted and p.level == 6)
        files[wording] = folder / f"prompt-{wording}.jsonl"
        files[wording].write_bytes(encode(chosen) + b"\n")
    return files


def train(name: str, folder: Path, prompts: dict[int, Path], seeds: int, chains: int) -> list[str]:
    """The checkpoints of an arm, one for each seed."""
    out = folder / name
    if name == "base":
        return ["lab"]
    if name == "rl":
        train_rl("lab", str(prompts[0]), out=out, recipe="lab", seeds=list(range(seeds)))
        return [str(chosen_checkpoint(cell)) for cell in cells(out)]
    if name in {"em_rl", "rl_em"}:
        starts = cells(folder / ("em-w1-1e-4" if name == "em_rl" else "rl"))[:chains]
        made = []
        for seed, start in enumerate(starts):
            target = out / f"chain-{seed}"
            if name == "em_rl":
                train_rl(str(start), str(prompts[0]), out=target, recipe="lab", seeds=[seed])
            else:
                em(str(start), target, prompts[1], learning_rate=1e-4, seeds=[seed])
            made.append(str(chosen_checkpoint(target)))
        return made
    method, wording, rate = name.split("-", 2)
    objective = {"em": "entropy", "max": "entropy-maximised", "random": "random-direction"}
    em(
        "lab",
        out,
        prompts[int(wording[1])],
        objective=objective[method],
        learning_rate=float(rate),
        seeds=list(range(seeds)),
    )
    return [str(chosen_checkpoint(cell)) for cell in cells(out)]


def em(start: str, out: Path, prompt: Path, **options: object) -> None:
    train_em(
        start,
        out=out,
        recipe="lab",
        prompt_file=str(prompt),
        template="chain",
        held_out="chain",
        **options,
    )


def cells(out: Path) -> list[Path]:
    return sorted(out.glob("seed-*"), key=lambda cell: int(cell.name.split("-")[1]))


def measure(name: str, checkpoints: list[str], folder: Path) -> dict[str, object]:
    """Values `[seeds][problems]` of every figure."""
    store = folder / "runs" / name
    labelled = [f"s{number}={ref}" for number, ref in enumerate(checkpoints)]
    options = {"store": store, "engine": "transformers"}
    greedy = evaluate(labelled, "chain", **options)
    warm = evaluate(labelled, "chain", samples=SAMPLES, temperature=1.0, **options)
    runs = {run.key: run for run in RunStore(store).runs()}
    found: dict[str, list[list[float]]] = {"greedy": [], "T=1": [], "steps": [], "entropy": []}
    for cold_score, warm_score, ref in zip(greedy.scores, warm.scores, checkpoints, strict=True):
        found["greedy"].append(right(runs[cold_score.run_key], cold_score.grade_key))
        found["T=1"].append(right(runs[warm_score.run_key], warm_score.grade_key))
        found["steps"].append(steps(runs[warm_score.run_key]))
        found["entropy"].append(entropies(runs[warm_score.run_key], ref))
    return dict(found)


def right(run: Run, grade_key: str) -> list[float]:
    by_problem: dict[str, list[bool]] = {}
    for (problem_id, _), grade in sorted(run.grades(grade_key).items()):
        by_problem.setdefault(problem_id, []).append(grade.verdict == "correct")
    return [float(np.mean(values)) for values in by_problem.values()]


def steps(run: Run) -> list[float]:
    by_problem: dict[str, list[bool]] = {}
    for (problem_id, _), completion in sorted(run.completions().items()):
        by_problem.setdefault(problem_id, []).append(writes_steps(completion.text))
    return [float(np.mean(values)) for values in by_problem.values()]


def entropies(run: Run, ref: str) -> list[float]:
    """Mean entropy in nats per token of each problem's first text, by the checkpoint itself."""
    checkpoint = resolve_checkpoint(ref, label="x")
    options = EngineOptions(dtype="float32", device="cpu")
    encoder = open_encoder("transformers", checkpoint, options=options)
    card = load_card("chain")
    problems = load_problems(card, home=default_home())
    template = load_template(card.template)
    prompts = encoder.encode([fill(template, p) for p in problems], chat=template.chat)
    drawn = run.completions()
    texts = [(p.token_ids, drawn[p.problem_id, 0].token_ids) for p in prompts][:ENTROPY_TEXTS]
    read = read_text_entropies("transformers", checkpoint, texts, options=options)
    return [float(np.mean(values)) for values in read]


def line(name: str, row: dict[str, list[list[float]]]) -> str:
    parts = [f"{name:18s} {len(row['greedy']):2d} seeds"]
    for figure in ("greedy", "T=1", "steps"):
        values = np.array(row[figure])
        low, high = ends(values)
        parts.append(f"{figure} {100 * values.mean():5.1f} [{100 * low:5.1f}, {100 * high:5.1f}]")
    entropy = np.array(row["entropy"]).mean(axis=1)
    parts.append(f"entropy {entropy.mean():.3f} (seeds {entropy.min():.3f} to {entropy.max():.3f})")
    greedy = 100 * np.array(row["greedy"]).mean(axis=1)
    spread = greedy.std(ddof=1) if len(greedy) > 1 else 0.0
    parts.append(f"greedy by seed {greedy.min():.1f} to {greedy.max():.1f}, sd {spread:.1f}")
    parts.append(f"train {row['train_s']:.0f} s, measure {row['measure_s']:.0f} s")
    return "  ".join(parts)


def ends(values: NDArray[np.float64]) -> tuple[float, float]:
    interval = interval_of(values) if len(values) > 1 else over_problems(values[0])
    return (interval.low, interval.high) if interval else (float("nan"), float("nan"))


if __name__ == "__main__":
    main()
