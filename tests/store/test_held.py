"""A folder has one writer; another waits where it must, and what the system refuses is named."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from emdiag.core.errors import RunLockedError, StoreError
from emdiag.core.protocols import SilentProgress
from emdiag.store import files
from emdiag.store.files import held


class Noted(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def _hold(folder: Path, *, seconds: float) -> threading.Thread:
    """Hold a folder in another thread, whose lock is as foreign as that of another process."""
    is_held = threading.Event()

    def hold() -> None:
        with held(folder):
            is_held.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(10)
    return thread


def test_who_must_go_on_waits_and_says_for_whom(tmp_path: Path) -> None:
    noted = Noted()
    thread = _hold(tmp_path / "run", seconds=0.3)
    with held(tmp_path / "run", waiting=noted):
        thread.join(10)
    (note,) = noted.notes
    for words in ("waiting for another process", "this run", "process ", str(tmp_path / "run")):
        assert words in note


def test_a_wait_ends_and_without_one_the_second_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LONGEST_WAIT_S", 0.05)
    thread = _hold(tmp_path / "run", seconds=0.5)
    for waiting in (None, Noted()):
        with (
            pytest.raises(RunLockedError, match="another process writes"),
            held(tmp_path / "run", waiting=waiting),
        ):
            pass
    thread.join(10)


@pytest.mark.parametrize("kind", ["file", "below a file", "link to nothing", "long", "proc"])
def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "dangling").symlink_to("nowhere")
    folder = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file/runs/a",
        "link to nothing": tmp_path / "dangling",
        "long": tmp_path / ("a" * 300),
        "proc": Path("/proc/nope"),
    }[kind]
    with pytest.raises(StoreError, match="cannot be written") as caught, held(folder):
        pass
    assert caught.value.facts == {"folder": str(folder)}
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]


@pytest.mark.parametrize("name", [".lock", "writer.txt"])
def test_what_a_planted_link_leads_to_is_not_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError), held(tmp_path / "run"):
        pass
    assert not (tmp_path / "nowhere").exists()


def test_a_full_disk_gives_the_lock_back_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(StoreError, match="No space left"), held(tmp_path / "run"):
        pass
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    with held(tmp_path / "run"):
        pass


def test_a_folder_that_is_removed_while_it_is_held_ends_quietly(tmp_path: Path) -> None:
    with held(tmp_path / "run"):
        for path in (tmp_path / "run").iterdir():
            path.unlink()
        (tmp_path / "run").rmdir()
    assert list(tmp_path.iterdir()) == []
