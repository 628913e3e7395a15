"""The arms of a study: a label, and the checkpoints it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from emdiag.core.checkpoints import Arm, CheckpointRef, Stage
from emdiag.core.errors import PlanError
from emdiag.core.options import Option
from emdiag.core.paths import expanded
from emdiag.core.protocols import Progress
from emdiag.core.records import Record
from emdiag.core.results import Remark, remark
from emdiag.findings.remarks import words_of
from emdiag.store.training_folder import checkpoint_name, is_training_folder, read_folder
from emdiag.studies.evaluate.plan import NamedRef

if TYPE_CHECKING:
    from emdiag.studies.evaluate.task import EvalTask

SeedChoice = Literal["registered", "all"]
"""Which checkpoints a training folder stands for: the one registered before training, or the last
one of every seed."""


class ArmPlan(Record, frozen=True, kw_only=True):
    """One label of the study, and the checkpoints it stands for: several are training seeds."""

    label: str
    members: tuple[NamedRef, ...]


SEEDS = Option("What a training folder stands for: registered, or all seeds.")


def parse_arms(checkpoints: Sequence[NamedRef], *, seeds: SeedChoice) -> tuple[ArmPlan, ...]:
    """The arms of these checkpoints; a label given several times is one arm with several seeds.

    Raises:
        PlanError: Two have one label, or a seed is not trained yet.
    """
    refs: dict[str, list[str]] = {}
    for named in checkpoints:
        refs.setdefault(named.label, []).extend(_members(named.ref, seeds=seeds))
    arms = []
    for label, of_label in refs.items():
        names = [label, *(f"{label}.{number}" for number in range(2, len(of_label) + 1))]
        members = tuple(
            NamedRef(label=name, ref=ref) for name, ref in zip(names, of_label, strict=True)
        )
        arms.append(ArmPlan(label=label, members=members))
    labels = [member.label for arm in arms for member in arm.members]
    for label in labels:
        if labels.count(label) > 1:
            raise PlanError(f"two checkpoints are called {label!r}", hint="rename one of them")
    return tuple(arms)


def distinct_seeds(
    arms: Sequence[ArmPlan], readings: Sequence[EvalTask], progress: Progress
) -> tuple[tuple[ArmPlan, ...], list[EvalTask]]:
    """The arms with each checkpoint once, and the readings of those that are left.

    Equal weights under one label are no second training, whatever they are called; a note on the
    reading that stays says so.
    """
    digests = {reading.checkpoint.label: reading.checkpoint.digest for reading in readings}
    distinct, notes = [], {}
    for arm in arms:
        first: dict[str, NamedRef] = {}
        for member in arm.members:
            first.setdefault(digests[member.label], member)
        again = len(arm.members) - len(first)
        if again:
            notes[arm.members[0].label] = remark("seeds-again", label=arm.label, again=again)
        distinct.append(ArmPlan(label=arm.label, members=tuple(first.values())))
    for note in notes.values():
        progress.note(f"note: {words_of(note)}")
    left = {member.label for arm in distinct for member in arm.members}
    kept = [reading for reading in readings if reading.checkpoint.label in left]
    return tuple(distinct), [
        replace(reading, notes=(*reading.notes, notes[label])) if label in notes else reading
        for reading in kept
        for label in [reading.checkpoint.label]
    ]


def same_weights(checkpoints: Mapping[str, CheckpointRef]) -> list[Remark]:
    """A note for labels whose checkpoints are one and the same."""
    labels: dict[str, list[str]] = {}
    for label, checkpoint in checkpoints.items():
        labels.setdefault(checkpoint.digest, []).append(label)
    return [
        remark("same-weights", labels=tuple(of_digest))
        for of_digest in labels.values()
        if len(of_digest) > 1
    ]


def base_arm(arms: Sequence[ArmPlan], label: str | None) -> ArmPlan:
    """The arm that others are compared with, the first unless a label is given.

    Raises:
        PlanError: There is no such label.
    """
    by_label = {arm.label: arm for arm in arms}
    if label is not None and label not in by_label:
        raise PlanError(f"no checkpoint is called {label!r}", labels=", ".join(by_label))
    return arms[0] if label is None else by_label[label]


def several_checkpoints(base: ArmPlan, *, hint: str) -> PlanError:
    """The error for a base that is more than one checkpoint."""
    return PlanError(
        f"the base {base.label!r} has {len(base.members)} checkpoints, expected one", hint=hint
    )


def arm_of(plan: ArmPlan, resolved: Mapping[str, CheckpointRef], *, is_base: bool) -> Arm:
    """The arm with its members' checkpoints, by label; a base says so unless its stage is known."""
    checkpoints = [resolved[member.label] for member in plan.members]
    stage = checkpoints[0].stage
    if stage is None and plan.label in get_args(Stage):
        stage = cast("Stage", plan.label)
    if stage is None and is_base:
        stage = "base"
    return Arm(
        label=plan.label,
        stage=stage,
        checkpoints=tuple(checkpoint.ref for checkpoint in checkpoints),
        digests=tuple(checkpoint.digest for checkpoint in checkpoints),
    )


def _members(ref: str, *, seeds: str) -> list[str]:
    """The checkpoints that a reference stands for; the registered one, if any, first."""
    path = expanded(ref)
    if seeds == "registered" or not is_training_folder(path):
        return [ref]
    folder = read_folder(path)
    last = checkpoint_name(max(folder.saved_updates))
    names = [f"{cell}/{last}" for cell in folder.cells]
    names.sort(key=lambda name: name != folder.chosen)
    absent = [name for name in names if not (path / name).is_dir()]
    if absent:
        raise PlanError(
            f"{len(absent)} of {len(names)} seeds are not trained yet",
            folder=path,
            missing=", ".join(absent[:5]),
            hint="run the same `emdiag train` command again: it continues",
        )
    return [str(path / name) for name in names]
