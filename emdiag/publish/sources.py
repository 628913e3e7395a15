"""What the numbers of each kind of result come from: runs, checkpoints, sessions."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from emdiag.core.checkpoints import Arm, CheckpointRef
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.moments import ReadingSpec
from emdiag.core.records import Result
from emdiag.core.results import CompareResult, EvaluateResult, Remark
from emdiag.core.runs import Provenance
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.findings.page import Fact
from emdiag.publish.samples import SampledRun
from emdiag.store.files import read_record
from emdiag.store.left_out import LeftOut
from emdiag.store.provenance import read_sessions
from emdiag.store.run_store import Run, RunStore
from emdiag.store.training_folder import followed, read_manifest
from emdiag.studies.logits.plan import LogitSkewPlan
from emdiag.studies.stored.find_runs import Measured, find_pairs


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the numbers of a result come from, as far as a store holds it.

    Attributes:
        checkpoints: As they were found; where there are none, the sessions of the runs describe
            theirs.
        sessions: Of other work on the same samples, such as reading logits.
        notes: Of the result itself, which are not said twice.
        training, measuring: Commands before and after those of runs and sessions; for what Python
            measured, whose sessions name no command.
        asked, provenance: Facts that no run holds.
    """

    runs: tuple[SampledRun, ...] = ()
    checkpoints: tuple[CheckpointRef, ...] = ()
    sessions: tuple[Provenance, ...] = ()
    notes: tuple[Remark, ...] = ()
    training: tuple[str, ...] = ()
    measuring: tuple[str, ...] = ()
    asked: tuple[Fact, ...] = ()
    provenance: tuple[Fact, ...] = ()
    cautions: tuple[str, ...] = ()


def no_sources(_result: Result, _store: RunStore) -> Sources:
    """Of what is derived from other results, whose pages have their own."""
    return Sources()


def sources_together(parts: Sequence[Sources]) -> Sources:
    """The sources of a study, each run once; facts that no run holds stay with their chapters."""
    joined = {
        name: tuple(chain.from_iterable(getattr(part, name) for part in parts))
        for name in ("checkpoints", "sessions", "notes", "training", "measuring", "cautions")
    }
    runs = {column.run.key: column for part in parts for column in part.runs}
    return Sources(runs=tuple(runs.values()), **joined)


def evaluation_sources(result: EvaluateResult, store: RunStore) -> Sources:
    """The runs of the scores, each once; those that the store does not hold are left out."""
    runs = {run.key: run for run in store.runs()}
    scores = {score.run_key: score for score in result.scores if score.run_key in runs}
    return Sources(
        runs=tuple(
            SampledRun(
                run=runs[score.run_key],
                label=score.label,
                grade_key=score.grade_key,
                samples=score.samples,
                limit=score.problems if score.partial else None,
            )
            for score in scores.values()
        ),
        checkpoints=tuple(score.checkpoint for score in result.scores),
        notes=tuple(note for score in result.scores for note in score.notes),
    )


def comparison_sources(result: CompareResult, store: RunStore) -> Sources:
    """The runs of both sides, as far as the store holds them and an evaluation knows them."""
    first = result.comparisons[0]
    benchmarks = {comparison.benchmark for comparison in result.comparisons}
    try:
        pairs = find_pairs(
            first.left,
            first.right,
            store=store,
            benchmarks=sorted(benchmarks),
            measured=_measured(result),
        )
    except PlanError:  # the comparison was made in another store
        pairs = []
    sides = [side for pair in pairs for side in pair if side.run.spec.benchmark in benchmarks]
    checkpoints = {
        (score.label, score.run_key): score.checkpoint
        for evaluation in store.results()
        for score in evaluation.scores
    }
    columns = {
        (side.run.key, side.label): SampledRun(
            run=side.run, label=side.label, grade_key=side.grade_key, samples=side.samples
        )
        for side in sides
    }
    known = (checkpoints.get((side.label, side.run.key)) for side in sides)
    return Sources(
        runs=tuple(columns.values()),
        checkpoints=tuple(checkpoint for checkpoint in known if checkpoint),
        notes=tuple(note for comparison in result.comparisons for note in comparison.notes),
    )


def _measured(result: CompareResult) -> Measured:
    """The runs behind a comparison; those that labels mean now, in records of before."""
    runs = {
        side
        for row in result.comparisons
        if row.run_keys is not None
        for side in zip(row.run_keys, (row.left_samples, row.right_samples), strict=True)
    }
    return Measured(runs=runs or None, is_last=not runs)


def sweep_sources(result: TemperatureSweepResult, store: RunStore) -> Sources:
    """The runs of every point, seed by seed."""
    runs = {run.key: run for run in store.runs()}
    columns: dict[str, SampledRun] = {}
    for point in result.points:
        cooled = " cooled" if point.is_control else ""
        keys = zip(point.run_keys, point.grade_keys, strict=True)
        for seed, (run_key, grade_key) in enumerate(keys, start=1):
            number = f" {seed}" if point.seeds > 1 else ""
            if run_key in runs and run_key not in columns:
                columns[run_key] = SampledRun(
                    run=runs[run_key],
                    label=f"{point.checkpoint}{number}{cooled}",
                    grade_key=grade_key,
                    samples=point.samples,
                )
    return Sources(
        runs=tuple(columns.values()), checkpoints=_of_arms(result.arms), notes=result.notes
    )


def seeds_sources(result: SeedScoresResult, store: RunStore) -> Sources:
    """The runs of the last evaluation that scored these seeds, the base's among them."""
    keys = {
        seed.run_key
        for benchmark in result.benchmarks
        for group in benchmark.groups
        for seed in group.seeds
    }
    notes = tuple(note for benchmark in result.benchmarks for note in benchmark.notes)
    for evaluation in reversed(store.results()):
        if keys & {score.run_key for score in evaluation.scores}:
            scored = evaluation_sources(evaluation, store)
            return replace(scored, notes=(*scored.notes, *notes))
    return Sources(notes=notes)


def selection_sources(result: SelectResult, store: RunStore) -> Sources:
    """The run that the prompts were ranked by."""
    return Sources(
        runs=tuple(
            SampledRun(run=run, label=result.label, samples=result.samples)
            for run in store.runs()
            if run.key == result.run_key
        ),
        checkpoints=(result.checkpoint,),
        notes=result.notes,
    )


def logit_sources(result: LogitSkewResult, store: RunStore) -> Sources:
    """The runs whose texts were read, and the sessions that read them."""
    runs = {run.path.name: run for run in store.runs()}
    published = result.published.texts if result.published else ()
    columns: dict[str, SampledRun] = {}
    for text in (*result.texts, *published):
        name = Path(text.run).name
        if name in runs:
            columns.setdefault(name, SampledRun(run=runs[name], label=text.writer))
    read = [column.run for column in columns.values()]
    sessions = _read_sessions(read, result, store.left_out)
    has_command = any(session.command for session in sessions)
    return Sources(
        runs=tuple(columns.values()),
        checkpoints=_of_arms(result.arms),
        sessions=tuple(sessions),
        notes=result.notes,
        measuring=() if has_command else (shlex.join(_logit_command(result, read)),),
    )


def checkpoint_of(column: SampledRun) -> CheckpointRef | None:
    """The checkpoint of a run by what its last session says; None where it has none yet."""
    sessions = column.run.provenance()
    if not sessions:
        return None
    spec, last = column.run.spec, sessions[-1]
    return CheckpointRef(
        label=column.label,
        ref=last.ref,
        path=last.ref,
        digest=spec.checkpoint_digest,
        tokenizer_digest=spec.tokenizer_digest,
        revision=last.revision,
        adapter=last.adapter,
        **_training_marks(last.ref),
    )


def _logit_command(result: LogitSkewResult, runs: Sequence[Run]) -> tuple[str, ...]:
    """The study as it would be typed, as far as its result tells."""
    sessions = [session for run in runs for session in run.provenance()]
    files = [session.problems_file.path for session in sessions if session.problems_file]
    benchmark = files[-1] if files else result.benchmark
    drawn = {text.temperature for text in result.texts if text.temperature is not None}
    options = {
        "checkpoints": [f"{arm.label}={ref}" for arm in result.arms for ref in arm.checkpoints],
        "benchmarks": [benchmark],
        "base": result.base,
        "limit": result.problems,
        "samples": result.samples,
        "continuation": result.continuation,
        "published": result.published is not None,
        **({"temperature": min(drawn)} if len(drawn) == 1 else {}),
    }
    return LogitSkewPlan.of(options).command()


def _read_sessions(
    runs: Iterable[Run], result: LogitSkewResult, left_out: LeftOut
) -> list[Provenance]:
    """Sessions in which checkpoints of this study read these texts."""
    digests = {digest for arm in result.arms for digest in arm.digests}

    def sessions_of(file: Path) -> list[Provenance]:
        spec = read_record(file, ReadingSpec, hint="restore the file")
        if spec.checkpoint_digest not in digests:
            return []
        return read_sessions(file.parent / "provenance.jsonl")

    files = (file for run in runs for file in sorted(run.path.glob("logits-*/reading.json")))
    return list(chain.from_iterable(left_out.readable(files, sessions_of)))


def _of_arms(arms: Iterable[Arm]) -> tuple[CheckpointRef, ...]:
    return tuple(_of_arm(arm, number) for arm in arms for number in range(len(arm.checkpoints)))


def _of_arm(arm: Arm, number: int) -> CheckpointRef:
    ref, digest = arm.checkpoints[number], arm.digests[number]
    try:
        folder = followed(ref)
    except StoreError:  # the folder has changed since
        folder = ref
    marks = _training_marks(folder) | {"stage": arm.stage}
    return CheckpointRef(
        label=arm.label, ref=ref, path=folder, digest=digest, tokenizer_digest="", **marks
    )


def _training_marks(folder: str) -> dict[str, Any]:
    """What training wrote beside the weights, if it did."""
    try:
        manifest = read_manifest(folder)
    except StoreError:  # whoever looks at what it was trained on says so
        return {}
    names = ("stage", "recipe", "train_seed", "update")
    return {name: getattr(manifest, name) for name in names} if manifest is not None else {}
