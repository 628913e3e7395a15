"""Findings on a terminal: no number, verdict, id, key or command is ever cut.

A table that is too wide for its terminal puts intervals below their numbers, then leaves out its
secondary columns and says so, and at last writes each row as lines of its own. Tables of sentences
break these between words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from emdiag.cli.console import Out
from emdiag.core.codec import to_plain
from emdiag.core.records import Result
from emdiag.findings.page import Cell, Findings, Table

_GAP: Final = 2
_SENTENCE: Final = 20
"""Room that a column of sentences needs at least."""

_SIGNS: Final = {"better": " ▲", "worse": " ▼", "undecided": "", "plain": ""}


def show(findings: Findings, out: Out) -> None:
    """Tables, statements and cautions on stdout; what comes next on stderr."""
    tables = [table for table in findings.tables if table.rows]
    for table in tables:
        show_table(table, out)
    lines = [statement.words for statement in findings.statements]
    lines += [f"note: {caution}" for caution in findings.cautions]
    if lines and tables:
        out.line("")
    for line in (*lines, *findings.files):
        out.sentence(line)
    for line in findings.next:
        out.say(line)


def printed(result: Result, findings: Findings) -> dict[str, object]:
    """A result as `--json` prints it: its record, with its statements as sentences.

    `store.files.read_result` reads it back, without the sentences.
    """
    return {
        **to_plain(result),
        "statements": [statement.words for statement in findings.statements],
    }


def show_table(table: Table, out: Out) -> None:
    """One table, in the widest form that the terminal has room for."""
    form = _Form(
        columns=[out.cell(name) for name in table.columns],
        rows=[[_words(cell, out) for cell in row] for row in table.rows],
        is_prose=table.is_prose,
    )
    dropped: list[str] = []
    if not out.wide:
        form.is_stacked = _total(form.longest()) > out.width
        for name in table.secondary:
            if form.width <= out.width:
                break
            if out.cell(name) in form.columns:
                form.drop(out.cell(name))
                dropped.append(name)
    out.line("")
    out.sentence(table.title)
    if not out.wide and form.width > out.width:
        _show_rows(table, out)
        dropped = []
    else:
        _draw(form, out)
    if note := table.note_on(set(table.columns) - set(dropped)):
        out.sentence(note)
    if dropped:
        names = ", ".join(dropped)
        out.sentence(f"not shown for want of room: {names}; --wide shows all columns")


@dataclass(kw_only=True)
class _Form:
    """A table on its way to a terminal; where it is stacked, intervals are below their numbers."""

    columns: list[str]
    rows: list[list[str]]
    is_prose: bool
    is_stacked: bool = False

    @property
    def width(self) -> int:
        """Columns of a terminal that it needs."""
        return _total([self.least(index) for index in range(len(self.columns))])

    def widths(self, room: int) -> list[int]:
        """Of its columns; what there is to spare goes to long headings and sentences."""
        widths = [self.least(index) for index in range(len(self.columns))]
        spare = room - _total(widths)
        for index, name in enumerate(self.columns):
            more = max(cell_len(name), self._longest(index)) - widths[index]
            if self.is_prose:
                more = min(more, spare)
            if 0 < more <= spare:
                widths[index] += more
                spare -= more
        return widths

    def least(self, index: int) -> int:
        """Room that a column needs: headings may be broken between words, and so may sentences."""
        heading, longest = _widest(self.columns[index].split()), self._longest(index)
        if not self.is_prose or longest <= _SENTENCE:
            return max(heading, longest)
        words = [word for cell in self.cells(index) for word in cell.split()]
        return max(heading, _SENTENCE, _widest(words))

    def longest(self) -> list[int]:
        """Room that its columns need if no cell is broken."""
        headings = [_widest(name.split()) for name in self.columns]
        return [max(heading, self._longest(index)) for index, heading in enumerate(headings)]

    def _longest(self, index: int) -> int:
        return _widest([line for cell in self.cells(index) for line in cell.split("\n")])

    def cells(self, index: int) -> list[str]:
        """Of a column; an interval goes below its number where they are stacked."""
        texts = [row[index] for row in self.rows]
        return [text.replace(" [", "\n[") for text in texts] if self.is_stacked else texts

    def drop(self, name: str) -> None:
        """Leave a column out."""
        index = self.columns.index(name)
        del self.columns[index]
        for row in self.rows:
            del row[index]


def _draw(form: _Form, out: Out) -> None:
    padding = (0, 0, 0, _GAP - 1)
    drawn = RichTable(box=box.SIMPLE_HEAD, padding=padding, pad_edge=False, show_edge=False)
    columns = [form.cells(index) for index in range(len(form.columns))]
    for name, cells, width in zip(form.columns, columns, form.widths(out.width), strict=True):
        is_first = not drawn.columns
        is_right = _is_numeric(cells) and not is_first
        drawn.add_column(Text(name), justify="right" if is_right else "left", width=width)
    for row in zip(*columns, strict=True):
        drawn.add_row(*map(Text, row))
    out.table(drawn)


def _show_rows(table: Table, out: Out) -> None:
    """Each row as lines `column: words`, for tables that no terminal of this width can hold."""
    for row in table.rows:
        out.line("")
        for place, (name, cell) in enumerate(zip(table.columns, row, strict=True)):
            words = _words(cell, out).replace("\n", "\n    ")
            if words:
                words = words if place == 0 else f"  {out.cell(name)}: {words}"
                out.sentence(words, indent=4, is_shown=True)
    out.line("")


def _words(cell: Cell, out: Out) -> str:
    words = out.cell(cell.text + (_SIGNS[cell.tone] if cell.text else ""))
    return f"{words}\n{out.cell(cell.below)}" if cell.below else words


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _is_numeric(texts: Sequence[str]) -> bool:
    defined = [text for text in texts if text not in {"", "-"}]
    return bool(defined) and all(any(sign.isdigit() for sign in text[:3]) for text in defined)
