from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.errors import JournalError, StoreError
from emdiag.core.sampling import Completion
from emdiag.store.journal import JournalWriter, read_journal

if TYPE_CHECKING:
    from pathlib import Path


def _completion(text: str, index: int = 0) -> Completion:
    return Completion(
        problem_id="toy/0000",
        sample_index=index,
        text=text,
        token_ids=(1, 2),
        prompt_tokens=3,
        finish_reason="stop",
        seed=7,
    )


def _write(path: Path, texts: list[str]) -> None:
    with JournalWriter[Completion](path) as journal:
        for index, text in enumerate(texts):
            journal.append(_completion(text, index))


def _texts(path: Path) -> list[str]:
    return [record.text for record in read_journal(path, Completion)]


@given(st.lists(st.text(), max_size=5), st.integers(0, 400))
def test_a_journal_cut_anywhere_keeps_every_whole_line_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    _write(path, texts)
    whole = path.read_bytes()
    kept = whole[: max(0, len(whole) - cut)]
    path.write_bytes(kept)
    survivors = texts[: kept.count(b"\n")]
    assert _texts(path) == survivors
    _write(path, ["after"])
    assert _texts(path) == [*survivors, "after"]


@pytest.mark.parametrize("text", ["\u2028\x85\r\n", "\x00", "<script>", "x" * 2_000_000])
def test_whatever_a_model_writes_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "j.jsonl"
    _write(path, [text, "next"])
    assert _texts(path) == [text, "next"]
    assert path.read_bytes().count(b"\n") == 2


def test_a_torn_line_longer_than_the_window_is_dropped_whole(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    _write(path, ["first", "y" * 300_000])
    path.write_bytes(path.read_bytes()[:-2])
    _write(path, ["second"])
    assert _texts(path) == ["first", "second"]


def test_a_damaged_line_in_the_middle_is_named_and_not_skipped(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    _write(path, ["a", "b", "c"])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"torn\n' + lines[2])
    with pytest.raises(JournalError, match="line 2"):
        _texts(path)


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert _texts(tmp_path / "none.jsonl") == []


def test_a_full_disk_is_an_error_that_says_how_to_go_on() -> None:
    from pathlib import Path

    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = JournalWriter[Completion](full)
    journal._file = full.open("ab", buffering=0)
    with pytest.raises(StoreError, match="No space left") as caught:
        journal.append(_completion("a"))
    assert "same command" in str(caught.value)
    journal._file.close()


def test_a_journal_that_is_removed_while_it_is_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with JournalWriter[Completion](path) as journal:
        journal.append(_completion("kept"))
        path.unlink()
        with pytest.raises(StoreError, match="removed while it was written"):
            journal.append(_completion("lost"))


@pytest.mark.parametrize("kind", ["folder", "no folder above", "link to nothing"])
def test_a_journal_that_cannot_be_opened_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "j.jsonl"
    if kind == "folder":
        path.mkdir()
    elif kind == "link to nothing":
        path.symlink_to("nowhere")
    else:
        path = path / "below" / "j.jsonl"
    with (
        pytest.raises(StoreError, match=r"cannot write|nowhere") as caught,
        JournalWriter[Completion](path),
    ):
        pass
    assert str(path) in str(caught.value)
    assert caught.value.hint
