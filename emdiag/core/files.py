"""The only place that writes: a file or folder is replaced whole or not at all.

New content is made in a folder beside its place, which has a random name and only this user can
open, and is moved out of it when it is whole and on the disk.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO

from emdiag.core.errors import StoreError

_HOST = format(zlib.crc32(platform.node().encode()), "08x")
_PARTIAL = re.compile(rf"\.emdiag\.partial-{_HOST}-(?P<process>\d+)-[0-9a-f]{{16}}")
_OLD_PARTIAL = ".*.partial-*"
_REPLACED = ".replaced"
_KINDS = {
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to make a file or folder that takes the place of `path` when the block ends.

    It is on the disk before it gets its name, and is removed where the block fails. A reader sees
    the old content or the new one, never a part. Permissions are those of what is replaced, else
    those that the umask leaves, whatever a library sets. A link to a plain file is followed.

    Raises:
        StoreError: `path` is a device or the like, or a link that is not followed.
        OSError: The disk is full or cannot be written; the old content is kept.
    """
    target = _target(path)
    _remove_dead(target.parent)
    name = f".emdiag.partial-{_HOST}-{os.getpid()}-{secrets.token_hex(8)}"
    private = target.with_name(name)
    try:
        private.mkdir(mode=0o700)
        yield private / target.name
        _settle(private / target.name, target)
    except OSError as error:
        has_number = error.errno is not None  # else the file would take the place of its words
        if has_number and (error.filename is None or name in str(error.filename)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):  # else it would hide why nothing was written
            _clear(private)


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all.

    Raises:
        StoreError, OSError: As `replacing`.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


def check_file(path: Path) -> None:
    """Refuse before the work what `write_atomically` would refuse after it, as far as is known.

    Raises:
        StoreError, OSError: As `replacing`.
    """
    number = errno.EISDIR if _target(path).is_dir() else 0
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        number = errno.ENOTDIR
    elif not os.access(above, os.W_OK):
        number = errno.EROFS if _is_read_only(above) else errno.EACCES
    if number:
        raise OSError(number, os.strerror(number), str(path))


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none yet.

    Raises:
        OSError: It cannot be made, or something else has its name.
    """
    path.mkdir(parents=True, exist_ok=True)


def open_to_append(path: Path) -> BinaryIO:
    """A file, unbuffered, to which whole lines are added; a last line that was torn is dropped.

    Raises:
        StoreError: As `replacing`.
        OSError: The file cannot be opened or made.
    """
    file = open(_target(path), "a+b", buffering=0, opener=_open_itself)  # noqa: SIM115
    _drop_torn_line(file)
    return file


def is_removed(file: BinaryIO) -> bool:
    """Whether an open file has no name any more, so that what is written to it is lost."""
    return os.fstat(file.fileno()).st_nlink == 0


def scratch_file(folder: Path | None) -> BufferedRandom:
    """A file without a name in a folder, or where temporary files go; the system removes it.

    Raises:
        OSError: The folder cannot be written.
    """
    if folder is not None:
        make_folder(folder)
    return tempfile.TemporaryFile(dir=folder)


def remove_partial(folder: Path) -> None:
    """Clear what interrupted writes left; nothing reads it, but it takes room."""
    _remove_dead(folder)
    for path in folder.glob(_OLD_PARTIAL):  # of earlier versions
        if not _PARTIAL.fullmatch(path.name):
            remove(path)


def _target(path: Path) -> Path:
    """Where content for `path` goes: there, or where the link there leads.

    Links follow the rule that Linux has for shared folders: where others can write, only one's own
    are followed, and those of whom the folder belongs to.
    """
    if path.is_symlink():
        link, folder = path.lstat(), path.parent.stat()
        if folder.st_mode & 0o022 and link.st_uid not in {os.geteuid(), folder.st_uid}:
            raise StoreError(
                "a link that somebody else made is not followed where others can write",
                file=path,
                found=f"a link to {path.readlink()}",
                hint="name another file",
            )
        if not path.exists():
            raise StoreError(
                "the link leads nowhere",
                file=path,
                found=f"a link to {path.readlink()}",
                hint="remove the link, or make what it leads to",
            )
        path = path.resolve()
    kind = stat.S_IFMT(path.stat().st_mode) if path.exists() else stat.S_IFREG
    if kind not in {stat.S_IFREG, stat.S_IFDIR}:
        raise StoreError(
            "only a plain file is replaced",
            file=path,
            found=_KINDS.get(kind, "something else"),
            hint="name another file",
        )
    return path


def _is_read_only(folder: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _settle(partial: Path, target: Path) -> None:
    """Give new content its permissions, bring it to the disk, and then to its place."""
    is_folder = partial.is_dir()
    for file in partial.rglob("*") if is_folder else (partial,):
        _flush(file)
    _set_modes(partial, target)
    try:
        partial.replace(target)
    except OSError:
        if not (is_folder and target.is_dir()):
            raise
        aside = partial.with_name(_REPLACED)  # no folder replaces one that is not empty
        aside.mkdir()
        target.rename(aside / target.name)
        partial.replace(target)
    with suppress(OSError):  # the content is in its place; some file systems sync no folder
        _flush(target.parent)


def _set_modes(partial: Path, target: Path) -> None:
    """Permissions as the umask leaves them; libraries write for the owner alone."""
    probe = partial.with_name(".mode")
    probe.touch(0o666)
    usual = stat.S_IMODE(probe.stat().st_mode)
    for file in partial.rglob("*") if partial.is_dir() else (partial,):
        if file.is_file() and stat.S_IMODE(file.stat().st_mode) != usual:
            file.chmod(usual)
    if target.exists() and target.is_dir() == partial.is_dir():
        partial.chmod(stat.S_IMODE(target.stat().st_mode))


def _remove_dead(folder: Path) -> None:
    """Clear what processes of this machine left that live no more."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            partial = _PARTIAL.fullmatch(path.name)
            if partial and not _is_alive(int(partial["process"])):
                _clear(path)


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 ends a process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to somebody else
        pass
    return True


def _clear(private: Path) -> None:
    """Remove a folder of partial content; what it had moved aside returns to an empty place."""
    for old in (private / _REPLACED).glob("*"):
        if not (private.parent / old.name).exists():
            old.rename(private.parent / old.name)
    remove(private)


def _open_itself(path: str, flags: int) -> int:
    """Open what has this name, and not what a link that took it meanwhile leads to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _drop_torn_line(file: BinaryIO) -> None:
    size = end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
        end = start
    if end < size:
        file.truncate(end)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all it holds, if there is one; of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
