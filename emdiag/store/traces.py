"""Traces of texts that were read, beside the texts: one folder for each way of reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from emdiag.core.codec import encode
from emdiag.core.digest import digest
from emdiag.core.files import write_atomically
from emdiag.core.moments import LogitTrace, PairSpec, PairTrace, ReadingSpec
from emdiag.core.records import Record
from emdiag.core.runs import Provenance
from emdiag.store.files import held, settle_spec
from emdiag.store.journal import JournalWriter, read_journal
from emdiag.store.provenance import read_sessions
from emdiag.store.samples import Sample

_KEY_SHOWN = 12


class _SampleKey(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The part of a trace that says which text it is of; the rest is skipped."""

    problem_id: str
    sample_index: int


TraceT = TypeVar("TraceT", LogitTrace, PairTrace, _SampleKey)


class TraceFolder:
    """Traces of one set of texts (in their folder), read by one checkpoint as `spec` says."""

    def __init__(self, texts: Path, spec: ReadingSpec) -> None:
        self.spec = spec
        self.path = texts / f"logits-{digest(spec)[:_KEY_SHOWN]}"
        self._traces_path = self.path / "traces.jsonl"

    def traces(self) -> dict[Sample, LogitTrace]:
        """Every trace kept so far.

        Raises:
            JournalError: A line cannot be read.
        """
        return _by_sample(self._traces_path, LogitTrace)

    def samples(self) -> set[Sample]:
        """Which texts have a trace; reads less than `traces` does."""
        return set(_by_sample(self._traces_path, _SampleKey))

    def pairs(self, base: ReadingSpec) -> dict[Sample, PairTrace]:
        """Every pair trace with this base kept so far."""
        return _by_sample(self._pairs_path(base), PairTrace)

    def paired_samples(self, base: ReadingSpec) -> set[Sample]:
        """Which texts have a pair trace with this base."""
        return set(_by_sample(self._pairs_path(base), _SampleKey))

    def provenance(self) -> list[Provenance]:
        """One record for each session that read these texts, in order."""
        return read_sessions(self.path / "provenance.jsonl")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises:
            RunLockedError: Another process reads these texts with this checkpoint.
        """
        with held(self.path, what="these traces"):
            settle_spec(
                self.path / "reading.json",
                self.spec,
                mismatch="the folder holds traces of another reading than its name says",
                hint="restore the file, or move the folder away and run the command again",
            )
            yield

    def trace_writer(self) -> JournalWriter[LogitTrace]:
        """Appends traces; used inside `writing`."""
        return JournalWriter(self._traces_path)

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


def _by_sample(path: Path, kind: type[TraceT]) -> dict[Sample, TraceT]:
    return {(trace.problem_id, trace.sample_index): trace for trace in read_journal(path, kind)}
