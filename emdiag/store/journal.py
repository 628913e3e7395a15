"""Append-only JSONL: one record a line, a torn last line is dropped on reopening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, Self, TypeVar

import msgspec

from emdiag.core.codec import decode, encode
from emdiag.core.errors import JournalError, StoreError
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
        _drop_torn_line(self._path)
        self._file = self._path.open("ab", buffering=0)
        return self

    def append(self, record: R) -> None:
        """Write one record.

        Raises:
            StoreError: The disk is full or cannot be written; what was appended before is kept.
        """
        assert self._file is not None, "append inside the with block"
        line = memoryview(encode(record) + b"\n")
        try:
            while line:
                line = line[self._file.write(line) or 0 :]
        except OSError as error:
            raise StoreError(
                f"cannot write: {error.strerror}",
                file=self._path,
                hint="make room or mend permissions, then run the same command: it continues",
            ) from error

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        file.truncate(end)
