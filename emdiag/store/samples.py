"""Samples of a run as columns: where each lies in its journal, and what numbers are made of it.

A sample takes some tens of bytes, however long its text is; texts, token ids and reasons are read
from the journal when they are asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

import msgspec
from msgspec import UnsetType

from emdiag.core.codec import decode
from emdiag.core.errors import JournalError
from emdiag.core.grades import Grade, Verdict, text_digest
from emdiag.core.reading import UNREADABLE, reason_of
from emdiag.core.records import Record
from emdiag.core.runs import SampleEntropy
from emdiag.core.sampling import Completion
from emdiag.store.journal import Place, bad_line, lines_at, read_journal

Sample = tuple[str, int]
"""Problem id and sample index: which completion of a run."""

S = TypeVar("S", Completion, Grade, SampleEntropy)

VERDICTS: Final = tuple(Verdict)
"""By their number in a column."""

_ABSENT: Final = -1
_MOST_INDEX: Final = 2**31
_GAP: Final = 4096
"""Sample indices further apart than this lie in a dictionary and not in an array."""


class SampleHead(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The part of a line that says which sample it is of; the rest is skipped."""

    problem_id: str
    sample_index: int


class _DrawnRow(Completion, frozen=True, kw_only=True):
    """A completion whose token ids are counted and not read."""

    token_ids: msgspec.Raw  # type: ignore[assignment]  # the text of the list


class SampleRows:
    """Which samples a journal holds: one row each, in the order in which they came first.

    Attributes:
        problem_ids: By their number.
        problems, indices: Number of the problem and sample index of each row.
    """

    row_kind: type[Record] = SampleHead
    name = "sample"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = Place()
        self._clear()

    def _clear(self) -> None:
        self.problem_ids: list[str] = []
        self._numbers: dict[str, int] = {}
        self._dense: list[array[int]] = []
        self._sparse: dict[tuple[int, int], int] = {}
        self.problems = array("l")
        self.indices = array("q")
        self._starts = array("q")

    def update(self) -> None:
        """Read what was appended since the last look; all of it where the file is another one.

        Raises:
            JournalError: A line that is not the last one cannot be read.
        """
        is_file = self._path.is_file()
        size = self._path.stat().st_size if is_file else 0
        if size < self._place.byte:  # the run was removed or drawn anew
            self._place = Place()
            self._clear()
        if size > self._place.byte or not is_file:
            for record in read_journal(self._path, self.row_kind, self._place, name=self.name):
                self._take(record)

    def __len__(self) -> int:
        return len(self.problems)

    def row(self, sample: Sample) -> int | None:
        """The row of a sample; None where the journal does not hold it."""
        number = self._numbers.get(sample[0])
        if number is None:
            return None
        dense, index = self._dense[number], sample[1]
        row = dense[index] if 0 <= index < len(dense) else self._sparse.get((number, index))
        return None if row is None or row == _ABSENT else row

    def sample(self, row: int) -> Sample:
        """The sample of a row."""
        return self.problem_ids[self.problems[row]], self.indices[row]

    def rows_of(self, problem_id: str) -> list[int]:
        """Rows of a problem, by sample index."""
        number = self._numbers.get(problem_id)
        if number is None:
            return []
        rows = [row for row in self._dense[number] if row != _ABSENT]
        far = sorted(key for key in self._sparse if key[0] == number) if self._sparse else []
        return rows + [self._sparse[key] for key in far]

    def _take(self, record: Record) -> None:
        row = self.add(record.problem_id, record.sample_index)  # type: ignore[attr-defined]
        self._starts[row] = self._place.start
        self._keep(row, record)

    def _keep(self, row: int, record: Record) -> None:
        """Set the columns of a row; there are none here."""

    def add(self, problem_id: str, index: int) -> int:
        """The row of a sample, a new one at the end where it is new."""
        if not 0 <= index < _MOST_INDEX:
            reason = f"not a {self.name}: its sample_index is {index}"
            raise bad_line(self._path, self._place.line, reason)
        known = SampleRows.row(self, (problem_id, index))
        if known is not None:
            return known
        number = self._numbers.setdefault(problem_id, len(self.problem_ids))
        if number == len(self.problem_ids):
            self.problem_ids.append(problem_id)
            self._dense.append(array("q"))
        row, dense = len(self.problems), self._dense[number]
        if index < len(dense) + _GAP:
            dense.extend([_ABSENT] * (index + 1 - len(dense)))
            dense[index] = row
        else:
            self._sparse[number, index] = row
        self.problems.append(number)
        self.indices.append(index)
        self._starts.append(0)
        return row


class SampleTable(SampleRows, Mapping[Sample, S], Generic[S]):
    """The records of a journal by sample; each is read when it is asked for.

    Attributes:
        hidden: Rows that are there and do not count.
    """

    kind: type[S]

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.hidden: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.problems) - len(self.hidden)

    def __iter__(self) -> Iterator[Sample]:
        return (self.sample(row) for row in range(len(self.problems)) if row not in self.hidden)

    def __contains__(self, sample: object) -> bool:
        return isinstance(sample, tuple) and self.row(sample) is not None

    def __getitem__(self, sample: Sample) -> S:
        row = self.row(sample)
        if row is None:
            raise KeyError(sample)
        return next(self.read([row]))

    def row(self, sample: Sample) -> int | None:
        """As of every journal; None for a sample that does not count."""
        row = super().row(sample)
        return None if row in self.hidden else row

    def rows_of(self, problem_id: str) -> list[int]:
        """As of every journal, without those that do not count."""
        return [row for row in super().rows_of(problem_id) if row not in self.hidden]

    def read(self, rows: Iterable[int]) -> Iterator[S]:
        """The records of rows, one after another.

        Raises:
            JournalError: The journal was changed after it was opened.
        """
        wanted = list(rows)
        lines = lines_at(self._path, (self._starts[row] for row in wanted))
        for row, line in zip(wanted, lines, strict=True):
            yield self._read(row, line)

    def pairs(self) -> Iterator[tuple[Sample, S]]:
        """Every sample with its record, in the order of the journal."""
        rows = [row for row in range(len(self.problems)) if row not in self.hidden]
        return zip(map(self.sample, rows), self.read(rows), strict=True)

    def sorted_rows(self) -> Iterator[int]:
        """All rows by problem id and sample index."""
        for problem in sorted(self.problem_ids):
            yield from self.rows_of(problem)

    def _read(self, row: int, line: bytes) -> S:
        try:
            record = decode(line, self.kind)
        except UNREADABLE as error:
            reason = f"cannot read a {self.name}: {reason_of(error)}"
            raise JournalError(reason, file=self._path, byte=self._starts[row]) from error
        if (record.problem_id, record.sample_index) != self.sample(row):
            reason = "the journal was changed while it was read"
            raise JournalError(reason, file=self._path, hint="run the same command again")
        return record


class StoredCompletions(SampleTable[Completion]):
    """Completions.

    Attributes:
        tokens, characters: Of each text; the end token is counted.
        is_cut: Whether each was cut off at the limit of new tokens.
        reasoning: Tokens of each before its answer; -1 where they were not told apart.
        is_thinking: Whether each never finished thinking; -1 where nothing marks it.
        digests: Of each text, as grades hold them.
        lacks_ids: Whether a completion is held without the ids of its tokens.
    """

    kind, row_kind, name = Completion, _DrawnRow, "Completion"

    def _clear(self) -> None:
        super()._clear()
        self.tokens, self.characters = array("q"), array("q")
        self.is_cut, self.digests = array("b"), array("Q")
        self.reasoning, self.is_thinking = array("q"), array("b")
        self.lacks_ids = False

    def _keep(self, row: int, record: Record) -> None:
        assert isinstance(record, _DrawnRow)
        count = _length(bytes(record.token_ids))
        if count is None:
            reason = "not a Completion: expected whole numbers in token_ids"
            raise bad_line(self._path, self._place.line, reason)
        if not isinstance(record.tokens, UnsetType):
            count, self.lacks_ids = record.tokens, True
        _set(self.tokens, row, count)
        _set(self.characters, row, len(record.text))
        _set(self.is_cut, row, record.finish_reason == "length")
        _set(self.digests, row, int(text_digest(record.text), 16))
        reasoning = record.reasoning_tokens
        _set(self.reasoning, row, _ABSENT if isinstance(reasoning, UnsetType) else reasoning)
        _set(self.is_thinking, row, record.is_thinking if record.is_marked else _ABSENT)


class StoredGrades(SampleTable[Grade]):
    """Grades under one specification.

    Attributes:
        verdicts: Numbers in `VERDICTS`.
        boxed: Whether each answer came out of a closed box.
        classes, extracted: Numbers in `answers`.
        answers: Every class and extracted answer; the first is that of samples without one.
    """

    kind, row_kind, name = Grade, Grade, "Grade"

    def _clear(self) -> None:
        super()._clear()
        self.verdicts, self.boxed = array("b"), array("b")
        self.classes, self.extracted = array("l"), array("l")
        self.answers: list[str | None] = [None]
        self._answer_numbers: dict[str | None, int] = {None: 0}
        self._digests, self._has_digest = array("Q"), array("b")

    def _keep(self, row: int, record: Record) -> None:
        assert isinstance(record, Grade)
        _set(self.verdicts, row, VERDICTS.index(record.verdict))
        _set(self.boxed, row, record.boxed)
        _set(self.classes, row, self._answer_number(record.answer_class))
        _set(self.extracted, row, self._answer_number(record.extracted))
        _set(self._digests, row, int(record.text_digest or "0", 16))
        _set(self._has_digest, row, record.text_digest is not None)

    @classmethod
    def of(cls, grades: Iterable[Grade]) -> Self:
        """Grades that lie in no journal: their columns alone."""
        table = cls(Path("nowhere"))
        for grade in grades:
            table._take(grade)
        return table

    @property
    def says_of_which_text(self) -> bool:
        """Whether a grade holds the digest of its text; those of earlier versions hold none."""
        return any(self._has_digest)

    def hide_other_texts(self, drawn: StoredCompletions) -> None:
        """Let no grade count whose sample has another text now, or none."""
        self.hidden = frozenset()
        hidden = []
        for row, has_digest in enumerate(self._has_digest):
            if has_digest:
                of_text = drawn.row(self.sample(row))
                if of_text is None or drawn.digests[of_text] != self._digests[row]:
                    hidden.append(row)
        self.hidden = frozenset(hidden)

    def classes_of(self, problem_id: str) -> Iterator[str]:
        """Classes of the answers to a problem, in the order in which they were graded."""
        for row in sorted(self.rows_of(problem_id)):
            name = self.answers[self.classes[row]]
            if name is not None:
                yield name

    def _answer_number(self, answer: str | None) -> int:
        number = self._answer_numbers.setdefault(answer, len(self.answers))
        if number == len(self.answers):
            self.answers.append(answer)
        return number


class StoredEntropies(SampleTable[SampleEntropy]):
    """Entropies along completions."""

    kind, row_kind, name = SampleEntropy, SampleEntropy, "SampleEntropy"


def _set(column: array[int], row: int, value: int) -> None:
    if row == len(column):
        column.append(value)
    else:
        column[row] = value


def _length(text: bytes) -> int | None:
    """How many token ids a list in JSON holds; None where something else stands in it."""
    inside = text.strip()[1:-1].strip()
    is_list = text.translate(None, b"0123456789, \t\n\r") == b"[]"
    return (inside.count(b",") + 1 if inside else 0) if is_list else None
