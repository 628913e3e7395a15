"""What the operating system refuses is said with its file and a remedy; bugs stay bugs."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
import typer
from safetensors import SafetensorError

from emdiag.cli import console
from emdiag.core.errors import CheckpointError, StoreError, system_error, system_errors_as


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room"), (errno.EDQUOT, "make room"), (errno.EROFS, "can be written"),
        (errno.EACCES, "permissions"), (errno.EPERM, "permissions"), (errno.ENOTDIR, "another"),
        (errno.EEXIST, "another"), (errno.EISDIR, "name a file"), (errno.ENOENT, "removed"),
        (errno.ENAMETOOLONG, "shorter"), (errno.ELOOP, "link"), (errno.EMFILE, "ulimit -n"),
        (errno.EFBIG, "ulimit -f"), (errno.ENOLCK, "locks"), (errno.ESTALE, "disk"),
        (errno.EIO, "disk"), (errno.EBUSY, "permissions"),
    ],
)  # fmt: skip
def test_each_reason_has_its_remedy_and_ends_a_command_with_2(
    capsys: pytest.CaptureFixture[str], number: int, remedy: str
) -> None:
    with pytest.raises(typer.Exit) as ended, console.command():
        raise OSError(number, os.strerror(number), "some/file")
    assert ended.value.exit_code == 2
    shown = capsys.readouterr().err
    for words in (os.strerror(number), "some/file", remedy):
        assert words in shown
    assert "Traceback" not in shown


def test_an_error_of_a_library_in_rust_is_one_of_the_system() -> None:
    error = SafetensorError("Error while serializing: I/O error: No space (os error 28)")
    assert "No space left on device" in str(system_error(error))
    with (
        pytest.raises(CheckpointError, match="cannot be written: No space left"),
        system_errors_as("weights cannot be written", kind=CheckpointError, folder="em"),
    ):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
        RuntimeError("cannot write: [errno 28] it is full"),
        OSError(28, "Failed to open local file '/tmp/.emdiag.partial-1-2/rows'"),
    ],
)
def test_an_error_that_holds_others_is_one_of_the_system(error: Exception) -> None:
    assert "No space left on device" in str(system_error(error, folder="out"))


@pytest.mark.parametrize(
    "bug", [OSError("without a number"), KeyError(3), SafetensorError("invalid header")]
)
def test_a_bug_stays_a_bug(capsys: pytest.CaptureFixture[str], bug: Exception) -> None:
    assert system_error(bug) is None
    with pytest.raises(typer.Exit) as ended, console.command():
        raise bug
    assert ended.value.exit_code == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_machine_without_memory_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, console.command():
        raise MemoryError
    shown = capsys.readouterr().err
    assert ended.value.exit_code == 2
    assert "Cannot allocate memory" in shown
    assert "close other programs" in shown


def test_an_error_of_our_own_is_kept_as_it_is() -> None:
    own = StoreError("cannot read (os error 2)", file="a")
    with pytest.raises(StoreError) as caught, system_errors_as("other", kind=CheckpointError):
        raise own
    assert caught.value is own


def test_the_file_is_that_of_the_error_unless_a_fact_names_it(tmp_path: Path) -> None:
    error = FileNotFoundError(2, "No such file", b"bytes\xff")
    assert system_error(error).facts == {"file": os.fsdecode(b"bytes\xff")}  # type: ignore[union-attr]
    assert system_error(error, file=tmp_path).facts == {"file": str(tmp_path)}  # type: ignore[union-attr]
