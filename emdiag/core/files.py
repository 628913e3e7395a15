"""A file or folder is replaced whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_PARTIAL = ".partial-"
_NUMBERS = count()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file or folder that takes the place of `path` when the block ends.

    It is beside `path`, is on the disk before it gets its name, and is removed where the block
    fails. A reader sees the old content or the new one, never a part.

    Raises:
        OSError: The disk is full or cannot be written; the old content is kept.
    """
    partial = path.with_name(f".{path.name}{_PARTIAL}{os.getpid()}-{next(_NUMBERS)}")
    try:
        yield partial
        for file in partial.rglob("*") if partial.is_dir() else (partial,):
            _flush(file)
        if partial.is_dir() and path.is_dir():
            shutil.rmtree(path)
        partial.replace(path)
        with suppress(OSError):  # the content is in its place; some file systems sync no folder
            _flush(path.parent)
    finally:
        with suppress(OSError):  # else it would hide why nothing was written
            _remove(partial)


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all.

    Raises:
        OSError: As `replacing`.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


def remove_partial(folder: Path) -> None:
    """Clear what interrupted writes left; nothing reads it, but it takes room."""
    for path in folder.glob(f".*{_PARTIAL}*"):
        _remove(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
