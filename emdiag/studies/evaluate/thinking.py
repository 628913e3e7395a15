"""What is said of checkpoints that think: how long they may take, and at which temperature."""

from __future__ import annotations

from collections.abc import Sequence

from emdiag.core.results import Remark, remark
from emdiag.core.sampling import SampleRequest
from emdiag.store.run_store import RunStore
from emdiag.studies.evaluate.task import EvalTask


def thinking_notes(
    reading: EvalTask, requests: Sequence[SampleRequest], store: RunStore
) -> list[Remark]:
    """Before a checkpoint that thinks is drawn from: how many tokens that takes, and how long.

    The rate is that of earlier sessions of the same weights under the same engine.
    """
    if not reading.thinks or not requests:
        return []
    spec = reading.run.spec
    tokens, samples = len(requests) * spec.sampling.max_tokens, len(requests)
    sessions = [
        session
        for run in store.runs()
        if run.spec.checkpoint_digest == spec.checkpoint_digest and run.spec.engine == spec.engine
        for session in run.provenance()
    ]
    seconds = sum(session.sampling_s for session in sessions)
    rate = sum(session.tokens for session in sessions) / seconds if seconds else 0
    if not rate:
        words = remark("tokens-at-most", reading=reading.title, tokens=tokens, samples=samples)
        return [words, *greedy_notes(reading)]
    words = remark(
        "time-at-most",
        reading=reading.title,
        tokens=tokens,
        samples=samples,
        seconds=tokens / rate,
        rate=rate,
    )
    return [words, *greedy_notes(reading)]


def greedy_notes(reading: EvalTask) -> list[Remark]:
    """Of a checkpoint that thinks and is drawn from without chance."""
    is_greedy = reading.thinks and reading.run.spec.sampling.temperature == 0
    return [remark("greedy-thinking", label=reading.checkpoint.label)] if is_greedy else []
