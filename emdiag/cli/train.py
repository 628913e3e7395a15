"""`emdiag train`: make the checkpoints that the other commands study."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from emdiag.cli import console, options
from emdiag.cli.train_rl import rl
from emdiag.cli.train_score import score

app = typer.Typer(
    help="Entropy minimisation, reinforcement learning, and scores of what they made.",
    no_args_is_help=True,
)


@app.command("em")
def em(
    ref: options.StartRef,
    out_dir: options.TrainingOut,
    problem: Annotated[
        list[str] | None,
        typer.Option(help="Training prompt, BENCHMARK/ID; repeatable. The paper's: one_shot/0000."),
    ] = None,
    prompt_file: Annotated[
        Path | None,
        typer.Option(help="Problems file of `emdiag select`, or a text that is the prompt."),
    ] = None,
    prompts: Annotated[int, typer.Option(help="Problems taken from the start of that file.")] = 1,
    recipe: Annotated[
        str, typer.Option(help="paper, released-code or lab.", rich_help_panel=options.RECIPE)
    ] = "paper",
    updates: Annotated[
        int | None,
        typer.Option(help="Optimiser updates; 10 in the paper.", rich_help_panel=options.RECIPE),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Completions of one update; 64.", rich_help_panel=options.RECIPE),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Of sampling and loss; 0.5.", rich_help_panel=options.RECIPE),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate, constant; 2e-5.", rich_help_panel=options.RECIPE),
    ] = None,
    max_tokens: options.TrainingMaxTokens = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="entropy, entropy-maximised or random-direction.", rich_help_panel=options.RECIPE
        ),
    ] = None,
    template: options.TrainingTemplate = None,
    chat: options.TrainingChat = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Devices that released-code imitates on whatever there is.",
            rich_help_panel=options.RECIPE,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any field of the recipe; repeatable.",
            rich_help_panel=options.RECIPE,
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE,VALUE",
            help="One folder per combination; `problem` is a field too. Repeatable.",
            rich_help_panel=options.RECIPE,
        ),
    ] = None,
    seeds: options.Seeds = "0",
    save_updates: Annotated[
        str | None,
        typer.Option(
            help="Updates whose checkpoint is kept, such as 1,5; the last always is.",
            rich_help_panel=options.RECORD,
        ),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            help="Benchmark or file measured after every update, or none; by default the "
            "training prompt's own.",
            rich_help_panel=options.RECORD,
        ),
    ] = None,
    held_out_problems: Annotated[
        int, typer.Option(help="Problems of it.", rich_help_panel=options.RECORD)
    ] = 8,
    state_every: options.StateEvery = 1,
    tracker: Annotated[
        str | None,
        typer.Option(help="tensorboard, wandb, ... by accelerate.", rich_help_panel=options.RECORD),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(
            help="Of the weights: auto, float32, bfloat16.", rich_help_panel=options.ENGINE
        ),
    ] = "auto",
    device: options.TrainingDevice = "auto",
    batch_size: options.BatchSize = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            help="Rows of one forward pass; changes memory, not the gradient.",
            rich_help_panel=options.ENGINE,
        ),
    ] = None,
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing",
            help="Less memory for one more forward pass.",
            rich_help_panel=options.ENGINE,
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of torch.", rich_help_panel=options.ENGINE)
    ] = None,
    trust_remote_code: options.TrustRemoteCode = False,
    report: options.Report = None,
    as_json: options.Json = False,
) -> None:
    """Minimise entropy on one unlabelled prompt, as one-shot EM does."""
    is_main = os.environ.get("RANK", "0") == "0"
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.cli.show import show
        from emdiag.core.errors import PlanError
        from emdiag.core.progress import SilentProgress
        from emdiag.findings.kinds import findings_of
        from emdiag.publish.training import training_figures
        from emdiag.train.em.plan import EMPlan, parse_grid, parse_numbers, parse_seeds
        from emdiag.train.em.recipes import load_recipe
        from emdiag.train.recipe_fields import parse_settings

        named = {
            "updates": updates,
            "samples": samples,
            "temperature": temperature,
            "learning_rate": lr,
            "max_tokens": max_tokens,
            "objective": objective,
            "template": template,
            "chat": chat,
            "processes": processes,
        }
        changes = {field: value for field, value in named.items() if value is not None}
        chosen = load_recipe(recipe, {**changes, **parse_settings(settings or [])})
        try:
            plan = msgspec.convert(
                {
                    "ref": ref,
                    "out": str(out_dir),
                    "recipe": msgspec.to_builtins(chosen),
                    "problems": problem or [],
                    "prompt_file": str(prompt_file) if prompt_file else None,
                    "prompts": prompts,
                    "seeds": parse_seeds(seeds),
                    "grid": msgspec.to_builtins(parse_grid(grid or [])),
                    "save_updates": parse_numbers(save_updates) if save_updates else [],
                    "held_out": held_out,
                    "held_out_problems": held_out_problems,
                    "dtype": dtype,
                    "device": device,
                    "batch_size": batch_size,
                    "micro_batch": micro_batch,
                    "gradient_checkpointing": gradient_checkpointing,
                    "state_every": state_every,
                    "tracker": tracker,
                    "trust_remote_code": trust_remote_code,
                    "threads": threads,
                },
                EMPlan,
            )
        except msgspec.ValidationError as error:
            raise PlanError(f"an option has the wrong value: {error}") from error
        from emdiag.train.em.run import run_em

        session = options.session_on(out_dir, out)
        if not is_main:
            session = replace(session, progress=SilentProgress())
        result = run_em(plan, session, is_main=is_main)
        if not is_main:
            return
        for figure in training_figures(result, progress=session.progress):
            out.say(f"figure: {figure}.svg")
        if as_json:
            out.result(result)
        else:
            show(findings_of(result), out)
        options.write_page(result, report, session, out)


app.command("rl")(rl)
app.command("score")(score)
