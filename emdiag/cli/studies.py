"""Commands that follow a plan: checkpoints in, measured or trained, results out; and `demo`."""

from __future__ import annotations

import os
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from emdiag.benchmarks.open import open_benchmark
from emdiag.cli import console, options
from emdiag.cli.plan_options import Call, plan_command
from emdiag.core.errors import EmdiagError
from emdiag.core.protocols import SilentProgress
from emdiag.core.training import TrainResult
from emdiag.studies.doctor.plan import DoctorPlan
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.logits.plan import LogitSkewPlan, logit_design
from emdiag.studies.sweep.plan import TemperatureSweepPlan, sweep_design
from emdiag.studies.training.plans import SeedScoresPlan, SelectPlan
from emdiag.train.em.plan import EMPlan
from emdiag.train.em.ready import check_em
from emdiag.train.jobs import open_parent
from emdiag.train.rl.plan import RLPlan

train = typer.Typer(
    help="Entropy minimisation, reinforcement learning, and scores of what they made.",
    no_args_is_help=True,
)


@plan_command(EvaluatePlan, json_field="scores")
def evaluate(call: Call[EvaluatePlan]) -> None:
    """Score checkpoints on benchmarks: avg@k, pass@k and maj@k with their intervals."""
    from emdiag.studies.evaluate.run import run_evaluate

    call.show(run_evaluate(call.plan, call.session))


@plan_command(LogitSkewPlan)
def logits_skew(
    call: Call[LogitSkewPlan], figures: options.Figures = None, plots: options.Plots = True
) -> None:
    """Compare next-token logits between checkpoints that read the same texts."""
    logit_design(call.plan)  # what contradicts itself is said before torch is imported
    from emdiag.cli.show import printed
    from emdiag.findings.logits.statements import logit_findings
    from emdiag.studies.logits.run import run_logit_skew

    folder = _figures(call, figures, plots=plots)
    result = run_logit_skew(call.plan, call.session, figures=folder, keyed=figures is None)
    findings = logit_findings(result, all_statistics=call.out.wide)
    plain = printed(result, logit_findings(result, all_texts=True)) if call.out.json else None
    call.show(result, findings, plain=plain)


@plan_command(TemperatureSweepPlan)
def temp_sweep(
    call: Call[TemperatureSweepPlan], figures: options.Figures = None, plots: options.Plots = True
) -> None:
    """Sweep the temperature of sampling (or top-p, top-k), with an entropy-matched baseline."""
    sweep_design(call.plan)
    from emdiag.cli.show import printed
    from emdiag.findings.sweep.tables import sweep_findings
    from emdiag.studies.sweep.run import run_temperature_sweep

    folder = _figures(call, figures, plots=plots, prefix="sweep-")
    result = run_temperature_sweep(call.plan, call.session, figures=folder, keyed=figures is None)
    findings = sweep_findings(result)
    call.show(result, findings, plain=printed(result, findings))


@plan_command(SelectPlan, json_field="ranked")
def select(
    call: Call[SelectPlan],
    top: Annotated[
        int, typer.Option(min=1, max=1_000_000_000, help="Prompts shown; all are written.")
    ] = 10,
) -> None:
    """Rank the prompts of a pool by how a checkpoint behaves on them, and write them in order."""
    from emdiag.findings.selection import selection_findings
    from emdiag.studies.training.select import run_select

    result = run_select(call.plan, call.session)
    call.show(result, selection_findings(result, top=top))


@plan_command(DoctorPlan, is_stored=False)
def doctor(call: Call[DoctorPlan]) -> None:
    """Look at this machine, or at how a checkpoint is read and whether its engines agree.

    The exit code is 1 where something needed is wrong, 2 where the checkpoint is refused.
    """
    from emdiag.studies.doctor.run import run_doctor

    result = run_doctor(call.plan, call.session)
    options.show_result(result, call.out)
    if (error := result.error) is not None:
        raise EmdiagError(error.message, hint=error.hint, **error.facts)
    if result.wrong:
        raise typer.Exit(1)


@train.command("em")
@plan_command(EMPlan)
def em(call: Call[EMPlan]) -> None:
    """Minimise entropy on one unlabelled prompt, as one-shot EM does."""
    check_em(call.plan, home=call.session.home)
    from emdiag.train.em.run import run_em

    if os.environ.get("RANK", "0") != "0":  # another process of the same training tells the user
        run_em(call.plan, replace(call.session, progress=SilentProgress()), is_main=False)
        return
    _show_training(call, run_em(call.plan, call.session))


@train.command("rl")
@plan_command(RLPlan)
def rl(call: Call[RLPlan]) -> None:
    """Learn from rewards (GRPO by TRL), the counterpart of entropy minimisation."""
    plan, home = call.plan, call.session.home
    trusts, chat = plan.engine.trust_remote_code, (plan.asking.needs_chat or bool(plan.recipe.chat))
    open_parent(plan.ref, home=home, trust_remote_code=trusts, chat=chat)
    open_benchmark(plan.benchmark, home=home, require_answers=False)
    from emdiag.train.rl.run import run_rl

    _show_training(call, run_rl(call.plan, call.session))


@train.command("score")
@plan_command(SeedScoresPlan, json_field="benchmarks")
def score(call: Call[SeedScoresPlan]) -> None:
    """Score all seeds of a training: the registered checkpoint, their mean, and how they differ."""
    from emdiag.studies.training.score_seeds import run_score_seeds

    call.show(run_score_seeds(call.plan, call.session))


def demo(
    out_dir: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of everything; the same command continues.")
    ] = Path("emdiag-demo"),
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each EM arm.")] = 3,
    limit: Annotated[
        int,
        typer.Option(
            min=2, max=1_000_000_000, help="Use only the first N problems of the benchmark."
        ),
    ] = 100,
    rl: Annotated[
        bool, typer.Option("--rl/--no-rl", help="Train by reward as well, where TRL is installed.")
    ] = True,
    show: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser when it is done.")
    ] = False,
    as_json: options.Json = False,
    wide: options.Wide = False,
) -> None:
    """Run the paper in miniature on the shipped model: minutes, no GPU, no network."""
    with console.command(json=as_json, resumes=True, wide=wide) as out:
        from emdiag.cli.show import show as show_findings
        from emdiag.demonstration.plan import DemoPlan, rl_can_run
        from emdiag.demonstration.run import run_demo
        from emdiag.findings.kinds import findings_of

        plan = DemoPlan(out=str(out_dir), seeds=seeds, problems=limit, has_rl=rl and rl_can_run())
        result = run_demo(plan, options.session_on(out_dir, out))
        if as_json:
            out.result(result)
        else:
            for stage in result.stages:
                out.say(f"{stage.seconds:7.1f} s  {stage.stage}")
            findings = findings_of(result.claims)
            show_findings(replace(findings, files=(f"page: {result.page}",)), out)
        if show:
            webbrowser.open(Path(result.page).resolve().as_uri())


def _show_training(call: Call[EMPlan] | Call[RLPlan], result: TrainResult) -> None:
    from emdiag.publish.training import training_figures

    for figure in training_figures(result, progress=call.session.progress):
        call.out.say(f"figure: {figure}.svg")
    call.show(result)


def _figures(
    call: Call[LogitSkewPlan] | Call[TemperatureSweepPlan],
    folder: Path | None,
    *,
    plots: bool,
    prefix: str = "",
) -> Path | None:
    """Where plots go; None where none are wanted."""
    if not plots:
        return None
    labels = "-".join(dict.fromkeys(named.label for named in call.plan.checkpoints))
    name = f"{prefix}{Path(call.plan.targets.benchmarks[0]).stem}-{labels}"
    plain = "".join(char if char.isalnum() or char in "-_." else "_" for char in name)
    short = plain.encode()[:80].decode(errors="ignore")  # the result's key comes behind
    return folder or call.session.store.root / "figures" / short
