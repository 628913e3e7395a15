"""One writer for each folder, on every platform."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from emdiag.core.errors import RunLockedError


@contextmanager
def held(folder: Path, *, what: str = "this run") -> Iterator[None]:
    """Hold a folder for this process; it is made where it does not exist. Errors call it `what`.

    A folder that was made here and in which nothing was written goes again.

    Raises:
        RunLockedError: Another process holds it.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / "writer.txt"
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        who = owner.read_text() if owner.exists() else "unknown"
        raise RunLockedError(
            f"another process writes to {what}",
            folder=folder,
            writer=who,
            hint="wait until it is done, then run the same command: it continues",
        ) from error
    try:
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        owner.unlink(missing_ok=True)
        if is_new and list(folder.iterdir()) == [folder / ".lock"]:
            (folder / ".lock").unlink()
            folder.rmdir()
        lock.release()
