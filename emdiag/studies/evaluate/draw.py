"""Draws the samples that readings lack; every study that samples comes through here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from emdiag.core.digest import digest
from emdiag.core.errors import naming
from emdiag.core.protocols import FamilySampler, Sampler
from emdiag.core.results import remark
from emdiag.core.sampling import SampleRequest
from emdiag.engines.open import check_lengths, open_sampler, shared_load
from emdiag.engines.requests import one_for_each
from emdiag.findings.numbers import listed
from emdiag.findings.remarks import words_of
from emdiag.store.provenance import start_session, working
from emdiag.store.session import Session
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.task import EvalTask


def draw_missing(readings: Sequence[EvalTask], plan: EvaluatePlan, session: Session) -> None:
    """Draw the missing samples; weights are loaded once for those that can share them, if at all.

    Runs are held before weights are loaded: a second process is refused at once.

    Raises:
        RunLockedError: Another process draws one of the runs.
        EngineError: A sample cannot be drawn; those drawn before are kept.
    """
    families: dict[tuple[str, str], list[EvalTask]] = {}
    for reading in readings:
        engine = reading.run.spec.engine.name
        families.setdefault((engine, shared_load(engine, reading.checkpoint)), []).append(reading)
    for family in families.values():
        _draw_family(family, plan, session)


def _draw_family(readings: Sequence[EvalTask], plan: EvaluatePlan, session: Session) -> None:
    """Draw the missing samples of checkpoints whose weights are loaded once."""
    with ExitStack() as held:
        work, begun = [], set()
        for reading in readings:
            # Equal weights under two labels have one run.
            if reading.run.path not in begun and reading.missing():
                begun.add(reading.run.path)
                held.enter_context(reading.run.writing())
                work.append((reading, reading.missing()))  # again, now that nobody else draws
        longest = [
            len(request.token_ids) + reading.run.spec.sampling.max_tokens
            for reading, requests in work
            for request in requests
        ]
        if not longest:
            return
        for reading, requests in work:
            with naming(reading.checkpoint.label):
                check_lengths(
                    reading.run.spec.engine.name,
                    reading.checkpoint,
                    requests,
                    max_tokens=reading.run.spec.sampling.max_tokens,
                    options=plan.engine,
                )
        checkpoints = {reading.checkpoint.label: reading.checkpoint for reading, _ in work}
        first, *siblings = checkpoints.values()
        with session.progress.stage(f"loading {listed(list(checkpoints))}", total=1) as stage:
            sampler = open_sampler(
                work[0][0].run.spec.engine.name,
                first,
                options=plan.engine,
                longest_tokens=max(longest),
                home=session.home,
                siblings=siblings,
            )
            stage.advance()
        try:
            for reading, requests in work:
                if isinstance(sampler, FamilySampler):
                    sampler.serve(reading.checkpoint)
                _draw_reading(reading, requests, sampler, session)
        finally:
            sampler.close()


def _draw_reading(
    reading: EvalTask, requests: Sequence[SampleRequest], sampler: Sampler, session: Session
) -> None:
    """Draw the requests of a run that is held; every completion is stored as it finishes."""
    if not requests:
        return
    drawing = start_session(
        reading.checkpoint,
        sampler.info,
        command=session.command,
        problems_file=reading.problems_file,
    )
    _note_drawn_before(reading, requests, sampler, session)
    total = len(reading.problems) * reading.samples
    with (
        working(reading.run.provenance_writer(), drawing) as work,
        naming(reading.checkpoint.label),
        reading.run.completion_writer() as journal,
        session.progress.stage(reading.title, total=total, done=total - len(requests)) as stage,
    ):
        drawn = sampler.sample(requests, params=reading.run.spec.sampling)
        for completion in one_for_each(drawn, requests):
            journal.append(completion)
            work.samples += 1
            work.tokens += len(completion.token_ids)
            stage.advance(tokens=len(completion.token_ids))


def _note_drawn_before(
    reading: EvalTask, requests: Sequence[SampleRequest], sampler: Sampler, session: Session
) -> None:
    """Say which samples have a grade and no text any more, and whether they come back as they were.

    Seeds are of each sample, so that an engine that is deterministic repeats itself.
    """
    run = reading.run
    graded = [run.heads(digest(grading)) for grading in run.gradings()]
    samples = [(request.problem_id, request.sample_index) for request in requests]
    again = sum(any(rows.row(sample) is not None for rows in graded) for sample in samples)
    if again:
        is_same = sampler.info.deterministic
        note = remark("drawn-anew", samples=again, run=run.path.name, is_same=is_same)
        session.progress.note(words_of(note))
