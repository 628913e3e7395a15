"""Opens, resumes and lists runs; a run is a folder of readable text."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from emdiag.core.codec import encode
from emdiag.core.digest import digest
from emdiag.core.errors import StoreError, system_errors_as
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.grades import Grade, is_second_grader
from emdiag.core.protocols import Progress
from emdiag.core.records import Record, Result
from emdiag.core.results import EvaluateResult, Remark, remark
from emdiag.core.runs import (
    EntropySpec,
    GradingSpec,
    ProblemsFile,
    Provenance,
    ReferenceSpec,
    RunSpec,
    SampleEntropy,
)
from emdiag.core.sampling import Completion
from emdiag.store.files import ResultT, held, read_record, read_result, result_order, settle_spec
from emdiag.store.journal import JournalWriter
from emdiag.store.left_out import LeftOut
from emdiag.store.legacy import named_problems_files
from emdiag.store.provenance import read_sessions
from emdiag.store.samples import (
    SampleRows,
    StoredCompletions,
    StoredEntropies,
    StoredGrades,
)

_T = TypeVar("_T", bound=Record)

_KEY_SHOWN = 12
_HOUR_NS = 3_600_000_000_000
_AHEAD_H = 1 / 60
"""Clocks of several machines differ by seconds."""
_RESTORE = "restore the file, or move its run folder away"


class Run:
    """One run on disk: a specification, completions, grades and provenance.

    What was read is held, so that a command decodes each line once.
    """

    def __init__(self, path: Path, spec: RunSpec) -> None:
        self.path = path
        self.spec = spec
        self.key = digest(spec)
        self._completions = StoredCompletions(path / "completions.jsonl")
        self._grades: dict[str, StoredGrades] = {}
        self._entropies: dict[EntropySpec, StoredEntropies] = {}

    @property
    def short_key(self) -> str:
        """The first 12 digits of the key, as in the folder's name."""
        return self.key[:_KEY_SHOWN]

    def completions(self) -> StoredCompletions:
        """Every completion drawn so far.

        Raises:
            JournalError: A line cannot be read.
        """
        self._completions.update()
        return self._completions

    def grades(self, grade_key: str) -> StoredGrades:
        """Every grade given so far under one grading specification to a text that is there.

        Those of a text that was edited or drawn anew do not count.

        Raises:
            JournalError: A line cannot be read, of the completions too where grades name texts.
        """
        new = StoredGrades(self._grades_path(grade_key))
        grades = self._grades.setdefault(grade_key, new)
        grades.update()  # before the completions, which a writer appends first
        if grades.says_of_which_text:
            grades.hide_other_texts(self.completions())
        return grades

    def check(self) -> None:
        """Read every line of sessions, completions and grades.

        Raises:
            StoreError: One cannot be read.
        """
        self.provenance()
        self.completions()
        for grading in self.gradings():
            self.grades(digest(grading))

    def heads(self, grade_key: str | None = None) -> SampleRows:
        """Which samples were drawn, or graded under a key; neither texts nor tokens are read."""
        file = (
            self.path / "completions.jsonl" if grade_key is None else self._grades_path(grade_key)
        )
        rows = SampleRows(file)
        rows.update()
        return rows

    def gradings(self) -> list[GradingSpec]:
        """Grading specifications of this run, the one used last at the end.

        Those of a second grader come before all others: the last one is the main grader's.
        """
        files = sorted(self.path.glob("grading-*.json"), key=_written)
        specs = [_read(file, GradingSpec) for file in files]
        return sorted(specs, key=lambda spec: not is_second_grader(spec.grader))

    def provenance(self) -> list[Provenance]:
        """One record for each session that drew samples, in order."""
        return read_sessions(self.path / "provenance.jsonl")

    def problems_files(self) -> list[ProblemsFile]:
        """Where the problems of a user's own benchmark may be, the file read last first.

        Runs of 0.1.0 do not say it: theirs are whatever files their commands name.
        """
        sessions = self.provenance()
        files = [session.problems_file for session in sessions if session.problems_file]
        return files[::-1] or named_problems_files(session.command for session in sessions)

    @contextmanager
    def writing(self, *, waiting: Progress | None = None) -> Iterator[None]:
        """Hold the run for this process; as in `store.files.held`.

        Raises:
            RunLockedError: Another process holds it.
        """
        spec = self.path / "spec.json"
        with held(self.path, waiting=waiting):
            is_new = not spec.exists()
            settle_spec(
                spec,
                self.spec,
                mismatch="the folder holds another run than its name says",
                hint=_RESTORE,
            )
            try:
                yield
                _make_last(spec, self.path.parent.glob("*/*"))
            except BaseException:
                if is_new and not any(self.path.glob("*.jsonl")):
                    spec.unlink(missing_ok=True)  # nothing was drawn: this is no run
                raise

    def completion_writer(self) -> JournalWriter[Completion]:
        """Appends completions; used inside `writing`."""
        return JournalWriter(self.path / "completions.jsonl")

    def grade_writer(self, grading: GradingSpec) -> JournalWriter[Grade]:
        """Appends grades under `grading`, which becomes the one used last."""
        key = digest(grading)
        file = self.path / f"grading-{key[:_KEY_SHOWN]}.json"
        write_atomically(file, encode(grading))
        _make_last(file, self.path.glob("grading-*.json"))
        return JournalWriter(self._grades_path(key))

    def provenance_writer(self) -> JournalWriter[Provenance]:
        """Appends sessions; a session's second record replaces its first."""
        return JournalWriter(self.path / "provenance.jsonl")

    def entropies(self, spec: EntropySpec) -> StoredEntropies:
        """Entropy along every completion that was read so."""
        new = StoredEntropies(self._entropies_path(spec))
        entropies = self._entropies.setdefault(spec, new)
        entropies.update()
        return entropies

    def entropy_writer(self, spec: EntropySpec) -> JournalWriter[SampleEntropy]:
        """Appends entropies read as `spec` says; used inside `writing`."""
        path = self._entropies_path(spec)
        write_atomically(path.with_suffix(".json"), encode(spec))
        return JournalWriter(path)

    def _entropies_path(self, spec: EntropySpec) -> Path:
        return self.path / f"entropies-{digest(spec)[:_KEY_SHOWN]}.jsonl"

    def _grades_path(self, grade_key: str) -> Path:
        return self.path / f"grades-{grade_key[:_KEY_SHOWN]}.jsonl"


class RunSummary(Record, frozen=True, kw_only=True):
    """One line about a run.

    Attributes:
        name: Of the folder: benchmark and first digits of the key.
        labels: What checkpoints were called when they drew it.
        graded: Completions with a grade under the grading used last.
    """

    name: str
    path: str
    key: str
    labels: tuple[str, ...]
    spec: RunSpec
    problems: int
    completions: int
    graded: int
    last_session: str | None


def summarise(run: Run) -> RunSummary:
    """What the run holds now.

    Raises:
        JournalError: A line of a journal cannot be read.
    """
    sessions, gradings = run.provenance(), run.gradings()
    completions, graded = run.heads(), run.heads(digest(gradings[-1])) if gradings else ()
    return RunSummary(
        name=run.path.name,
        path=str(run.path),
        key=run.key,
        labels=tuple(dict.fromkeys(session.label for session in sessions)),
        spec=run.spec,
        problems=len(completions.problem_ids),
        completions=len(completions),
        graded=len(graded),
        last_session=sessions[-1].started if sessions else None,
    )


class RunStore:
    """A folder of runs, `emdiag-out` unless said otherwise; each run is opened once.

    Attributes:
        left_out: What could not be read of it so far.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out = LeftOut()
        self._runs: dict[Path, Run] = {}
        self._others: dict[Path, RunStore] = {}

    def require(self) -> RunStore:
        """This store, where its folder exists.

        Raises:
            StoreError: It does not.
        """
        if not self.root.is_dir():
            raise StoreError(
                f"the store {str(self.root)!r} does not exist",
                expected="a folder of runs",
                found="a file" if self.root.exists() else "nothing",
                hint="`emdiag eval` makes one; --store names another",
            )
        return self

    def at(self, root: Path) -> RunStore:
        """The store in another folder; this one where it is the same folder."""
        place = root.resolve()
        return (
            self if place == self.root.resolve() else self._others.setdefault(place, RunStore(root))
        )

    def run(self, spec: RunSpec) -> Run:
        """The run of this specification; nothing is written yet."""
        name = f"{_file_name(spec.benchmark)}-{digest(spec)[:_KEY_SHOWN]}"
        return self._opened(self.root / "runs" / name, spec)

    def reference(self, benchmark: str, spec: ReferenceSpec) -> Path:
        """The folder for traces of texts that no run drew."""
        return self.root / "references" / f"{_file_name(benchmark)}-{digest(spec)[:_KEY_SHOWN]}"

    def save(self, result: Result) -> Path:
        """Write a result down in the folder of its kind.

        Its name begins with the time in nanoseconds, or with a greater number than any before it:
        what is written last comes last, whatever the clock says.

        Raises:
            StoreError: It cannot be written; the samples behind it are kept.
        """
        assert result.folder, "a result that is only printed"
        folder = self.root / result.folder
        number = max(time.time_ns(), self._last_number() + 1)
        path = folder / f"{number}-{os.getpid()}.json"
        with system_errors_as("the result cannot be written", file=path):
            make_folder(folder)
            write_atomically(path, encode(result))
        return path

    def saved(self, record: type[ResultT]) -> list[ResultT]:
        """Every result of a kind, the last one written at the end; `left_out` has the others."""
        assert record.folder, "a result that is only printed"
        files = sorted((self.root / record.folder).glob("*.json"), key=result_order)
        return list(self.left_out.readable(files, lambda file: read_result(file, record)))

    def results(self) -> list[EvaluateResult]:
        """Every evaluation; its labels are what `compare` knows checkpoints by."""
        return self.saved(EvaluateResult)

    def runs(self) -> list[Run]:
        """Every run in this store, the one written to last at the end; `left_out` has the others.

        Its samples and grades are not looked at: see `is_readable`.
        """
        folders = sorted((self.root / "runs").glob("*/"), key=_last_written)
        folders = [folder for folder in folders if _holds_run(folder)]
        return list(self.left_out.readable(folders, self._run_at))

    def is_readable(self, run: Run) -> bool:
        """Whether every line of a run can be read, its texts too; `left_out` says why it cannot."""
        try:
            run.check()
        except StoreError as error:
            self.left_out.add(error)
            return False
        return True

    def notes(self) -> tuple[Remark, ...]:
        """What was left out of this store and of those opened from it, and clocks that disagree."""
        ahead_h = (self._last_number() - time.time_ns()) / _HOUR_NS
        is_ahead = ahead_h > _AHEAD_H
        clock = (remark("clock-ahead", store=str(self.root), hours=ahead_h),) if is_ahead else ()
        opened = (note for store in self._others.values() for note in store.notes())
        return (*self.left_out.notes(), *clock, *opened)

    def _last_number(self) -> int:
        return max((result_order(file)[0] for file in self.root.glob("*/*-*.json")), default=0)

    def _run_at(self, folder: Path) -> Run:
        return self._opened(folder, _read(folder / "spec.json", RunSpec))

    def run_in(self, folder: Path) -> Run | None:
        """The run that a folder is, in this store or in another one; None where it is none.

        Raises:
            StoreError: Its specification cannot be read.
        """
        file, place = folder / "spec.json", folder.resolve()
        if not file.is_file():
            return None
        own = self.root / "runs" / place.name
        return self._run_at(own if own.resolve() == place else folder)

    def _opened(self, path: Path, spec: RunSpec) -> Run:
        run = self._runs.get(path)
        if run is None or run.spec != spec:
            run = self._runs[path] = Run(path, spec)
        return run


def _last_written(folder: Path) -> int:
    """When a file of a folder was last written to; 0 where all of it is gone meanwhile."""
    times = [0]
    with suppress(FileNotFoundError):
        times += [_written(file) for file in folder.iterdir()]
    return max(times)


def _written(file: Path) -> int:
    try:
        return file.lstat().st_mtime_ns
    except FileNotFoundError:  # a temporary file, or a run that was given up
        return 0


def _holds_run(folder: Path) -> bool:
    """Whether a folder is a run, even one that lost its specification."""
    return os.path.lexists(folder / "spec.json") or any(folder.glob("*.jsonl"))


def _make_last(file: Path, files: Iterable[Path]) -> None:
    """Date a file after all others of `files`, where a clock that was ahead dated one later."""
    latest = max((_written(other) for other in files if other != file), default=0)
    if _written(file) <= latest:
        os.utime(file, ns=(latest + 1, latest + 1))


def _file_name(text: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in text)[-60:]


def _read(path: Path, kind: type[_T]) -> _T:
    return read_record(path, kind, hint=_RESTORE)
