"""One record in one file, read strictly and written once; one writer for each folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import filelock
import msgspec

from emdiag.core.codec import decode, encode
from emdiag.core.errors import RunLockedError, RunMismatchError, StoreError, system_errors_as
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.protocols import Progress
from emdiag.core.reading import UNREADABLE, InputFile, reason_of
from emdiag.core.records import Record, Result
from emdiag.store.legacy import upgraded

R = TypeVar("R", bound=Record)
ResultT = TypeVar("ResultT", bound=Result)

_KEPT = ("spec.json", "training.json")
"""What a folder of a run, or of a training, has."""
_LOCK = ".lock"
_MOST_DIGITS = 24

LONGEST_WAIT_S = 3600.0
"""For another process to give back what this one needs to go on."""


def read_record(path: Path, kind: type[R], *, hint: str) -> R:
    """The record that a file holds.

    Raises:
        StoreError: The file cannot be read, or holds something else; `hint` says what to do.
    """
    source = InputFile(path=path, what=f"a {kind.__name__}", error=StoreError, hint=hint)
    try:
        return decode(source.content(), kind)
    except UNREADABLE as error:
        message = f"cannot read a {kind.__name__}: {reason_of(error)}"
        raise StoreError(message, file=path, hint=hint) from error


def settle_spec(path: Path, spec: Record, *, mismatch: str, hint: str) -> None:
    """Write the specification that a folder stands for, or check that it is the one there.

    Raises:
        StoreError: The file cannot be read; `hint` says what to do.
        RunMismatchError: It is of something else; `mismatch` says so.
    """
    if not path.exists():
        write_atomically(path, encode(spec))
    elif read_record(path, type(spec), hint=hint) != spec:
        raise RunMismatchError(
            mismatch,
            folder=path.parent,
            hint="move the folder away and run the command again",
        )


def read_result(path: Path, *records: type[ResultT]) -> ResultT:
    """The result that a file holds: that of these records whose `kind` it names.

    Files of version 0.1.0 name none; `store.legacy` finds theirs.

    Raises:
        StoreError: The file cannot be read, is no JSON, or holds something else.
    """
    source = InputFile(
        path=path, what="a result", error=StoreError, hint="restore the file, or move it away"
    )
    try:
        plain = upgraded(msgspec.json.decode(source.content()))
        _refuse_wide(plain)
    except UNREADABLE as error:
        raise source.refused(f"it is not JSON: {reason_of(error)}") from error
    except (KeyError, TypeError, AttributeError) as error:  # of an earlier version, and damaged
        raise source.refused(f"it is no result of version 0.1.0: {error!r}") from error
    kind = plain.get("kind") if isinstance(plain, dict) else None
    record = next((record for record in records if record.kind() == kind), None)
    if record is None:
        raise StoreError(
            "the file holds no result of emdiag, or one of another version",
            file=path,
            expected=", ".join(record.__name__ for record in records),
            hint="give a file of evaluations/, logit-studies/ or sweeps/, or what --json printed",
        )
    try:
        return msgspec.convert(plain, record)
    except msgspec.ValidationError as error:
        message = f"cannot read a {record.__name__}: {error}"
        raise StoreError(message, file=path, hint=source.hint) from error


def _refuse_wide(plain: object) -> None:
    """Refuse whole numbers of more than 64 bits: no figure or table has a place for one."""
    parts = [plain]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list):
            parts += part
        elif isinstance(part, int) and part.bit_length() > 64:
            raise ValueError(f"a number has {part.bit_length()} bits, expected at most 64")


def result_order(file: Path) -> tuple[int, str]:
    """Sorts files of results in the order in which they were written; see `RunStore.save`."""
    number = file.name.partition("-")[0]
    is_number = number.isdecimal() and len(number) <= _MOST_DIGITS
    return int(number) if is_number else 0, file.name


def refuse_kept(file: Path) -> None:
    """Refuse to write a list that a user asks for over what a run or a training holds.

    Raises:
        StoreError: It would be lost.
    """
    folders = file.resolve().parents[:2]
    if file.exists() and any((folder / name).exists() for folder in folders for name in _KEPT):
        raise StoreError("a file of a run would be lost", file=file, hint="name another file")


@contextmanager
def held(
    folder: Path, *, what: str = "this run", waiting: Progress | None = None
) -> Iterator[None]:
    """Hold a folder for this process; it is made where it does not exist. Errors call it `what`.

    With `waiting` it is waited for, and the user is told for whom. A folder that was made here and
    in which nothing was written goes again.

    Raises:
        RunLockedError: Another process holds it.
        StoreError: It cannot be made or held.
    """
    owner = folder / "writer.txt"
    lock = filelock.FileLock(folder / _LOCK)
    with system_errors_as("the folder cannot be written", folder=folder):
        is_new = not folder.exists()
        _acquire(lock, owner, what=what, waiting=waiting)
    try:
        with system_errors_as("the folder cannot be written", folder=folder):
            write_atomically(owner, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        with suppress(OSError):  # the folder was removed meanwhile, or cannot be written any more
            owner.unlink(missing_ok=True)
            if is_new and list(folder.iterdir()) == [folder / _LOCK]:
                (folder / _LOCK).unlink()
                folder.rmdir()
        lock.release()


def _acquire(
    lock: filelock.BaseFileLock, owner: Path, *, what: str, waiting: Progress | None
) -> None:
    with suppress(filelock.Timeout):
        _lock(lock, owner.parent)
        return
    writer = owner.read_text(errors="replace") if owner.is_file() else "unknown"
    if waiting is not None:
        waiting.note(f"waiting for another process that writes to {what}: {writer}, {owner.parent}")
        with suppress(filelock.Timeout):
            _lock(lock, owner.parent, timeout=LONGEST_WAIT_S)
            return
    raise RunLockedError(
        f"another process writes to {what}",
        folder=owner.parent,
        writer=writer,
        hint="wait until it is done, then run the same command: it continues",
    )


def _lock(lock: filelock.BaseFileLock, folder: Path, *, timeout: float = 0) -> None:
    make_folder(folder)
    try:
        lock.acquire(timeout=timeout)
    except FileNotFoundError:  # who held it wrote nothing, and removed its new folder meanwhile
        make_folder(folder)
        lock.acquire(timeout=timeout)
