"""A plan expands into readings: one checkpoint on one benchmark, and the run that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from emdiag.benchmarks.open import open_benchmark
from emdiag.benchmarks.prompts import PromptTemplate, fill, load_template, question_mark
from emdiag.core.asking import Asking
from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import derive_seed, prompts_digest
from emdiag.core.problems import BenchmarkCard, Problem
from emdiag.core.protocols import Progress, PromptEncoder
from emdiag.core.results import Remark, as_given, remark
from emdiag.core.runs import EngineSpec, ProblemsFile, RunSpec
from emdiag.core.sampling import Prompt, SampleRequest
from emdiag.engines.checkpoint.resolve import check_reference, resolve_checkpoint
from emdiag.engines.defaults import ReadPrompts, chosen_chat, may_be_plain, tokens_with_room
from emdiag.engines.open import choose_engine, engine_spec, open_encoder
from emdiag.engines.requests import check_room
from emdiag.engines.served import check_served, describe_server, served_checkpoint
from emdiag.engines.server.references import MessageEncoder, is_served
from emdiag.findings.remarks import words_of
from emdiag.store.run_store import Run
from emdiag.store.samples import Sample
from emdiag.store.session import Session
from emdiag.store.training_folder import followed
from emdiag.studies.evaluate.plan import EvaluatePlan, NamedRef


@dataclass(frozen=True, kw_only=True)
class EvalTask:
    """One checkpoint on one benchmark: everything needed to draw, grade and score it.

    Attributes:
        problems: Those measured, after `limit`.
        all_problems: Those of the whole benchmark.
        prompts: Of `problems`, in their order.
        notes: How the prompts came about, where a reader should know: by the checkpoint's
            tokenizer, and where something was chosen that nobody typed.
        setting: What tells it from other readings of the checkpoint, such as `T 0.6`.
        problems_file: Of a user's own benchmark; None for one with a card.
        question_mark: How the prompts mark their question, if they do.
        thinks: Whether completions begin with thinking.
    """

    run: Run
    card: BenchmarkCard
    checkpoint: CheckpointRef
    problems: tuple[Problem, ...]
    all_problems: tuple[Problem, ...]
    prompts: tuple[Prompt, ...]
    samples: int
    notes: tuple[Remark, ...]
    setting: str = ""
    problems_file: ProblemsFile | None = None
    question_mark: str | None = None
    thinks: bool = False

    @property
    def title(self) -> str:
        """How progress and notes call this reading."""
        setting = f", {self.setting}" if self.setting else ""
        return f"{self.checkpoint.label} on {self.card.name}{setting}"

    @property
    def wanted(self) -> list[Sample]:
        """Every sample asked for, problem by problem."""
        return [(problem.id, index) for problem in self.problems for index in range(self.samples)]

    def missing(self) -> list[SampleRequest]:
        """Samples asked for that the run does not hold, problem by problem."""
        drawn = self.run.completions().keys()
        return [
            SampleRequest(
                problem_id=prompt.problem_id,
                sample_index=index,
                token_ids=prompt.token_ids,
                prompt=prompt,
                seed=derive_seed(self.run.spec.sampling.seed, prompt.problem_id, index),
            )
            for prompt in self.prompts
            for index in range(self.samples)
            if (prompt.problem_id, index) not in drawn
        ]


@dataclass(frozen=True, kw_only=True)
class _FilledBenchmark:
    """A benchmark with its template filled, before any checkpoint reads it."""

    card: BenchmarkCard
    problems: tuple[Problem, ...]
    template: PromptTemplate
    file: ProblemsFile | None


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A checkpoint before its weights are loaded."""

    checkpoint: CheckpointRef
    engine: EngineSpec
    encoder: PromptEncoder


@dataclass(frozen=True, kw_only=True)
class _Encoded:
    """All prompts of a benchmark as one checkpoint reads them; notes are those of its tokenizer."""

    opened: _Opened
    prompts: tuple[Prompt, ...]
    notes: tuple[str, ...]
    thinks: bool


@dataclass(frozen=True, kw_only=True)
class _Wording:
    """How a benchmark is asked of all checkpoints, and what of it nobody typed."""

    chat: bool
    max_tokens: int
    asking: Asking
    notes: tuple[Remark, ...]


def expand(plan: EvaluatePlan, session: Session, *, require_answers: bool = True) -> list[EvalTask]:
    """Every checkpoint on every benchmark, in the order of the plan; no weights are loaded.

    Raises:
        EmdiagError: As `expand_with_encoders`.
    """
    pairs = expand_with_encoders(plan, session, require_answers=require_answers)
    return [reading for reading, _ in pairs]


def expand_with_encoders(
    plan: EvaluatePlan, session: Session, *, require_answers: bool = True
) -> list[tuple[EvalTask, PromptEncoder]]:
    """The same, each with what read its prompts.

    Files of problems may leave answers out unless they are required. What nobody typed is chosen so
    that every checkpoint can do it, and a note says so: prompts are chats where all tokenizers have
    a chat template, and answers may be as long as the card says, or as all contexts have room for.

    Raises:
        BenchmarkError: A benchmark or template is unknown, absent or wrong.
        CheckpointError: A checkpoint or its tokenizer cannot be used.
        PlanError: A prompt leaves no room for the answer.
    """
    for named in plan.checkpoints:
        if not _is_served(named, plan):
            check_reference(followed(named.ref))
    tasks = [
        _load_task(name, plan, home=session.home, require_answers=require_answers)
        for name in plan.targets.benchmarks
    ]
    checkpoints = _resolve(plan, session, chat=any(_wants_chat(task, plan) for task in tasks))
    opened = [_open(checkpoint, plan, session) for checkpoint in checkpoints]
    by_server = [reader.checkpoint for reader in opened if reader.engine.name == "server"]
    check_served(by_server, options=plan.engine, home=session.home)
    for reader in opened:
        for note in _reasoning_notes(reader, plan):
            session.progress.note(f"note: {words_of(note)}")
    of_tasks = [_read(task, plan, session, opened=opened) for task in tasks]
    return [
        (reading, reader.encoder)
        for reader, *of_checkpoint in zip(opened, *of_tasks, strict=True)
        for reading in of_checkpoint
    ]


def note_limit(tasks: Sequence[EvalTask], limit: int | None, progress: Progress) -> None:
    """Say of which benchmarks fewer problems are there than the first so many that are wanted."""
    sizes = {task.card.name: len(task.all_problems) for task in tasks}
    for name, size in sizes.items():
        if limit is not None and limit > size:
            progress.note(f"{name} has {size:,} problems; --limit is {limit:,}")


def _load_task(
    name: str, plan: EvaluatePlan, *, home: Path, require_answers: bool
) -> _FilledBenchmark:
    card, problems, file = open_benchmark(name, home=home, require_answers=require_answers)
    return _FilledBenchmark(
        card=card,
        problems=tuple(problems),
        template=load_template(plan.targets.template or card.template),
        file=file,
    )


def _wants_chat(task: _FilledBenchmark, plan: EvaluatePlan) -> bool:
    return task.template.chat if plan.targets.chat is None else plan.targets.chat


def _is_served(named: NamedRef, plan: EvaluatePlan) -> bool:
    """Whether it is the name of a model at the server that is asked."""
    return is_served(named.ref) and plan.engine.base_url is not None


def _resolve(plan: EvaluatePlan, session: Session, *, chat: bool) -> list[CheckpointRef]:
    checkpoints = []
    targets = plan.targets
    is_free = may_be_plain(plan.asking, chat=targets.chat, template=targets.template)
    for named in plan.checkpoints:
        with session.progress.stage(f"reading {named.label}", total=1) as stage:
            if _is_served(named, plan):
                checkpoints.append(
                    served_checkpoint(
                        named.ref, label=named.label, options=plan.engine, home=session.home
                    )
                )
                continue
            checkpoints.append(
                resolve_checkpoint(
                    followed(named.ref),
                    label=named.label,
                    home=session.home,
                    trust_remote_code=plan.engine.trust_remote_code,
                    chat="if present" if chat and is_free else chat,
                )
            )
            stage.advance()
    return checkpoints


def _open(checkpoint: CheckpointRef, plan: EvaluatePlan, session: Session) -> _Opened:
    name = choose_engine(plan.engine.engine, checkpoint, options=plan.engine)
    return _Opened(
        checkpoint=checkpoint,
        engine=engine_spec(name, options=plan.engine),
        encoder=open_encoder(
            name,
            checkpoint,
            options=plan.engine,
            reasoning=plan.targets.reasoning,
            home=session.home,
        ),
    )


def _read(
    task: _FilledBenchmark, plan: EvaluatePlan, session: Session, *, opened: Sequence[_Opened]
) -> list[EvalTask]:
    """One benchmark as every checkpoint reads it."""
    asking, limit = plan.asking.with_text(), plan.targets.limit
    chat, notes = chosen_chat(
        asking,
        by_template=task.template.chat,
        chat=plan.targets.chat,
        template=plan.targets.template,
        checkpoints=[
            reader.checkpoint for reader in opened if not isinstance(reader.encoder, MessageEncoder)
        ],
        benchmark=task.card.name,
    )
    filled = [fill(task.template, problem, asking) for problem in task.problems]
    encoded = [
        _Encoded(
            opened=reader,
            prompts=tuple(reader.encoder.encode(filled, chat=chat)),
            notes=reader.encoder.notes,
            thinks=reader.encoder.thinks,
        )
        for reader in opened
    ]
    readers = [
        ReadPrompts(
            label=read.opened.checkpoint.label,
            prompts=read.prompts,
            measured=read.prompts[:limit],
            context=read.opened.encoder.max_context,
            thinks=read.thinks,
        )
        for read in encoded
    ]
    max_tokens = plan.sampling.max_tokens
    if max_tokens is None:
        name = task.card.name
        max_tokens, shortened = tokens_with_room(task.card.max_tokens, readers, benchmark=name)
        notes += shortened
    wording = _Wording(chat=chat, max_tokens=max_tokens, asking=asking, notes=tuple(notes))
    for note in wording.notes:
        session.progress.note(f"note: {words_of(note)}")
    return [_reading(task, plan, session, read=read, wording=wording) for read in encoded]


def _reasoning_notes(opened: _Opened, plan: EvaluatePlan) -> list[Remark]:
    """How the checkpoint marks its thinking, and where that was found."""
    reasoning = opened.encoder.reasoning
    if reasoning is None:
        return []
    source = "template" if reasoning.style == "text" else "vocabulary"
    return [
        remark(
            "reasoning-style",
            label=opened.checkpoint.label,
            style=reasoning.style,
            markers=reasoning.name,
            source=source if plan.targets.reasoning == "auto" else "typed",
        )
    ]


def _reading(
    task: _FilledBenchmark,
    plan: EvaluatePlan,
    session: Session,
    *,
    read: _Encoded,
    wording: _Wording,
) -> EvalTask:
    checkpoint, encoder = read.opened.checkpoint, read.opened.encoder
    sampling = plan.sampling.params(
        max_tokens=wording.max_tokens, stop_token_ids=encoder.stop_token_ids()
    )
    engine, of_engine = describe_server(
        read.opened.engine,
        checkpoint,
        read.prompts[0],
        options=plan.engine,
        home=session.home,
        is_greedy=sampling.temperature == 0,
    )
    spec = RunSpec(
        benchmark=task.card.name,
        template=task.template.name,
        chat=wording.chat,
        prompts_sha256=prompts_digest(read.prompts),
        checkpoint_digest=checkpoint.digest,
        tokenizer_digest=checkpoint.tokenizer_digest,
        sampling=sampling,
        engine=engine,
        asking=UNSET if wording.asking == Asking() else wording.asking,
        reasoning=encoder.reasoning or UNSET,
    )
    reading = EvalTask(
        run=session.store.run(spec),
        card=task.card,
        checkpoint=checkpoint,
        problems=task.problems[: plan.targets.limit],
        all_problems=task.problems,
        prompts=read.prompts[: plan.targets.limit],
        samples=plan.sampling.samples,
        notes=(
            *map(as_given, read.notes),
            *_reasoning_notes(read.opened, plan),
            *wording.notes,
            *of_engine,
        ),
        problems_file=task.file,
        question_mark=question_mark(task.template),
        thinks=read.thinks,
    )
    check_room(
        reading.prompts,
        max_tokens=sampling.max_tokens,
        max_context=encoder.max_context,
        subject=reading.title,
    )
    return reading
