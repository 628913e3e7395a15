"""What the user sees: results on stdout, everything else on stderr; the only module that prints.

Every text passes `shown`: nothing in it is markup, and no terminal obeys it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import typer
from rich.cells import cell_len
from rich.console import Console
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
from emdiag.core.errors import EmdiagError, PlanError, system_error
from emdiag.core.marks import ENCODING_ERRORS, json_escaped, visible
from emdiag.findings.remarks import worded
from emdiag.resources import default_home

PLAIN_PROGRESS_EVERY_S = 15.0
_WIDE = 1000
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LONGEST_FACT: Final = 2000
_WHOLE: Final = re.compile(r"`[^`]+`|\[[^\[\]]*\]")
"""Commands and intervals, which are not broken."""

_KEPT: Final = "\N{WORD JOINER}"
"""Stands for a blank at which a line is not broken."""


def shown(text: str, console: Console, *, is_line: bool = False) -> str:
    """A text as a stream can show it: the border of everything that is printed.

    Characters that a terminal obeys or hides are named; so are those that its encoding lacks, but
    for signs that have a plain form. A text that `is_line` stays on one.
    """
    marked = visible(text, is_line=is_line)
    return marked.encode(console.encoding, ENCODING_ERRORS).decode(console.encoding)


class Out:
    """One command's way to the user.

    Attributes:
        progress: Bars on a terminal, a line now and then elsewhere; always on stderr.
        wide: Whether every column of a table is asked for, however wide the terminal is.
    """

    def __init__(self, *, json: bool, wide: bool = False) -> None:
        self.json = json
        self.home = default_home()
        self._results, self._errors = Console(file=sys.stdout), Console(file=sys.stderr)
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
        json = msgspec.json.encode(worded(to_plain(value))).decode()
        is_ascii = not self._results.encoding.startswith("utf")
        self._results.file.write(json_escaped(json, is_ascii=is_ascii) + "\n")
        self._results.file.flush()

    def cell(self, text: str) -> str:
        """A text as a cell of a table shows it: on one line."""
        return shown(text, self._results, is_line=True)

    def table(self, table: Table) -> None:
        """Print a table of such cells on stdout; where all columns are asked for, unbroken."""
        self._results.print(table)

    def line(self, text: str, *, is_line: bool = False) -> None:
        """Print a result on stdout, never wrapped; one that `is_line` takes no other line."""
        _print(shown(text, self._results, is_line=is_line), self._results)

    def sentence(self, words: str, *, indent: int = 2, is_shown: bool = False) -> None:
        """Print words on stdout, broken between them where the terminal is narrower.

        Those that hold cells are shown already.
        """
        for line in (words if is_shown else shown(words, self._results)).split("\n"):
            if self.wide or cell_len(line) <= self.width:
                _print(line, self._results)
                continue
            for part in textwrap.wrap(
                _WHOLE.sub(lambda whole: whole[0].replace(" ", _KEPT), line),
                width=self.width,
                subsequent_indent=" " * indent,
                break_long_words=False,
                break_on_hyphens=False,
            ):
                _print(part.replace(_KEPT, " "), self._results)

    def say(self, text: str) -> None:
        """Print one line beside the result, on stderr."""
        _print(shown(text, self._errors), self._errors)


class TerminalProgress:
    """`core.protocols.Progress` on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, title: str, *, total: int, done: int = 0) -> Iterator[_Bar | _Lines]:
        """A bar with speed and remaining time; plain lines where stderr is no terminal."""
        title = shown(title, self._console, is_line=True)
        if not self._console.is_terminal:
            lines = _Lines(self._console, title, total=total, done=done)
            yield lines
            lines.close()
            return
        columns: tuple[ProgressColumn, ...] = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _TokensColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns, console=self._console, redirect_stdout=False, redirect_stderr=False
        ) as bars:
            bars.add_task(title, total=total, completed=done, tokens=0)
            yield _Bar(bars, title)

    def note(self, text: str) -> None:
        """Print one line on stderr."""
        _print(shown(text, self._console), self._console)


class _Bar:
    def __init__(self, bars: Progress, title: str) -> None:
        self._bars, self._title = bars, title
        self._task = bars.tasks[-1].id
        self._tokens = 0

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        self._tokens += tokens
        self._bars.update(self._task, advance=count, tokens=self._tokens)

    def status(self, text: str) -> None:
        text = shown(text, self._bars.console, is_line=True)
        self._bars.update(self._task, description=f"{self._title}  {text}")


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
        self._status = shown(text, self._console, is_line=True)

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
        _print("  ".join(parts), self._console)


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

    Exit codes: 0 done, 2 something the user can fix, 1 a bug, or what `doctor` finds wrong, 130
    interrupted, 143 terminated.
    """
    out = Out(json=json, wide=wide)
    kept = "; what was finished is kept, and the same command continues it" if resumes else ""
    try:
        _start_log()
        with interruptible(kept):
            yield out
    except EmdiagError as error:
        show_error(error)
        raise typer.Exit(2) from error
    except typer.Exit:
        raise
    except Exception as error:  # the one place: a bug is shown whole, with exit code 1
        if refused := system_error(error):
            show_error(refused)
            raise typer.Exit(2) from error
        traceback.print_exc()
        out.say(f"error: this is a bug in emdiag ({type(error).__name__}); please report it")
        raise typer.Exit(1) from error


class _LogLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record))


def _start_log() -> None:
    """Lines of the log go to stderr, as `EMDIAG_LOG` wants them."""
    level = (os.environ.get("EMDIAG_LOG") or "WARNING").upper()
    if level not in _LOG_LEVELS:
        raise PlanError(
            f"EMDIAG_LOG is {os.environ['EMDIAG_LOG']!r}", expected=", ".join(_LOG_LEVELS)
        )
    logging.basicConfig(
        level=level, format="%(levelname)s:%(name)s:%(message)s", handlers=[_LogLines()]
    )


def note(text: str) -> None:
    """Print one line on stderr."""
    console = Console(file=sys.stderr)
    _print(shown(text, console), console)


def show_error(error: EmdiagError) -> None:
    """Print what went wrong, the facts and the hint on stderr."""
    console = Console(file=sys.stderr)

    def fact(text: str) -> str:
        cut = f"... ({len(text):,} characters)" if len(text) > _LONGEST_FACT else ""
        return shown(text[:_LONGEST_FACT] + cut, console).replace("\n", "\n  ")

    console.print(Text("error: ", style="bold red") + Text(fact(error.message)), soft_wrap=True)
    facts = {**error.facts, **({"hint": error.hint} if error.hint else {})}
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        _print(f"  {fact(name):<{width}}  {fact(value)}", console)


def _print(text: str, console: Console) -> None:
    console.print(Text(text), soft_wrap=True)
