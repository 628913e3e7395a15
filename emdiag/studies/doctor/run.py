"""What runs here, and whether it agrees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from emdiag.core.doctor import Check, DoctorResult, EngineAgreement, Refusal
from emdiag.core.errors import EmdiagError, system_error
from emdiag.core.keywords import DoctorKeywords
from emdiag.core.paths import expanded
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Progress
from emdiag.core.results import as_given
from emdiag.engines.checkpoint.gguf_file import is_gguf
from emdiag.engines.checkpoint.trainer_folders import locate
from emdiag.engines.open import has_weights
from emdiag.resources import lab_weights
from emdiag.store.session import Session, open_session
from emdiag.store.training_folder import followed
from emdiag.studies.doctor.checkpoint import (
    engine_check,
    file_checks,
    reading_checks,
    refused_checks,
)
from emdiag.studies.doctor.machine import machine_checks
from emdiag.studies.doctor.plan import BUILT_IN, DoctorPlan
from emdiag.studies.evaluate.plan import NamedRef
from emdiag.studies.evaluate.task import expand_with_encoders


@spelled_out(DoctorPlan)
def doctor(
    checkpoint: str | None = None,
    *,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[DoctorKeywords],
) -> DoctorResult:
    """A look at this machine, or at a checkpoint on it; the Python twin of `emdiag doctor`.

    What is wrong with the checkpoint stands in the `error` of the result.

    Raises:
        PlanError: The request contradicts itself.
    """
    return run_doctor(
        DoctorPlan.of({"checkpoint": checkpoint, **options}),
        open_session(store, home=home, progress=progress),
    )


def run_doctor(plan: DoctorPlan, session: Session) -> DoctorResult:
    """Look at the machine, or at the checkpoint that is named."""
    if plan.checkpoint is None:
        return DoctorResult(label=None, checks=tuple(machine_checks(session, plan.engine)))
    checks: list[Check] = []
    agreements: list[EngineAgreement] = []
    error = None
    try:
        for line in _look(plan, plan.checkpoint, session):
            if isinstance(line, Check):
                checks.append(line)
            else:
                agreements.append(line)
    except (EmdiagError, OSError) as raised:
        refused = raised if isinstance(raised, EmdiagError) else system_error(raised)
        if refused is None:
            raise
        error = Refusal(message=refused.message, facts=refused.facts, hint=refused.hint)
    return DoctorResult(
        label=plan.checkpoint.label,
        checks=tuple(checks),
        benchmark=plan.benchmark or BUILT_IN,
        agreements=tuple(agreements),
        error=error,
    )


def _look(plan: DoctorPlan, named: NamedRef, session: Session) -> Iterator[Check | EngineAgreement]:
    options = plan.engine
    try:
        evaluation = plan.evaluation(named)
        ((task, encoder),) = expand_with_encoders(evaluation, session, require_answers=False)
    except EmdiagError:
        yield from _refused(named.ref)
        raise
    digest = Check("digest", as_given(task.checkpoint.digest[:16]))
    if has_weights(task.checkpoint):
        from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
    if not has_weights(task.checkpoint) or not isinstance(encoder, CheckpointEncoder):
        yield from (digest, engine_check(task, options))
        return
    from emdiag.studies.doctor.agreement import look_at_engines

    yield from file_checks(Path(task.checkpoint.path))
    yield digest
    for name, fact in task.checkpoint.file_facts.items():
        yield Check(name, as_given(str(fact)))
    yield from reading_checks(encoder, task)
    yield engine_check(task, options)
    yield from look_at_engines(task, encoder, plan, session)


def _refused(ref: str) -> Iterator[Check]:
    ref = followed(ref)
    path = lab_weights() if ref == "lab" else expanded(ref)
    if path.is_dir():
        with suppress(EmdiagError):  # said already, by whoever refused the whole
            path = locate(path)
        yield from refused_checks(path)
    elif is_gguf(path) and path.is_file():
        yield from refused_checks(path)
