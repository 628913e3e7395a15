"""Written solutions of a benchmark's problems, as their source has them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from emdiag.benchmarks.load import absence_hint, problems_file
from emdiag.benchmarks.notes import read_note
from emdiag.core.codec import decode
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import Solution

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.problems import BenchmarkCard

SOLUTIONS_FILE = "solutions.jsonl"


def load_solutions(card: BenchmarkCard, *, home: Path) -> dict[str, str]:
    """Problem id to written solution, in the order of the problems.

    Problems without one are left out; all are where the benchmark's source has no solutions, and
    where its problems are absent or were imported before solutions were kept.

    Args:
        card: Shipped sets are read beside their card, all others from `home`.
        home: The user's folder; sets lie in `home/benchmarks/NAME`.

    Raises:
        BenchmarkError: A line is not a solution, or the file is not the one that was imported
            with the problems.
    """
    file = problems_file(card, home=home).with_name(SOLUTIONS_FILE)
    content = file.read_bytes() if file.is_file() else b""
    note = None if card.shipped else read_note(file.parent)
    if note and note.solutions_sha256 != (hashlib.sha256(content).hexdigest() if content else None):
        raise BenchmarkError(
            f"the solutions of {card.name} have changed since they were imported",
            file=file,
            hint=absence_hint(card),
        )
    texts = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            solution = decode(line, Solution)
        except msgspec.DecodeError as error:  # ValidationError is one of them
            raise BenchmarkError(
                f"line {number} is not a solution: {error}", file=file, hint=absence_hint(card)
            ) from error
        texts[solution.problem_id] = solution.text
    return texts
