"""Options that several commands have and no plan holds, each said once."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emdiag.cli import console
from emdiag.core.option_types import renaming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.cli.console import Out
    from emdiag.core.records import Result
    from emdiag.store.session import Session

Deadline = Annotated[float, typer.Option(help="Seconds one comparison may take.")]
Figures = Annotated[
    Path | None, typer.Option(help="Folder of the plots; below --store by default.")
]
GraderName = Annotated[
    str, typer.Option(help="math-verify, or package.module:name for one of your own.")
]
GraderWorkers = Annotated[
    int | None, typer.Option(help="Grading processes; one per core by default.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Plots = Annotated[bool, typer.Option("--plots/--no-plots", help="Draw figures.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Also write the result as a page."),
]
Store = Annotated[Path, typer.Option(help="Folder of runs; the same command continues there.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show every column of a table.")]

STORE = Path("emdiag-out")
OLD_STORE = ("--out", "-o")
"""How seven commands called `--store` in version 0.1."""


def renamed(**old: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take old spellings of its options, with a note on stderr.

    They go in version 0.3.

    Args:
        old: Name of a parameter to its old flags.
    """

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        hidden = [
            inspect.Parameter(
                f"old_{name}",
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[
                    _plain(signature.parameters[name].annotation) | None,
                    typer.Option(*flags, hidden=True),
                ],
            )
            for name, flags in old.items()
        ]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            for name, flags in old.items():
                value = given.pop(f"old_{name}")
                if value is not None:
                    note_renamed(flags[0], f"--{name}")
                    given[name] = value
            function(**given)

        parameters = [*signature.parameters.values(), *hidden]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # typer reads it
        return command

    return wrap


def note_renamed(old: str, new: str) -> None:
    """Say on stderr that an option is spelled otherwise now."""
    console.note(f"note: {renaming(old, new)}")


def session_on(store: Path, out: Out, *, command: Sequence[str] | None = None) -> Session:
    """The session of a command on this folder.

    Args:
        store: Folder of runs.
        out: The command's way to the user.
        command: What makes the result again; as typed by default.
    """
    from emdiag.store.session import open_session

    words = ("emdiag", *sys.argv[1:]) if command is None else command
    return open_session(store, home=out.home, progress=out.progress, command=words)


Metrics = Annotated[
    list[str] | None,
    typer.Option(help="Your own function of outcomes, package.module:name; repeatable."),
]


def write_page(result: Result, path: Path | None, session: Session, out: Out) -> None:
    """Write the page of a result where one is asked for, and say where it lies.

    Args:
        result: Of the command.
        path: As given to `--report`; None writes nothing.
        session: Of the command.
        out: The command's way to the user.
    """
    if path is None:
        return
    from emdiag.publish.report import write_report

    out.say(f"page: {write_report(result, path, session)}")


def _plain(annotation: Any) -> Any:
    """A type without what typer is told of it."""
    return getattr(annotation, "__origin__", annotation)
