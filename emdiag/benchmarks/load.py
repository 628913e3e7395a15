"""Problems of a benchmark, checked against its card."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from emdiag.benchmarks.cards import card_folder, is_on_hub
from emdiag.benchmarks.notes import read_note
from emdiag.core.codec import decode
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.problems import BenchmarkCard

PROBLEMS_FILE = "problems.jsonl"


def load_problems(card: BenchmarkCard, *, home: Path) -> list[Problem]:
    """The problems of a benchmark, in the order of its source.

    Args:
        card: Shipped sets are read beside their card, all others from `home`.
        home: The user's folder; sets lie in `home/benchmarks/NAME`.

    Raises:
        BenchmarkError: The set is absent, or is not the one the card describes.
    """
    file = problems_file(card, home=home)
    if not file.is_file():
        raise BenchmarkError(
            f"the problems of {card.name} are not on this machine",
            file=file,
            hint=absence_hint(card),
        )
    content = file.read_bytes()
    check_content(card, content, file=file)
    note = read_note(file.parent)
    if note and note.sha256 != hashlib.sha256(content).hexdigest():
        raise BenchmarkError(
            f"the problems of {card.name} have changed since they were imported",
            file=file,
            hint=absence_hint(card),
        )
    return parse_problems(content, file=file)


def problems_file(card: BenchmarkCard, *, home: Path) -> Path:
    """Where the problems of a benchmark lie, or would lie."""
    if card.shipped:
        return card_folder(card.name) / PROBLEMS_FILE
    return home / "benchmarks" / card.name / PROBLEMS_FILE


def absence_hint(card: BenchmarkCard) -> str:
    """How a user gets the problems of a benchmark that are not there."""
    if card.shipped:
        return "reinstall emdiag; its wheel carries this file"
    if not is_on_hub(card):
        return f"convert a copy you have with `emdiag benchmarks import {card.name} FILE`"
    return (
        f"fetch them with `emdiag benchmarks pull {card.name}`, or convert a copy you have "
        f"with `emdiag benchmarks import {card.name} FILE`"
    )


def check_content(card: BenchmarkCard, content: bytes, *, file: Path) -> str:
    """Which copy of the benchmark the normalised rows are: `main`, or an alternative's name.

    Args:
        card: Names the accepted copies, each with size and checksum; where a card knows no
            checksum yet, the size decides.
        content: Of a `problems.jsonl`.
        file: Named in errors.

    Raises:
        BenchmarkError: The rows are those of no accepted copy.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    size = content.count(b"\n")
    copies = [("main", card.size, card.source.sha256)]
    copies += [(other.name, other.size, other.sha256) for other in card.source.alternatives]
    for name, rows, expected in copies:
        if sha256 == expected or (expected is None and rows == size):
            return name
    sizes = " or ".join(str(rows) for rows in dict.fromkeys(rows for _, rows, _ in copies))
    if size not in [rows for _, rows, _ in copies]:
        message = f"{card.name} holds {size} problems, its card says {sizes}"
    else:
        message = f"the problems of {card.name} are not those its card describes"
    raise BenchmarkError(
        message,
        file=file,
        expected=", ".join(f"{known} ({name})" for name, _, known in copies if known),
        found=sha256,
        hint="restore the file" if card.shipped else absence_hint(card),
    )


def parse_problems(content: bytes, *, file: Path) -> list[Problem]:
    """The problems in the lines of a `problems.jsonl`.

    Raises:
        BenchmarkError: A line is not a problem; the error names it.
    """
    problems = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            problems.append(decode(line, Problem))
        except msgspec.DecodeError as error:  # ValidationError is one of them
            raise BenchmarkError(f"line {number} is not a problem: {error}", file=file) from error
    return problems
