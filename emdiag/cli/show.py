"""Findings on a terminal: no number, verdict, id, key or command is ever cut.

A table that is too wide for its terminal puts intervals below their numbers, then leaves out its
secondary columns and says so, and at last writes each row as lines of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from emdiag.core.codec import to_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.cli.console import Out
    from emdiag.core.records import Result
    from emdiag.findings.page import Cell, Findings, Table

_GAP: Final = 2
_SIGNS: Final = {"better": " ▲", "worse": " ▼", "undecided": "", "plain": ""}


def show(findings: Findings, out: Out) -> None:
    """Tables, statements and cautions on stdout; what comes next on stderr."""
    for table in findings.tables:
        show_table(table, out)
    for statement in findings.statements:
        out.line(statement.words)
    for caution in findings.cautions:
        out.line(f"note: {caution}")
    for line in findings.files:
        out.line(line)
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
    rows = [[_words(cell) for cell in row] for row in table.rows]
    columns = list(table.columns)
    dropped: list[str] = []
    stacks = False
    if not out.wide:
        stacks = _width(columns, rows, stacks=False) > out.width
        for name in table.secondary:
            if _width(columns, rows, stacks=stacks) <= out.width:
                break
            if name in columns:
                index = columns.index(name)
                dropped.append(columns.pop(index))
                rows = [[*row[:index], *row[index + 1 :]] for row in rows]
    if not out.wide and _width(columns, rows, stacks=stacks) > out.width:
        _show_rows(table, out)
        return
    drawn = RichTable(
        box=box.SIMPLE_HEAD, padding=(0, 0, 0, _GAP - 1), pad_edge=False, show_edge=False
    )
    widths = _widths(columns, rows, stacks=stacks)
    spare = cell_len(" ".join(columns)) if out.wide else out.width - _total(widths)
    for index, name in enumerate(columns):
        texts = [_stacked(row[index]) if stacks else row[index] for row in rows]
        more = max(cell_len(name) - widths[index], 0)  # for a heading on one line
        more = more if more <= spare else 0
        spare -= more
        drawn.add_column(
            Text(name),
            justify="right" if index and _is_numeric(texts) else "left",
            width=widths[index] + more,
        )
    for row in rows:
        drawn.add_row(*(Text(_stacked(words) if stacks else words) for words in row))
    out.line("")
    out.line(table.title)
    out.table(drawn)
    if table.note:
        out.line(table.note)
    if dropped:
        out.line(f"not shown for want of room: {', '.join(dropped)}; --wide shows all columns")


def _show_rows(table: Table, out: Out) -> None:
    """Each row as lines `column: words`, for tables that no terminal of this width can hold."""
    out.line("")
    out.line(table.title)
    for row in table.rows:
        out.line("")
        for place, (name, cell) in enumerate(zip(table.columns, row, strict=True)):
            words = _words(cell).replace("\n", "\n    ")
            if words:
                out.line(words if place == 0 else f"  {name}: {words}")
    if table.note:
        out.line("")
        out.line(table.note)


def _words(cell: Cell) -> str:
    words = cell.text + (_SIGNS[cell.tone] if cell.text else "")
    return f"{words}\n{cell.below}" if cell.below else words


def _stacked(words: str) -> str:
    """An interval below its number."""
    return words.replace(" [", "\n[")


def _width(columns: Sequence[str], rows: Sequence[Sequence[str]], *, stacks: bool) -> int:
    """Of the whole table, at its narrowest."""
    return _total(_widths(columns, rows, stacks=stacks))


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], *, stacks: bool) -> list[int]:
    """Of columns; headings may be broken between words, cells may not."""
    widths = []
    for index, name in enumerate(columns):
        cells = [_stacked(row[index]) if stacks else row[index] for row in rows]
        widths.append(_widest([*cells, *name.split()]))
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _widest(texts: Sequence[str]) -> int:
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)


def _is_numeric(texts: Sequence[str]) -> bool:
    defined = [text for text in texts if text not in {"", "-"}]
    return bool(defined) and all(any(sign.isdigit() for sign in text[:3]) for text in defined)
