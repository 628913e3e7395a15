"""`emdiag train rl`: reinforcement learning by TRL, with emdiag's grader as the reward."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from emdiag.cli import console, options


def rl(
    ref: options.StartRef,
    benchmark: Annotated[
        str,
        typer.Option("--benchmark", "-b", help="Name or problems file to train on."),
    ],
    out_dir: options.TrainingOut,
    limit: Annotated[int | None, typer.Option(help="Only the first so many problems.")] = None,
    recipe: Annotated[
        str, typer.Option(help="grpo or lab.", rich_help_panel=options.RECIPE)
    ] = "grpo",
    reward: Annotated[
        str | None,
        typer.Option(
            help="correct; or as a control format, random or majority.",
            rich_help_panel=options.RECIPE,
        ),
    ] = None,
    updates: Annotated[
        int | None, typer.Option(help="Optimiser updates; 100.", rich_help_panel=options.RECIPE)
    ] = None,
    completions: Annotated[
        int | None, typer.Option(help="Samples of one update; 64.", rich_help_panel=options.RECIPE)
    ] = None,
    group_size: Annotated[
        int | None, typer.Option(help="Samples of one problem; 8.", rich_help_panel=options.RECIPE)
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Of sampling and loss; 1.", rich_help_panel=options.RECIPE)
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate, constant; 1e-6.", rich_help_panel=options.RECIPE),
    ] = None,
    max_tokens: options.TrainingMaxTokens = None,
    template: options.TrainingTemplate = None,
    chat: options.TrainingChat = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            help="Samples whose gradient is taken at a time.", rich_help_panel=options.RECIPE
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any field of the recipe, such as beta=0.04; repeatable.",
            rich_help_panel=options.RECIPE,
        ),
    ] = None,
    seeds: options.Seeds = "0",
    save_updates: Annotated[
        str | None,
        typer.Option(
            help="Updates whose checkpoint is kept, such as 10,50; the last always is.",
            rich_help_panel=options.RECORD,
        ),
    ] = None,
    held_out: Annotated[
        int, typer.Option(help="Problems kept out, to measure on.", rich_help_panel=options.RECORD)
    ] = 32,
    held_out_every: Annotated[
        int,
        typer.Option(help="Updates between measurements on them.", rich_help_panel=options.RECORD),
    ] = 10,
    state_every: options.StateEvery = 10,
    check_samples: Annotated[
        int,
        typer.Option(
            help="Samples of each problem of the first update that emdiag's engine draws.",
            rich_help_panel=options.RECORD,
        ),
    ] = 16,
    first_reward_check: Annotated[
        bool,
        typer.Option(
            "--first-reward-check/--no-first-reward-check",
            help="Stop where the first reward is not the parent's accuracy.",
            rich_help_panel=options.RECORD,
        ),
    ] = True,
    dtype: Annotated[
        str,
        typer.Option(
            help="Of arithmetic: auto, float32, bfloat16; weights are float32.",
            rich_help_panel=options.ENGINE,
        ),
    ] = "auto",
    device: options.TrainingDevice = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    grader_workers: Annotated[
        int | None,
        typer.Option(
            help="Grading processes; one per core by default.", rich_help_panel=options.ENGINE
        ),
    ] = None,
    deadline: Annotated[
        float, typer.Option(help="Seconds one comparison may take.", rich_help_panel=options.ENGINE)
    ] = 10.0,
    report: options.Report = None,
    as_json: options.Json = False,
) -> None:
    """Learn from rewards (GRPO by TRL), the counterpart of entropy minimisation."""
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.cli.show import show
        from emdiag.core.errors import PlanError
        from emdiag.findings.kinds import findings_of
        from emdiag.publish.training import training_figures
        from emdiag.train.em.plan import parse_numbers, parse_seeds
        from emdiag.train.recipe_fields import parse_settings
        from emdiag.train.rl.plan import RLPlan
        from emdiag.train.rl.recipe import load_rl_recipe

        named = {
            "reward": reward,
            "updates": updates,
            "completions": completions,
            "group_size": group_size,
            "temperature": temperature,
            "learning_rate": lr,
            "max_tokens": max_tokens,
            "template": template,
            "chat": chat,
            "micro_batch": micro_batch,
        }
        changes = {field: value for field, value in named.items() if value is not None}
        chosen = load_rl_recipe(recipe, {**changes, **parse_settings(settings or [])})
        try:
            plan = msgspec.convert(
                {
                    "ref": ref,
                    "benchmark": benchmark,
                    "recipe": msgspec.to_builtins(chosen),
                    "seeds": parse_seeds(seeds),
                    "save_updates": parse_numbers(save_updates) if save_updates else [],
                    "limit": limit,
                    "held_out": held_out,
                    "held_out_every": held_out_every,
                    "state_every": state_every,
                    "check_samples": check_samples,
                    "first_reward_check": first_reward_check,
                    "dtype": dtype,
                    "device": device,
                    "trust_remote_code": trust_remote_code,
                    "grader_workers": grader_workers,
                    "deadline_s": deadline,
                },
                RLPlan,
            )
        except msgspec.ValidationError as error:
            raise PlanError(f"an option has the wrong value: {error}") from error
        from emdiag.train.rl.run import run_rl

        session = options.session_on(out_dir, out)
        result = run_rl(plan, session, out=out_dir)
        for figure in training_figures(result, progress=session.progress):
            out.say(f"figure: {figure}.svg")
        if as_json:
            out.result(result)
        else:
            show(findings_of(result), out)
        options.write_page(result, report, session, out)
