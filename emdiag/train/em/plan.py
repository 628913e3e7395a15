"""What the user asked a trainer to do, and the cells that it expands into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from emdiag.core.checks import broken_rule
from emdiag.core.errors import PlanError
from emdiag.core.records import Record
from emdiag.engines.options import DtypeName, EngineOptions, PaddingSide
from emdiag.store.training_folder import checkpoint_name
from emdiag.train.em.recipes import EMRecipe, change_recipe
from emdiag.train.recipe_fields import ALIASES

if TYPE_CHECKING:
    from collections.abc import Sequence

Tracker = Literal["tensorboard", "wandb", "mlflow", "comet_ml", "aim", "clearml", "swanlab"]
PROBLEM_AXIS = "problem"


class GridAxis(Record, frozen=True, kw_only=True):
    """One field of the recipe, or the problem, and the values it takes."""

    field: str
    values: tuple[str, ...]


class EMPlan(Record, frozen=True, kw_only=True):
    """Entropy minimisation of one checkpoint: recipe x grid x seeds.

    Attributes:
        ref: The checkpoint to start from.
        problems: Training prompts as `BENCHMARK/ID`; the paper's is `one_shot/0000`. Samples are
            shared out evenly over several.
        prompt_file: In place of `problems`: a problems file (`.jsonl`, as `emdiag select` writes
            it; its first `prompts` are taken), or a text file that is the whole prompt.
        seeds: Of training; the first is the registered one, which other commands take.
        grid: Every combination of values is a folder of its own.
        save_updates: Updates whose checkpoint is kept, beside the last; the last is registered.
        held_out: Benchmark, or problems file, whose prompts are measured after every update; None
            for the training prompt's own benchmark where it has other problems; `none` for none.
        micro_batch: Rows of one forward pass; None for 8 on a CPU and 4 elsewhere.
        padding: Side on which rows are filled up.
        gradient_checkpointing: Less memory for one more forward pass.
        state_every: Updates between two writings of what a killed run goes on from; 0 for never.
        tracker: Where accelerate sends the record too.
    """

    ref: str
    out: str
    recipe: EMRecipe
    problems: tuple[str, ...] = ()
    prompt_file: str | None = None
    prompts: int = 1
    seeds: tuple[int, ...] = (0,)
    grid: tuple[GridAxis, ...] = ()
    save_updates: tuple[int, ...] = ()
    held_out: str | None = None
    held_out_problems: int = 8
    dtype: DtypeName = "auto"
    device: str = "auto"
    batch_size: int | None = None
    micro_batch: int | None = None
    padding: PaddingSide = "right"
    gradient_checkpointing: bool = False
    state_every: int = 1
    tracker: Tracker | None = None
    trust_remote_code: bool = False
    threads: int | None = None

    def engine_options(self) -> EngineOptions:
        """How the engine that draws the samples is set up."""
        return EngineOptions(
            dtype=self.dtype,
            device=self.device,
            batch_size=self.batch_size,
            trust_remote_code=self.trust_remote_code,
            threads=self.threads,
        )


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
        ("prompts", plan.prompts >= 1, ">= 1"),
        ("held_out_problems", plan.held_out_problems >= 1, ">= 1"),
        ("micro_batch", plan.micro_batch is None or plan.micro_batch >= 1, ">= 1"),
        ("state_every", plan.state_every >= 0, ">= 0"),
    )
    if broken := broken_rule(plan, rules):
        raise PlanError(broken)
    fields = [axis.field for axis in plan.grid]
    if len(set(fields)) < len(fields):
        raise PlanError(f"a field may be varied only once, got --grid {', '.join(fields)}")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds as typed: `3`, `0,2,5`, `0..4`, or those joined by commas.

    Raises:
        PlanError: It is none of them.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+))?\s*", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise PlanError(f"seeds are written as 3, 0,2,5 or 0..4; found {text!r}")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(seeds)


def parse_grid(arguments: Sequence[str]) -> tuple[GridAxis, ...]:
    """Axes as typed: `temperature=0.3,0.5,0.7`, one each; values are numbers, words or problems.

    Raises:
        PlanError: An argument has another form, or names a value twice.
    """
    axes = []
    for argument in arguments:
        field, sign, text = argument.partition("=")
        values = tuple(value.strip() for value in text.split(","))
        if not sign or not field.strip() or not all(values):
            raise PlanError(f"a grid is written as FIELD=VALUE,VALUE; found {argument!r}")
        if len(set(values)) < len(values):
            raise PlanError(f"a grid names every value once; found {argument!r}")
        field = field.strip()
        axes.append(GridAxis(field=ALIASES.get(field, field), values=values))
    return tuple(axes)


def parse_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers joined by commas, ascending and each once.

    Raises:
        PlanError: It is something else.
    """
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise PlanError(f"whole numbers are written as 1,5,10; found {text!r}") from error
