"""Checkpoints x benchmarks: draw what is missing, grade what is ungraded, score all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import msgspec

from emdiag.core.errors import CheckpointError, EngineRefusedError
from emdiag.core.keywords import EvaluateKeywords
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Progress
from emdiag.core.results import EvaluateResult
from emdiag.store.session import Session, open_session
from emdiag.studies.evaluate.draw import draw_missing
from emdiag.studies.evaluate.grade import grade_reading
from emdiag.studies.evaluate.outside_metrics import MetricFunction, load_metrics, name_of
from emdiag.studies.evaluate.plan import EvaluatePlan, distinct
from emdiag.studies.evaluate.score import score_reading
from emdiag.studies.evaluate.steps import StepArm, find_steps
from emdiag.studies.evaluate.task import EvalTask, expand, note_limit


@spelled_out(EvaluatePlan)
def evaluate(
    checkpoints: str | Sequence[str] = (),
    benchmarks: str | Sequence[str] = ("chain",),
    *,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    progress: Progress | None = None,
    metrics: Sequence[str | MetricFunction] = (),
    **options: Unpack[EvaluateKeywords],
) -> EvaluateResult:
    """Scores of checkpoints on benchmarks; the Python twin of `emdiag eval`.

    Metrics may also be functions of `Outcomes`. Every other option of `EvaluatePlan` is a keyword,
    such as `samples=8, temperature=0.6`.

    Raises:
        EmdiagError: The request, a benchmark, a checkpoint or an engine is wrong.
    """
    own = {"metrics": [name_of(metric) for metric in metrics]}
    return run_evaluate(
        EvaluatePlan.of({"checkpoints": checkpoints, "benchmarks": benchmarks, **options, **own}),
        open_session(store, home=home, progress=progress),
    )


def run_evaluate(plan: EvaluatePlan, session: Session) -> EvaluateResult:
    """Draw what is missing, grade what is ungraded, score all of it, and write the result down.

    Raises:
        EmdiagError: As `evaluate`; what was drawn before is kept.
    """
    from emdiag.grading.pool.pool import GraderPool

    functions = load_metrics(plan.metrics)
    pool = GraderPool.of(plan.grading)
    arms = [
        find_steps(named, session.progress, trust_remote_code=plan.engine.trust_remote_code)
        for named in plan.steps
    ]
    members = tuple(member for arm in arms for member in arm.members.values())
    whole = msgspec.structs.replace(plan, checkpoints=distinct((*plan.checkpoints, *members)))
    readings = expand(whole, session)
    note_limit(readings, plan.targets.limit, session.progress)
    readings = _draw(readings, plan, session, arms=arms)
    for arm in arms:
        readings = arm.measured(readings)
    scores = []
    with pool as grader:
        for reading in readings:
            key = grade_reading(reading, grader, progress=session.progress)
            scores.append(score_reading(reading, key, functions=functions))
    result = EvaluateResult(scores=tuple(scores), store=str(session.store.root))
    session.store.save(result)
    return result


def _draw(
    readings: list[EvalTask], plan: EvaluatePlan, session: Session, *, arms: Sequence[StepArm]
) -> list[EvalTask]:
    """Draw what is missing, and leave steps out that cannot be; the readings that are left."""
    try:
        draw_missing(readings, plan, session)
    except (CheckpointError, EngineRefusedError) as error:
        labels = list(dict.fromkeys(reading.checkpoint.label for reading in readings))
        if not arms:
            raise
        if len(labels) > 1:  # which of them it is shows where each is drawn from alone
            parts = [[r for r in readings if r.checkpoint.label == label] for label in labels]
            return [r for part in parts for r in _draw(part, plan, session, arms=arms)]
        if not any(arm.leave_out(labels[0], error, session.progress) for arm in arms):
            raise
        return []
    return readings
