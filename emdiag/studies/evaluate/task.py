"""A plan expands into readings: one checkpoint on one benchmark, and the run that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emdiag.benchmarks.open import open_benchmark
from emdiag.benchmarks.prompts import PromptTemplate, fill, load_template, question_mark
from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import derive_seed, prompts_digest
from emdiag.core.problems import BenchmarkCard, Problem
from emdiag.core.protocols import Progress, PromptEncoder
from emdiag.core.results import Remark, as_given, remark
from emdiag.core.runs import EngineSpec, ProblemsFile, RunSpec
from emdiag.core.sampling import Prompt, SampleRequest
from emdiag.engines.checkpoint.chat_files import has_chat_template
from emdiag.engines.checkpoint.resolve import check_reference, resolve_checkpoint
from emdiag.engines.open import choose_engine, engine_spec, open_encoder
from emdiag.engines.requests import check_room, room_after
from emdiag.findings.remarks import words_of
from emdiag.store.run_store import Run
from emdiag.store.samples import Sample
from emdiag.store.session import Session
from emdiag.store.training_folder import followed
from emdiag.studies.evaluate.plan import EvaluatePlan


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


@dataclass(frozen=True, kw_only=True)
class _Wording:
    """How a benchmark is asked of all checkpoints, and what of it nobody typed."""

    chat: bool
    max_tokens: int
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
        check_reference(followed(named.ref))
    tasks = [
        _load_task(name, plan, home=session.home, require_answers=require_answers)
        for name in plan.targets.benchmarks
    ]
    chat = any(_wants_chat(task, plan) for task in tasks)
    checkpoints = _resolve(plan, session, chat=chat)
    without = [c.label for c in checkpoints if chat and not has_chat_template(c.path)]
    opened = [_open(checkpoint, plan) for checkpoint in checkpoints]
    of_tasks = [_read(task, plan, session, opened=opened, without_chat=without) for task in tasks]
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


def _may_be_plain(plan: EvaluatePlan) -> bool:
    """Whether nobody asked for chats: neither by name, nor by that of a template."""
    return plan.targets.chat is None and plan.targets.template is None


def _resolve(plan: EvaluatePlan, session: Session, *, chat: bool) -> list[CheckpointRef]:
    checkpoints = []
    for named in plan.checkpoints:
        with session.progress.stage(f"reading {named.label}", total=1) as stage:
            checkpoints.append(
                resolve_checkpoint(
                    followed(named.ref),
                    label=named.label,
                    home=session.home,
                    trust_remote_code=plan.engine.trust_remote_code,
                    chat="if present" if chat and _may_be_plain(plan) else chat,
                )
            )
            stage.advance()
    return checkpoints


def _open(checkpoint: CheckpointRef, plan: EvaluatePlan) -> _Opened:
    name = choose_engine(plan.engine.engine, checkpoint, options=plan.engine)
    return _Opened(
        checkpoint=checkpoint,
        engine=engine_spec(name, options=plan.engine),
        encoder=open_encoder(name, checkpoint, options=plan.engine),
    )


def _read(
    task: _FilledBenchmark,
    plan: EvaluatePlan,
    session: Session,
    *,
    opened: Sequence[_Opened],
    without_chat: Sequence[str],
) -> list[EvalTask]:
    """One benchmark as every checkpoint reads it."""
    notes = []
    chat = _wants_chat(task, plan)
    if chat and without_chat and _may_be_plain(plan):
        chat = False
        notes.append(
            remark(
                "no-chat-template",
                labels=tuple(without_chat),
                benchmark=task.card.name,
                is_shared=len(opened) > 1,
            )
        )
    filled = [fill(task.template, problem) for problem in task.problems]
    encoded = [
        _Encoded(
            opened=reader,
            prompts=tuple(reader.encoder.encode(filled, chat=chat)),
            notes=reader.encoder.notes,
        )
        for reader in opened
    ]
    max_tokens, shortened = _most_tokens(task.card, plan, encoded)
    wording = _Wording(chat=chat, max_tokens=max_tokens, notes=(*notes, *shortened))
    for note in wording.notes:
        session.progress.note(f"note: {words_of(note)}")
    return [_reading(task, plan, session, read=read, wording=wording) for read in encoded]


def _most_tokens(
    card: BenchmarkCard, plan: EvaluatePlan, encoded: Sequence[_Encoded]
) -> tuple[int, list[Remark]]:
    """New tokens at most, the same for all checkpoints, and a note where the card says more.

    The room left is that of the whole benchmark, so that more problems need no other limit.
    """
    rooms = []
    for read in encoded:
        context = read.opened.encoder.max_context
        measured = read.prompts[: plan.targets.limit]
        if context is None or room_after(measured, context) >= card.max_tokens:
            continue
        room = room_after(read.prompts, context)
        if room < 1:
            room = room_after(measured, context)
        rooms.append((room, read.opened.checkpoint.label, context))
    if plan.sampling.max_tokens is not None or not rooms or min(rooms)[0] < 1:
        return plan.sampling.max_tokens or card.max_tokens, []
    room, label, context = min(rooms)
    note = remark(
        "room-left",
        tokens=room,
        wanted=card.max_tokens,
        benchmark=card.name,
        label=label,
        context=context,
        is_shared=len(encoded) > 1,
    )
    return room, [note]


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
    spec = RunSpec(
        benchmark=task.card.name,
        template=task.template.name,
        chat=wording.chat,
        prompts_sha256=prompts_digest(read.prompts),
        checkpoint_digest=checkpoint.digest,
        tokenizer_digest=checkpoint.tokenizer_digest,
        sampling=sampling,
        engine=read.opened.engine,
    )
    reading = EvalTask(
        run=session.store.run(spec),
        card=task.card,
        checkpoint=checkpoint,
        problems=task.problems[: plan.targets.limit],
        all_problems=task.problems,
        prompts=read.prompts[: plan.targets.limit],
        samples=plan.sampling.samples,
        notes=(*map(as_given, read.notes), *wording.notes),
        problems_file=task.file,
        question_mark=question_mark(task.template),
    )
    check_room(
        reading.prompts,
        max_tokens=sampling.max_tokens,
        max_context=encoder.max_context,
        subject=reading.title,
    )
    return reading
