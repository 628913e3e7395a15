"""Reads what was not read before: each checkpoint the texts it lacks, beside the base where asked.

One checkpoint is in memory at a time. The base goes first and leaves its last hidden states, of
which its output head makes the logits again; a checkpoint's logits and the base's then meet a few
positions at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import naming
from emdiag.core.moments import LogitTrace, PairTrace, ReadingSpec
from emdiag.core.runs import Provenance
from emdiag.engines.hf.memory import available_bytes
from emdiag.engines.open import open_reader, state_bytes
from emdiag.engines.options import EngineOptions
from emdiag.store.journal import JournalWriter
from emdiag.store.provenance import Work, start_session, working
from emdiag.store.samples import Sample
from emdiag.store.session import Session
from emdiag.store.traces import TraceFolder
from emdiag.studies.logits.texts import TextSet, Written

if TYPE_CHECKING:
    from emdiag.engines.hf.logit_reader import KeptText, ModelReader, ReadText
    from emdiag.measure.logits import TracedText

    TextKey = tuple[Path, Sample]
    """Folder of the traces of a set of texts, and the text."""

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

    def traced(self, text: Written) -> TracedText:
        """What its trace of a text is of."""
        from emdiag.measure.logits import TracedText

        return TracedText(
            name=self.label,
            problem_id=text.problem_id,
            sample_index=text.sample_index,
            written=text.token_ids[1],
            vocab_size=self.spec.vocab_size,
            entropy_temperatures=self.spec.entropy_temperatures,
        )


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
    def key(self) -> TextKey:
        return self.job.texts.folder, self.text.sample


def read_missing(
    jobs: Sequence[Job], *, base: StudyCheckpoint, options: EngineOptions, session: Session
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
        for part in _rounds(tasks, base, options):
            _Round(base, options, session).read(part)


class _Round:
    """Texts that are read together; the base's hidden states of them fit into memory."""

    def __init__(self, base: StudyCheckpoint, options: EngineOptions, session: Session) -> None:
        self._base, self._options, self._session = base, options, session
        self._kept: dict[TextKey, KeptText] = {}

    def read(self, tasks: Sequence[_UnreadText]) -> None:
        """Read these texts: the base first, and every other checkpoint after it."""
        of_member: dict[str, list[_UnreadText]] = {}
        for task in tasks:
            of_member.setdefault(task.job.member.label, []).append(task)
        own = of_member.pop(self._base.label, [])
        wanted = {task.key: task.text for task in tasks if task.lacks_pair}
        with ExitStack() as opened:
            if own or wanted:
                reader = self._open(self._base, opened)
                self._read(self._base, own, reader, wanted=wanted)
                if reader.frees_network:
                    opened.pop_all().close()
            for of_label in of_member.values():
                member = of_label[0].job.member
                with ExitStack() as closing:
                    self._read(member, of_label, self._open(member, closing), wanted={})

    def _open(self, member: StudyCheckpoint, opened: ExitStack) -> ModelReader:
        with self._session.progress.stage(f"loading {member.label}", total=1) as stage:
            reader = open_reader(
                member.engine,
                member.checkpoint,
                options=self._options,
                home=self._session.home,
            )
            stage.advance()
        opened.callback(reader.close)
        return reader

    def _read(
        self,
        member: StudyCheckpoint,
        tasks: Sequence[_UnreadText],
        reader: ModelReader,
        *,
        wanted: Mapping[TextKey, Written],
    ) -> None:
        """Store what the tasks lack, and keep what makes the logits of `wanted` again."""
        lacking = {task.key: task for task in tasks}
        texts = {**{key: task.text for key, task in lacking.items()}, **wanted}
        order = sorted(texts, key=lambda key: sum(map(len, texts[key].token_ids)))
        info = start_session(member.checkpoint, reader.info, command=self._session.command)
        title = f"{member.label} reads"
        with (
            naming(member.label),
            _writing(member, self._base, tasks, info) as write,
            self._session.progress.stage(title, total=len(order)) as stage,
        ):
            texts_read = reader.read([texts[key].token_ids for key in order])
            for key, text in zip(order, texts_read, strict=True):
                if key in wanted:
                    self._kept[key] = reader.keep(texts[key].token_ids, text)
                if (task := lacking.get(key)) is not None:
                    write(task, text, self._kept[key] if task.lacks_pair else None)
                stage.advance(tokens=text.positions)


@dataclass(kw_only=True)
class _Journals:
    """Of one checkpoint's traces of one set of texts; `pairs` where the base is beside it."""

    work: Work
    traces: JournalWriter[LogitTrace]
    pairs: JournalWriter[PairTrace] | None = None


@contextmanager
def _writing(
    member: StudyCheckpoint,
    base: StudyCheckpoint,
    tasks: Sequence[_UnreadText],
    session: Provenance,
) -> Iterator[Callable[[_UnreadText, ReadText, KeptText | None], None]]:
    """Open journals for the tasks; what comes back reduces a text's logits and stores the rest."""
    from emdiag.measure.logit_pairs import pair_traces
    from emdiag.measure.logits import trace

    journals: dict[Path, _Journals] = {}
    since = time.perf_counter()

    def write(task: _UnreadText, text: ReadText, of_base: KeptText | None) -> None:
        nonlocal since
        opened, traced = journals[task.job.texts.folder], member.traced(task.text)
        if of_base is None:
            text_trace = trace(text, traced)
        else:
            text_trace, pair = pair_traces(
                of_base, text, base_read=base.traced(task.text), read=traced
            )
            assert opened.pairs is not None
            opened.pairs.append(pair)
        if task.lacks_trace:
            opened.traces.append(text_trace)
        opened.work.samples += 1
        opened.work.tokens += text.positions
        before, since = since, time.perf_counter()
        opened.work.seconds = (opened.work.seconds or 0.0) + since - before

    with ExitStack() as opened:
        for task in tasks:
            place, folder = task.job.texts.folder, member.folder(task.job.texts)
            if place not in journals:
                traces = opened.enter_context(folder.trace_writer())
                work = opened.enter_context(working(folder.provenance_writer(), session))
                work.seconds = 0.0  # of its own texts alone
                journals[place] = _Journals(work=work, traces=traces)
            if task.lacks_pair and journals[place].pairs is None:
                journals[place].pairs = opened.enter_context(folder.pair_writer(base.spec))
        yield write


def _tasks(jobs: Sequence[Job], base: StudyCheckpoint) -> list[_UnreadText]:
    """Texts of which something is missing; each text of a checkpoint once."""
    tasks: dict[tuple[str, TextKey], _UnreadText] = {}
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
            key = (job.member.label, task.key)
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
    by_text: dict[TextKey, list[_UnreadText]] = {}
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
