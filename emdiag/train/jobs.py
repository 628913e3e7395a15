"""What a plan trains, in which folders: said before any weights are loaded, reported at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import CheckpointError, PlanError, RunMismatchError
from emdiag.core.files import remove
from emdiag.core.protocols import Progress
from emdiag.core.recipes import Recipe
from emdiag.core.sampling import Prompt, SamplingParams
from emdiag.core.training import (
    Method,
    TrainedCell,
    TrainFolder,
    TrainManifest,
    TrainResult,
    UpdateRecord,
    next_stage,
)
from emdiag.engines.checkpoint.adapter_config import MERGE
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.store.files import held, read_record
from emdiag.store.training_folder import (
    MANIFEST_FILE,
    checkpoint_name,
    damage_of,
    followed,
    is_training_folder,
    read_folder,
    read_updates,
    write_folder,
)

_OWN_FILES = (".lock", "writer.txt")


@dataclass(frozen=True, kw_only=True)
class TrainJob(ABC):
    """Everything one training run needs, before any weights are loaded.

    Attributes:
        state: File or folder, in the run's own, that an unfinished run goes on from.
        out: Folder of the plan.
        name: Of the run's folder below it; `.` for the only run.
        saved: Updates whose checkpoint is kept, ascending; the last one ends the training.
        held_out: Measured and not trained on.
        opening: What the prompts' end opens: a box, or words that announce an answer.
        notes: What a reader of a score of the checkpoint should know.
        command: What the user typed; empty for Python callers.
    """

    method: ClassVar[Method]
    state: ClassVar[str]

    out: Path
    name: str
    seed: int
    recipe: Recipe
    saved: tuple[int, ...]
    checkpoint: CheckpointRef
    dtype: str
    prompts: tuple[Prompt, ...]
    held_out: tuple[Prompt, ...]
    sampling: SamplingParams
    opening: str
    notes: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """What this run writes goes there."""
        return self.out / self.name

    @property
    def updates(self) -> int:
        """Optimiser updates in all."""
        return self.saved[-1]

    def is_done(self, progress: Progress) -> bool:
        """Whether nothing is left to do.

        A checkpoint that is gone or damaged by now is trained again, which is said; where an
        unfinished run has passed it, that begins again too.
        """
        state = self.folder / self.state
        records = read_updates(self.folder)
        reached = self.updates if records and records[-1].update == self.updates else -1
        if state.exists():
            reached = self.state_update()
        for update in self.saved:
            checkpoint = self.folder / checkpoint_name(update)
            damage = damage_of(checkpoint) if update <= reached else None
            if damage is not None:
                progress.note(f"{checkpoint}: {damage}; training begins again")
                remove(state)
                return False
        return reached == self.updates and not state.exists()

    @abstractmethod
    def state_update(self) -> int:
        """The update that the state of an unfinished run is of; below 0 where it says none."""


J = TypeVar("J", bound=TrainJob)


def open_parent(ref: str, *, home: Path, trust_remote_code: bool, chat: bool) -> CheckpointRef:
    """The checkpoint that training starts from; of a training folder, the one it chose.

    `chat` says that its prompts are known to be chats.

    Raises:
        CheckpointError: It cannot be used, or is quantised.
        StoreError: The training folder has none.
    """
    label = Path(ref.rstrip("/")).name or ref
    parent = resolve_checkpoint(
        followed(ref), label=label, home=home, trust_remote_code=trust_remote_code, chat=chat
    )
    if parent.quantization:
        raise CheckpointError(
            f"the weights are quantised ({parent.quantization}), and such are measured, not "
            "trained: updates are smaller than the steps between packed numbers",
            checkpoint=parent.path,
            hint="start from the checkpoint as it was before it was quantised",
        )
    if parent.adapter:
        raise CheckpointError(
            "training starts from whole weights, and this is an adapter on top of a base",
            adapter=parent.adapter.path,
            base=parent.adapter.base,
            hint=MERGE,
        )
    return parent


def train_jobs(
    jobs: Sequence[J],
    train: Callable[[J], list[UpdateRecord]],
    *,
    key: str,
    is_grid: bool = False,
) -> TrainResult:
    """Train what is not trained yet, in a folder that no other process writes.

    The first job is the registered one, unless they are a grid; `key` is the digest of everything
    that shapes the weights, seeds and saved updates apart.

    Raises:
        EmdiagError: The folder holds something else, or what `train` raises.
    """
    first = jobs[0]
    last = checkpoint_name(first.updates)
    planned = TrainFolder(
        key=key,
        method=first.method,
        chosen=None if is_grid else (Path(first.name) / last).as_posix(),
        cells=tuple(job.name for job in jobs),
        saved_updates=first.saved,
    )
    with held(first.out, what="this training folder"):
        _register(first.out, planned)
        return trained([(job, train(job)) for job in jobs])


def trained(jobs: Sequence[tuple[J, list[UpdateRecord]]]) -> TrainResult:
    """What was trained, from each job's records."""
    first = jobs[0][0]
    return TrainResult(
        out=str(first.out),
        parent=first.checkpoint.ref,
        stage=next_stage(first.checkpoint.stage, first.method),
        chosen=read_folder(first.out).chosen,
        cells=tuple(_cell(job, records) for job, records in jobs),
    )


def _cell(job: TrainJob, records: Sequence[UpdateRecord]) -> TrainedCell:
    checkpoint = job.folder / checkpoint_name(job.updates)
    hint = "move the folder away and train again"
    return TrainedCell(
        name=job.name,
        seed=job.seed,
        recipe=job.recipe.name,
        checkpoint=str(checkpoint),
        start=records[0],
        first=records[1] if len(records) > 1 else None,
        last=records[-1],
        notes=read_record(checkpoint / MANIFEST_FILE, TrainManifest, hint=hint).notes,
    )


def _register(out: Path, planned: TrainFolder) -> None:
    """Write `training.json` of the folder and of its cells, unless they hold something else.

    Cells trained before stay in it, and so does the checkpoint registered first.
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
