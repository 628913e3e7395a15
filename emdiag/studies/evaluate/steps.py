"""Checkpoints of one training in the order of their steps: an arm with a step axis."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from emdiag.core.errors import CheckpointError, EmdiagError, PlanError
from emdiag.core.paths import expanded
from emdiag.core.protocols import Progress
from emdiag.core.results import Remark, remark
from emdiag.engines.checkpoint.resolve import find_checkpoint
from emdiag.engines.checkpoint.trainer_folders import is_whole, step_folders
from emdiag.findings.remarks import words_of
from emdiag.store.training_folder import is_training_folder, read_folder
from emdiag.studies.evaluate.arms import same_weights
from emdiag.studies.evaluate.plan import NamedRef
from emdiag.studies.evaluate.task import EvalTask

_FILES = (".gguf", ".json")


@dataclass(kw_only=True)
class StepArm:
    """The steps of one training.

    Attributes:
        members: By step, in order; each is called `LABEL@STEP`.
        notes: What of the training is not measured, and why.
    """

    label: str
    members: dict[int, NamedRef]
    notes: list[Remark] = field(default_factory=list)

    def measured(self, readings: Sequence[EvalTask]) -> list[EvalTask]:
        """All readings, those of this arm with their step, and the first of them with the notes."""
        steps = {named.label: step for step, named in self.members.items()}
        own = {r.checkpoint.label: r.checkpoint for r in readings if r.checkpoint.label in steps}
        notes = (*self.notes, *same_weights(own))
        first = next(iter(own), None)
        return [
            reading
            if label not in own
            else replace(
                reading,
                checkpoint=msgspec.structs.replace(reading.checkpoint, step=steps[label]),
                notes=(*reading.notes, *(notes if label == first else ())),
            )
            for reading in readings
            for label in [reading.checkpoint.label]
        ]

    def leave_out(self, label: str, error: EmdiagError, progress: Progress) -> bool:
        """Leave a step out that cannot be used, and say so; False where it is of another arm."""
        step = next((step for step, named in self.members.items() if named.label == label), None)
        if step is None or len(self.members) == 1:
            return False
        del self.members[step]
        self.notes.append(remark("step-left-out", label=label, reason=error.message))
        progress.note(f"note: {words_of(self.notes[-1])}")
        return True


def find_steps(named: NamedRef, progress: Progress, *, trust_remote_code: bool = False) -> StepArm:
    """The checkpoints that a pattern, or a folder of steps, stands for now.

    Raises:
        PlanError: Nothing matches, or two checkpoints are of one step.
        CheckpointError: None of them can be used.
    """
    usable: dict[int, dict[Path, Path]] = {}  # where weights are, and by which name
    refused: dict[int, CheckpointError] = {}
    for step, path in _numbered(_places(named.ref)):
        try:
            weights = find_checkpoint(str(path), trust_remote_code=trust_remote_code)
        except CheckpointError as error:
            refused[step] = error
        else:
            usable.setdefault(step, {})[weights] = path
    if not usable:
        raise _none_usable(named.ref, refused)
    for step, places in usable.items():
        if len(places) > 1:
            raise PlanError(
                f"{len(places)} checkpoints of {named.label!r} are of step {step}",
                found=", ".join(map(str, list(places)[:4])),
                hint="a pattern for each training: --steps a=PATTERN --steps b=PATTERN",
            )
    notes = [
        remark("step-left-out", label=f"{named.label}@{step}", reason=error.message)
        for step, error in sorted(refused.items())
        if step not in usable
    ]
    gaps = _gaps(sorted({*usable, *refused}))
    if gaps:
        notes.append(remark("steps-absent", label=named.label, steps=tuple(map(str, gaps))))
    for note in notes:
        progress.note(f"note: {words_of(note)}")
    members = {
        step: NamedRef(label=f"{named.label}@{step}", ref=str(*usable[step].values()))
        for step in sorted(usable)
    }
    return StepArm(label=named.label, members=members, notes=notes)


def _places(ref: str) -> list[Path]:
    """What may be a step: by its pattern, or in a folder of steps."""
    path = expanded(ref)
    if not path.is_dir():
        places = map(Path, glob.glob(str(path)))  # noqa: PTH207 - that of Path takes no absolute ones
        return [place for place in places if place.is_dir() or place.suffix in _FILES]
    if is_whole(path) and not step_folders(path):
        raise PlanError(
            "--steps takes the checkpoints of a training, and this is one of them",
            found=ref,
            hint="quote the pattern, or the shell fills it in: --steps 'out/checkpoint-*'",
        )
    if is_training_folder(path):
        folder = read_folder(path)
        if folder.chosen is None:
            raise PlanError(
                f"a grid of {len(folder.cells)} cells has a step axis for each of them",
                folder=path,
                hint=f"name a cell: --steps {path / folder.cells[0]}",
            )
        path = (path / folder.chosen).parent
    return list(step_folders(path).values())


def _numbered(paths: Sequence[Path]) -> list[tuple[int, Path]]:
    """Steps in order: the number, of the last part of the paths that differs, that differs last."""
    parts = [path.parts for path in paths]
    differs = [number for number, of in enumerate(zip(*parts, strict=False)) if len(set(of)) > 1]
    for place in (*differs[-1:], -1):  # of trainings `a` and `b`, the step of both
        numbers = {path: tuple(map(int, re.findall(r"\d+", path.parts[place]))) for path in paths}
        numbered = {path: of for path, of in numbers.items() if of}
        if numbered:
            break
    else:
        return []
    columns = list(zip(*numbered.values(), strict=False))  # as many as the shortest has
    differ = [column for column, of in enumerate(columns) if len(set(of)) > 1]
    column = differ[-1] if differ else len(columns) - 1
    return sorted((of[column], path) for path, of in numbered.items())


def _gaps(steps: Sequence[int]) -> list[int]:
    """Steps left out of an otherwise even row; none where the row is not even."""
    apart = [after - before for before, after in itertools.pairwise(steps)]
    least = min(apart, default=0)
    if not least or any(distance % least for distance in apart):
        return []
    absent = sorted({*range(steps[0], steps[-1], least)} - {*steps})
    return absent if len(absent) < len(steps) else []


def _none_usable(ref: str, refused: dict[int, CheckpointError]) -> EmdiagError:
    if not refused:
        return PlanError(
            "--steps finds no checkpoint with a number in its name",
            looked_for=expanded(ref).absolute(),
            hint="a quoted pattern such as 'out/checkpoint-*', or a folder of steps",
        )
    step, error = max(refused.items())
    return CheckpointError(
        f"none of {len(refused)} steps can be used; the last one, {step}: {error.message}",
        hint=error.hint,
        **error.facts,
    )
