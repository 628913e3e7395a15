"""Traces of texts that were read, beside the texts: one folder for each way of reading."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from emdiag.core.codec import encode
from emdiag.core.digest import digest
from emdiag.core.errors import RunMismatchError
from emdiag.core.files import write_atomically
from emdiag.core.moments import LogitTrace, PairSpec, PairTrace, ReadingSpec
from emdiag.core.records import Record
from emdiag.store.files import read_record
from emdiag.store.journal import JournalWriter, read_journal
from emdiag.store.locks import held
from emdiag.store.provenance import read_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emdiag.core.runs import Provenance
    from emdiag.store.run_store import Sample

_KEY_SHOWN = 12


class _SampleKey(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The part of a trace that says which text it is of; the rest is skipped."""

    problem_id: str
    sample_index: int


class TraceFolder:
    """Traces of one set of texts, read by one checkpoint.

    Args:
        texts: Folder of the texts, such as a run's.
        spec: Everything else that could change a trace.
    """

    def __init__(self, texts: Path, spec: ReadingSpec) -> None:
        self.spec = spec
        self.path = texts / f"logits-{digest(spec)[:_KEY_SHOWN]}"

    def traces(self) -> dict[Sample, LogitTrace]:
        """Every trace kept so far.

        Raises:
            JournalError: A line cannot be read.
        """
        traces = read_journal(self.path / "traces.jsonl", LogitTrace)
        return {(trace.problem_id, trace.sample_index): trace for trace in traces}

    def samples(self) -> set[Sample]:
        """Which texts have a trace; reads less than `traces` does."""
        keys = read_journal(self.path / "traces.jsonl", _SampleKey)
        return {(trace.problem_id, trace.sample_index) for trace in keys}

    def paired_samples(self, base: ReadingSpec) -> set[Sample]:
        """Which texts have a pair trace with this base."""
        keys = read_journal(self._pairs_path(base), _SampleKey)
        return {(trace.problem_id, trace.sample_index) for trace in keys}

    def provenance(self) -> list[Provenance]:
        """One record for each session that read these texts, in order."""
        return read_sessions(self.path / "provenance.jsonl")

    def pairs(self, base: ReadingSpec) -> dict[Sample, PairTrace]:
        """Every pair trace with this base kept so far."""
        pairs = read_journal(self._pairs_path(base), PairTrace)
        return {(trace.problem_id, trace.sample_index): trace for trace in pairs}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises:
            RunLockedError: Another process reads these texts with this checkpoint.
        """
        with held(self.path, what="these traces"):
            self._settle_spec()
            yield

    def trace_writer(self) -> JournalWriter[LogitTrace]:
        """Appends traces; used inside `writing`."""
        return JournalWriter(self.path / "traces.jsonl")

    def pair_writer(self, base: ReadingSpec) -> JournalWriter[PairTrace]:
        """Appends pair traces; used inside `writing`."""
        path = self._pairs_path(base)
        spec = PairSpec(checkpoint=self.spec, base=base)
        write_atomically(path.with_suffix(".json"), encode(spec))
        return JournalWriter(path)

    def provenance_writer(self) -> JournalWriter[Provenance]:
        """Appends sessions; a session's second record replaces its first."""
        return JournalWriter(self.path / "provenance.jsonl")

    def _pairs_path(self, base: ReadingSpec) -> Path:
        key = digest(PairSpec(checkpoint=self.spec, base=base))
        return self.path / f"pairs-{key[:_KEY_SHOWN]}.jsonl"

    def _settle_spec(self) -> None:
        path = self.path / "reading.json"
        if not path.exists():
            write_atomically(path, encode(self.spec))
            return
        hint = "restore the file, or move the folder away and run the command again"
        if read_record(path, ReadingSpec, hint=hint) != self.spec:
            raise RunMismatchError(
                "the folder holds traces of another reading than its name says",
                folder=self.path,
                hint="move the folder away and run the command again",
            )
