r"""A million graded samples: what lists, compares, claims and reports takes of time and memory.

    python benchmarks/speed/large_store.py FOLDER [--problems 500] [--samples 1000]

Two checkpoints answer the same problems. One sample of each is drawn and graded by `emdiag eval`;
the others are written into its two runs as that one lies there, in texts of about 50 words with
their token ids (bytes, for the scripted engine). Right answers are drawn with a chance of each
problem's own. FOLDER is made anew unless it is there already. Every command is a process of its
own; its peak is the largest resident set that the system counted for it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

LABELS = ("base", "em")
WORDS = ("we", "add", "both", "terms", "and", "carry", "the", "rest", "then", "check", "it")
EMDIAG = (sys.executable, "-m", "emdiag")


def make_store(folder: Path, *, problems: int, samples: int) -> None:
    folder.mkdir(parents=True)
    questions = [
        {"question": f"What is {n} + {n + 1}?", "answer": 2 * n + 1} for n in range(problems)
    ]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (folder / "sums.jsonl").write_text(lines, encoding="utf-8")
    for label in LABELS:
        (folder / f"{label}.json").write_text(json.dumps({"*": [f"{label}: \\boxed{{1}}"]}))
    run(evaluation(folder, 1, "--limit", "1"))
    for number, path in enumerate(sorted((folder / "out" / "runs").iterdir())):
        fill(path, random.Random(number), problems=problems, samples=samples, gain=0.05 * number)


def fill(path: Path, chance: random.Random, *, problems: int, samples: int, gain: float) -> None:
    (grades,) = path.glob("grades-*.jsonl")
    drawn = json.loads((path / "completions.jsonl").read_bytes())
    grade = json.loads(grades.read_bytes())
    with (path / "completions.jsonl").open("w") as texts, grades.open("w") as verdicts:
        for problem in range(problems):
            rate = chance.random() * 0.9 + gain
            for index in range(samples):
                is_right = chance.random() < rate
                answer = 2 * problem + 1 if is_right else chance.randrange(2000)
                write_sample(texts, drawn, words(chance, answer), problem=problem, index=index)
                write_grade(verdicts, grade, answer, gold=2 * problem + 1, index=index)


def words(chance: random.Random, answer: int) -> str:
    return " ".join(chance.choices(WORDS, k=50)) + f". \\boxed{{{answer}}}"


def write_sample(file: Any, like: dict[str, Any], text: str, *, problem: int, index: int) -> None:
    row = like | {"problem_id": f"sums/{problem:04d}", "sample_index": index, "text": text}
    file.write(json.dumps(row | {"token_ids": list(text.encode())}, separators=(",", ":")) + "\n")


def write_grade(file: Any, like: dict[str, Any], answer: int, *, gold: int, index: int) -> None:
    row = like | {"problem_id": f"sums/{gold // 2:04d}", "sample_index": index}
    row |= {"verdict": "correct" if answer == gold else "wrong", "extracted": str(answer)}
    row |= {"answer_class": str(answer)}
    row.pop("text_digest", None)
    file.write(json.dumps(row, separators=(",", ":")) + "\n")


def evaluation(folder: Path, samples: int, *further: str) -> list[str]:
    refs = [f"{label}={folder / label}.json" for label in LABELS]
    place = ["-b", str(folder / "sums.jsonl"), "--store", str(folder / "out")]
    how = ["--samples", str(samples), "--temperature", "1"]
    return ["eval", *refs, *place, *how, *further]


def run(arguments: list[str]) -> tuple[float, float, str]:
    """Seconds of processor, peak in MiB, and what was printed; ends where the command fails."""
    process = subprocess.Popen([*EMDIAG, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    printed = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"emdiag {' '.join(arguments)} ended with {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--problems", type=int, default=500)
    options.add_argument("--samples", type=int, default=1000)
    asked = options.parse_args()
    folder = asked.folder.resolve()
    if not folder.is_dir():
        make_store(folder, problems=asked.problems, samples=asked.samples)
    place = ["--store", str(folder / "out")]
    page = ["--report", str(folder / "eval.html")]
    commands = {
        "runs list": ["runs", "list", *place, "--json"],
        "eval --report": [*evaluation(folder, asked.samples), *page, "--json"],
        "compare": ["compare", *LABELS, *place, "--json"],
        "report": ["report", *place, "--out", str(folder / "report.html")],
        "claims": ["claims", *place, "--json"],
    }
    count = len(LABELS) * asked.problems * asked.samples
    rows = {name: run(arguments)[:2] for name, arguments in commands.items()}
    print(f"{count:,} graded samples of {len(LABELS)} checkpoints")
    for name, (seconds, peak) in rows.items():
        print(f"{name:14} {seconds:8.1f} s {peak:8,.0f} MiB")
    print(json.dumps({"benchmark": "large-store", "samples": count, "commands": rows}))


if __name__ == "__main__":
    main()
