"""Files are written whole or not at all, and say why where they are not."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import traceback
from pathlib import Path

import pytest

from emdiag.core import files
from emdiag.core.errors import StoreError, system_errors_as
from emdiag.core.files import (
    check_file,
    is_removed,
    make_folder,
    open_to_append,
    remove_partial,
    replacing,
    write_atomically,
)


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


def _special(path: Path, kind: str) -> None:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            server = socket.socket(socket.AF_UNIX)
            server.bind(str(path))
            server.close()
        case "device":
            path.symlink_to("/dev/full")  # nobody but root makes one
        case "link to a pipe":
            os.mkfifo(path.with_name("pipe"))
            path.symlink_to("pipe")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a pipe"])
def test_only_a_plain_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = Path("page")
    _special(path, kind)
    before = path.lstat()
    for write in (lambda: write_atomically(path, b"new"), lambda: open_to_append(path)):
        with pytest.raises(StoreError, match="only a plain file") as caught:
            write()
        assert "found" in caught.value.facts
    assert path.lstat() == before
    assert not list(Path().glob(".emdiag*"))


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_text("old")
    with pytest.raises(IsADirectoryError) as caught:
        write_atomically(folder, b"new")
    assert caught.value.filename == str(folder)
    with pytest.raises(NotADirectoryError), replacing(file) as partial:
        partial.mkdir()
    assert file.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_link_of_ones_own_is_followed_and_one_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    link, dangling, circle = (tmp_path / name for name in ("latest", "dangling", "circle"))
    (tmp_path / "page").write_text("old")
    link.symlink_to("page")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "page").read_text() == "new"
    dangling.symlink_to("nowhere")
    circle.symlink_to("circle")
    for path in (dangling, circle):
        with pytest.raises(StoreError, match="leads nowhere"):
            write_atomically(path, b"new")
        with pytest.raises(StoreError, match="leads nowhere"):
            open_to_append(path)


def test_a_link_that_another_planted_where_all_can_write_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "victim").write_text("precious")
    (shared / "page").symlink_to(tmp_path / "victim")
    owner = os.geteuid()
    monkeypatch.setattr(files.os, "geteuid", lambda: owner + 1)
    write_atomically(shared / "page", b"new")  # nobody else can write here
    shared.chmod(0o1777)
    write_atomically(shared / "page", b"newer")  # whom the folder belongs to made the link
    state = os.stat_result((0o41777, 1, 1, 1, owner + 2, 0, 0, 0, 0, 0))
    whole = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **k: state if path == shared else whole(path, **k)
    )
    with pytest.raises(StoreError, match="somebody else"):
        write_atomically(shared / "page", b"taken")
    assert (tmp_path / "victim").read_text() == "newer"


@pytest.mark.parametrize(
    ("umask", "mode", "folder"),
    [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755), (0o002, 0o664, 0o775)],
)
def test_the_umask_decides_whatever_a_library_sets(
    tmp_path: Path, umask: int, mode: int, folder: int
) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"new")
        with replacing(tmp_path / "weights") as partial:
            partial.mkdir()
            for name, own in (("closed", 0o600), ("open", 0o666)):
                (partial / name).write_text("w")
                (partial / name).chmod(own)
        make_folder(tmp_path / "a/b")
        with open_to_append(tmp_path / "journal"):
            pass
    finally:
        os.umask(before)

    def mode_of(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    assert {mode_of(name) for name in ("file", "journal", "weights/closed", "weights/open")} == {
        mode
    }
    assert {mode_of(name) for name in ("a", "a/b", "weights")} == {folder}


def test_what_is_replaced_gives_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def _dead_partial(path: Path) -> Path:
    process = subprocess.Popen(["true"])
    process.wait()
    folder = path.with_name(f".emdiag.partial-{files._HOST}-{process.pid}-{'0' * 16}")
    folder.mkdir()
    return folder


def test_what_dead_processes_left_is_cleared_and_the_living_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "page"
    (_dead_partial(path) / "page").write_text("a par")
    elsewhere = tmp_path / f".emdiag.partial-{'0' * 8}-1-{'0' * 16}"
    elsewhere.mkdir()
    with replacing(path) as first:
        first.write_text("first")
        write_atomically(tmp_path / "other", b"{}")
        assert first.read_text() == "first"
    assert sorted(file.name for file in tmp_path.iterdir()) == [elsewhere.name, "other", "page"]


def test_a_folder_that_was_moved_aside_comes_back(tmp_path: Path) -> None:
    weights = tmp_path / "update-0001"
    aside = _dead_partial(weights) / ".replaced"
    (aside / weights.name).mkdir(parents=True)
    (aside / weights.name / "old").touch()
    remove_partial(tmp_path)
    assert [file.name for file in weights.iterdir()] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == [weights.name]


def test_a_folder_whose_move_fails_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "update-0001"
    weights.mkdir()
    (weights / "old").touch()

    def refuse(self: Path, target: Path) -> None:
        del self, target
        raise OSError(39, os.strerror(39))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="not empty"), replacing(weights) as partial:
        partial.mkdir()
    assert [file.name for file in weights.iterdir()] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == [weights.name]


def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("a" * 255), b"new")
    with pytest.raises(OSError, match="too long") as caught:
        write_atomically(tmp_path / ("a" * 256), b"new")
    assert caught.value.filename == str(tmp_path / ("a" * 256))


def test_a_file_that_is_removed_while_it_is_written_is_known(tmp_path: Path) -> None:
    with open_to_append(tmp_path / "journal") as file:
        assert not is_removed(file)
        (tmp_path / "journal").unlink()
        assert is_removed(file)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("folder", IsADirectoryError), ("file/a", NotADirectoryError), ("no/file", None),
        ("file", None), ("pipe", StoreError), ("dangling", StoreError), ("a" * 256, OSError),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, error: type[Exception] | None
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    if error is None:
        check_file(tmp_path / name)
        return
    with pytest.raises(error):
        check_file(tmp_path / name)


def test_a_closed_folder_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(PermissionError):
        check_file(tmp_path / "no" / "page")
    monkeypatch.setattr(files, "_is_read_only", lambda _: True)
    with pytest.raises(OSError, match="Read-only"):
        check_file(tmp_path / "page")


def test_an_error_that_holds_others_keeps_its_words(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from/a").symlink_to("nowhere")
    with (
        pytest.raises(StoreError, match="cannot be copied: No such file"),
        system_errors_as("the folder cannot be copied", folder=tmp_path),
        replacing(tmp_path / "to") as partial,
    ):
        shutil.copytree(tmp_path / "from", partial)
    assert [path.name for path in tmp_path.iterdir()] == ["from"]
