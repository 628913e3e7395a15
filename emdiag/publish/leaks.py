"""Checkpoints that have seen in training what they are measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.store.training_folder import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from emdiag.core.checkpoints import CheckpointRef

_PROBLEM_IDS_KEPT = 100
"""Training problems that a manifest names at most."""
_NAMED = 5


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
