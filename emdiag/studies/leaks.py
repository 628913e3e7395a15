"""Checkpoints that have seen in training what they are measured on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from emdiag.core.codec import decode
from emdiag.core.training import TrainManifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from emdiag.core.checkpoints import CheckpointRef

_PROBLEM_IDS_KEPT = 100
"""Training problems that a manifest names at most."""
_NAMED = 5


def read_manifest(folder: str) -> TrainManifest | None:
    """What a checkpoint folder that emdiag trained says of itself; None for any other."""
    file = Path(folder).expanduser() / "emdiag.json"
    if not file.is_file():
        return None
    try:
        return decode(file.read_bytes(), TrainManifest)
    except (OSError, msgspec.MsgspecError):
        return None


def training_leaks(
    checkpoints: Iterable[CheckpointRef], measured: Mapping[str, Set[str]]
) -> tuple[str, ...]:
    """Checkpoints that were trained on problems of a benchmark that they are measured on.

    Args:
        checkpoints: Whose folders may say what they were trained on.
        measured: Ids of the problems measured, by benchmark.
    """
    notes = []
    for checkpoint in checkpoints:
        manifest = read_manifest(checkpoint.path)
        if manifest is None:
            continue
        for benchmark, ids in measured.items():
            shared = [name for name in manifest.problem_ids if name in ids]
            if shared:
                most = len(manifest.problem_ids) >= _PROBLEM_IDS_KEPT
                more = f" and {len(shared) - _NAMED} more" if len(shared) > _NAMED else ""
                notes.append(
                    f"{checkpoint.label} was trained on {'at least ' if most else ''}"
                    f"{_count(len(shared), 'problem')} of {benchmark}, on which it is measured: "
                    f"{', '.join(shared[:_NAMED])}{more}"
                )
    return tuple(notes)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
