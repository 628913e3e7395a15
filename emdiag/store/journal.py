"""Append-only JSONL: one record a line, a torn last line is dropped on reopening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, Self, TypeVar

import msgspec

from emdiag.core.codec import decode, encode
from emdiag.core.errors import JournalError, StoreError, system_errors_as
from emdiag.core.files import is_removed, open_to_append
from emdiag.core.grades import Grade
from emdiag.core.records import Record
from emdiag.core.runs import SampleEntropy
from emdiag.core.sampling import Completion

R = TypeVar("R", bound=Record)
S = TypeVar("S", Completion, Grade, SampleEntropy)


@dataclass
class _Place:
    """How far a journal is read."""

    byte: int = 0
    line: int = 0


def read_journal(path: Path, kind: type[R], place: _Place | None = None) -> Iterator[R]:
    """The records of a journal behind a place, which moves along, or all; none without a file.

    A last line without a line break was torn by an interruption and is left out.

    Raises:
        JournalError: Another line cannot be read.
    """
    place = place or _Place()
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(place.byte)
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                record = decode(line, kind)
            except msgspec.MsgspecError as error:
                raise JournalError(
                    f"line {place.line + 1} is not a {kind.__name__}: {error}",
                    file=path,
                    hint="the line was changed by hand or by another version of emdiag; "
                    "restore it, or move the run folder away to draw the run again",
                ) from error
            place.byte, place.line = place.byte + len(line), place.line + 1
            yield record


class SampleJournal(Generic[S]):
    """A journal's records by sample, held: no line is decoded twice.

    Raises:
        JournalError: On reading, a line that is not the last one cannot be read.
    """

    def __init__(self, path: Path, kind: type[S]) -> None:
        self._path = path
        self._kind: type[S] = kind
        self._records: dict[tuple[str, int], S] = {}
        self._place = _Place()

    def records(self) -> Mapping[tuple[str, int], S]:
        """Problem id and sample index to the record, those appended since the last look too."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._place.byte:  # the run was removed or drawn anew
            self._records, self._place = {}, _Place()
        if size > self._place.byte:
            for record in read_journal(self._path, self._kind, self._place):
                self._records[record.problem_id, record.sample_index] = record
        return self._records


class JournalWriter(Generic[R]):
    """Appends records; each is handed to the operating system before `append` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        with system_errors_as("cannot write", file=self._path):
            self._file = open_to_append(self._path)
        return self

    def append(self, record: R) -> None:
        """Write one record.

        Raises:
            StoreError: The disk is full or cannot be written, and what was appended before is
                kept; or the file was removed meanwhile.
        """
        assert self._file is not None, "append inside the with block"
        line = memoryview(encode(record) + b"\n")
        with system_errors_as("cannot write", file=self._path):
            while line:
                line = line[self._file.write(line) or 0 :]
            is_lost = is_removed(self._file)
        if is_lost:
            raise StoreError(
                "the file was removed while it was written",
                file=self._path,
                hint="leave the folder where it is, and run the same command again",
            )

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
