"""What the user asked a trainer to do, and the cells that it expands into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, ClassVar, Literal

import msgspec

from emdiag.core.asking import Asking
from emdiag.core.errors import PlanError
from emdiag.core.option_groups import MOST_PROBLEMS
from emdiag.core.options import Option, OptionGroup
from emdiag.core.plans import Plan
from emdiag.core.recipes import RECIPE, Recipe
from emdiag.core.records import Record
from emdiag.core.sampling import MOST_SAMPLES
from emdiag.core.typed_lists import texts
from emdiag.engines.options import ENGINE, SERVER_OPTIONS, EngineOptions, PaddingSide
from emdiag.train.em.recipes import EM_PRESETS, PAPER, EMRecipe
from emdiag.train.recipe_fields import (
    RECORD,
    OutFolder,
    Ref,
    SaveUpdates,
    Seeds,
    StateEvery,
    check_seeds,
)

Tracker = Literal["tensorboard", "wandb", "mlflow", "comet_ml", "aim", "clearml", "swanlab"]
PROBLEM_AXIS = "problem"


class GridAxis(Record, frozen=True, kw_only=True):
    """One field of the recipe, or the problem, and the values it takes."""

    field: str
    values: tuple[str, ...]


def parse_grid(value: str | Sequence[object]) -> tuple[GridAxis, ...]:
    """Axes as typed: `temperature=0.3,0.5,0.7`, one each; values are numbers, words or problems.

    Raises:
        PlanError: An argument has another form, or names a value twice.
    """
    axes = []
    for argument in [value] if isinstance(value, str) else value:
        if isinstance(argument, Mapping):
            axes.append(msgspec.convert(argument, GridAxis))
            continue
        if not isinstance(argument, str):
            raise PlanError(f"a grid is written as FIELD=VALUE,VALUE; found {argument!r}")
        field, sign, text = argument.partition("=")
        values = tuple(value.strip() for value in text.split(","))
        if not sign or not field.strip() or not all(values):
            raise PlanError(f"a grid is written as FIELD=VALUE,VALUE; found {argument!r}")
        if len(set(values)) < len(values):
            raise PlanError(f"a grid names every value once; found {argument!r}")
        field = field.strip()
        axes.append(GridAxis(field=Recipe.aliases.get(field, field), values=values))
    return tuple(axes)


class EMPlan(Plan, frozen=True, kw_only=True):
    """Entropy minimisation of one checkpoint: recipe x grid x seeds.

    Attributes:
        problems: Samples are shared out evenly over several.
        prompt_file: In place of `problems`: a problems file (`.jsonl`, as `emdiag select` writes
            it), or a text file that is the whole prompt.
        prompts: Only the first ones of that problems file; None trains on every one.
        held_out: Benchmark, or problems file, whose prompts are measured after every update; None
            for the training prompt's own benchmark where it has other problems; `none` for none.
        micro_batch: Rows of one forward pass; None for 8 on a CPU and 4 elsewhere.
    """

    verb: ClassVar[str] = "train em"
    writes_out: ClassVar[bool] = True

    ref: Ref
    out: OutFolder
    problems: Annotated[
        tuple[str, ...],
        Option(
            "Training prompt, BENCHMARK/ID; repeatable. The paper's: one_shot/0000.",
            flags=("--problem",),
            is_repeated=True,
            read=texts,
        ),
    ] = ()
    prompt_file: Annotated[
        str | None,
        Option("Problems file, trained on whole, or a text that is the prompt.", read=str),
    ] = None
    prompts: Annotated[
        int | None,
        Option(
            "Only the first N problems of that file; 1 for one-shot EM.",
            at_least=1,
            at_most=MOST_PROBLEMS,
        ),
    ] = None
    recipe: Annotated[EMRecipe, EM_PRESETS] = PAPER
    grid: Annotated[
        tuple[GridAxis, ...],
        Option(
            "One folder per combination; `problem` is a field too. Repeatable.",
            metavar="FIELD=VALUE,VALUE",
            panel=RECIPE,
            is_repeated=True,
            read=parse_grid,
            write=lambda axes: [f"{axis.field}={','.join(axis.values)}" for axis in axes],
        ),
    ] = ()
    seeds: Seeds = (0,)
    save_updates: SaveUpdates = ()
    held_out: Annotated[
        str | None,
        Option(
            "Benchmark or file measured after every update, or none; by default the training "
            "prompt's own.",
            panel=RECORD,
            read=str,
        ),
    ] = None
    held_out_problems: Annotated[
        int, Option("Number of held-out problems.", panel=RECORD, at_least=1, at_most=MOST_PROBLEMS)
    ] = 8
    state_every: StateEvery = 1
    tracker: Annotated[
        Tracker | None, Option("tensorboard, wandb, ... by accelerate.", panel=RECORD)
    ] = None
    asking: Asking = Asking()
    engine: Annotated[
        EngineOptions,
        OptionGroup(
            without=(
                *("engine", "tensor_parallel_size", "gpu_memory_utilization", "max_model_len"),
                *SERVER_OPTIONS,
            ),
            help={"dtype": "Of the weights: auto, float32, bfloat16."},
        ),
    ] = EngineOptions()
    micro_batch: Annotated[
        int | None,
        Option(
            "Rows of one forward pass; changes memory, not the gradient.",
            panel=ENGINE,
            at_least=1,
            at_most=MOST_SAMPLES,
        ),
    ] = None
    gradient_checkpointing: Annotated[
        bool,
        Option(
            "Less memory for one more forward pass.",
            flags=("--gradient-checkpointing",),
            panel=ENGINE,
        ),
    ] = False
    padding: PaddingSide = "right"

    def check(self) -> None:
        """Refuse a training prompt that is not named in one way, and a field varied twice."""
        super().check()
        self.asking.check_chat(chat=self.recipe.chat)
        check_seeds(self.seeds)
        fields = [axis.field for axis in self.grid]
        sources = [bool(self.problems), self.prompt_file is not None, PROBLEM_AXIS in fields]
        if sum(sources) != 1:
            raise PlanError(
                "a training prompt is named in one way: a problem, a prompt file or a grid of "
                "problems",
                found=f"{sum(sources)} of them",
                hint="--problem one_shot/0000 is the paper's; `emdiag select` writes a prompt file",
            )
        if self.prompts is not None and self.prompt_file is None:
            raise PlanError(
                "`prompts` counts problems of a prompt file, and none is given",
                found=f"--prompts {self.prompts}",
                hint="name the file with --prompt-file, or repeat --problem",
            )
        if len(set(fields)) < len(fields):
            raise PlanError(f"a field may be varied only once, got --grid {', '.join(fields)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCell:
    """One training run in a folder of this name below the plan's; `.` for the only one."""

    name: str
    recipe: EMRecipe
    problems: tuple[str, ...]
    seed: int


def expand(plan: EMPlan) -> list[GridCell]:
    """Every cell of a plan, the registered one first.

    Raises:
        PlanError: The plan contradicts itself.
    """
    cells = []
    for values in product(*(axis.values for axis in plan.grid)):
        chosen = dict(zip((axis.field for axis in plan.grid), values, strict=True))
        problem = chosen.pop(PROBLEM_AXIS, None)
        recipe = plan.recipe.changed(chosen)
        name = ",".join(
            f"{axis.field}={value.replace('/', '-')}"
            for axis, value in zip(plan.grid, values, strict=True)
        )
        for seed in plan.seeds:
            parts = [name] if name else []
            parts += [f"seed-{seed}"] if len(plan.seeds) > 1 or name else []
            cells.append(
                GridCell(
                    name="/".join(parts) or ".",
                    recipe=recipe,
                    problems=plan.problems if problem is None else (problem,),
                    seed=seed,
                )
            )
    updates = {cell.recipe.optimiser_updates for cell in cells}
    late = [update for update in plan.save_updates if not 0 <= update <= min(updates)]
    if late:
        raise PlanError(
            f"there is no update {late[0]} to save: training makes {min(updates)}",
            hint="a step of the recipe released-code is a micro-batch, not an update"
            if plan.recipe.step == "micro-batch"
            else "lower --save-updates or raise --updates",
        )
    return cells
