"""What a page says, before it is HTML: the same frame for every command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from emdiag.core.samples_book import SampleBook, Tone

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


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and its value, such as `temperature` and `0.6`."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One sentence of the answer, with its figure and interval in it."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure.

    Attributes:
        svg: The whole file, as matplotlib writes it.
        caption: What to see in it.
        alt: The same for who cannot see it: what is drawn, and what it shows.
    """

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
    """Rows under columns; the first column names the row.

    Attributes:
        title: What is in it, with the unit.
        note: How to read it.
        is_prose: Whether its cells hold sentences; on a narrow screen its columns then stand below
            one another.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None
    is_prose: bool = False


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
        cautions: What to distrust, beyond what the result itself notes.
    """

    asked: tuple[Fact, ...] = ()
    commands: tuple[str, ...] = ()
    provenance: tuple[Fact, ...] = ()
    cautions: tuple[str, ...] = ()
    samples: SampleBook | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: question, answer, pictures, doubts, samples, and how to make it again.

    Attributes:
        question: What was asked, in a sentence.
        answers: The most important first.
        cautions: What to distrust, each a sentence.
    """

    kind: PageKind
    title: str
    question: str
    answers: tuple[Statement, ...]
    sections: tuple[Section, ...]
    cautions: tuple[str, ...]
    context: Context = field(default_factory=Context)
