"""Reads what was not read before: each checkpoint the texts it lacks, beside the base where asked.

One checkpoint is in memory at a time. The base goes first and leaves its last hidden states, of
which its output head makes the logits again; a checkpoint's logits and the base's then meet a few
positions at a time.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import naming
from emdiag.core.moments import ReadingSpec
from emdiag.engines.hf.memory import available_bytes
from emdiag.engines.open import open_reader, state_bytes
from emdiag.store.provenance import now, start_session
from emdiag.store.traces import TraceFolder
from emdiag.studies.logits.texts import TextSet, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from emdiag.core.moments import LogitTrace, PairTrace
    from emdiag.core.runs import Provenance
    from emdiag.engines.hf.logit_reader import KeptText, ModelReader, ReadText
    from emdiag.engines.options import EngineOptions
    from emdiag.measure.logits import TracedText
    from emdiag.store.journal import JournalWriter
    from emdiag.store.run_store import Sample
    from emdiag.store.session import Session

KEPT_SHARE = 0.5
"""Part of the available memory that the base's hidden states may take; more is read in rounds."""


@dataclass(frozen=True, kw_only=True)
class StudyCheckpoint:
    """A checkpoint of the study and how it reads."""

    checkpoint: CheckpointRef
    engine: str
    spec: ReadingSpec

    @property
    def label(self) -> str:
        """What progress and errors call it."""
        return self.checkpoint.label

    def folder(self, texts: TextSet) -> TraceFolder:
        """Where its traces of these texts lie."""
        return TraceFolder(texts.folder, self.spec)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Texts that one checkpoint is to read; `is_paired` where the base is beside it."""

    member: StudyCheckpoint
    texts: TextSet
    is_paired: bool


@dataclass(frozen=True, kw_only=True)
class _UnreadText:
    """One text that is not read yet, and what of it is not."""

    job: Job
    text: Written
    lacks_trace: bool
    lacks_pair: bool

    @property
    def key(self) -> tuple[str, Sample]:
        return str(self.job.texts.folder), self.text.sample


def read_missing(
    jobs: Sequence[Job],
    *,
    base: StudyCheckpoint,
    options: EngineOptions,
    session: Session,
) -> None:
    """Read what the jobs lack; everything is stored as it is read.

    Raises:
        RunLockedError: Another process reads the same texts with the same checkpoint.
        EngineError: A text cannot be read; what was read before is kept.
        MeasurementError: A logit is not a number; likewise.
    """
    with ExitStack() as held:
        lacking = {job.member.folder(job.texts).path: job for job in jobs if _tasks([job], base)}
        for job in lacking.values():
            held.enter_context(job.member.folder(job.texts).writing())
        tasks = _tasks(jobs, base)  # again, now that nobody else reads
        rounds = _Rounds(base=base, options=options, session=session)
        for part in _rounds(tasks, base, options):
            rounds.read(part)


class _Rounds:
    """Readings of one process."""

    def __init__(self, *, base: StudyCheckpoint, options: EngineOptions, session: Session) -> None:
        self._base, self._options = base, options
        self._progress, self._command = session.progress, session.command

    def read(self, tasks: Sequence[_UnreadText]) -> None:
        """Read these texts: the base first, and every other checkpoint after it."""
        wanted = {task.key: task.text for task in tasks if task.lacks_pair}
        own = [task for task in tasks if task.job.member.label == self._base.label]
        with ExitStack() as opened:
            kept = self._read_base(own, wanted, opened) if own or wanted else {}
            members = {
                task.job.member.label: task.job.member
                for task in tasks
                if task.job.member.label != self._base.label
            }
            for member in members.values():
                missing = [task for task in tasks if task.job.member.label == member.label]
                self._read_member(member, missing, kept)

    def _read_base(
        self,
        own: Sequence[_UnreadText],
        wanted: dict[tuple[str, Sample], Written],
        opened: ExitStack,
    ) -> dict[tuple[str, Sample], KeptText]:
        """Traces of the base, and what makes its logits again for the texts wanted."""
        lacking = {task.key: task for task in own}
        texts = {**{task.key: task.text for task in own}, **wanted}
        order = sorted(texts, key=lambda key: _length(texts[key]))
        kept: dict[tuple[str, Sample], KeptText] = {}
        reader = self._open(self._base)
        opened.callback(reader.close)
        with naming(self._base.label), self._writing(self._base, own, reader) as writers:
            title = f"{self._base.label} reads"
            with self._progress.stage(title, total=len(order)) as stage:
                texts_read = reader.read([texts[key].token_ids for key in order])
                for key, text in zip(order, texts_read, strict=True):
                    if key in wanted:
                        kept[key] = reader.keep(texts[key].token_ids, text)
                    if key in lacking:
                        writers.write(lacking[key], text, None)
                    stage.advance(tokens=text.positions)
        if reader.frees_network:
            opened.pop_all().close()
        return kept

    def _read_member(
        self,
        member: StudyCheckpoint,
        tasks: Sequence[_UnreadText],
        kept: dict[tuple[str, Sample], KeptText],
    ) -> None:
        order = sorted(tasks, key=lambda task: _length(task.text))
        reader = self._open(member)
        try:
            with (
                naming(member.label),
                self._writing(member, order, reader) as writers,
                self._progress.stage(f"{member.label} reads", total=len(order)) as stage,
            ):
                texts_read = reader.read([task.text.token_ids for task in order])
                for task, text in zip(order, texts_read, strict=True):
                    writers.write(task, text, kept[task.key] if task.lacks_pair else None)
                    stage.advance(tokens=text.positions)
        finally:
            reader.close()

    def _open(self, member: StudyCheckpoint) -> ModelReader:
        with self._progress.stage(f"loading {member.label}", total=1) as stage:
            reader = open_reader(member.engine, member.checkpoint, options=self._options)
            stage.advance()
        return reader

    def _writing(
        self, member: StudyCheckpoint, tasks: Sequence[_UnreadText], reader: ModelReader
    ) -> _Writers:
        return _Writers(tasks, member=member, base=self._base, reader=reader, command=self._command)


class _Writers:
    """Journals of one checkpoint's traces, open while it reads."""

    def __init__(
        self,
        tasks: Sequence[_UnreadText],
        *,
        member: StudyCheckpoint,
        base: StudyCheckpoint,
        reader: ModelReader,
        command: Sequence[str],
    ) -> None:
        self._tasks, self._member, self._base = tasks, member, base
        self._reader, self._command = reader, command
        self._opened = ExitStack()
        self._traces: dict[str, JournalWriter[LogitTrace]] = {}
        self._pairs: dict[str, JournalWriter[PairTrace]] = {}
        self._counts: dict[str, tuple[int, int, float]] = {}
        self._since = time.perf_counter()

    def __enter__(self) -> Self:
        for task in self._tasks:
            key = str(task.job.texts.folder)
            folder = self._member.folder(task.job.texts)
            if key not in self._counts:
                self._counts[key] = (0, 0, 0.0)
                self._traces[key] = self._opened.enter_context(folder.trace_writer())
                self._opened.callback(self._session(folder, key))
            if task.lacks_pair and key not in self._pairs:
                writer = folder.pair_writer(self._base.spec)
                self._pairs[key] = self._opened.enter_context(writer)
        return self

    def write(self, task: _UnreadText, text: ReadText, base: KeptText | None) -> None:
        """Reduce one text's logits and store what is left of them."""
        from emdiag.measure.logit_pairs import pair_traces
        from emdiag.measure.logits import trace

        key = str(task.job.texts.folder)
        read = self._read(self._member, task.text)
        if base is None:
            text_trace = trace(text, read)
        else:
            base_read = self._read(self._base, task.text)
            text_trace, pair = pair_traces(base, text, base_read=base_read, read=read)
            self._pairs[key].append(pair)
        if task.lacks_trace:
            self._traces[key].append(text_trace)
        texts, tokens, seconds = self._counts[key]
        before, self._since = self._since, time.perf_counter()
        self._counts[key] = (texts + 1, tokens + text.positions, seconds + self._since - before)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def _read(self, member: StudyCheckpoint, text: Written) -> TracedText:
        from emdiag.measure.logits import TracedText

        return TracedText(
            name=member.label,
            problem_id=text.problem_id,
            sample_index=text.sample_index,
            written=text.token_ids[1],
            vocab_size=member.spec.vocab_size,
            entropy_temperatures=member.spec.entropy_temperatures,
        )

    def _session(self, folder: TraceFolder, key: str) -> Callable[[], None]:
        """Write down that reading began; what is returned writes down how it ended."""
        session = start_session(self._member.checkpoint, self._reader.info, command=self._command)
        _append_session(folder, session)

        def end() -> None:
            texts, tokens, seconds = self._counts[key]
            closed = msgspec.structs.replace(
                session,
                finished=now(),
                samples=texts,
                tokens=tokens,
                sampling_s=seconds,
            )
            _append_session(folder, closed)

        return end


def _append_session(folder: TraceFolder, session: Provenance) -> None:
    with folder.provenance_writer() as writer:
        writer.append(session)


def _tasks(jobs: Sequence[Job], base: StudyCheckpoint) -> list[_UnreadText]:
    """Texts of which something is missing; each text of a checkpoint once."""
    tasks: dict[tuple[str, str, Sample], _UnreadText] = {}
    for job in jobs:
        folder = job.member.folder(job.texts)
        traces = folder.samples()
        pairs = folder.paired_samples(base.spec) if job.is_paired else set()
        for text in job.texts.texts:
            task = _UnreadText(
                job=job,
                text=text,
                lacks_trace=text.sample not in traces,
                lacks_pair=job.is_paired and text.sample not in pairs,
            )
            key = (job.member.label, *task.key)
            if (task.lacks_trace or task.lacks_pair) and (key not in tasks or task.lacks_pair):
                tasks[key] = task
    return list(tasks.values())


def _rounds(
    tasks: Sequence[_UnreadText], base: StudyCheckpoint, options: EngineOptions
) -> Iterator[list[_UnreadText]]:
    """Tasks in parts whose texts' hidden states fit into memory; usually there is one part."""
    if not tasks:
        return
    available = available_bytes()
    width = state_bytes(base.checkpoint, options=options)
    most = int(available * KEPT_SHARE) // width if available else None
    by_text: dict[tuple[str, Sample], list[_UnreadText]] = {}
    for task in tasks:
        by_text.setdefault(task.key, []).append(task)
    part: list[_UnreadText] = []
    tokens = 0
    for of_text in by_text.values():
        needs = len(of_text[0].text.token_ids[1]) if any(t.lacks_pair for t in of_text) else 0
        if part and most is not None and tokens + needs > most:
            yield part
            part, tokens = [], 0
        part += of_text
        tokens += needs
    if part:
        yield part


def _length(text: Written) -> int:
    return len(text.token_ids[0]) + len(text.token_ids[1])
