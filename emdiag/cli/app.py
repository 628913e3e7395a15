"""`emdiag`: the list of its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from emdiag.cli import (
    benchmarks,
    claims,
    compare,
    demo,
    grade,
    lab,
    logits_skew,
    regrade,
    report,
    runs,
    select,
    temp_sweep,
    train,
)
from emdiag.cli import eval as evaluation
from emdiag.resources import version

app = typer.Typer(
    name="emdiag",
    help="Did this checkpoint really get better, and what happened to its distribution?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


app.command("eval")(evaluation.evaluate)
app.command("compare")(compare.compare)
app.command("logits-skew")(logits_skew.logits_skew)
app.command("temp-sweep")(temp_sweep.temp_sweep)
app.command("claims")(claims.claims)
app.command("report")(report.report)
app.command("demo")(demo.demo)
app.command("select")(select.select)
app.command("grade")(grade.grade)
app.command("regrade")(regrade.regrade)
app.add_typer(train.app, name="train")
app.add_typer(runs.app, name="runs")
app.add_typer(benchmarks.app, name="benchmarks")
app.add_typer(lab.app, name="lab")


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"emdiag {version()}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    app()
