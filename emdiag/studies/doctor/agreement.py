"""Every engine that can run here draws the same prompts, and one reader reads what each drew."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
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
from emdiag.core.sampling import Completion, SampleRequest, SamplingParams, TokenScore
from emdiag.engines.checkpoint.gguf_file import is_gguf
from emdiag.engines.open import open_sampler, open_sampler_and_reader, vllm_can_run
from emdiag.engines.options import EngineOptions
from emdiag.measure.agreement import EngineTexts, ScoredText, against_reader, between
from emdiag.store.session import Session
from emdiag.studies.doctor.checkpoint import unreadable
from emdiag.studies.doctor.plan import NEW_TOKENS
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


@dataclass(frozen=True, kw_only=True)
class EnginesLook:
    """What came of the engines; `drawn` has those that ran."""

    drawn: list[DrawnByEngine]
    agreements: tuple[EngineAgreement, ...]
    checks: tuple[Check, ...]


def engines_here(task: EvalTask, options: EngineOptions) -> list[str]:
    """The engine that is taken, and unless it was named the other one that can run too."""
    taken = task.run.spec.engine.name
    is_file = is_gguf(task.checkpoint.path)
    if options.engine == "auto" and not is_file and vllm_can_run(options):
        return ["vllm", "transformers"]
    return [taken]


def look_at_engines(
    task: EvalTask, encoder: CheckpointEncoder, options: EngineOptions, session: Session
) -> EnginesLook:
    """Draw with each engine, one after the other, then read all of it.

    Raises:
        EmdiagError: The checkpoint cannot be loaded by transformers.
    """
    drawn, checks = [], []
    names = engines_here(task, options)
    for name in (name for name in names if name != "transformers"):
        try:
            with closing(_opened(name, task, options, session)) as sampler:
                if isinstance(sampler, ScoringSampler):
                    drawn.append(_drawn(name, sampler, task, session))
                else:
                    checks.append(Check(name="engines", state=remark("no-scores", engine=name)))
        except EngineError as error:
            checks.append(unreadable(name, error))
    if not drawn and "transformers" not in names:
        return EnginesLook(drawn=drawn, agreements=(), checks=tuple(checks))
    with session.progress.stage(f"loading {task.checkpoint.label}", total=1) as stage:
        own, reader = open_sampler_and_reader(
            task.checkpoint, encoder, options=options, home=session.home
        )
        stage.advance()
    try:
        if "transformers" in names:
            drawn.append(_drawn("transformers", own, task, session))
        note = own.check.note
        state = as_given(note) if note else remark("drawn-so", way=own.check.way)
        checks.append(Check(name="rows", state=state))
        vocabulary = int(encoder.config.get_text_config().vocab_size)
        texts = [_read(item, task, reader, vocabulary=vocabulary) for item in drawn]
        dtype = reader.info.dtype
    finally:
        reader.close()
        own.close()
    agreements = [against_reader(item, reader_dtype=dtype) for item in texts]
    agreements += [between(a, b, reader_dtype=dtype) for a, b in combinations(texts, 2)]
    return EnginesLook(drawn=drawn, agreements=tuple(agreements), checks=tuple(checks))


def new_tokens(task: EvalTask) -> int:
    """Tokens drawn after each prompt at most."""
    return min(NEW_TOKENS, task.run.spec.sampling.max_tokens)


def _opened(name: str, task: EvalTask, options: EngineOptions, session: Session) -> Sampler:
    longest = max(len(prompt.token_ids) for prompt in task.prompts) + new_tokens(task)
    with session.progress.stage(f"loading {task.checkpoint.label} in {name}", total=1) as stage:
        sampler = open_sampler(
            name, task.checkpoint, options=options, longest_tokens=longest, home=session.home
        )
        stage.advance()
    return sampler


def _drawn(name: str, sampler: ScoringSampler, task: EvalTask, session: Session) -> DrawnByEngine:
    params = replace(task.run.spec.sampling, temperature=0.0, max_tokens=new_tokens(task))
    greedy = _draw(sampler, params, task, session, title=f"{name}, greedy")
    started = time.perf_counter()
    params = replace(params, temperature=1.0)
    sampled = _draw(sampler, params, task, session, title=f"{name}, at T 1")
    tokens = sum(len(scores) for _, scores in sampled)
    return DrawnByEngine(
        name=name,
        greedy=greedy,
        sampled=sampled,
        tokens_per_s=tokens / (time.perf_counter() - started),
        info=sampler.info,
    )


def _draw(
    sampler: ScoringSampler,
    params: SamplingParams,
    task: EvalTask,
    session: Session,
    *,
    title: str,
) -> ScoredDraws:
    requests = [
        SampleRequest(
            problem_id=prompt.problem_id,
            sample_index=0,
            token_ids=prompt.token_ids,
            seed=derive_seed(0, prompt.problem_id, 0),
        )
        for prompt in task.prompts
    ]
    sampler.scores, completions = {}, {}
    with session.progress.stage(title, total=len(requests)) as stage:
        for completion in sampler.sample(requests, params=params):
            completions[completion.problem_id] = completion
            stage.advance(tokens=len(completion.token_ids))
    scores = sampler.scores
    return [(completions[r.problem_id], scores[r.problem_id, 0]) for r in requests]


def _read(
    drawn: DrawnByEngine, task: EvalTask, reader: ModelReader, *, vocabulary: int
) -> EngineTexts:
    return EngineTexts(
        name=drawn.name,
        dtype=drawn.info.dtype,
        greedy=list(_scored(drawn.greedy, task, reader, vocabulary=vocabulary)),
        sampled=list(_scored(drawn.sampled, task, reader, vocabulary=vocabulary)),
    )


def _scored(
    drawn: ScoredDraws, task: EvalTask, reader: ModelReader, *, vocabulary: int
) -> Iterator[ScoredText]:
    from emdiag.measure.logits import TracedText, trace

    prompts: Sequence[tuple[int, ...]] = [prompt.token_ids for prompt in task.prompts]
    texts = [(prompt, item.token_ids) for prompt, (item, _) in zip(prompts, drawn, strict=True)]
    for (completion, scores), text in zip(drawn, reader.read(texts), strict=True):
        traced = TracedText(
            name=task.checkpoint.label,
            problem_id=completion.problem_id,
            sample_index=0,
            written=completion.token_ids,
            vocab_size=vocabulary,
        )
        yield ScoredText(completion=completion, scores=scores, trace=trace(text, traced))
