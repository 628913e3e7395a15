"""Files are written whole or not at all, and say why where they are not."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from emdiag.store.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_where_the_folder_should_be_is_the_error_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(NotADirectoryError) as caught:
        write_atomically(tmp_path / "runs" / "a.json", b"{}")
    assert caught.value.__context__ is None
    assert "write_bytes" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_a_disk_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def full(self: Path, content: bytes) -> None:
        self.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
