"""What a page shows beside its result: what was asked, with what it was drawn, what to distrust."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.runs import Provenance
from emdiag.findings.page import Context, Fact
from emdiag.publish.commands import DrawnSession, distinct_commands, recreating_commands
from emdiag.publish.leaks import training_leaks
from emdiag.publish.samples import BookRun, sample_book
from emdiag.store.provenance import version_notes
from emdiag.store.training_folder import read_manifest
from emdiag.studies.stored.problems import asked_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from emdiag.store.run_store import Run
    from emdiag.studies.stored.problems import AskedProblems


_DIGEST_SHOWN = 12
_VALUES_SHOWN = 8
_REFS_SHOWN = 4
"""Checkpoints at most that are shown with their reference."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What lies beside a result.

    Attributes:
        runs: That hold its samples, in the order of the page.
        checkpoints: As they were found; those of runs that are not among them are described by
            what their sessions say.
        sessions: Of other work on the same samples, such as reading logits.
        notes: Of the result itself, which are not said twice.
        measuring: The command that measures it again, for sessions of Python callers, which name
            none; empty where the commands of its runs are enough.
    """

    runs: tuple[BookRun, ...]
    checkpoints: tuple[CheckpointRef, ...] = ()
    sessions: tuple[Provenance, ...] = ()
    notes: tuple[str, ...] = ()
    measuring: tuple[str, ...] = ()

    def untold(self) -> list[str]:
        """The measuring command, where no session tells one."""
        is_told = any(session.command for session in self.sessions)
        return [] if is_told or not self.measuring else [shlex.join(self.measuring)]


def page_context(beside: Beside, *, home: Path, command: Sequence[str] = ()) -> Context:
    """Everything about a page that is not its result.

    Args:
        beside: What lies beside the result.
        home: Folder of imported benchmarks.
        command: That writes the page; empty where Python does.

    Raises:
        JournalError: A run cannot be read.
    """
    runs = [one.run for one in beside.runs]
    asked = asked_problems(runs, home=home)
    drawn = [one for run in runs for one in _drawn(run, asked[run.spec.benchmark])]
    checkpoints = beside.checkpoints or tuple(
        found for one in beside.runs if (found := checkpoint_of(one)) is not None
    )
    absent = [of_name.note for of_name in asked.values() if of_name.note]
    cautions = [*_cautions(beside, checkpoints), *absent]
    known = " ".join(beside.notes)
    return Context(
        asked=(*_named(checkpoints), *_settings(beside.runs)),
        commands=_commands(beside, drawn, command=command),
        provenance=(
            *_checkpoints(checkpoints),
            *_provenance(beside, [one.session for one in drawn]),
        ),
        cautions=tuple(dict.fromkeys(note for note in cautions if note not in known)),
        samples=sample_book(beside.runs, home=home),
    )


def checkpoint_of(one: BookRun) -> CheckpointRef | None:
    """The checkpoint of a run by what its last session says; None where it has none yet."""
    sessions = one.run.provenance()
    if not sessions:
        return None
    spec, last = one.run.spec, sessions[-1]
    manifest = read_manifest(last.ref)
    return CheckpointRef(
        label=one.label,
        ref=last.ref,
        path=last.ref,
        digest=spec.checkpoint_digest,
        tokenizer_digest=spec.tokenizer_digest,
        revision=last.revision,
        stage=manifest.stage if manifest else None,
        recipe=manifest.recipe if manifest else None,
        train_seed=manifest.train_seed if manifest else None,
        update=manifest.update if manifest else None,
    )


def _commands(
    beside: Beside, drawn: Sequence[DrawnSession], *, command: Sequence[str]
) -> tuple[str, ...]:
    reading = [DrawnSession(session=session, spec=None) for session in beside.sessions]
    typed = recreating_commands([*drawn, *reading])
    return distinct_commands([*typed, *beside.untold()], command=command)


def _drawn(run: Run, asked: AskedProblems) -> list[DrawnSession]:
    held = run.completions()
    problems = len({problem for problem, _ in held})
    samples = max((index + 1 for _, index in held), default=1)
    limit = problems if problems < len(asked.problems) else None
    return [
        DrawnSession(session=session, spec=run.spec, samples=samples, limit=limit)
        for session in run.provenance()
    ]


def _settings(runs: Sequence[BookRun]) -> tuple[Fact, ...]:
    """Settings over all runs; several values of one setting stand beside each other."""
    specs = [one.run.spec for one in runs]
    samples = [one.samples for one in runs if one.samples is not None]
    found: Mapping[str, Sequence[object]] = {
        "benchmark": [spec.benchmark for spec in specs],
        "problems": [f"the first {one.limit}" for one in runs if one.limit is not None],
        "samples of each problem": sorted(samples),
        "temperature": sorted(spec.sampling.temperature for spec in specs),
        "top-p": sorted(spec.sampling.top_p for spec in specs),
        "top-k": [spec.sampling.top_k or "all tokens" for spec in specs],
        "new tokens at most": sorted(spec.sampling.max_tokens for spec in specs),
        "template": [spec.template for spec in specs],
        "chat template": ["applied" if spec.chat else "not applied" for spec in specs],
        "seed of sampling": sorted(spec.sampling.seed for spec in specs),
        "engine": [f"{spec.engine.name}, {spec.engine.dtype}" for spec in specs],
    }
    return tuple(
        Fact(name=name, value=_listed(values)) for name, values in found.items()
        if values
    )  # fmt: skip


def _named(checkpoints: Sequence[CheckpointRef]) -> tuple[Fact, ...]:
    """All checkpoints in one line; where they are few, with what the user named them by."""
    by_label = _by_label(checkpoints)
    if not by_label:
        return ()
    told = []
    for label, found in by_label.items():
        seeds = f"{len(found)} seeds" if len(found) > 1 else found[0].ref
        is_told = len(found) > 1 or (len(by_label) <= _REFS_SHOWN and seeds != label)
        told.append(f"{label} ({seeds})" if is_told else label)
    return (Fact(name="checkpoints", value=", ".join(told)),)


def _checkpoints(checkpoints: Sequence[CheckpointRef]) -> tuple[Fact, ...]:
    """Each checkpoint in full; seeds of one label stand together."""
    return tuple(
        Fact(name=f"checkpoint {label}", value="; ".join(_described(one) for one in found))
        for label, found in _by_label(checkpoints).items()
    )


def _by_label(checkpoints: Sequence[CheckpointRef]) -> dict[str, list[CheckpointRef]]:
    """Checkpoints under their labels, each once."""
    found: dict[str, dict[str, CheckpointRef]] = {}
    for one in checkpoints:
        found.setdefault(one.label, {}).setdefault(one.digest, one)
    return {label: list(by_digest.values()) for label, by_digest in found.items()}


def _described(one: CheckpointRef) -> str:
    pinned = one.revision is not None and "@" not in one.ref
    parts = [f"{one.ref}@{one.revision}" if pinned else one.ref]
    parts += [f"stage {one.stage}"] if one.stage else []
    parts += [f"recipe {one.recipe}"] if one.recipe else []
    parts += [f"training seed {one.train_seed}"] if one.train_seed is not None else []
    parts += [f"update {one.update}"] if one.update is not None else []
    return ", ".join([*parts, f"weights {one.digest[:_DIGEST_SHOWN]}"])


def _provenance(beside: Beside, drawn: Sequence[Provenance]) -> tuple[Fact, ...]:
    sessions = [*drawn, *beside.sessions]
    if not sessions:
        return ()
    graders = {
        f"{grading.grader} ({_versions([grading.versions])})"
        for one in beside.runs
        for grading in one.run.gradings()
    }
    ended = [session.finished or session.started for session in sessions]
    commits = [session.emdiag_commit or "installed" for session in sessions]
    facts = {
        "emdiag": _distinct(session.emdiag_version for session in sessions),
        "commit": _distinct(_short_commit(commit) for commit in commits),
        "libraries": [_versions([session.versions for session in sessions])],
        "device": _distinct(session.device for session in sessions),
        "number format": _distinct(session.dtype for session in sessions),
        "drawn": [f"{_minute(min(one.started for one in sessions))} to {_minute(max(ended))} UTC"],
        "grader": sorted(graders),
        "runs": _distinct(one.run.path.name for one in beside.runs),
    }
    return tuple(Fact(name=name, value=", ".join(found)) for name, found in facts.items() if found)


def _short_commit(commit: str) -> str:
    """Its first digits, and whether files differed from it."""
    digits, plus, changes = commit.partition("+")
    return digits[:_DIGEST_SHOWN] + plus + changes


def _versions(found: Iterable[dict[str, str]]) -> str:
    pairs = {f"{name} {version}" for versions in found for name, version in versions.items()}
    return ", ".join(sorted(pairs))


def _minute(time: str) -> str:
    """A time in ISO 8601 to the minute."""
    return time[:16].replace("T", " ")


def _cautions(beside: Beside, checkpoints: Sequence[CheckpointRef]) -> list[str]:
    notes = []
    every: list[Provenance] = []
    for one in beside.runs:
        sessions = one.run.provenance()
        every += sessions
        if any(session.finished is None for session in sessions):
            notes.append(f"a session of {one.label} ({one.run.path.name}) was not closed")
    notes += [f"samples were drawn {note}" for note in version_notes(every)]
    measured: dict[str, set[str]] = {}
    for one in beside.runs:
        ids = {problem for problem, _ in one.run.completions()}
        measured.setdefault(one.run.spec.benchmark, set()).update(ids)
    return [*notes, *training_leaks(checkpoints, measured)]


def _listed(values: Sequence[object]) -> str:
    """Values in a line, each once; of many numbers, which are in order, only the ends."""
    words = _distinct(values)
    if len(words) > _VALUES_SHOWN and all(isinstance(value, int | float) for value in values):
        return f"{words[0]} to {words[-1]}, {len(words)} values"
    return ", ".join(words)


def _distinct(values: Iterable[object]) -> list[str]:
    """Each value once, in order, as a reader writes it."""
    words = (f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    return list(dict.fromkeys(words))
