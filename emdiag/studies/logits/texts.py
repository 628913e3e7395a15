"""The texts that checkpoints read: drawn, taken from runs, or the benchmark's own solutions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from emdiag.benchmarks.custom import is_problems_file
from emdiag.benchmarks.load import load_solutions
from emdiag.core.digest import digest, prompts_digest
from emdiag.core.errors import MeasurementError, PlanError
from emdiag.core.logit_skew import TextInfo
from emdiag.core.option_groups import Sampling
from emdiag.core.protocols import SilentProgress, Text
from emdiag.core.runs import ReferenceSpec
from emdiag.core.sampling import Prompt
from emdiag.store.samples import Sample
from emdiag.store.session import Session
from emdiag.studies.evaluate.entropies import lacks_tokens
from emdiag.studies.evaluate.plan import EvaluatePlan, NamedRef
from emdiag.studies.evaluate.task import EvalTask, expand
from emdiag.studies.stored.find_runs import require_run

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.vocabularies import SharedVocabulary


@dataclass(frozen=True, kw_only=True)
class Written:
    """One text that is already written; token ids are of its prompt and of its completion.

    Attributes:
        text: Up to the end of its answer.
        answer_from: Characters before what may hold the answer; None where thinking never ended.
    """

    problem_id: str
    sample_index: int
    token_ids: Text
    text: str
    answer_from: int | None = 0

    @property
    def sample(self) -> Sample:
        """Problem id and sample index."""
        return self.problem_id, self.sample_index


@dataclass(frozen=True, kw_only=True)
class TextSet:
    """Texts of one writer.

    Attributes:
        writer: Label of the checkpoint that wrote it, or what it was taken from.
        texts: Problem by problem; those without a token are left out.
        reading: Of the run that drew them; None for texts that no run drew.
        empty: How many were left out.
        unfinished: How many never finished thinking; None where nothing marks it.
    """

    name: str
    writer: str
    folder: Path
    texts: tuple[Written, ...]
    reading: EvalTask | None
    truncated: int
    empty: int
    unfinished: int | None = None

    def info(self) -> TextInfo:
        """The set in a result."""
        return TextInfo(
            name=self.name,
            writer=self.writer,
            run=str(self.folder),
            problems=len({text.problem_id for text in self.texts}),
            texts=len(self.texts),
            tokens=sum(len(text.token_ids[1]) for text in self.texts),
            temperature=self.reading.run.spec.sampling.temperature if self.reading else None,
            truncated_frac=self.truncated / len(self.texts),
            unfinished_frac=None if self.unfinished is None else self.unfinished / len(self.texts),
        )


def drawn_texts(reading: EvalTask, name: str, *, writer: str | None = None) -> TextSet:
    """The completions of a reading whose run holds all of them.

    Raises:
        MeasurementError: Every completion is empty, or a server did not tell their tokens.
    """
    held = reading.run.completions()
    if lacks_tokens(reading.run):
        raise MeasurementError(
            f"the server that wrote {reading.title} tells texts and not their token ids, so no "
            "logits can be read along them",
            run=reading.run.path,
            hint="draw with --engine transformers or vllm, or from vLLM with --server-api tokens",
        )
    drawn = [
        (prompt, held[prompt.problem_id, index])
        for prompt in reading.prompts
        for index in range(reading.samples)
    ]
    kept = [(prompt, completion) for prompt, completion in drawn if completion.token_ids]
    written = [
        Written(
            problem_id=prompt.problem_id,
            sample_index=completion.sample_index,
            token_ids=(prompt.token_ids, completion.token_ids),
            text=completion.answered_text,
            answer_from=None if completion.is_thinking else completion.answer_start or 0,
        )
        for prompt, completion in kept
    ]
    if not written:
        raise MeasurementError(
            f"every completion of {reading.title} is empty, so there is nothing to read",
            run=reading.run.path,
        )
    return TextSet(
        name=name,
        writer=writer or reading.checkpoint.label,
        folder=reading.run.path,
        texts=tuple(written),
        reading=reading,
        truncated=sum(completion.finish_reason == "length" for _, completion in kept),
        unfinished=sum(completion.is_thinking for _, completion in kept)
        if all(completion.is_marked for _, completion in kept)
        else None,
        empty=len(drawn) - len(written),
    )


def solution_texts(
    name: str, reading: EvalTask, vocabulary: SharedVocabulary, session: Session
) -> TextSet | None:
    """The written solutions of a benchmark, behind the prompts of a reading; None without any."""
    if is_problems_file(reading.card.name):
        return None
    solutions = load_solutions(reading.card, home=session.home)
    texts = tuple(
        Written(
            problem_id=prompt.problem_id,
            sample_index=0,
            token_ids=(prompt.token_ids, vocabulary.token_ids(solutions[prompt.problem_id])),
            text=solutions[prompt.problem_id],
        )
        for prompt in reading.prompts
        if solutions.get(prompt.problem_id)
    )
    if not texts:
        return None
    contents = [[text.problem_id, *map(list, text.token_ids)] for text in texts]
    spec = ReferenceSpec(
        name="solutions",
        benchmark=reading.card.name,
        tokenizer_digest=reading.checkpoint.tokenizer_digest,
        texts_sha256=digest(contents),
    )
    return TextSet(
        name=name,
        writer="written solutions",
        folder=session.store.reference(reading.card.name, spec),
        texts=texts,
        reading=None,
        truncated=0,
        empty=len(reading.prompts) - len(texts),
    )


def run_texts(named: NamedRef, how: EvaluatePlan, *, base: NamedRef, session: Session) -> TextSet:
    """What a run already holds, as far as the plan's problems go.

    The run's prompts are filled again, for the tokenizer of `base`, and must come out as they were.

    Raises:
        PlanError: There is no such run, it is of another benchmark, or its prompts cannot be
            made again.
    """
    run = require_run(named.ref, store=session.store)
    spec = run.spec
    again = EvaluatePlan(
        checkpoints=(base,),
        targets=msgspec.structs.replace(
            how.targets, template=spec.template, chat=spec.chat, limit=None
        ),
        asking=spec.wording,
        sampling=Sampling(max_tokens=1),
        engine=msgspec.structs.replace(how.engine, engine="transformers"),
    )
    silent = replace(session, progress=SilentProgress())
    (reading,) = expand(again, silent, require_answers=False)
    if reading.card.name != spec.benchmark:
        raise PlanError(
            f"the run is of {spec.benchmark}, and the study of {reading.card.name}",
            run=run.path,
            hint=f"name its benchmark: -b {spec.benchmark}",
        )
    if prompts_digest(reading.prompts) != spec.prompts_sha256:
        raise PlanError(
            "the prompts of the run cannot be made again: its checkpoint had another tokenizer, "
            "or its benchmark or template has changed",
            run=run.path,
            hint="draw the texts anew: leave --from-run out",
        )
    held = {problem for problem, _ in run.completions()}
    prompts = tuple(p for p in reading.prompts[: how.targets.limit] if p.problem_id in held)
    samples = _complete_samples(prompts, run.completions().keys())
    if not samples:
        raise PlanError("the run holds none of the problems asked for", run=run.path)
    problems = tuple(p for p in reading.problems[: how.targets.limit] if p.id in held)
    held_reading = replace(reading, run=run, problems=problems, prompts=prompts, samples=samples)
    sessions = run.provenance()
    return drawn_texts(
        held_reading, named.label, writer=sessions[-1].label if sessions else named.ref
    )


def _complete_samples(prompts: Sequence[Prompt], drawn: Collection[Sample]) -> int:
    count = 0
    while prompts and all((prompt.problem_id, count) in drawn for prompt in prompts):
        count += 1
    return count
