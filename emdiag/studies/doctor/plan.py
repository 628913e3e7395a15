"""What the user asked to be looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Final

import msgspec

from emdiag.core.asking import Asking
from emdiag.core.errors import PlanError
from emdiag.core.option_groups import Targets
from emdiag.core.options import Option, OptionGroup
from emdiag.core.plans import Plan
from emdiag.engines.options import EngineOptions
from emdiag.studies.evaluate.plan import CHECKPOINT, EvaluatePlan, NamedRef

PROMPTS, NEW_TOKENS = 8, 64
"""Prompts on which engines are compared, and tokens drawn after each."""

BUILT_IN: Final = "toy"
"""Whose problems are the prompts where no benchmark is named."""


class DoctorPlan(Plan, frozen=True, kw_only=True):
    """A machine, or one checkpoint on it."""

    verb: ClassVar[str] = "doctor"

    checkpoint: Annotated[
        NamedRef | None,
        replace(CHECKPOINT, help=f"{CHECKPOINT.help} Without one, the machine is looked at."),
    ] = None
    benchmark: Annotated[
        str | None,
        Option(
            "Whose time is estimated and whose first problems are the prompts.",
            flags=("-b", "--benchmark"),
            read=str,
        ),
    ] = None
    targets: Annotated[Targets, OptionGroup(without=("benchmarks", "limit"))] = Targets()
    asking: Asking = Asking()
    engine: EngineOptions = EngineOptions()

    def check(self) -> None:
        """Also a benchmark of which no checkpoint's time is wanted."""
        super().check()
        if self.benchmark is not None and self.checkpoint is None:
            raise PlanError(
                f"the benchmark {self.benchmark!r} is looked at of no checkpoint",
                hint="emdiag doctor CHECKPOINT -b BENCHMARK",
            )

    def evaluation(self, checkpoint: NamedRef) -> EvaluatePlan:
        """The evaluation whose prompts are taken."""
        benchmarks = (self.benchmark or BUILT_IN,)
        return EvaluatePlan(
            checkpoints=(checkpoint,),
            targets=msgspec.structs.replace(self.targets, benchmarks=benchmarks, limit=PROMPTS),
            asking=self.asking,
            engine=self.engine,
        )
