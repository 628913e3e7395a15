"""A user's copy of a benchmark to problems and written solutions in the user's folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from emdiag import resources
from emdiag.benchmarks.cards import card_folder
from emdiag.benchmarks.load import (
    SOLUTIONS_FILE,
    SOURCE_FILE,
    ImportNote,
    check_content,
    problems_file,
)
from emdiag.benchmarks.rows import (
    SourceRow,
    file_content,
    one_row,
    read_rows,
    refuse_repeats,
    require_fields,
)
from emdiag.benchmarks.upstream import Layout, in_order, layouts
from emdiag.core.codec import encode
from emdiag.core.errors import BenchmarkError, system_errors_as
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.problems import BenchmarkCard, Problem, Solution
from emdiag.core.reading import InputFile
from emdiag.core.records import Record

DEFECTS_FILE = "defects.toml"


class Defect(Record, frozen=True, kw_only=True):
    """What is wrong with some golds of a benchmark; one entry of `defects.toml`.

    Attributes:
        ids: Problem ids without the benchmark's name.
        tag: Carried by those problems.
    """

    ids: tuple[str, ...]
    tag: str
    reason: str


@dataclass(frozen=True)
class Conversion:
    """What upstream rows of a layout hold; of problems in order, those solutions that there are."""

    layout: str
    problems: list[Problem]
    solutions: list[Solution]


def import_files(
    card: BenchmarkCard, files: Sequence[Path], *, home: Path, source: str | None = None
) -> ImportNote:
    """Convert a copy of a benchmark, check it against the card and keep it below `home`.

    Its parts come in order; the problems go to `home/benchmarks/NAME`. What is written down as the
    source is `source`, or the names of the files.

    Raises:
        BenchmarkError: The files cannot be read, or are not the benchmark the card describes.
            Nothing is written then.
    """
    if card.shipped:
        raise BenchmarkError(f"{card.name} is shipped with emdiag; there is nothing to import")
    rows = [row for file in files for row in read_rows(file)]
    converted = convert_rows(card.name, rows, file=files[0])
    content, solutions = _lines(converted.problems), _lines(converted.solutions)
    note = ImportNote(
        benchmark=card.name,
        source=source or ", ".join(file.name for file in files),
        source_sha256=_sha256(b"".join(file_content(file) for file in files)),
        layout=converted.layout,
        copy=check_content(card, content, file=files[0]),
        size=len(converted.problems),
        sha256=_sha256(content),
        imported=datetime.now(UTC).isoformat(timespec="seconds"),
        emdiag_version=resources.version(),
        solutions=len(converted.solutions),
        solutions_sha256=_sha256(solutions) if solutions else None,
    )
    _keep(note, content, solutions=solutions, target=problems_file(card, home=home))
    return note


def convert_rows(benchmark: str, rows: Sequence[SourceRow], *, file: Path) -> Conversion:
    """Upstream rows as problems and written solutions.

    Raises:
        BenchmarkError: A row lacks a field, holds something unexpected, or repeats a question.
    """
    layout = _layout(benchmark, rows[0], file=file)
    require_fields(rows, layout.fields, file=file)
    if layout.repeats:
        rows = [one_row(rows, file=file)]
    tags = _tags(benchmark)
    problems, texts = [], {}
    for number, row in enumerate(rows, start=1):
        problem = layout.problem(row, number)
        known = tags.get(problem.id, ())
        problems.append(msgspec.structs.replace(problem, tags=known) if known else problem)
        if layout.solution and (text := layout.solution(row)):
            texts[problem.id] = text
    refuse_repeats(problems, file=file)
    problems = in_order(benchmark, problems)
    solutions = [
        Solution(problem_id=problem.id, text=texts[problem.id])
        for problem in problems
        if problem.id in texts
    ]
    return Conversion(layout=layout.name, problems=problems, solutions=solutions)


def defects(benchmark: str) -> list[Defect]:
    """What is known to be wrong with golds of a benchmark; empty where nothing is.

    Raises:
        BenchmarkError: `defects.toml` cannot be read.
    """
    file = card_folder(benchmark) / DEFECTS_FILE
    if not file.is_file():
        return []
    source = InputFile(path=file, what="a list of defects", error=BenchmarkError)
    try:
        return msgspec.convert(source.toml().get("defect"), list[Defect])
    except msgspec.ValidationError as error:
        raise source.refused(str(error)) from error


def _layout(benchmark: str, row: SourceRow, *, file: Path) -> Layout:
    known = layouts(benchmark)
    for layout in known:
        if all(name in row for name in layout.fields):
            return layout
    raise BenchmarkError(
        f"row 1 fits no layout of {benchmark}",
        file=file,
        expected=" | ".join(f"{layout.name}: {', '.join(layout.fields)}" for layout in known),
        found=", ".join(row) or "no fields",
    )


def _tags(benchmark: str) -> dict[str, tuple[str, ...]]:
    tags: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for defect in defects(benchmark):
        for name in defect.ids:
            tags[f"{benchmark}/{name}"] += (defect.tag,)
    return tags


def _keep(note: ImportNote, content: bytes, *, solutions: bytes, target: Path) -> None:
    """Write the note first: files of another import do not have its checksums."""
    written = target.with_name(SOLUTIONS_FILE)
    with system_errors_as(
        "the problems cannot be written",
        kind=BenchmarkError,
        hint="EMDIAG_HOME names another home",
        file=target,
    ):
        make_folder(target.parent)
        write_atomically(target.with_name(SOURCE_FILE), encode(note) + b"\n")
        if solutions:
            write_atomically(written, solutions)
        else:
            written.unlink(missing_ok=True)
        write_atomically(target, content)


def _lines(records: Sequence[Record]) -> bytes:
    return b"".join(encode(record) + b"\n" for record in records)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
