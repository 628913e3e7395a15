"""Every error a user can cause or fix; the exit code is 2."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager


class EmdiagError(Exception):
    """What went wrong, the facts by name (such as `file`), and what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = {name: str(value) for name, value in facts.items()}

    def __str__(self) -> str:
        lines = [self.message, *(f"  {name}  {value}" for name, value in self.facts.items())]
        return "\n".join([*lines, *([f"  hint  {self.hint}"] if self.hint else [])])


class PlanError(EmdiagError):
    """The request contradicts itself."""


class BenchmarkError(EmdiagError):
    """A card or a problem file is wrong or absent."""


class CheckpointError(EmdiagError):
    """Weights or tokenizer cannot be used."""


class EngineError(EmdiagError):
    """An engine cannot do its work."""


class EngineMissingError(EngineError):
    """A library or device is missing; the hint names the extra to install."""


class EngineRefusedError(EngineError):
    """The engine cannot do what was asked."""


class GraderError(EmdiagError):
    """The grader fails its self-test, or its input cannot be read."""


class TrainingError(EmdiagError):
    """Training cannot go on."""


class MeasurementError(EmdiagError):
    """The numbers asked for are not defined on this data."""


class StoreError(EmdiagError):
    """A run folder cannot be used."""


class RunLockedError(StoreError):
    """Another process writes to this run."""


class RunMismatchError(StoreError):
    """The folder holds another run."""


class JournalError(StoreError):
    """A line that is not the last one cannot be read."""


@contextmanager
def naming(label: str) -> Iterator[None]:
    """Engine errors from within say which checkpoint they are about: engines know no labels."""
    try:
        yield
    except EngineError as error:
        error.facts = {"checkpoint": label, **error.facts}
        raise


_ROOM = "make room, then run the same command: it continues"
_ACCESS = "mend the permissions, or name another place"
_PLACE = "name another place, or move away what has this name"
_OPEN = "raise the limit (ulimit -n), or close other programs"
_LOST = "see whether the disk is still there, then run the same command: it continues"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: "name a place that can be written",
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.ENOMEM: "close other programs, or give less at once",
    errno.ENOTDIR: _PLACE,
    errno.EEXIST: _PLACE,
    errno.EISDIR: "name a file: this is a folder",
    errno.ENOENT: "check the name; what was there may have been removed meanwhile",
    errno.ENAMETOOLONG: "take a shorter name: most file systems allow 255 bytes",
    errno.ELOOP: "remove the link, or name what it leads to",
    errno.EMFILE: _OPEN,
    errno.ENFILE: _OPEN,
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f), or name another disk",
    errno.ENOLCK: "this file system has no locks: keep the store on another one",
    errno.ENOSYS: "this file system cannot do it: keep the store on another one",
    errno.EOPNOTSUPP: "this file system cannot do it: keep the store on another one",
    errno.ESTALE: _LOST,
    errno.EIO: _LOST,
    errno.ENXIO: "name a plain file",
    errno.EINVAL: "check the name: this place does not take it",
}
_IN_WORDS = re.compile(r"(?:\(os error |\[[Ee]rrno )(\d+)[)\]]")
"""As libraries in Rust write it, and Python where several errors are one."""


def system_error(
    error: BaseException,
    what: str = "the system refuses",
    *,
    kind: type[EmdiagError] = StoreError,
    hint: str | None = None,
    **facts: object,
) -> EmdiagError | None:
    """What the operating system said in place of its error: the file, the reason and a remedy.

    `what` could not be done, facts name the file unless the error does, `hint` is said behind the
    remedy. None for an error that comes from elsewhere; some libraries say the number of theirs in
    words.
    """
    if isinstance(error, EmdiagError):
        return None
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError):
        number = errno.ENOMEM
    if number is None and (in_words := _IN_WORDS.search(str(error))):
        number = int(in_words[1])
    if number is None:
        return None
    file = getattr(error, "filename", None)
    known = {"file": os.fsdecode(file)} if isinstance(file, str | bytes) and not facts else {}
    remedy = _REMEDIES.get(number, "see whether the file, its disk and its permissions are well")
    reason = getattr(error, "strerror", None) or os.strerror(number)
    if ".emdiag.partial-" in reason:  # a library puts the file into its sentence
        reason = os.strerror(number)
    return kind(f"{what}: {reason}", **facts, **known, hint="; ".join(filter(None, (remedy, hint))))


@contextmanager
def system_errors_as(
    what: str, *, kind: type[EmdiagError] = StoreError, hint: str | None = None, **facts: object
) -> Iterator[None]:
    """Errors of the operating system from within are of `kind`, as `system_error` says them."""
    try:
        yield
    except Exception as error:
        if known := system_error(error, what, kind=kind, hint=hint, **facts):
            raise known from error
        raise
