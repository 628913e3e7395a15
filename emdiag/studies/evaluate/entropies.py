"""Entropies of the distributions that stored completions were drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emdiag.core.errors import naming
from emdiag.core.protocols import Progress
from emdiag.core.runs import EntropySpec, SampleEntropy
from emdiag.core.sampling import Completion
from emdiag.engines.open import effective_dtype, has_weights, open_reader
from emdiag.engines.options import EngineOptions
from emdiag.store.run_store import Run
from emdiag.store.samples import Sample
from emdiag.store.session import Session
from emdiag.studies.evaluate.task import EvalTask

if TYPE_CHECKING:
    from emdiag.engines.hf.logit_reader import ModelReader


def entropy_spec(reading: EvalTask, *, options: EngineOptions) -> EntropySpec | None:
    """How the entropies of a reading are read: at the temperature its tokens were drawn at.

    None for greedy decoding, whose distributions have one token and no entropy, and for texts of
    which nobody knows weights or tokens: of a table, or of a server.
    """
    spec = reading.run.spec
    if spec.sampling.temperature == 0 or not has_weights(reading.checkpoint):
        return None
    if lacks_tokens(reading.run):
        return None
    return EntropySpec(
        temperature=spec.sampling.temperature,
        dtype=effective_dtype("transformers", options=options),
        trust_remote_code=options.trust_remote_code,
    )


def lacks_tokens(run: Run) -> bool:
    """Whether texts of a run, or their prompts, were never known as token ids here."""
    return run.spec.engine.api == "chat" or run.completions().lacks_ids


def read_missing_entropies(
    readings: Sequence[EvalTask], *, options: EngineOptions, session: Session
) -> None:
    """Read what was not read yet, of one checkpoint; its weights are loaded once, if at all.

    Raises:
        EngineError: A text cannot be read; what was read before is kept.
    """
    work = [
        (reading, spec, texts)
        for reading in readings
        if (spec := entropy_spec(reading, options=options)) is not None
        and (texts := _unread(reading, spec))
    ]
    if not work:
        return
    first, progress = work[0][0], session.progress
    with progress.stage(f"loading {first.checkpoint.label} to read", total=1) as stage:
        reader = open_reader(
            first.run.spec.engine.name, first.checkpoint, options=options, home=session.home
        )
        stage.advance()
    try:
        for reading, spec, texts in work:
            _read(reading, spec, texts, reader, progress=progress)
    finally:
        reader.close()


def entropies(reading: EvalTask, *, options: EngineOptions) -> dict[Sample, float] | None:
    """Mean entropy along every completion of a reading, in nats; None where it has none."""
    spec = entropy_spec(reading, options=options)
    if spec is None:
        return None
    return {sample: read.entropy_nats for sample, read in reading.run.entropies(spec).pairs()}


def _unread(reading: EvalTask, spec: EntropySpec) -> list[Completion]:
    drawn, read = reading.run.completions(), reading.run.entropies(spec)
    waiting = [sample for sample in reading.wanted if sample in drawn and sample not in read]
    return [drawn[sample] for sample in waiting if drawn[sample].token_ids]


def _read(
    reading: EvalTask,
    spec: EntropySpec,
    completions: Sequence[Completion],
    reader: ModelReader,
    *,
    progress: Progress,
) -> None:
    from emdiag.engines.hf.logit_reader import read_entropies

    prompts = {prompt.problem_id: prompt.token_ids for prompt in reading.prompts}
    texts = [(prompts[text.problem_id], text.token_ids) for text in completions]
    with (
        naming(reading.checkpoint.label),
        reading.run.writing(waiting=progress),
        reading.run.entropy_writer(spec) as journal,
        progress.stage(f"reading entropies of {reading.title}", total=len(texts)) as stage,
    ):
        values = read_entropies(reader, texts, temperature=spec.temperature)
        for completion, nats in zip(completions, values, strict=True):
            journal.append(
                SampleEntropy(
                    problem_id=completion.problem_id,
                    sample_index=completion.sample_index,
                    tokens=len(nats),
                    entropy_nats=sum(nats) / len(nats),
                )
            )
            stage.advance(tokens=len(nats))
