"""What is written down beside imported problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from emdiag.core.codec import decode
from emdiag.core.errors import BenchmarkError
from emdiag.core.records import Record

if TYPE_CHECKING:
    from pathlib import Path

SOURCE_FILE = "source.json"


class ImportNote(Record, frozen=True, kw_only=True):
    """Where the imported problems of one benchmark came from; `source.json` beside them.

    Attributes:
        source: File name, or hub id with revision.
        source_sha256: Of the files that were read, one after another.
        layout: Name of the layout of their rows.
        copy: `main`, or the name of the alternative on the card that the rows equal.
        sha256: Of `problems.jsonl`.
        imported: UTC, ISO 8601.
        solutions: How many problems have a written solution.
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


def read_note(folder: Path) -> ImportNote | None:
    """Where the problems in `folder` came from; None where they were not imported.

    Raises:
        BenchmarkError: `source.json` cannot be read.
    """
    file = folder / SOURCE_FILE
    if not file.is_file():
        return None
    try:
        return decode(file.read_bytes(), ImportNote)
    except msgspec.DecodeError as error:
        raise BenchmarkError(
            f"the import note cannot be read: {error}", file=file, hint="import the set again"
        ) from error
