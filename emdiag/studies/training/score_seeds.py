"""A training folder on benchmarks: every seed, their mean, and what was registered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from emdiag.core.errors import PlanError, StoreError
from emdiag.core.records import Record
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.store.session import open_session
from emdiag.store.training_folder import checkpoint_name, read_folder
from emdiag.studies.evaluate.plan import EvaluatePlan, NamedRef, evaluate_plan
from emdiag.studies.evaluate.run import run_evaluate
from emdiag.studies.training.seed_summary import Scored, Trained, summarise_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.protocols import Progress
    from emdiag.core.training import TrainFolder
    from emdiag.store.session import Session

Updates = Literal["last", "all"]
"""Which checkpoints of a training run: after its last update, or all that were saved."""


class SeedScoresPlan(Record, frozen=True, kw_only=True):
    """Every cell of a training folder under one way of sampling.

    Attributes:
        out: The training folder.
        base: What the differences are to, usually the parent; None for no differences.
        how: Benchmarks and sampling; its checkpoints are replaced by the folder's.
    """

    out: str
    how: EvaluatePlan
    base: NamedRef | None = None
    updates: Updates = "last"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A saved checkpoint and its place in the training folder."""

    cell: str
    update: int
    path: Path

    @property
    def place(self) -> str:
        """Relative to the training folder, as `chosen` is written."""
        return str(PurePosixPath(self.cell) / self.path.name)


def score_seeds(  # noqa: PLR0913 - a doorway: each has a default and a name
    out: str | Path,
    benchmarks: str | Sequence[str] = ("chain",),
    *,
    base: str | None = None,
    updates: Updates = "last",
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    progress: Progress | None = None,
    **options: object,
) -> SeedScoresResult:
    """Scores of all seeds of a training folder; the Python twin of `emdiag train score`.

    Args:
        out: Folder that `emdiag train` wrote.
        benchmarks: Names of benchmarks, or paths of problem files; one or several.
        base: `[LABEL=]REF` of the checkpoint to compare with, usually the parent.
        updates: `last`, or `all` that were saved.
        store: Folder of runs; what it already holds is not drawn again.
        home: Folder of imported benchmarks; the platform's data folder by default.
        progress: Told how far the work is; silent by default.
        options: Any other field of `EvaluatePlan`, such as `samples=8, temperature=0.6`.

    Raises:
        EmdiagError: As `evaluate`; or the folder is no training folder, or not trained to its end.
    """
    names = [benchmarks] if isinstance(benchmarks, str) else benchmarks
    return run_score_seeds(
        seed_scores_plan(out, names, base=base, updates=updates, options=options),
        open_session(store, home=home, progress=progress),
    )


def seed_scores_plan(
    out: str | Path,
    benchmarks: Sequence[str],
    *,
    base: str | None,
    updates: str,
    options: Mapping[str, object],
) -> SeedScoresPlan:
    """The plan with these options; ranges are checked when it runs.

    Raises:
        PlanError: An option is unknown or of another type.
    """
    how = evaluate_plan([base or f"folder={out}"], benchmarks, options)
    named = msgspec.to_builtins(how.checkpoints[0]) if base else None
    fields = {"out": str(out), "base": named, "updates": updates, "how": msgspec.to_builtins(how)}
    try:
        return msgspec.convert(fields, SeedScoresPlan)
    except msgspec.ValidationError as error:
        raise PlanError(f"an option has the wrong value: {error}") from error


def run_score_seeds(plan: SeedScoresPlan, session: Session) -> SeedScoresResult:
    """Evaluate every checkpoint asked for, in one evaluation, and put its seeds together.

    Raises:
        EmdiagError: As `score_seeds`; what was drawn before is kept.
    """
    out = Path(plan.out)
    folder = read_folder(out)
    entries = {
        f"{out.resolve().name}/{entry.place}": entry for entry in _entries(folder, out, plan)
    }
    refs = [NamedRef(label=label, ref=str(entry.path)) for label, entry in entries.items()]
    if plan.base is not None:
        refs.insert(0, _distinct(plan.base, entries))
    how = msgspec.structs.replace(plan.how, checkpoints=tuple(refs))
    result = run_evaluate(how, session)
    found = []
    for benchmark in dict.fromkeys(score.benchmark for score in result.scores):
        scored = {
            score.label: Scored(score=score, rates=np.array([p.rate for p in score.per_problem]))
            for score in result.scores
            if score.benchmark == benchmark
        }
        trained = [
            Trained(
                cell=entry.cell,
                update=entry.update,
                is_registered=entry.place == folder.chosen,
                scored=scored[label],
            )
            for label, entry in entries.items()
        ]
        base = scored[plan.base.label] if plan.base else None
        found.append(summarise_seeds(trained, base=base))
    return SeedScoresResult(out=plan.out, benchmarks=tuple(found), store=str(session.store.root))


def _entries(folder: TrainFolder, out: Path, plan: SeedScoresPlan) -> list[_Entry]:
    """Checkpoints to evaluate, cell by cell; all of them must be there.

    The registered update is always among them.
    """
    wanted = set(folder.saved_updates) if plan.updates == "all" else {max(folder.saved_updates)}
    if folder.chosen is not None:
        name = PurePosixPath(folder.chosen).name
        wanted |= {update for update in folder.saved_updates if checkpoint_name(update) == name}
    entries = [
        _Entry(cell=cell, update=update, path=out / cell / checkpoint_name(update))
        for cell in folder.cells
        for update in sorted(wanted)
    ]
    missing = [entry.place for entry in entries if not entry.path.is_dir()]
    if missing:
        raise StoreError(
            f"{len(missing)} of {len(entries)} checkpoints are not trained yet",
            folder=out,
            missing=", ".join(missing[:5]) + (", ..." if len(missing) > 5 else ""),
            hint="run the same `emdiag train` command again: it continues. Seeds that happen to "
            "be done are not scored alone, since they may be the lucky ones",
        )
    return entries


def _distinct(base: NamedRef, entries: Mapping[str, _Entry]) -> NamedRef:
    if base.label in entries:
        raise PlanError(
            f"the base has the label of a trained checkpoint, {base.label!r}",
            hint="name it: --base base=REF",
        )
    return base
