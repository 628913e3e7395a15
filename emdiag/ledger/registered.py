"""Which checkpoint of an arm was named before training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.errors import StoreError
from emdiag.store.training_folder import is_training_folder, read_folder

if TYPE_CHECKING:
    from emdiag.core.checkpoints import Arm


def registered_digest(arm: Arm) -> tuple[str, bool]:
    """Digest of the checkpoint that `training.json` chose, and whether there is one.

    The first checkpoint named stands for it where no training folder is there, where it is a grid,
    or where the one chosen is not of the arm.
    """
    for place, digest in zip(arm.checkpoints, arm.digests, strict=True):
        if _is_chosen(Path(place).expanduser()):
            return digest, True
    return arm.digests[0], False


def _is_chosen(place: Path) -> bool:
    """Whether this is a training folder, which stands for its choice, or what its folder chose."""
    try:
        if is_training_folder(place):
            return read_folder(place).chosen is not None
        folder = next((one for one in place.parents if is_training_folder(one)), None)
        chosen = read_folder(folder).chosen if folder is not None else None
    except (OSError, StoreError):
        return False
    return folder is not None and chosen is not None and place == folder / chosen
