"""A folder that training writes and everything else reads: `training.json` and its cells."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec

from emdiag.core.codec import encode
from emdiag.core.errors import StoreError, system_errors_as
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.paths import expanded
from emdiag.core.records import Record
from emdiag.core.training import TrainFolder, TrainManifest, UpdateRecord
from emdiag.store.files import read_record
from emdiag.store.journal import read_journal

FOLDER_FILE = "training.json"
UPDATES_FILE = "updates.jsonl"
MANIFEST_FILE = "emdiag.json"
_CELLS_SHOWN = 6
_LONGEST_HEADER = 100_000_000  # as safetensors has it


def checkpoint_name(update: int) -> str:
    """Name of the folder, inside its cell, that holds the weights after `update` updates."""
    return f"update-{update:04d}"


def is_training_folder(path: Path) -> bool:
    """Whether `path` is an output folder of training, finished or not."""
    return (path / FOLDER_FILE).is_file()


def read_folder(path: Path) -> TrainFolder:
    """What an output folder of training holds.

    Raises:
        StoreError: There is no `training.json`, or it cannot be read, or it points outside.
    """
    file = path / FOLDER_FILE
    if not file.is_file():
        raise StoreError(
            f"a training folder holds {FOLDER_FILE}, and there is none",
            folder=path,
            hint="give the folder that `emdiag train` was told to write: its --out",
        )
    folder = read_record(
        file, TrainFolder, hint="restore the file, or move the folder away and train again"
    )
    _check(folder, file)
    return folder


def write_folder(path: Path, folder: TrainFolder) -> None:
    """Write `training.json`; the folder is made where it does not exist.

    Raises:
        StoreError: It cannot be written; a file from before is kept.
    """
    file = path / FOLDER_FILE
    _check(folder, file)
    with system_errors_as("cannot write", file=file):
        make_folder(path)
        write_atomically(file, encode(folder))


def read_updates(cell: Path) -> list[UpdateRecord]:
    """The updates of one cell by number; update 0 is the start. Empty before training.

    An update that was written down twice, because training was interrupted between writing it and
    saving its weights, counts once, as it went the last time.

    Raises:
        JournalError: A line that is not the last one cannot be read.
    """
    records = {record.update: record for record in read_journal(cell / UPDATES_FILE, UpdateRecord)}
    return [records[update] for update in sorted(records)]


def chosen_checkpoint(path: Path) -> Path:
    """The checkpoint registered before training, which every other command takes.

    Raises:
        StoreError: The folder holds a grid, which has none; or training has not come to it yet.
    """
    folder = read_folder(path)
    if folder.chosen is None:
        raise StoreError(
            f"a grid of {len(folder.cells)} cells has no checkpoint of its own",
            folder=path,
            cells=_shortened(folder.cells),
            hint=f"name a checkpoint in one of them, such as "
            f"{path / folder.cells[0] / checkpoint_name(folder.saved_updates[-1])}, "
            "or score all of them with `emdiag train score`",
        )
    checkpoint = path / folder.chosen
    if not checkpoint.is_dir():
        done = read_updates(checkpoint.parent)
        raise StoreError(
            f"training has not come to {folder.chosen} yet",
            folder=path,
            done=f"update {done[-1].update}" if done else "not begun",
            hint="run the same `emdiag train` command again: it continues",
        )
    return checkpoint


def followed(ref: str) -> str:
    """A checkpoint reference with a training folder replaced by the checkpoint it chose.

    Raises:
        StoreError: As `chosen_checkpoint`.
    """
    path = expanded(ref)
    is_checkpoint = (path / "config.json").is_file()
    return str(chosen_checkpoint(path)) if is_training_folder(path) and not is_checkpoint else ref


def read_manifest(folder: str) -> TrainManifest | None:
    """What a checkpoint that `emdiag train` made says of itself; None for any other folder.

    Raises:
        StoreError: It says something that cannot be read: its part in a study would be guessed.
    """
    file = expanded(folder) / MANIFEST_FILE
    hint = "restore the file, or train the checkpoint again"
    if not file.is_file() or read_record(file, _MethodOnly, hint=hint).method is None:
        return None
    return read_record(file, TrainManifest, hint=hint)


def file_digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def damage_of(checkpoint: Path) -> str | None:
    """What of a checkpoint that training kept is not there as it was written; None if it is whole.

    Weights are compared bit by bit, other files may have been edited. What a version before 0.2
    wrote has no digests: its weights may only not be cut.
    """
    try:
        manifest = read_manifest(str(checkpoint))
    except StoreError:
        manifest = None
    if manifest is None:
        return f"{MANIFEST_FILE} is gone or damaged" if checkpoint.exists() else "it is gone"
    names = manifest.files or {file.name: "" for file in checkpoint.glob("*.safetensors")}
    gone = [name for name in names or ["model.safetensors"] if not (checkpoint / name).is_file()]
    if gone:
        return f"{gone[0]} is gone"
    for name, written in names.items():
        if ".safetensors" in name and not _is_whole(checkpoint / name, written):
            return f"{name} is not what was written"
    return None


def _is_whole(file: Path, written: str) -> bool:
    """Whether weights have this digest; where none is known, the size that their header says."""
    if written:
        return file_digest(file) == written
    if file.suffix != ".safetensors":
        return True
    with file.open("rb") as content:
        header = content.read(int.from_bytes(content.read(8), "little") % _LONGEST_HEADER)
    try:
        tensors = msgspec.json.decode(header, type=dict[str, _Placed])
    except msgspec.MsgspecError:
        return False
    end = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    return file.stat().st_size == 8 + len(header) + end


class _Placed(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Where in the file a tensor is; the entry that is none has no place."""

    data_offsets: tuple[int, int] = (0, 0)


class _MethodOnly(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Whether training wrote a manifest; the lab's own has no method."""

    method: str | None = None


def _check(folder: TrainFolder, file: Path) -> None:
    """Refuse a folder that names no cell, no update, or something outside of itself."""
    for cell in folder.cells:
        parts = PurePosixPath(cell)
        if parts.is_absolute() or ".." in parts.parts:
            raise StoreError(f"the cell {cell!r} is outside of the folder", file=file)
    if not folder.cells or not folder.saved_updates:
        raise StoreError("the folder names no cell or no update that is saved", file=file)
    if folder.chosen is None:
        return
    names = {checkpoint_name(update) for update in folder.saved_updates}
    chosen = PurePosixPath(folder.chosen)
    if str(chosen.parent) not in folder.cells or chosen.name not in names:
        raise StoreError(
            f"the chosen checkpoint {folder.chosen!r} is none of those that are saved", file=file
        )


def _shortened(cells: Sequence[str]) -> str:
    more = len(cells) - _CELLS_SHOWN
    return ", ".join(cells[:_CELLS_SHOWN]) + (f" and {more} more" if more > 0 else "")
