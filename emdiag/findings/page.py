"""What a result says, before it is text on a terminal, a title of a figure or HTML."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeVar

from emdiag.core.page_samples import PageSamples
from emdiag.core.results import Direction, Interval
from emdiag.findings.numbers import NOTHING

PageKind = Literal[
    "evaluation",
    "comparison",
    "logits",
    "temperature sweep",
    "training",
    "seeds",
    "selection",
    "claims",
    "study",
]


Tone = Literal["better", "worse", "plain", "undecided"]
"""How a statement or a cell is shown, always beside its words."""

TONES: Final[Mapping[Direction, Tone]] = {
    "higher": "better",
    "lower": "worse",
    "undecided": "undecided",
}
"""Of a difference where more is better."""


ALL_FINDINGS: Final = "All findings supported by the intervals"
"""Heading of the part of a page that holds every statement."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and its value, such as `temperature` and `0.6`."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One finding, worded once.

    Attributes:
        words: The sentence, with value and interval in it, without a full stop.
        kind: What is said, such as `score`, `trend` or `entropy-matched`.
        subject: Of what: the labels and the benchmark that it is about.
        direction: As the record decided; None where nothing is compared.
        value, interval: In the unit of the record; None where it rests on no single number.
    """

    words: str
    kind: str = ""
    subject: str = ""
    direction: Direction | None = None
    value: float | None = None
    interval: Interval | None = None
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure as the whole SVG that matplotlib writes; `alt` is for who cannot see it."""

    name: str
    svg: str
    caption: str
    alt: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One entry of a table.

    Attributes:
        hint: More of it, in words; shown when asked for.
        below: More of it, in words; always shown.
    """

    text: str
    tone: Tone = "plain"
    hint: str | None = None
    below: str | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns; the first column names the row. Without rows it is not shown.

    Attributes:
        title: What is in it, with the unit.
        note: How to read it.
        column_notes: A column and how to read it, said only where the column is shown.
        secondary: Columns that a narrow terminal leaves out, the first one first.
        is_prose: Whether its cells hold sentences; on a narrow screen its columns then stand below
            one another.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None
    column_notes: tuple[tuple[str, str], ...] = ()
    secondary: tuple[str, ...] = ()
    is_prose: bool = False

    def note_on(self, columns: Collection[str]) -> str:
        """How to read it where only these columns are shown; empty where nothing is to say."""
        notes = [words for column, words in self.column_notes if column in columns]
        return " ".join([self.note, *notes] if self.note else notes)

    @property
    def whole_note(self) -> str:
        """How to read it where all its columns are shown."""
        return self.note_on(self.columns)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a result says on a terminal; pages and figures take their parts from the same functions.

    The most important tables and statements come first.

    Attributes:
        files: What was written, each with its name, such as `figure: out/accuracy.svg`.
        next: What to do or to know next; beside the result, on stderr.
    """

    tables: tuple[Table, ...] = ()
    statements: tuple[Statement, ...] = ()
    cautions: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page: words, then pictures, then tables.

    Attributes:
        is_detail: Whether it is folded until a reader opens it.
    """

    heading: str
    words: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    is_detail: bool = False


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a page shows beside its result, gathered where runs are read.

    Attributes:
        asked: Settings, such as benchmark, samples and temperature.
        commands: That make the same page again, in order.
        provenance: Versions, device, times, run keys.
    """

    asked: tuple[Fact, ...] = ()
    commands: tuple[str, ...] = ()
    provenance: tuple[Fact, ...] = ()
    cautions: tuple[str, ...] = ()
    samples: PageSamples | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: question, answer, pictures, doubts, samples, and how to make it again.

    Attributes:
        answers: The most important first.
        chapter: Heading as a part of a study, where it is not the title.
    """

    kind: PageKind
    title: str
    question: str
    answers: tuple[Statement, ...]
    sections: tuple[Section, ...]
    cautions: tuple[str, ...]
    chapter: str = ""
    context: Context = field(default_factory=Context)


Row = list[Cell | str]
"""A row of a table in the making."""

R = TypeVar("R")


class Estimate(Protocol):
    """What a statement may rest on: any record of a value with its interval."""

    @property
    def value(self) -> float | None:
        """In the unit of the record."""

    @property
    def interval(self) -> Interval | None:
        """In the same unit."""


def statement(
    words: str,
    kind: str,
    subject: str,
    *,
    of: Estimate | None = None,
    direction: Direction | None = None,
    tone: Tone | None = None,
) -> Statement:
    """A statement that rests on `of`; without a tone, plain or undecided as its direction."""
    return Statement(
        words=words,
        kind=kind,
        subject=subject,
        direction=direction,
        value=None if of is None else of.value,
        interval=None if of is None else of.interval,
        tone=tone or ("undecided" if direction == "undecided" else "plain"),
    )


def table_of(
    records: Iterable[R],
    title: str,
    columns: Sequence[tuple[str, Callable[[R], Cell | str]]],
    *,
    note: str | None = None,
    secondary: Sequence[str] = (),
    is_prose: bool = False,
) -> Table:
    """A row for each record; each column is a heading and the cell of a record under it."""
    return table(
        title,
        [heading for heading, _ in columns],
        rows=[[cell(record) for _, cell in columns] for record in records],
        note=note,
        secondary=secondary,
        is_prose=is_prose,
    )


def table(
    title: str,
    columns: Sequence[str],
    *,
    rows: Sequence[Sequence[Cell | str]],
    note: str | None = None,
    secondary: Sequence[str] = (),
    is_prose: bool = False,
) -> Table:
    """A table of cells and plain words; columns that are empty in every row are left out."""
    cells = [[Cell(text=cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    kept = [
        index
        for index in range(len(columns))
        if index == 0 or not cells or any(row[index].text not in {"", NOTHING} for row in cells)
    ]
    return Table(
        title=title,
        columns=tuple(columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in cells),
        note=note,
        secondary=tuple(secondary),
        is_prose=is_prose,
    )


def sentence(words: str) -> str:
    """With a full stop; a label at its beginning keeps its case."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def sentences(statements: Iterable[Statement]) -> tuple[str, ...]:
    """The words of each, with a full stop."""
    return tuple(sentence(statement.words) for statement in statements)


def one_line(text: str, most: int) -> str:
    """Text of others on one line, cut where it is longer than so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}\N{HORIZONTAL ELLIPSIS}"
