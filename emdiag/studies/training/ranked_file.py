"""Ranked problems as a file that `train`, `eval` and `select` read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from emdiag.benchmarks.custom import custom_name
from emdiag.core.codec import to_plain
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emdiag.core.problems import Problem

MARK = "selection"
"""Field that only these files have: a file without it is never replaced."""


def check_target(path: Path) -> None:
    """Refuse a place where the ranked problems could not be written or read again.

    Raises:
        PlanError: The file has another suffix, or holds something else than ranked problems.
        BenchmarkError: A benchmark of emdiag is called as the file is.
    """
    if path.suffix != ".jsonl":
        raise PlanError("ranked problems are written as JSON lines", file=path, hint="use .jsonl")
    custom_name(path)
    if path.exists() and not _is_ranked(path):
        raise PlanError(
            "the file exists and holds no ranked problems, so it is not replaced",
            file=path,
            hint="name another one with --out",
        )


def write_ranked(
    path: Path, problems: Sequence[Problem], figures: Sequence[dict[str, object]]
) -> None:
    """Replace the file at once; a reader sees the old one or the whole new one.

    Args:
        path: As `check_target` accepted it.
        problems: The best first.
        figures: What is written beside each of them.

    Raises:
        StoreError: The file cannot be written; what stood there is kept.
    """
    rows = [
        json.dumps({**_row(problem), MARK: facts}, ensure_ascii=False, allow_nan=False)
        for problem, facts in zip(problems, figures, strict=True)
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, ("\n".join(rows) + "\n").encode())
    except OSError as error:
        raise StoreError(
            f"the ranked problems cannot be written: {error.strerror}",
            file=path,
            hint="name another file with --out; the samples are kept and not drawn again",
        ) from error


def _row(problem: Problem) -> dict[str, object]:
    """The problem without fields that say nothing; `benchmark` is the one its id names."""
    plain: dict[str, object] = to_plain(problem)
    plain["benchmark"] = problem.id.partition("/")[0]
    if not problem.answer:
        del plain["answer_type"]
    return {name: value for name, value in plain.items() if value not in (None, "", (), [])}


def _is_ranked(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as stream:
            row = json.loads(stream.readline())
    except (OSError, ValueError):
        return False
    return isinstance(row, dict) and MARK in row
