"""Problems and written solutions of a benchmark, checked against its card and their import."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec

from emdiag.benchmarks.cards import card_folder, is_on_hub
from emdiag.benchmarks.rows import file_content
from emdiag.core.codec import decode
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard, Problem, Solution
from emdiag.core.reading import UNREADABLE, InputFile, reason_of
from emdiag.core.records import Record

PROBLEMS_FILE = "problems.jsonl"
SOLUTIONS_FILE = "solutions.jsonl"
SOURCE_FILE = "source.json"

R = TypeVar("R", bound=Record)


class ImportNote(Record, frozen=True, kw_only=True):
    """Where the imported problems of one benchmark came from; `source.json` beside them.

    Attributes:
        source: File name, or hub id with revision.
        source_sha256: Of the files that were read, one after another.
        copy: `main`, or the name of the alternative on the card that the rows equal.
        sha256: Of `problems.jsonl`.
        imported: UTC, ISO 8601.
        solutions_sha256: Of `solutions.jsonl`; None where there is none.
    """

    benchmark: str
    source: str
    source_sha256: str
    layout: str
    copy: str
    size: int
    sha256: str
    imported: str
    emdiag_version: str
    solutions: int = 0
    solutions_sha256: str | None = None


def load_problems(card: BenchmarkCard, *, home: Path) -> list[Problem]:
    """The problems of a benchmark, in the order of its source.

    Shipped sets are read beside their card, all others from `home/benchmarks/NAME`.

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
    content = file_content(file)
    check_content(card, content, file=file)
    note = read_note(file.parent)
    if note and note.sha256 != hashlib.sha256(content).hexdigest():
        raise _changed("problems", card, file)
    if not card.shipped:
        return parse_records(content, Problem, file=file, hint=absence_hint(card))
    fields = msgspec.structs.fields(Problem)
    needed, optional = (
        ", ".join(field.name for field in fields if field.required is required)
        for required in (True, False)
    )
    hint = f"a line of a shipped set holds {needed} and, if wanted, {optional}"
    return parse_records(content, Problem, file=file, hint=hint)


def load_solutions(card: BenchmarkCard, *, home: Path) -> dict[str, str]:
    """Problem id to written solution, in the order of the problems.

    Problems without one are left out; all are where the benchmark's source has no solutions, and
    where its problems are absent or were imported before solutions were kept.

    Raises:
        BenchmarkError: A line is not a solution, or the file is not the one that was imported
            with the problems.
    """
    file = problems_file(card, home=home).with_name(SOLUTIONS_FILE)
    content = file_content(file) if file.is_file() else b""
    note = None if card.shipped else read_note(file.parent)
    if note and note.solutions_sha256 != (hashlib.sha256(content).hexdigest() if content else None):
        raise _changed("solutions", card, file)
    solutions = parse_records(content, Solution, file=file, hint=absence_hint(card))
    return {solution.problem_id: solution.text for solution in solutions}


def read_note(folder: Path) -> ImportNote | None:
    """Where the problems in `folder` came from; None where they were not imported.

    Raises:
        BenchmarkError: `source.json` cannot be read.
    """
    file = folder / SOURCE_FILE
    if not file.is_file():
        return None
    source = InputFile(
        path=file, what="the import note", error=BenchmarkError, hint="import the set again"
    )
    try:
        return decode(source.content(), ImportNote)
    except UNREADABLE as error:
        raise source.refused(reason_of(error)) from error


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

    The card names the accepted copies; where it knows no checksum yet, the size decides.

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


def parse_records(content: bytes, kind: type[R], *, file: Path, hint: str | None = None) -> list[R]:
    """The records in lines of JSON.

    Raises:
        BenchmarkError: A line is not such a record; the error names it, and `hint` says what to do.
    """
    records = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            records.append(decode(line, kind))
        except UNREADABLE as error:
            message = f"line {number} is not a {kind.__name__.lower()}: {reason_of(error)}"
            raise BenchmarkError(message, file=file, hint=hint) from error
    return records


def _changed(what: str, card: BenchmarkCard, file: Path) -> BenchmarkError:
    message = f"the {what} of {card.name} have changed since they were imported"
    return BenchmarkError(message, file=file, hint=absence_hint(card))
