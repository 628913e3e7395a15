"""Options that several commands have and no plan holds, each said once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from emdiag.cli import console
from emdiag.cli.console import Out
from emdiag.core.errors import PlanError
from emdiag.core.options import renaming
from emdiag.core.paths import page_path
from emdiag.core.records import Result
from emdiag.findings.page import Findings
from emdiag.store.session import Session

Figures = Annotated[
    Path | None, typer.Option(help="Folder of the plots; below --store by default.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Plots = Annotated[bool, typer.Option("--plots/--no-plots", help="Draw figures.")]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Also write the result as a page.",
        callback=lambda path: path and page_path(path),
    ),
]
Store = Annotated[Path, typer.Option(help="Folder of runs; the same command continues there.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show every column of a table.")]

STORE = Path("emdiag-out")
OLD_STORE = ("--out", "-o")
"""How seven commands called `--store` in version 0.1."""


def renamed(**old: Sequence[str]) -> type[TyperCommand]:
    """A command that takes old spellings of its options, with a note on stderr.

    They go in version 0.3; an option that is given by both spellings is refused. `old` is from the
    name of an option to its old flags.
    """

    def spelling(word: str, words: Sequence[str]) -> str:
        for name, flags in old.items():
            new = f"--{name}"
            for flag in flags:
                rest = word.removeprefix(flag)
                if word.startswith(flag) and (not rest or rest[0] == "=" or flag[1] != "-"):
                    if any(other.partition("=")[0] == new for other in words):
                        hint = f"keep {new}; {renaming(flags[0], new)}"
                        raise PlanError(f"both {flag} and {new} are given", hint=hint)
                    console.note(f"note: {renaming(flags[0], new)}")
                    return f"{new}={rest.removeprefix('=')}" if rest else new
        return word

    class Renamed(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            with console.command():
                words = [spelling(word, args) for word in args]
            return super().parse_args(ctx, words)

    return Renamed


def session_on(store: Path, out: Out, *, command: Sequence[str] | None = None) -> Session:
    """The session on this folder of the `command` that makes the result again; as typed if None."""
    from emdiag.store.session import open_session

    words = ("emdiag", *sys.argv[1:]) if command is None else command
    return open_session(store, home=out.home, progress=out.progress, command=words)


def show_result(result: Result, out: Out, *, findings: Findings | None = None) -> None:
    """Print a result: as JSON where that is asked for, else these findings, or all of its kind."""
    from emdiag.cli.show import show
    from emdiag.findings.kinds import findings_of

    if out.json:
        out.result(result)
    else:
        show(findings_of(result) if findings is None else findings, out)


def write_page(result: Result, path: Path | None, session: Session, out: Out) -> None:
    """Write the page of a result where one is asked for, and say where it lies."""
    if path is None:
        return
    from emdiag.publish.report import write_report

    out.say(f"page: {write_report(result, path, session)}")
