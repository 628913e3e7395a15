"""Says in a training folder what will be trained, before anything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from emdiag.core.errors import PlanError, RunMismatchError
from emdiag.store.training_folder import (
    checkpoint_name,
    is_training_folder,
    read_folder,
    write_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.training import TrainFolder

_OWN_FILES = (".lock", "writer.txt")


def register(out: Path, planned: TrainFolder) -> TrainFolder:
    """Write `training.json` of the folder and of its cells; what it holds by now.

    Cells trained before stay in it, and so does the checkpoint registered first.

    Args:
        out: Held by this process.
        planned: What this command trains.

    Raises:
        PlanError: The folder holds something that no training wrote.
        RunMismatchError: The folder holds another training.
        StoreError: The folder cannot be written.
    """
    whole = planned
    if is_training_folder(out):
        whole = _joined(read_folder(out), planned, out=out)
    elif any(file.name not in _OWN_FILES for file in out.iterdir()):
        raise PlanError(
            "the output folder of training must be new, empty, or one it wrote before",
            folder=out,
            hint="name another folder with --out",
        )
    write_folder(out, whole)
    last = checkpoint_name(planned.saved_updates[-1])
    for name in planned.cells:
        if name != ".":
            alone = msgspec.structs.replace(whole, chosen=last, cells=(".",))
            write_folder(out / name, alone)
    return whole


def _joined(before: TrainFolder, planned: TrainFolder, *, out: Path) -> TrainFolder:
    same = all(
        getattr(before, name) == getattr(planned, name)
        for name in ("key", "method", "saved_updates")
    )
    if not same or (before.cells == (".",)) != (planned.cells == (".",)):
        raise RunMismatchError(
            "the folder holds another training",
            folder=out,
            found=_described(before),
            asked=_described(planned),
            hint="parent, prompts, recipe, grid, dtype and saved updates must be the same; name "
            "another folder with --out",
        )
    return msgspec.structs.replace(
        before, cells=tuple(dict.fromkeys([*before.cells, *planned.cells]))
    )


def _described(folder: TrainFolder) -> str:
    updates = ", ".join(str(update) for update in folder.saved_updates)
    return (
        f"{folder.method}, cells {', '.join(folder.cells[:4])}, saved updates {updates}, "
        f"key {folder.key[:12]}"
    )
