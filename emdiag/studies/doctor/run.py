"""What runs here, and whether it agrees."""

from __future__ import annotations

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
    cost_checks,
    engine_check,
    file_checks,
    is_adapter,
    tokenizer_checks,
    unreadable,
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
    """Look at the machine where no checkpoint is named, else at that."""
    if plan.checkpoint is None:
        checks = tuple(machine_checks(session, plan.engine))
        return DoctorResult(label=None, checks=checks)
    return _CheckpointLook(plan, plan.checkpoint, session).result()


class _CheckpointLook:
    """Gathers lines; an error ends it and keeps them."""

    def __init__(self, plan: DoctorPlan, named: NamedRef, session: Session) -> None:
        self._plan, self._named, self._session = plan, named, session
        self._checks: list[Check] = []
        self._agreements: tuple[EngineAgreement, ...] = ()
        self._new_tokens = 0

    def result(self) -> DoctorResult:
        """All that was found."""
        error = None
        try:
            self._look()
        except (EmdiagError, OSError) as raised:
            refused = raised if isinstance(raised, EmdiagError) else system_error(raised)
            if refused is None:
                raise
            error = Refusal(message=refused.message, facts=refused.facts, hint=refused.hint)
        return DoctorResult(
            label=self._named.label,
            checks=tuple(self._checks),
            benchmark=self._plan.benchmark or BUILT_IN,
            new_tokens=self._new_tokens,
            agreements=self._agreements,
            error=error,
        )

    def _look(self) -> None:
        options = self._plan.engine
        try:
            plan = self._plan.evaluation(self._named)
            ((task, encoder),) = expand_with_encoders(plan, self._session, require_answers=False)
        except EmdiagError:
            self._look_at_files()
            raise
        path = Path(task.checkpoint.path)
        digest = Check(name="digest", state=as_given(task.checkpoint.digest[:16]))
        if has_weights(task.checkpoint):
            from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
        if not has_weights(task.checkpoint) or not isinstance(encoder, CheckpointEncoder):
            self._checks += [digest, engine_check(task, options)]
            return
        from emdiag.studies.doctor.agreement import look_at_engines, new_tokens

        facts = task.checkpoint.file_facts.items()
        origin = [Check(name=name, state=as_given(str(fact))) for name, fact in facts]
        self._checks += [*file_checks(path), digest, *origin, *tokenizer_checks(encoder, task)]
        self._checks += [engine_check(task, options)]
        look = look_at_engines(task, encoder, options, self._session)
        self._new_tokens, self._agreements = new_tokens(task), look.agreements
        is_timed = self._plan.benchmark is not None
        costs = cost_checks(task, encoder, look.drawn, is_timed=is_timed)
        self._checks += [*look.checks, *costs]

    def _look_at_files(self) -> None:
        """What the files of a checkpoint say that is refused as a whole."""
        ref = followed(self._named.ref)
        path = lab_weights() if ref == "lab" else expanded(ref)
        if path.is_dir():
            with suppress(EmdiagError):  # said already, by whoever refused the whole
                path = locate(path)
        elif not is_gguf(path):
            return
        self._checks += file_checks(path)
        if is_adapter(path):
            return
        from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder

        try:
            self._checks += tokenizer_checks(CheckpointEncoder(str(path)), None)
        except EmdiagError as error:
            self._checks += [unreadable("tokenizer", error)]
