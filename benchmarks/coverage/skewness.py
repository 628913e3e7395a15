"""What every shown statistic of logits says of three changes whose kind is known.

    python benchmarks/coverage/skewness.py --texts benchmarks/chain
    python benchmarks/coverage/skewness.py --model SMOLLM2.gguf --texts MATH500/test.jsonl
    python benchmarks/coverage/skewness.py --quick --texts benchmarks/chain

A checkpoint reads texts, and its logits are changed on the way: *cooling* divides them by T 0.5;
*top + 2* raises the most likely token's by 2; *tail* adds normal noise of sd 1 to the ranks beyond
1000 (in a vocabulary no larger than that, beyond its median rank). Each changed reading is
compared with the plain one by the functions of `emdiag logits-skew`: an arrow needs the interval
and the test corrected over all rows of the table. Texts are the statements and solutions of a file
of JSON lines, or of a benchmark's folder.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from emdiag.core.logit_skew import LogitEstimate
from emdiag.core.moments import LogitTrace, PairTrace
from emdiag.core.protocols import TextLogits
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.vocabularies import shared_vocabulary
from emdiag.engines.open import open_reader
from emdiag.engines.options import EngineOptions
from emdiag.findings.logits.rows import (
    ENTROPY,
    KL,
    KL_BY_RANK,
    SHARPENING,
    SKEWNESS,
    SKEWNESS_SHARES,
    statistic_of,
)
from emdiag.findings.numbers import change, statistic
from emdiag.measure.logit_estimates import EstimateTable
from emdiag.measure.logit_pairs import pair_traces
from emdiag.measure.logit_rows import ArmReadings, add_rows
from emdiag.measure.logit_statistics import pair_statistics, positions_of
from emdiag.measure.logits import TracedText, trace

Change = Callable[[Tensor], Tensor]

TEMPERATURE, RAISED, FIRST_NOISY, MOST_TOKENS = 0.5, 2.0, 1000, 256
SHOWN = (SKEWNESS, *SKEWNESS_SHARES, ENTROPY, *SHARPENING, KL, *KL_BY_RANK)


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Logits along a text, changed as they are read; a `TextLogits`."""

    plain: TextLogits[Tensor]
    change: Change

    @property
    def positions(self) -> int:
        """Tokens of the text."""
        return self.plain.positions

    @property
    def chunk_positions(self) -> int:
        """As many as are worth asking for at once."""
        return self.plain.chunk_positions

    def logits(self, start: int, stop: int) -> Tensor:
        """Changed, `[position, vocab]`."""
        return self.change(self.plain.logits(start, stop))


def cooled(logits: Tensor) -> Tensor:
    return logits / TEMPERATURE


def raised(logits: Tensor) -> Tensor:
    top = logits.argmax(dim=1, keepdim=True)
    return logits.scatter_add(1, top, torch.full_like(logits[:, :1], RAISED))


def noisy_tail(logits: Tensor) -> Tensor:
    size = logits.shape[1]
    first = FIRST_NOISY if size > FIRST_NOISY else size // 2
    random = torch.Generator().manual_seed(int(logits.abs().sum()) % 2**31)
    noise = torch.randn(logits.shape, generator=random)
    edge = logits.topk(first, dim=1).values[:, -1:]
    return torch.where(logits < edge, logits + noise, logits)


CHANGES: dict[str, Change] = {"cooling": cooled, "top + 2": raised, "tail": noisy_tail}


def pairs_of(path: Path, count: int) -> list[tuple[str, str]]:
    """Statements and solutions of the first problems."""
    if path.is_dir():
        problems = _rows(path / "problems.jsonl")[:count]
        texts = {row["problem_id"]: row["text"] for row in _rows(path / "solutions.jsonl")}
        return [(row["statement"], texts[row["id"]]) for row in problems]
    return [(row["problem"], row["solution"]) for row in _rows(path)[:count]]


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def measure(model: str, texts: Path, *, count: int) -> tuple[list[LogitEstimate], int, int]:
    """All estimates of the plain reading and of each change, tokens read, and the vocabulary."""
    checkpoint = resolve_checkpoint(model, label="plain")
    vocabulary = shared_vocabulary([checkpoint])
    tokens = [
        tuple(vocabulary.token_ids(part)[:MOST_TOKENS] for part in pair)
        for pair in pairs_of(texts, count)
    ]
    names = [str(number) for number in range(len(tokens))]
    plain: list[LogitTrace] = []
    changed: dict[str, list[tuple[LogitTrace, PairTrace]]] = {name: [] for name in CHANGES}
    reader = open_reader("transformers", checkpoint, options=EngineOptions())
    for name, (prompt, written) in zip(names, tokens, strict=True):
        (logits,) = reader.read([(prompt, written)])
        read = TracedText(
            name=model,
            problem_id=name,
            sample_index=0,
            written=written,
            vocab_size=vocabulary.size,
        )
        plain.append(trace(logits, read))
        for title, how in CHANGES.items():
            beside = Changed(plain=logits, change=how)
            changed[title].append(pair_traces(logits, beside, base_read=read, read=read))
    reader.close()
    table = EstimateTable(base="plain", problems=names, seed=0)
    base = positions_of(plain, problems=names)
    arms = [ArmReadings(label="plain", text="t", members=(base,), base=None, pairs=(), spans=())]
    for title, read_texts in changed.items():
        own = positions_of([own for own, _ in read_texts], problems=names)
        pairs = pair_statistics([pair for _, pair in read_texts], own=own, base=base)
        arms.append(
            ArmReadings(label=title, text="t", members=(own,), base=base, pairs=(pairs,), spans=())
        )
    for arm in arms:
        add_rows(table, arm, None)
    return list(table.estimates()), len(base), vocabulary.size


def show(estimates: Sequence[LogitEstimate]) -> None:
    by_name = {(row.checkpoint, statistic_of(row)): row for row in estimates}
    print(f"| statistic | plain | {' | '.join(CHANGES)} |\n| --- | --- {'| --- ' * len(CHANGES)}|")
    for of in SHOWN:
        rows = [by_name.get((label, of)) for label in ("plain", *CHANGES)]
        name = " ".join(filter(None, (of.statistic, of.part)))
        print(f"| {name} | {' | '.join(map(cell, rows))} |")


def cell(row: LogitEstimate | None) -> str:
    if row is None or row.value is None:
        return "-"
    if row.difference is None:
        return statistic(row.value, row.interval)
    arrow = {"higher": " ↑", "lower": " ↓", "undecided": ""}[row.difference.direction]
    return change(row.difference.value, row.difference.interval) + arrow


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="lab", help="hub id, folder, .gguf file or lab")
    parser.add_argument("--texts", type=Path, required=True, help="file, or folder of a benchmark")
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="ten problems")
    args = parser.parse_args()
    since = time.perf_counter()
    count = 10 if args.quick else args.problems
    estimates, tokens, size = measure(args.model, args.texts, count=count)
    print(f"{count} problems, {tokens:,} tokens, vocabulary of {size:,}; changes against plain")
    show(estimates)
    print(f"{time.perf_counter() - since:.0f} s")


if __name__ == "__main__":
    main()
