"""Every engine that can run here draws the same prompts, and one reader reads what each drew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from msgspec.structs import replace

from emdiag.core.digest import derive_seed
from emdiag.core.doctor import Check, EngineAgreement
from emdiag.core.errors import EngineError
from emdiag.core.protocols import Sampler, ScoringSampler
from emdiag.core.results import as_given, remark
from emdiag.core.runs import EngineInfo
from emdiag.core.sampling import Completion, SampleRequest, TokenScore
from emdiag.engines.open import open_sampler, open_sampler_and_reader
from emdiag.engines.options import EngineOptions
from emdiag.measure.agreement import EngineTexts, ScoredText, against_reader, between
from emdiag.store.session import Session
from emdiag.studies.doctor.checkpoint import cost_checks, unreadable
from emdiag.studies.doctor.plan import NEW_TOKENS, DoctorPlan
from emdiag.studies.evaluate.task import EvalTask

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
    from emdiag.engines.hf.logit_reader import ModelReader

ScoredDraws = list[tuple[Completion, list[TokenScore]]]


@dataclass(frozen=True, kw_only=True)
class DrawnByEngine:
    """What one engine drew on the prompts, and how fast once it was warm: at temperature 1."""

    name: str
    info: EngineInfo
    greedy: ScoredDraws
    sampled: ScoredDraws
    tokens_per_s: float


def engines_here(task: EvalTask, options: EngineOptions) -> list[str]:
    """The engine that is taken, and unless it was named the reader's, which can run too."""
    taken = task.run.spec.engine.name
    is_free = taken == "vllm" and options.engine == "auto"
    return [taken, "transformers"] if is_free else [taken]


def look_at_engines(
    task: EvalTask, encoder: CheckpointEncoder, plan: DoctorPlan, session: Session
) -> Iterator[Check | EngineAgreement]:
    """Draw with each engine, one after the other, then read all of it.

    Raises:
        EmdiagError: The checkpoint cannot be loaded by transformers.
    """
    drawn, options = [], plan.engine
    names = engines_here(task, options)
    for name in (name for name in names if name != "transformers"):
        try:
            with closing(_opened(name, task, options, session)) as sampler:
                if isinstance(sampler, ScoringSampler):
                    drawn.append(_drawn(name, sampler, task, session))
                else:
                    yield Check("engines", remark("no-scores", engine=name))
        except EngineError as error:
            yield unreadable(name, error)
    if not drawn and "transformers" not in names:
        return
    with session.progress.stage(f"loading {task.checkpoint.label}", total=1) as stage:
        own, reader = open_sampler_and_reader(
            task.checkpoint, encoder, options=options, home=session.home
        )
        stage.advance()
    with closing(own), closing(reader):
        if "transformers" in names:
            drawn.append(_drawn("transformers", own, task, session))
        note = own.check.note
        state = as_given(note) if note else remark("drawn-so", way=own.check.way)
        yield Check("rows", state)
        vocabulary = int(encoder.config.get_text_config().vocab_size)
        texts = [_read(item, task, reader, vocabulary) for item in drawn]
        dtype = reader.info.dtype
    for item in drawn:
        if item.name == task.run.spec.engine.name:
            yield from cost_checks(task, encoder, item, is_timed=plan.benchmark is not None)
    for left in texts:
        yield against_reader(left, reader_dtype=dtype)
    for left, right in combinations(texts, 2):
        yield between(left, right, reader_dtype=dtype)


def _new_tokens(task: EvalTask) -> int:
    return min(NEW_TOKENS, task.run.spec.sampling.max_tokens)


def _opened(name: str, task: EvalTask, options: EngineOptions, session: Session) -> Sampler:
    longest = max(len(prompt.token_ids) for prompt in task.prompts) + _new_tokens(task)
    with session.progress.stage(f"loading {task.checkpoint.label} in {name}", total=1) as stage:
        sampler = open_sampler(
            name, task.checkpoint, options=options, longest_tokens=longest, home=session.home
        )
        stage.advance()
    return sampler


def _drawn(name: str, sampler: ScoringSampler, task: EvalTask, session: Session) -> DrawnByEngine:
    def draw(temperature: float, way: str) -> ScoredDraws:
        params = replace(
            task.run.spec.sampling, temperature=temperature, max_tokens=_new_tokens(task)
        )
        sampler.scores, completions = {}, {}
        with session.progress.stage(f"{name}, {way}", total=len(requests)) as stage:
            for completion in sampler.sample(requests, params=params):
                completions[completion.problem_id] = completion
                stage.advance(tokens=len(completion.token_ids))
        scores = sampler.scores
        return [(completions[r.problem_id], scores[r.problem_id, 0]) for r in requests]

    requests = [
        SampleRequest(
            problem_id=prompt.problem_id,
            sample_index=0,
            token_ids=prompt.token_ids,
            seed=derive_seed(0, prompt.problem_id, 0),
        )
        for prompt in task.prompts
    ]
    greedy = draw(0.0, "greedy")
    started = time.perf_counter()
    sampled = draw(1.0, "at T 1")
    speed = sum(len(scores) for _, scores in sampled) / (time.perf_counter() - started)
    return DrawnByEngine(
        name=name, info=sampler.info, greedy=greedy, sampled=sampled, tokens_per_s=speed
    )


def _read(
    drawn: DrawnByEngine, task: EvalTask, reader: ModelReader, vocabulary: int
) -> EngineTexts:
    from emdiag.measure.logits import TracedText, trace

    def scored(draws: ScoredDraws) -> Iterator[ScoredText]:
        texts = [
            (prompt.token_ids, completion.token_ids)
            for prompt, (completion, _) in zip(task.prompts, draws, strict=True)
        ]
        for (completion, scores), text in zip(draws, reader.read(texts), strict=True):
            traced = TracedText(
                name=task.checkpoint.label,
                problem_id=completion.problem_id,
                sample_index=0,
                written=completion.token_ids,
                vocab_size=vocabulary,
            )
            yield ScoredText(completion=completion, scores=scores, trace=trace(text, traced))

    return EngineTexts(
        name=drawn.name,
        dtype=drawn.info.dtype,
        greedy=list(scored(drawn.greedy)),
        sampled=list(scored(drawn.sampled)),
    )
