"""Draws the samples that readings lack; every study that samples comes through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from emdiag.core.digest import digest
from emdiag.core.errors import naming
from emdiag.core.protocols import FamilySampler, Sampler
from emdiag.core.results import remark
from emdiag.core.sampling import Completion, SampleRequest
from emdiag.engines.open import check_lengths, open_encoder, open_sampler, shared_load
from emdiag.engines.requests import one_for_each
from emdiag.engines.texts import Decoder
from emdiag.engines.thinking import divided
from emdiag.findings.numbers import listed
from emdiag.findings.remarks import words_of
from emdiag.store.provenance import start_session, working
from emdiag.store.session import Session
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.task import EvalTask
from emdiag.studies.evaluate.thinking import thinking_notes


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
            for note in thinking_notes(reading, requests, session.store):
                session.progress.note(words_of(note))
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
        decoders = _decoders([reading for reading, _ in work], plan)
        try:
            for reading, requests in work:
                if isinstance(sampler, FamilySampler):
                    sampler.serve(reading.checkpoint)
                apart = _apart(reading, decoders.get(reading.checkpoint.tokenizer_digest))
                _draw_reading(reading, requests, sampler, apart, session)
        finally:
            sampler.close()


def _decoders(readings: Sequence[EvalTask], plan: EvaluatePlan) -> dict[str, Decoder]:
    """By the digest of a tokenizer, how it decodes; of those that mark thinking."""
    marked = {
        reading.checkpoint.tokenizer_digest: reading
        for reading in readings
        if reading.run.spec.reasoning
    }
    return {
        name: open_encoder(
            reading.run.spec.engine.name,
            reading.checkpoint,
            options=plan.engine,
            reasoning=plan.targets.reasoning,
        ).decode
        for name, reading in marked.items()
    }


def _apart(reading: EvalTask, decode: Decoder | None) -> Callable[[Completion], Completion]:
    """What tells the answer of a completion from its thinking, whichever engine drew it."""
    reasoning = reading.run.spec.reasoning
    if not reasoning or decode is None:
        return lambda completion: completion
    lead_ins = {prompt.problem_id: prompt.lead_in for prompt in reading.prompts}
    return lambda completion: divided(
        completion, reasoning, lead_in=lead_ins[completion.problem_id], decode=decode
    )


def _draw_reading(
    reading: EvalTask,
    requests: Sequence[SampleRequest],
    sampler: Sampler,
    apart: Callable[[Completion], Completion],
    session: Session,
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
            journal.append(apart(completion))
            work.samples += 1
            work.tokens += completion.length
            stage.advance(tokens=completion.length)


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
