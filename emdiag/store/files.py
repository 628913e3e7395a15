"""One record in one file: read strictly, written whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from emdiag.core.codec import decode
from emdiag.core.errors import StoreError
from emdiag.core.records import Record

if TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R", bound=Record)


def read_record(path: Path, kind: type[R], *, hint: str) -> R:
    """The record that a file holds.

    Raises:
        StoreError: The file cannot be read, or holds something else; `hint` says what to do.
    """
    try:
        return decode(path.read_bytes(), kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"cannot read a {kind.__name__}: {error}", file=path, hint=hint) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path`; a reader sees the old file or the new one, never a part.

    Raises:
        OSError: The disk is full or cannot be written; the old file is kept.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        with suppress(OSError):  # else it would hide why nothing was written
            partial.unlink(missing_ok=True)
