"""What lies in a store beside each kind of result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.moments import ReadingSpec
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.publish.context import Beside
from emdiag.publish.runs import columns_of_scores
from emdiag.publish.samples import BookRun
from emdiag.store.files import read_record
from emdiag.store.provenance import read_sessions
from emdiag.store.training_folder import followed, read_manifest
from emdiag.studies.stored.find_runs import find_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.core.runs import Provenance
    from emdiag.store.run_store import Run, RunStore

DrawnResult = (
    EvaluateResult
    | CompareResult
    | LogitSkewResult
    | TemperatureSweepResult
    | SeedScoresResult
    | SelectResult
)
"""Results whose samples lie in a store."""


def beside(result: DrawnResult, *, store: RunStore) -> Beside:
    """The runs, checkpoints and sessions of a result, as far as the store holds them.

    Raises:
        JournalError: A run cannot be read.
    """
    match result:
        case EvaluateResult():
            return _of_evaluation(result, store=store)
        case CompareResult():
            return _of_comparison(result, store=store)
        case LogitSkewResult():
            return _of_logits(result, store=store)
        case TemperatureSweepResult():
            return _of_sweep(result, store=store)
        case SeedScoresResult():
            return _of_seeds(result, store=store)
        case SelectResult():
            runs = {run.key: run for run in store.runs()}
            drawn = BookRun(
                run=runs[result.run_key], label=result.label, samples=result.samples
            ) if result.run_key in runs else None  # fmt: skip
            return Beside(
                runs=(drawn,) if drawn else (),
                checkpoints=(result.checkpoint,),
                notes=result.notes,
            )


def _of_evaluation(result: EvaluateResult, *, store: RunStore) -> Beside:
    return Beside(
        runs=columns_of_scores(result.scores, store=store),
        checkpoints=tuple(score.checkpoint for score in result.scores),
        notes=tuple(note for score in result.scores for note in score.notes),
    )


def _of_comparison(result: CompareResult, *, store: RunStore) -> Beside:
    first = result.comparisons[0]
    wanted = {comparison.benchmark: comparison for comparison in result.comparisons}
    try:
        pairs = find_pairs(first.left, first.right, store=store)
    except PlanError:  # the comparison was made in another store
        pairs = []
    scores = {
        (score.label, score.run_key): score for found in store.results() for score in found.scores
    }
    runs = []
    for pair in pairs:
        for side in pair if pair[0].run.spec.benchmark in wanted else ():
            score = scores.get((side.label, side.run.key))
            runs.append(
                BookRun(
                    run=side.run,
                    label=side.label,
                    grade_key=score.grade_key if score else None,
                    samples=side.samples,
                )
            )
    distinct = {(one.run.key, one.label): one for one in runs}
    known = [scores[one.label, one.run.key] for one in runs if (one.label, one.run.key) in scores]
    return Beside(
        runs=tuple(distinct.values()),
        checkpoints=tuple(score.checkpoint for score in known),
        notes=tuple(note for one in result.comparisons for note in one.notes),
    )


def _of_sweep(result: TemperatureSweepResult, *, store: RunStore) -> Beside:
    runs = {run.key: run for run in store.runs()}
    found: dict[str, BookRun] = {}
    for point in result.points:
        for seed, (run_key, grade_key) in enumerate(
            zip(point.run_keys, point.grade_keys, strict=True), start=1
        ):
            if run_key in runs and run_key not in found:
                cooled = " cooled" if point.is_control else ""
                number = f" {seed}" if point.seeds > 1 else ""
                found[run_key] = BookRun(
                    run=runs[run_key],
                    label=f"{point.checkpoint}{number}{cooled}",
                    grade_key=grade_key,
                    samples=point.samples,
                )
    return Beside(runs=tuple(found.values()), checkpoints=_of_arms(result.arms), notes=result.notes)


def _of_seeds(result: SeedScoresResult, *, store: RunStore) -> Beside:
    """The runs of the last evaluation that scored these seeds, the base's among them."""
    keys = {
        seed.run_key
        for benchmark in result.benchmarks
        for group in benchmark.groups
        for seed in group.seeds
    }
    scored = [
        found for found in store.results() if keys & {score.run_key for score in found.scores}
    ]
    notes = tuple(note for benchmark in result.benchmarks for note in benchmark.notes)
    if not scored:
        return Beside(runs=(), notes=notes)
    found = _of_evaluation(scored[-1], store=store)
    return Beside(runs=found.runs, checkpoints=found.checkpoints, notes=(*found.notes, *notes))


def _of_logits(result: LogitSkewResult, *, store: RunStore) -> Beside:
    runs = {run.path.name: run for run in store.runs()}
    published = result.published.texts if result.published else ()
    found: dict[str, BookRun] = {}
    for text in (*result.texts, *published):
        name = Path(text.run).name
        if name in runs:
            found.setdefault(name, BookRun(run=runs[name], label=text.writer))
    return Beside(
        runs=tuple(found.values()),
        checkpoints=_of_arms(result.arms),
        sessions=tuple(_read_sessions((one.run for one in found.values()), result)),
        notes=result.notes,
        measuring=_logit_command(result, [one.run for one in found.values()]),
    )


def _logit_command(result: LogitSkewResult, runs: Sequence[Run]) -> tuple[str, ...]:
    """The study as it would be typed, as far as its result tells."""
    sessions = [session for run in runs for session in run.provenance()]
    files = [session.problems_file.path for session in sessions if session.problems_file]
    benchmark = files[-1] if files else result.benchmark
    refs = [f"{arm.label}={ref}" for arm in result.arms for ref in arm.checkpoints]
    words = ["emdiag", "logits-skew", *refs, "-b", benchmark, "--base", result.base]
    words += ["--problems", str(result.problems), "--samples", str(result.samples)]
    words += ["--continuation", result.continuation]
    drawn = {text.temperature for text in result.texts if text.temperature is not None}
    words += ["--temperature", f"{min(drawn):g}"] if len(drawn) == 1 else []
    return (*words, *(["--published"] if result.published else []))


def _read_sessions(runs: Iterable[Run], result: LogitSkewResult) -> list[Provenance]:
    """Sessions in which checkpoints of this study read these texts."""
    digests = {digest for arm in result.arms for digest in arm.digests}
    found = []
    for run in runs:
        for file in sorted(run.path.glob("logits-*/reading.json")):
            spec = read_record(file, ReadingSpec, hint="restore the file")
            if spec.checkpoint_digest in digests:
                found += read_sessions(file.parent / "provenance.jsonl")
    return found


def _of_arms(arms: Iterable[Arm]) -> tuple[CheckpointRef, ...]:
    return tuple(_of_arm(arm, number) for arm in arms for number in range(len(arm.checkpoints)))


def _of_arm(arm: Arm, number: int) -> CheckpointRef:
    ref = arm.checkpoints[number]
    try:
        folder = followed(ref)
    except StoreError:  # the folder has changed since
        folder = ref
    manifest = read_manifest(folder)
    return CheckpointRef(
        label=arm.label,
        ref=ref,
        path=folder,
        digest=arm.digests[number],
        tokenizer_digest="",
        stage=arm.stage,
        recipe=manifest.recipe if manifest else None,
        train_seed=manifest.train_seed if manifest else None,
        update=manifest.update if manifest else None,
    )
