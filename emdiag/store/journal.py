"""Append-only JSONL: one record a line, a torn last line is dropped on reopening."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Generic, Self, TypeVar

from emdiag.core.codec import decode, encode
from emdiag.core.errors import JournalError, StoreError, system_errors_as
from emdiag.core.files import is_removed, open_to_append
from emdiag.core.reading import LONGEST_LINE, UNREADABLE, InputFile, reason_of
from emdiag.core.records import Record

R = TypeVar("R", bound=Record)


_HINT: Final = (
    "the line was changed by hand or by another version of emdiag; restore it, or delete it: the "
    "same command draws and grades its sample anew, with another text unless the engine repeats it"
)


@dataclass
class Place:
    """How far a journal is read; `start` is where its last line began."""

    byte: int = 0
    line: int = 0
    start: int = 0


def read_journal(
    path: Path, kind: type[R], place: Place | None = None, *, name: str | None = None
) -> Iterator[R]:
    """The records of a journal behind a place, which moves along, or all; none without a file.

    A last line without a line break was torn by an interruption and is left out. Errors call a
    record by `name`, its kind unless that is given.

    Raises:
        JournalError: Another line cannot be read, or the file is none.
    """
    place = place or Place()
    if not os.path.lexists(path):
        return
    source = InputFile(path=path, what="a journal", error=JournalError, hint=_HINT)
    with source.opened() as file:
        file.seek(place.byte)
        for line in source.bounded(file):
            if not line.endswith(b"\n"):
                return
            try:
                record = decode(line, kind)
            except UNREADABLE as error:
                named, reason = name or kind.__name__, reason_of(error)
                raise bad_line(path, place.line + 1, f"not a {named}: {reason}") from error
            place.start, place.byte = place.byte, place.byte + len(line)
            place.line += 1
            yield record


def lines_at(path: Path, starts: Iterable[int]) -> Iterator[bytes]:
    """The lines of a journal that begin at these bytes.

    Raises:
        JournalError: The file cannot be opened.
    """
    source = InputFile(path=path, what="a journal", error=JournalError, hint=_HINT)
    with source.opened() as file:
        for start in starts:
            file.seek(start)
            yield file.readline(LONGEST_LINE)


def bad_line(path: Path, number: int, words: str) -> JournalError:
    """The error for a line that cannot be used, by its number."""
    return JournalError(f"line {number} is {words}", file=path, hint=_HINT)


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
