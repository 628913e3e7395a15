"""What the user asked a trainer to do, and the cells that it expands into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, ClassVar, Literal

import msgspec

from emdiag.core.checks import broken_rule
from emdiag.core.errors import PlanError
from emdiag.core.option_types import Option, OptionGroup, Preset, texts
from emdiag.core.options import check_ranges
from emdiag.core.plans import Plan
from emdiag.core.records import Record
from emdiag.engines.options import ENGINE, EngineOptions, PaddingSide
from emdiag.store.training_folder import checkpoint_name
from emdiag.train.em.recipes import PAPER, PRESETS, EMRecipe, change_recipe, load_recipe
from emdiag.train.recipe_fields import (
    ALIASES,
    OUT,
    RECIPE,
    RECORD,
    REF,
    SAVE_UPDATES,
    SEEDS,
    SETTINGS_OPTION,
    STATE_EVERY,
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
        axes.append(GridAxis(field=ALIASES.get(field, field), values=values))
    return tuple(axes)


class EMPlan(Plan, frozen=True, kw_only=True):
    """Entropy minimisation of one checkpoint: recipe x grid x seeds.

    Attributes:
        problems: Samples are shared out evenly over several.
        prompt_file: In place of `problems`: a problems file (`.jsonl`, as `emdiag select` writes
            it; its first `prompts` are taken), or a text file that is the whole prompt.
        seeds: Of training; the first is the registered one, which other commands take.
        grid: Every combination of values is a folder of its own.
        save_updates: Updates whose checkpoint is kept, beside the last; the last is registered.
        held_out: Benchmark, or problems file, whose prompts are measured after every update; None
            for the training prompt's own benchmark where it has other problems; `none` for none.
        micro_batch: Rows of one forward pass; None for 8 on a CPU and 4 elsewhere.
        padding: Side on which rows are filled up.
    """

    verb: ClassVar[str] = "train em"
    writes_out: ClassVar[bool] = True

    ref: Annotated[str, REF]
    out: Annotated[str, OUT]
    problems: Annotated[
        tuple[str, ...],
        Option(
            flags=("--problem",),
            help="Training prompt, BENCHMARK/ID; repeatable. The paper's: one_shot/0000.",
            is_repeated=True,
            read=texts,
        ),
    ] = ()
    prompt_file: Annotated[
        str | None,
        Option(help="Problems file of `emdiag select`, or a text that is the prompt.", read=str),
    ] = None
    prompts: Annotated[
        int, Option(help="Problems taken from the start of that file.", at_least=1)
    ] = 1
    recipe: Annotated[
        EMRecipe,
        Preset(
            load=load_recipe,
            presets=PRESETS,
            option=Option(help="paper, released-code or lab.", panel=RECIPE),
            settings=SETTINGS_OPTION,
        ),
    ] = PAPER
    grid: Annotated[
        tuple[GridAxis, ...],
        Option(
            metavar="FIELD=VALUE,VALUE",
            help="One folder per combination; `problem` is a field too. Repeatable.",
            panel=RECIPE,
            is_repeated=True,
            read=parse_grid,
            write=lambda axes: [f"{axis.field}={','.join(axis.values)}" for axis in axes],
        ),
    ] = ()
    seeds: Annotated[tuple[int, ...], SEEDS] = (0,)
    save_updates: Annotated[tuple[int, ...], SAVE_UPDATES] = ()
    held_out: Annotated[
        str | None,
        Option(
            help="Benchmark or file measured after every update, or none; by default the "
            "training prompt's own.",
            panel=RECORD,
            read=str,
        ),
    ] = None
    held_out_problems: Annotated[
        int, Option(help="Number of held-out problems.", panel=RECORD, at_least=1)
    ] = 8
    state_every: Annotated[int, STATE_EVERY] = 1
    tracker: Annotated[
        Tracker | None, Option(help="tensorboard, wandb, ... by accelerate.", panel=RECORD)
    ] = None
    engine: Annotated[
        EngineOptions,
        OptionGroup(
            without=("engine", "tensor_parallel_size", "gpu_memory_utilization", "max_model_len"),
            changed={"dtype": Option(help="Of the weights: auto, float32, bfloat16.")},
        ),
    ] = EngineOptions()
    micro_batch: Annotated[
        int | None,
        Option(
            help="Rows of one forward pass; changes memory, not the gradient.",
            panel=ENGINE,
            at_least=1,
        ),
    ] = None
    gradient_checkpointing: Annotated[
        bool,
        Option(
            flags=("--gradient-checkpointing",),
            help="Less memory for one more forward pass.",
            panel=ENGINE,
        ),
    ] = False
    padding: Annotated[PaddingSide, Option(help=None)] = "right"

    def check(self) -> None:
        """Refuse a plan that contradicts itself.

        Raises:
            PlanError: It does.
        """
        check_plan(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCell:
    """One training run.

    Attributes:
        name: Folder below the plan's; `.` for the only one.
        problems: In place of the plan's, where the grid varies them.
    """

    name: str
    recipe: EMRecipe
    problems: tuple[str, ...]
    seed: int

    @property
    def last(self) -> str:
        """The checkpoint after its last update, relative to the plan's folder."""
        name = checkpoint_name(self.recipe.optimiser_updates)
        return name if self.name == "." else f"{self.name}/{name}"


def expand(plan: EMPlan) -> list[GridCell]:
    """Every cell of a plan, the registered one first.

    Raises:
        PlanError: The plan contradicts itself.
    """
    check_plan(plan)
    cells = []
    for values in product(*(axis.values for axis in plan.grid)):
        chosen = dict(zip((axis.field for axis in plan.grid), values, strict=True))
        problem = chosen.pop(PROBLEM_AXIS, None)
        recipe = change_recipe(plan.recipe, dict(chosen))
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


def check_plan(plan: EMPlan) -> None:
    """Refuse a plan that contradicts itself.

    Raises:
        PlanError: It does.
    """
    check_ranges(plan)
    varies_problem = any(axis.field == PROBLEM_AXIS for axis in plan.grid)
    sources = [bool(plan.problems), plan.prompt_file is not None, varies_problem]
    if sum(sources) != 1:
        raise PlanError(
            "a training prompt is named in one way: a problem, a prompt file or a grid of problems",
            found=f"{sum(sources)} of them",
            hint="--problem one_shot/0000 is the paper's; `emdiag select` writes a prompt file",
        )
    rules = (
        ("seeds", len(set(plan.seeds)) == len(plan.seeds) > 0, "one or more different numbers"),
        ("seeds", all(seed >= 0 for seed in plan.seeds), ">= 0"),
    )
    if broken := broken_rule(plan, rules):
        raise PlanError(broken)
    fields = [axis.field for axis in plan.grid]
    if len(set(fields)) < len(fields):
        raise PlanError(f"a field may be varied only once, got --grid {', '.join(fields)}")
