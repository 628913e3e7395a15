"""What the user sees: results on stdout, everything else on stderr; the only module that prints."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from emdiag.core.codec import to_plain
from emdiag.core.errors import EmdiagError, system_error
from emdiag.findings.remarks import worded
from emdiag.reports.marks import visible
from emdiag.resources import default_home

PLAIN_PROGRESS_EVERY_S = 15.0
_WIDE = 1000


class Out:
    """One command's way to the user.

    Attributes:
        progress: Bars on a terminal, a line now and then elsewhere; always on stderr.
        wide: Whether every column of a table is asked for, however wide the terminal is.
    """

    def __init__(self, *, json: bool, wide: bool = False) -> None:
        self.json = json
        self.home = default_home()
        self._results = Console(file=sys.stdout, soft_wrap=False)
        self._errors = Console(file=sys.stderr)
        self.wide = wide or not self._results.is_terminal
        if self.wide:
            self._results.width = _WIDE
        self.progress = TerminalProgress(self._errors)

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._results.width

    def result(self, value: object) -> None:
        """Print a record, or any plain value, as one line of JSON on stdout; remarks in words."""
        sys.stdout.buffer.write(msgspec.json.encode(worded(to_plain(value))) + b"\n")
        sys.stdout.buffer.flush()

    def table(self, table: Table) -> None:
        """Print a table on stdout; where all columns are asked for, at its natural width."""
        self._results.print(table)

    def line(self, text: str) -> None:
        """Print one line of a result on stdout, without markup and never wrapped."""
        self._results.print(Text(visible(text)), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print one line beside the result, on stderr."""
        self._errors.print(Text(visible(text)), soft_wrap=True)


class TerminalProgress:
    """`core.protocols.Progress` on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, title: str, *, total: int, done: int = 0) -> Iterator[_Bar | _Lines]:
        """A bar with speed and remaining time; plain lines where stderr is no terminal."""
        if not self._console.is_terminal:
            lines = _Lines(self._console, title, total=total, done=done)
            yield lines
            lines.close()
            return
        columns: tuple[ProgressColumn, ...] = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _TokensColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            bars.add_task(escape(title), total=total, completed=done, tokens=0)
            yield _Bar(bars, title)

    def note(self, text: str) -> None:
        """Print one line on stderr."""
        self._console.print(Text(text), soft_wrap=True)


class _Bar:
    def __init__(self, bars: Progress, title: str) -> None:
        self._bars, self._title = bars, title
        self._task = bars.tasks[-1].id
        self._tokens = 0

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        self._tokens += tokens
        self._bars.update(self._task, advance=count, tokens=self._tokens)

    def status(self, text: str) -> None:
        self._bars.update(self._task, description=escape(f"{self._title}  {text}"))


class _TokensColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        tokens = task.fields["tokens"]
        return Text(f"{tokens / task.elapsed:,.0f} tok/s" if tokens and task.elapsed else "")


class _Lines:
    """A line at the start, now and then, and at the end."""

    def __init__(self, console: Console, title: str, *, total: int, done: int) -> None:
        self._console, self._title = console, title
        self._total, self._done, self._before, self._tokens = total, done, done, 0
        self._started = self._said = time.monotonic()
        self._status = ""

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        self._done += count
        self._tokens += tokens
        if time.monotonic() - self._said >= PLAIN_PROGRESS_EVERY_S:
            self._say()

    def status(self, text: str) -> None:
        self._status = text

    def close(self) -> None:
        if self._total > 1 or time.monotonic() - self._started > 1:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        elapsed = self._said - self._started
        drawn = self._done - self._before
        left = (self._total - self._done) * elapsed / drawn if drawn else None
        parts = [f"{self._title}  {self._done}/{self._total}  {elapsed:.0f} s"]
        if self._status:
            parts.append(self._status)
        if self._tokens and elapsed:
            parts.append(f"{self._tokens / elapsed:,.0f} tok/s")
        if left:
            parts.append(f"{left:.0f} s left")
        self._console.print(Text("  ".join(parts)), soft_wrap=True)


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def interruptible(kept: str = "") -> Iterator[None]:
    """An interruption ends with one line, which says what is `kept`, and its exit code."""
    try:
        yield
    except KeyboardInterrupt as error:
        word, code = ("terminated", 143) if isinstance(error, Terminated) else ("interrupted", 130)
        note(f"{word}{kept}")
        raise typer.Exit(code) from error


@contextmanager
def command(*, json: bool = False, resumes: bool = False, wide: bool = False) -> Iterator[Out]:
    """Run the body of a command: errors become messages and exit codes.

    A command that `resumes` goes on where it is given again after an interruption.

    Exit codes: 0 done, 2 something the user can fix, 1 a bug, 130 interrupted, 143 terminated.
    """
    out = Out(json=json, wide=wide)
    logging.basicConfig(level=os.environ.get("EMDIAG_LOG", "WARNING").upper(), stream=sys.stderr)
    kept = "; what was finished is kept, and the same command continues it" if resumes else ""
    try:
        with interruptible(kept):
            yield out
    except EmdiagError as error:
        show_error(error)
        raise typer.Exit(2) from error
    except BrokenPipeError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - lives until the process ends
        raise typer.Exit(0) from error
    except typer.Exit:
        raise
    except Exception as error:  # the one place: a bug is shown whole, with exit code 1
        if refused := system_error(error):
            show_error(refused)
            raise typer.Exit(2) from error
        traceback.print_exc()
        out.say(f"error: this is a bug in emdiag ({type(error).__name__}); please report it")
        raise typer.Exit(1) from error


def note(text: str) -> None:
    """Print one line on stderr."""
    Console(file=sys.stderr).print(Text(text), soft_wrap=True)


def show_error(error: EmdiagError) -> None:
    """Print what went wrong, the facts and the hint on stderr."""
    console = Console(file=sys.stderr)
    console.print(Text("error: ", style="bold red") + Text(error.message), soft_wrap=True)
    facts = {**error.facts, **({"hint": error.hint} if error.hint else {})}
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        console.print(Text(f"  {name:<{width}}  {value}"), soft_wrap=True)
