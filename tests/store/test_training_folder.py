from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from emdiag.core.errors import JournalError, StoreError
from emdiag.core.files import write_atomically
from emdiag.core.training import TrainFolder, UpdateRecord
from emdiag.resources import lab_weights
from emdiag.store.journal import JournalWriter
from emdiag.store.training_folder import (
    checkpoint_name,
    chosen_checkpoint,
    is_training_folder,
    read_folder,
    read_manifest,
    read_updates,
    write_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

SINGLE = TrainFolder(
    key="0" * 64, method="em", chosen="update-0010", cells=(".",), saved_updates=(5, 10)
)


def changed(**fields: object) -> TrainFolder:
    return msgspec.structs.replace(SINGLE, **fields)


def test_what_was_written_is_read_back_and_replaced_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "new" / "out", SINGLE)
    assert read_folder(tmp_path / "new" / "out") == SINGLE
    write_folder(tmp_path / "new" / "out", changed(key="1" * 64))
    assert read_folder(tmp_path / "new" / "out").key == "1" * 64
    assert [file.name for file in (tmp_path / "new" / "out").iterdir()] == ["training.json"]


def test_a_disk_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, SINGLE)

    def full(self: object, target: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(type(tmp_path), "replace", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        write_folder(tmp_path, changed(key="1" * 64))
    monkeypatch.undo()
    assert "it continues" in str(caught.value.hint)
    assert read_folder(tmp_path) == SINGLE
    assert [file.name for file in tmp_path.iterdir()] == ["training.json"]
    assert not list(tmp_path.glob(".training.json.*"))


def test_an_interrupted_write_is_no_training_folder(tmp_path: Path) -> None:
    assert not is_training_folder(tmp_path)
    (tmp_path / ".training.json.17").write_bytes(b"{")
    assert not is_training_folder(tmp_path)
    write_folder(tmp_path, SINGLE)
    assert is_training_folder(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "0"}'])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "training.json").write_bytes(content)
    with pytest.raises(StoreError, match="cannot read a TrainFolder") as caught:
        read_folder(tmp_path)
    assert caught.value.facts["file"] == str(tmp_path / "training.json")
    assert "restore" in str(caught.value.hint)


def test_a_folder_of_another_kind_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds training\.json, and there is none"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (changed(cells=("../elsewhere",), chosen=None), "outside"),
        (changed(cells=("/etc",), chosen=None), "outside"),
        (changed(chosen="../update-0010"), "none of those"),
        (changed(chosen="update-0007"), "none of those"),
        (changed(cells=()), "no cell"),
        (changed(saved_updates=()), "no update"),
    ],
)
def test_a_folder_cannot_point_outside_of_itself_or_at_nothing(
    tmp_path: Path, folder: TrainFolder, words: str
) -> None:
    with pytest.raises(StoreError, match=words):
        write_folder(tmp_path, folder)
    write_atomically(tmp_path / "training.json", msgspec.json.encode(folder))
    with pytest.raises(StoreError, match=words):
        read_folder(tmp_path)


def test_the_chosen_checkpoint_is_the_registered_one(tmp_path: Path) -> None:
    seeds = changed(cells=("seed-0", "seed-1"), chosen="seed-0/update-0010")
    write_folder(tmp_path, seeds)
    (tmp_path / "seed-0" / checkpoint_name(10)).mkdir(parents=True)
    assert chosen_checkpoint(tmp_path) == tmp_path / "seed-0" / "update-0010"


def test_a_checkpoint_that_is_not_trained_yet_says_how_far_it_is(tmp_path: Path) -> None:
    write_folder(tmp_path, SINGLE)
    with pytest.raises(StoreError, match="has not come to update-0010 yet") as caught:
        chosen_checkpoint(tmp_path)
    assert caught.value.facts["done"] == "not begun"
    with JournalWriter(tmp_path / "updates.jsonl") as journal:
        journal.append(UpdateRecord(update=0, method="em"))
        journal.append(UpdateRecord(update=1, method="em"))
    with pytest.raises(StoreError, match="has not come") as caught:
        chosen_checkpoint(tmp_path)
    assert caught.value.facts["done"] == "update 1"
    assert "it continues" in str(caught.value.hint)


def test_a_grid_has_no_checkpoint_of_its_own_and_names_its_cells(tmp_path: Path) -> None:
    cells = tuple(f"learning_rate=1e-05,temperature=0.{t}/seed-0" for t in range(1, 9))
    write_folder(tmp_path, changed(cells=cells, chosen=None))
    with pytest.raises(StoreError, match="a grid of 8 cells") as caught:
        chosen_checkpoint(tmp_path)
    assert cells[0] in caught.value.facts["cells"]
    assert "2 more" in caught.value.facts["cells"]


def test_an_update_repeated_after_an_interruption_counts_once_as_it_went_last(
    tmp_path: Path,
) -> None:
    with JournalWriter(tmp_path / "updates.jsonl") as journal:
        for update, loss in ((0, None), (1, 0.3), (2, 0.2), (1, 0.4), (2, 0.1)):
            journal.append(UpdateRecord(update=update, method="em", loss=loss))
    with (tmp_path / "updates.jsonl").open("ab") as file:
        file.write(b'{"update": 3, "meth')
    found = read_updates(tmp_path)
    assert [(record.update, record.loss) for record in found] == [(0, None), (1, 0.4), (2, 0.1)]
    assert read_updates(tmp_path / "nothing") == []


def test_an_update_that_cannot_be_read_is_an_error_and_not_a_gap(tmp_path: Path) -> None:
    (tmp_path / "updates.jsonl").write_bytes(b'{"update": 0}\n')
    with pytest.raises(JournalError, match="line 1"):
        read_updates(tmp_path)


def test_a_manifest_that_cannot_be_read_is_named_and_not_taken_for_none(tmp_path: Path) -> None:
    assert read_manifest(str(tmp_path)) is None
    assert read_manifest(str(lab_weights())) is None
    for content in ('{"stage": "em", ', '{"method": "em", "stage": "other"}'):
        (tmp_path / "emdiag.json").write_text(content)
        with pytest.raises(StoreError, match=r"emdiag\.json") as caught:
            read_manifest(str(tmp_path))
        assert "hint" in str(caught.value)
