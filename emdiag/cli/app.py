"""`emdiag`: the list of its commands."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Annotated

import typer

from emdiag.cli import benchmarks, console, grade, lab, runs, stored, studies
from emdiag.cli.commands import Commands
from emdiag.cli.options import OLD_STORE, renamed
from emdiag.resources import version

app = typer.Typer(
    name="emdiag",
    cls=Commands,
    help="Did this checkpoint really get better, and what happened to its distribution?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


_STORE = renamed(store=OLD_STORE)

app.command("eval", cls=_STORE)(studies.evaluate)
app.command("compare", cls=_STORE)(stored.compare)
app.command("logits-skew", cls=renamed(store=OLD_STORE, limit=("--problems",)))(studies.logits_skew)
app.command("temp-sweep", cls=_STORE)(studies.temp_sweep)
app.command("claims", cls=_STORE)(stored.claims)
app.command("report")(stored.report)
app.command("demo", cls=renamed(limit=("--problems",)))(studies.demo)
app.command("select")(studies.select)
app.command("doctor")(studies.doctor)
app.command("grade")(grade.grade)
app.command("regrade", cls=_STORE)(stored.regrade)
app.add_typer(studies.train, name="train")
app.add_typer(runs.app, name="runs")
app.add_typer(benchmarks.app, name="benchmarks")
app.add_typer(lab.app, name="lab")


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        console.Out(json=False).line(f"emdiag {version()}")
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
    """Run what was typed; SIGTERM ends it as Ctrl-C does, and a second one at once."""
    signal.signal(signal.SIGTERM, _terminate)
    app()


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_DFL)
    raise console.Terminated
