"""Files are written whole or not at all, and say why where they are not."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from emdiag.core.files import remove_partial, replacing, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_where_the_folder_should_be_is_the_error_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(NotADirectoryError) as caught:
        write_atomically(tmp_path / "runs" / "a.json", b"{}")
    assert caught.value.__context__ is None
    assert "mkdir" in "".join(traceback.format_tb(caught.value.__traceback__))


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


def test_a_folder_is_replaced_whole_and_kept_where_writing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "update-0001"
    for content in ("old", "new"):
        with replacing(folder) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
    assert [file.name for file in folder.iterdir()] == ["new"]
    with pytest.raises(FileNotFoundError), replacing(folder) as partial:
        (partial / "no" / "file").write_text("the folder was not made")
    assert [file.name for file in tmp_path.rglob("*")] == ["update-0001", "new"]


def test_the_content_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    path = tmp_path / "a.json"
    monkeypatch.setattr("emdiag.core.files.os.fsync", lambda _: seen.append(path.exists()))
    write_atomically(path, b"{}")
    assert seen == [False, True]


def test_two_writers_in_one_process_do_not_share_a_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    (tmp_path / ".a.json.partial-1-0").touch()
    remove_partial(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
