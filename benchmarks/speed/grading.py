r"""Grading 4,000 pairs: emdiag's pool beside a plain loop over math-verify, in one run.

    python benchmarks/speed/grading.py [--problems 500] [--workers N]

Golds are those of MATH-500 where ../shared/data has them, else those of tests/golden. Each problem
gets eight samples as a model of middling strength gives them: five right (the gold as it stands
three times, once with \dfrac and \left, once with spaces and a final dot), three wrong (the gold
of the next problem twice, and another small number once). The text around the box is the same.
The plain loop is parse(boxed gold), parse(completion), verify(gold, completion) with the library's
defaults, one process. The pool is started from nothing within its time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "math500" / "test.jsonl"
OWN = ROOT / "tests" / "golden" / "grading_cases.jsonl"
PROSE = "We add the terms one by one, $1 + 2 = 3$, and simplify what is left over. " * 6


def golds(count: int) -> tuple[str, list[str]]:
    file, field = (SHARED, "answer") if SHARED.is_file() else (OWN, "gold")
    found = [json.loads(line)[field] for line in file.read_text(encoding="utf-8").splitlines()]
    return file.parent.name, [found[at % len(found)] for at in range(count)]


def samples(gold: str, other: str, number: int) -> list[str]:
    respelled = gold.replace("\\frac", "\\dfrac").replace("(", "\\left(").replace(")", "\\right)")
    spaced = gold.replace("+", " + ").replace(",", ", ") + "."
    texts = [gold, gold, gold, respelled, spaced, other, other, str(number % 7 + 2)]
    return [f"{PROSE}The answer is $\\boxed{{{text}}}$." for text in texts]


def run_emdiag(pairs: list[tuple[str, str]], workers: int | None) -> tuple[float, list[bool]]:
    from emdiag.core.grades import Gold, Verdict
    from emdiag.grading.pool.pool import GraderPool

    started = time.perf_counter()
    with GraderPool(workers=workers) as pool:
        judged = list(pool.grade((Gold(answer=gold), text) for gold, text in pairs))
    return time.perf_counter() - started, [item.verdict == Verdict.CORRECT for item in judged]


def run_plain(pairs: list[tuple[str, str]]) -> tuple[float, list[bool]]:
    started = time.perf_counter()
    from math_verify import parse, verify

    right = [verify(parse(f"\\boxed{{{gold}}}"), parse(text)) for gold, text in pairs]
    return time.perf_counter() - started, right


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--problems", type=int, default=500)
    options.add_argument("--workers", type=int, default=None)
    asked = options.parse_args()
    source, answers = golds(asked.problems)
    pairs = [
        (gold, text)
        for at, gold in enumerate(answers)
        for text in samples(gold, answers[(at + 1) % len(answers)], at)
    ]
    ours_s, ours = run_emdiag(pairs, asked.workers)
    plain_s, plain = run_plain(pairs)
    agreed = sum(left == right for left, right in zip(ours, plain, strict=True))
    ratio = plain_s / ours_s
    expected = len(answers) * 5
    print(f"{len(pairs)} pairs from {source}, at least {expected} of them right")
    print(f"emdiag       {ours_s:8.2f} s  {sum(ours)} right  (start of the processes included)")
    print(f"math-verify  {plain_s:8.2f} s  {sum(plain)} right  (import included)")
    print(f"ratio        {ratio:8.1f}    agreement {agreed}/{len(pairs)}")
    raw = {
        "benchmark": "grading", "pairs": len(pairs), "source": source, "emdiag_s": ours_s,
        "plain_s": plain_s, "ratio": ratio, "agreed": agreed, "emdiag_right": sum(ours),
        "plain_right": sum(plain),
    }  # fmt: skip
    print(json.dumps(raw))


if __name__ == "__main__":
    main()
