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
from emdiag.core.runs import EngineSpec, ProblemsFile, RunSpec
from emdiag.core.sampling import Prompt, SampleRequest
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.open import choose_engine, engine_spec, open_encoder
from emdiag.engines.requests import check_room
from emdiag.store.run_store import Run, RunStore
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
        notes: What the checkpoint's tokenizer did to the prompts, where a reader should know.
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
    notes: tuple[str, ...]
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


def expand(plan: EvaluatePlan, session: Session, *, require_answers: bool = True) -> list[EvalTask]:
    """Every checkpoint on every benchmark, in the order of the plan; no weights are loaded.

    Files of problems may leave answers out unless they are required.

    Raises:
        BenchmarkError: A benchmark or template is unknown, absent or wrong.
        CheckpointError: A checkpoint or its tokenizer cannot be used.
        PlanError: A prompt leaves no room for the answer.
    """
    tasks = [
        _load_task(name, plan, home=session.home, require_answers=require_answers)
        for name in plan.targets.benchmarks
    ]
    chat = any(_is_chat(task, plan) for task in tasks)
    readings = []
    for named in plan.checkpoints:
        checkpoint = _resolve(named, plan, session, chat=chat)
        name = choose_engine(plan.engine.engine, checkpoint, options=plan.engine)
        spec = engine_spec(name, options=plan.engine)
        encoder = open_encoder(name, checkpoint, options=plan.engine)
        readings += [
            _read(
                task, plan, checkpoint=checkpoint, engine=spec, encoder=encoder, store=session.store
            )
            for task in tasks
        ]
    return readings


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


def _is_chat(task: _FilledBenchmark, plan: EvaluatePlan) -> bool:
    return task.template.chat if plan.targets.chat is None else plan.targets.chat


def _resolve(named: NamedRef, plan: EvaluatePlan, session: Session, *, chat: bool) -> CheckpointRef:
    with session.progress.stage(f"reading {named.label}", total=1) as stage:
        checkpoint = resolve_checkpoint(
            followed(named.ref),
            label=named.label,
            home=session.home,
            trust_remote_code=plan.engine.trust_remote_code,
            chat=chat,
        )
        stage.advance()
    return checkpoint


def _read(
    task: _FilledBenchmark,
    plan: EvaluatePlan,
    *,
    checkpoint: CheckpointRef,
    engine: EngineSpec,
    encoder: PromptEncoder,
    store: RunStore,
) -> EvalTask:
    chat = _is_chat(task, plan)
    prompts = encoder.encode([fill(task.template, p) for p in task.problems], chat=chat)
    sampling = plan.sampling.params(
        max_tokens=task.card.max_tokens, stop_token_ids=encoder.stop_token_ids()
    )
    spec = RunSpec(
        benchmark=task.card.name,
        template=task.template.name,
        chat=chat,
        prompts_sha256=prompts_digest(prompts),
        checkpoint_digest=checkpoint.digest,
        tokenizer_digest=checkpoint.tokenizer_digest,
        sampling=sampling,
        engine=engine,
    )
    reading = EvalTask(
        run=store.run(spec),
        card=task.card,
        checkpoint=checkpoint,
        problems=task.problems[: plan.targets.limit],
        all_problems=task.problems,
        prompts=tuple(prompts[: plan.targets.limit]),
        samples=plan.sampling.samples,
        notes=encoder.notes,
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
