"""What the user asked reinforcement learning for."""

from __future__ import annotations

from typing import Annotated, ClassVar

from emdiag.core.asking import Asking
from emdiag.core.errors import PlanError
from emdiag.core.option_groups import MOST_PROBLEMS, Grading
from emdiag.core.options import Option, OptionGroup
from emdiag.core.plans import Plan
from emdiag.core.sampling import MOST_SAMPLES
from emdiag.engines.options import ENGINE, SERVER_OPTIONS, EngineOptions
from emdiag.train.recipe_fields import (
    MOST_UPDATES,
    RECORD,
    OutFolder,
    Ref,
    SaveUpdates,
    Seeds,
    StateEvery,
    check_seeds,
)
from emdiag.train.rl.recipe import GRPO, RL_PRESETS, RLRecipe


class RLPlan(Plan, frozen=True, kw_only=True):
    """One checkpoint, trained by reward on the problems of one benchmark.

    Attributes:
        held_out_every: Updates between two measurements on them; the last is always measured.
        check_samples: What the first reward is compared with.
    """

    verb: ClassVar[str] = "train rl"
    writes_out: ClassVar[bool] = True

    ref: Ref
    benchmark: Annotated[
        str, Option("Name or problems file to train on.", flags=("-b", "--benchmark"), read=str)
    ]
    out: OutFolder
    limit: Annotated[
        int | None, Option("Use only the first N problems.", at_least=1, at_most=MOST_PROBLEMS)
    ] = None
    recipe: Annotated[RLRecipe, RL_PRESETS] = GRPO
    seeds: Seeds = (0,)
    save_updates: SaveUpdates = ()
    held_out: Annotated[
        int,
        Option(
            "Problems kept out, to measure on.", panel=RECORD, at_least=0, at_most=MOST_PROBLEMS
        ),
    ] = 32
    held_out_every: Annotated[
        int,
        Option(
            "Updates between measurements on them.", panel=RECORD, at_least=1, at_most=MOST_UPDATES
        ),
    ] = 10
    state_every: StateEvery = 10
    check_samples: Annotated[
        int,
        Option(
            "Samples of each problem of the first update that emdiag's engine draws.",
            panel=RECORD,
            at_least=1,
            at_most=MOST_SAMPLES,
        ),
    ] = 16
    first_reward_check: Annotated[
        bool, Option("Stop where the first reward is not the parent's accuracy.", panel=RECORD)
    ] = True
    asking: Asking = Asking()
    engine: Annotated[
        EngineOptions,
        OptionGroup(
            without=(
                *("engine", "batch_size", "tensor_parallel_size", "gpu_memory_utilization"),
                *("max_model_len", "threads", *SERVER_OPTIONS),
            ),
            help={"dtype": "Of arithmetic: auto, float32, bfloat16; weights are float32."},
        ),
    ] = EngineOptions()
    grading: Annotated[Grading, OptionGroup(panel=ENGINE, without=("grader",))] = Grading()

    def check(self) -> None:
        """Refuse a number format TRL cannot train in, and updates that are not made."""
        self.recipe.check()
        super().check()
        self.asking.check_chat(chat=self.recipe.chat)
        check_seeds(self.seeds)
        if self.engine.dtype == "float16":
            raise PlanError("`dtype` must be auto, float32 or bfloat16, got float16")
        if any(not 1 <= update <= self.recipe.updates for update in self.save_updates):
            raise PlanError(
                f"`save_updates` must be between 1 and {self.recipe.updates}, the last update, "
                f"got {self.save_updates}"
            )
