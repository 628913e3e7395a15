"""`emdiag demo`: the whole study on the lab, and the page that tells it."""

from __future__ import annotations

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options


def demo(
    out_dir: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of everything; the same command continues.")
    ] = Path("emdiag-demo"),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each EM arm.")] = 3,
    limit: Annotated[
        int, typer.Option(min=2, help="Use only the first N problems of the benchmark.")
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
