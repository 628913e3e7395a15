"""What a page shows beside its result: what was asked, with what it was drawn, what to distrust."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.runs import Provenance
from emdiag.findings import origin
from emdiag.findings.page import Context, Fact
from emdiag.findings.remarks import words_of
from emdiag.publish.commands import DrawnSession, distinct_commands, recreating_commands
from emdiag.publish.samples import SampledRun, page_samples
from emdiag.publish.sources import Sources, checkpoint_of
from emdiag.store.left_out import LeftOut
from emdiag.store.provenance import version_notes
from emdiag.store.run_store import Run, RunStore
from emdiag.store.session import Session
from emdiag.store.training_folder import read_manifest
from emdiag.studies.stored.problems import RunProblems, problems_of_runs

_DIGEST_SHOWN = 12
_VALUES_SHOWN = 8
_REFS_SHOWN = 4
"""Checkpoints at most that are shown with their reference."""
_PROBLEM_IDS_KEPT = 100
"""Training problems that a manifest names at most."""


def page_context(sources: Sources, session: Session) -> Context:
    """Everything about a page that is not its result.

    Raises:
        JournalError: A run cannot be read.
    """
    readable = tuple(column for column in sources.runs if session.store.is_readable(column.run))
    sources = replace(sources, runs=readable)
    benchmarks = problems_of_runs([column.run for column in sources.runs], home=session.home)
    work = [
        *(
            drawing
            for column in sources.runs
            for drawing in _drawn(column.run, benchmarks[column.run.spec.benchmark])
        ),
        *(DrawnSession(session=reader, spec=None) for reader in sources.sessions),
    ]
    checkpoints = sources.checkpoints or tuple(
        checkpoint for column in sources.runs if (checkpoint := checkpoint_of(column)) is not None
    )
    by_label = _by_label(checkpoints)
    absent = [words_of(problems.note) for problems in benchmarks.values() if problems.note]
    cautions = [*sources.cautions, *_cautions(sources.runs, checkpoints, session.store), *absent]
    cautions += map(words_of, session.store.notes())
    noted = " ".join(map(words_of, sources.notes))
    described = {
        f"checkpoint {label}": ["; ".join(map(_described, seeds))]
        for label, seeds in by_label.items()
    }
    return Context(
        asked=(*sources.asked, *_named(by_label), *_settings(sources.runs)),
        commands=distinct_commands(
            [*sources.training, *recreating_commands(work), *sources.measuring],
            command=session.command,
        ),
        provenance=(
            *sources.provenance,
            *facts(described),
            *_provenance(sources.runs, [each.session for each in work]),
        ),
        cautions=tuple(dict.fromkeys(note for note in cautions if note not in noted)),
        samples=page_samples(sources.runs, benchmarks),
    )


def training_leaks(
    checkpoints: Iterable[CheckpointRef],
    measured: Mapping[str, Set[str]],
    *,
    left_out: LeftOut | None = None,
) -> list[str]:
    """Checkpoints that were trained on problems of a benchmark that they are measured on."""
    notes, left_out = [], left_out or LeftOut()
    for checkpoint in checkpoints:
        places = [Path(checkpoint.folder)]
        manifests = left_out.readable(places, lambda place: read_manifest(str(place)))
        manifest = next(manifests, None)
        trained_on = manifest.problem_ids if manifest else ()
        is_whole = len(trained_on) < _PROBLEM_IDS_KEPT
        for benchmark, ids in measured.items():
            shared = [name for name in trained_on if name in ids]
            if shared:
                notes.append(origin.leak(checkpoint.label, benchmark, shared, is_whole=is_whole))
    return notes


def _drawn(run: Run, benchmark: RunProblems) -> list[DrawnSession]:
    drawn = run.completions()
    problems = len(drawn.problem_ids)
    samples = max(drawn.indices, default=0) + 1
    limit = problems if problems < len(benchmark.problems) else None
    return [
        DrawnSession(session=session, spec=run.spec, samples=samples, limit=limit)
        for session in run.provenance()
    ]


def _settings(runs: Sequence[SampledRun]) -> tuple[Fact, ...]:
    """Settings over all runs; several values of one setting stand beside each other."""
    specs = [column.run.spec for column in runs]
    samples = [column.samples for column in runs if column.samples is not None]
    return facts(
        {
            "benchmark": [spec.benchmark for spec in specs],
            "problems": [
                f"the first {column.limit}" for column in runs if column.limit is not None
            ],
            "samples of each problem": sorted(samples),
            "temperature": sorted(spec.sampling.temperature for spec in specs),
            "top-p": sorted(spec.sampling.top_p for spec in specs),
            "top-k": [spec.sampling.top_k or "all tokens" for spec in specs],
            "min-p": [spec.sampling.min_p for spec in specs if spec.sampling.min_p],
            "new tokens at most": sorted(spec.sampling.max_tokens for spec in specs),
            "template": [spec.template for spec in specs],
            "chat template": ["applied" if spec.chat else "not applied" for spec in specs],
            **{
                name: list(dict.fromkeys(spec.wording.words.get(name, "none") for spec in specs))
                for name in dict.fromkeys(name for spec in specs for name in spec.wording.words)
            },
            "reasoning": [spec.reasoning.name for spec in specs if spec.reasoning],
            "seed of sampling": sorted(spec.sampling.seed for spec in specs),
            "engine": [f"{spec.engine.name}, {spec.engine.dtype}" for spec in specs],
        }
    )


def _named(by_label: Mapping[str, Sequence[CheckpointRef]]) -> tuple[Fact, ...]:
    """All checkpoints in one line; where they are few, with what the user named them by."""
    names = []
    for label, seeds in by_label.items():
        which = f"{len(seeds)} seeds" if len(seeds) > 1 else seeds[0].ref
        is_shown = len(seeds) > 1 or (len(by_label) <= _REFS_SHOWN and which != label)
        names.append(f"{label} ({which})" if is_shown else label)
    return facts({"checkpoints": names})


def _by_label(checkpoints: Sequence[CheckpointRef]) -> dict[str, list[CheckpointRef]]:
    """Checkpoints under their labels, each once."""
    labels: dict[str, dict[str, CheckpointRef]] = {}
    for checkpoint in checkpoints:
        labels.setdefault(checkpoint.label, {}).setdefault(checkpoint.digest, checkpoint)
    return {label: list(by_digest.values()) for label, by_digest in labels.items()}


def _described(checkpoint: CheckpointRef) -> str:
    ref, revision = checkpoint.ref, checkpoint.revision
    is_unnamed = revision is not None and "@" not in ref and not checkpoint.adapter
    parts = [f"{ref}@{revision}" if is_unnamed else ref]
    values = {
        "stage": checkpoint.stage,
        "recipe": checkpoint.recipe,
        "training seed": checkpoint.train_seed,
        **{name: fact for name, fact in checkpoint.file_facts.items() if fact != checkpoint.update},
        "update": checkpoint.update,
    }
    parts += [f"{name} {value}" for name, value in values.items() if value not in (None, "")]
    return ", ".join([*parts, f"weights {checkpoint.digest[:_DIGEST_SHOWN]}"])


def _provenance(runs: Sequence[SampledRun], sessions: Sequence[Provenance]) -> tuple[Fact, ...]:
    if not sessions:
        return ()
    graders = {
        f"{grading.grader} ({_versions([grading.versions])})"
        for column in runs
        for grading in column.run.gradings()
    }
    began = min(session.started for session in sessions)
    ended = max(session.finished or session.started for session in sessions)
    return facts(
        {
            "emdiag": [session.emdiag_version for session in sessions],
            "commit": [_short_commit(session.emdiag_commit or "installed") for session in sessions],
            "libraries": [_versions([session.versions for session in sessions])],
            "device": [session.device for session in sessions],
            "number format": [session.dtype for session in sessions],
            "drawn": [f"{_minute(began)} to {_minute(ended)} UTC"],
            "grader": sorted(graders),
            "runs": [column.run.path.name for column in runs],
        }
    )


def _short_commit(commit: str) -> str:
    """Its first digits, and whether files differed from it."""
    digits, plus, changes = commit.partition("+")
    return digits[:_DIGEST_SHOWN] + plus + changes


def _versions(libraries: Iterable[dict[str, str]]) -> str:
    pairs = {f"{name} {version}" for versions in libraries for name, version in versions.items()}
    return ", ".join(sorted(pairs))


def _minute(time: str) -> str:
    """A time in ISO 8601 to the minute."""
    return time[:16].replace("T", " ")


def _cautions(
    runs: Sequence[SampledRun], checkpoints: Sequence[CheckpointRef], store: RunStore
) -> list[str]:
    sessions = {column.run.key: column.run.provenance() for column in runs}
    notes = [
        origin.not_closed(column.label, column.run.path.name)
        for column in runs
        if any(session.finished is None for session in sessions[column.run.key])
    ]
    together = [session for of_run in sessions.values() for session in of_run]
    notes += map(words_of, version_notes(together, "samples were drawn"))
    measured: dict[str, set[str]] = {}
    for column in runs:
        ids = column.run.completions().problem_ids
        measured.setdefault(column.run.spec.benchmark, set()).update(ids)
    return [*notes, *training_leaks(checkpoints, measured, left_out=store.left_out)]


def facts(values: Mapping[str, Sequence[object]]) -> tuple[Fact, ...]:
    """A fact for each name that has values: each once, as a reader writes it, in a line.

    Of many numbers, which are in order, only the ends are given.
    """
    shown = []
    for name, of in values.items():
        words = list(dict.fromkeys(f"{v:g}" if isinstance(v, float) else str(v) for v in of))
        if len(words) > _VALUES_SHOWN and all(isinstance(value, int | float) for value in of):
            words = [f"{words[0]} to {words[-1]}", f"{len(words)} values"]
        if any(words):
            shown.append(Fact(name=name, value=", ".join(words)))
    return tuple(shown)
