"""A training folder on benchmarks: every seed, their mean, and what was registered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Unpack

from emdiag.core.errors import PlanError, StoreError
from emdiag.core.keywords import SeedScoresKeywords
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Progress
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.training import TrainFolder
from emdiag.measure.seed_summary import Trained, summarise_seeds, with_directions
from emdiag.store.session import Session, open_session
from emdiag.store.training_folder import checkpoint_name, read_folder
from emdiag.studies.evaluate.plan import NamedRef
from emdiag.studies.evaluate.run import run_evaluate
from emdiag.studies.training.plans import SeedScoresPlan


@spelled_out(SeedScoresPlan)
def score_seeds(
    out: str | Path,
    benchmarks: str | Sequence[str] = ("chain",),
    *,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[SeedScoresKeywords],
) -> SeedScoresResult:
    """Scores of all seeds of a training folder; the Python twin of `emdiag train score`.

    Every other option of `SeedScoresPlan` is a keyword, such as `base="lab", samples=8`.

    Raises:
        EmdiagError: As `evaluate`; or the folder is no training folder, or not trained to its end.
    """
    return run_score_seeds(
        SeedScoresPlan.of({"out": out, "benchmarks": benchmarks, **options}),
        open_session(store, home=home, progress=progress),
    )


def run_score_seeds(plan: SeedScoresPlan, session: Session) -> SeedScoresResult:
    """Evaluate every checkpoint asked for, in one evaluation, and put its seeds together.

    Raises:
        EmdiagError: As `score_seeds`; what was drawn before is kept.
    """
    out = Path(plan.out)
    folder = read_folder(out)
    updates = _updates(folder, out, plan)
    places = {f"{out.resolve().name}/{place}": place for place in updates}
    refs = [NamedRef(label=label, ref=str(out / place)) for label, place in places.items()]
    if plan.base is not None:
        if plan.base.label in places:
            raise PlanError(
                f"the base has the label of a trained checkpoint, {plan.base.label!r}",
                hint="name it: --base base=REF",
            )
        refs.insert(0, plan.base)
    result = run_evaluate(plan.drawing(refs), session)
    benchmarks = []
    for benchmark in dict.fromkeys(score.benchmark for score in result.scores):
        scores = {score.label: score for score in result.scores if score.benchmark == benchmark}
        trained = [
            Trained(
                cell=str(place.parent),
                update=updates[place],
                is_registered=str(place) == folder.chosen,
                score=scores[label],
            )
            for label, place in places.items()
        ]
        base = scores[plan.base.label] if plan.base else None
        benchmarks.append(summarise_seeds(trained, base=base))
    return SeedScoresResult(
        out=plan.out, benchmarks=with_directions(benchmarks), store=str(session.store.root)
    )


def _updates(folder: TrainFolder, out: Path, plan: SeedScoresPlan) -> dict[PurePosixPath, int]:
    """Update of each checkpoint to evaluate, by its place in the folder, cell by cell.

    The registered update is always among them, and all of them must be there.
    """
    wanted = set(folder.saved_updates) if plan.updates == "all" else {max(folder.saved_updates)}
    if folder.chosen is not None:
        name = PurePosixPath(folder.chosen).name
        wanted |= {update for update in folder.saved_updates if checkpoint_name(update) == name}
    updates = {
        PurePosixPath(cell, checkpoint_name(update)): update
        for cell in folder.cells
        for update in sorted(wanted)
    }
    missing = [str(place) for place in updates if not (out / place).is_dir()]
    if missing:
        raise StoreError(
            f"{len(missing)} of {len(updates)} checkpoints are not trained yet",
            folder=out,
            missing=", ".join(missing[:5]) + (", ..." if len(missing) > 5 else ""),
            hint="run the same `emdiag train` command again: it continues. Seeds that happen to "
            "be done are not scored alone, since they may be the lucky ones",
        )
    return updates
