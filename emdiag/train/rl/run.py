"""Reinforcement learning by TRL with our grader as the reward: the counterpart of EM.

No algorithm is written here. TRL trains; this module gives it problems, end tokens and rewards that
are exactly those of evaluation, and proves at the first update that they are.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from emdiag.core.digest import digest, prompts_digest
from emdiag.core.errors import EngineMissingError, PlanError
from emdiag.core.plans import spelled_out
from emdiag.core.sampling import SamplingParams
from emdiag.core.training import TrainedCell, TrainFolder, TrainResult, next_stage
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.open import effective_dtype, open_encoder
from emdiag.store.locks import held
from emdiag.store.session import open_session
from emdiag.store.training_folder import checkpoint_name, followed
from emdiag.train.register import register
from emdiag.train.rl.plan import RLPlan, check_rl_plan
from emdiag.train.rl.prompts import TrainingSet, load_training_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.keywords import RLKeywords
    from emdiag.core.protocols import Progress
    from emdiag.core.training import UpdateRecord
    from emdiag.store.session import Session
    from emdiag.train.rl.cell import RLJob


@spelled_out(RLPlan)
def train_rl(
    ref: str,
    benchmark: str,
    *,
    out: str | Path,
    home: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[RLKeywords],
) -> TrainResult:
    """Reinforcement learning of a checkpoint; the Python twin of `emdiag train rl`.

    Args:
        ref: The checkpoint to start from.
        benchmark: Name of a benchmark, or path of a problems file, to train on.
        out: Folder of the result.
        home: Folder of imported benchmarks; the platform's data folder by default.
        progress: Told how far the work is; silent by default.
        options: Any other option of `RLPlan`, such as `recipe="lab", seeds=[0, 1]`, or field of
            `RLRecipe`, such as `learning_rate=5e-5`.

    Raises:
        EmdiagError: The request, the problems, the checkpoint or the training is wrong.
    """
    plan = RLPlan.of({"ref": ref, "benchmark": benchmark, "out": out, **options})
    return run_rl(plan, open_session(out, home=home, progress=progress))


def run_rl(plan: RLPlan, session: Session) -> TrainResult:
    """Train every seed of a plan that is not trained yet.

    Args:
        plan: What to train.
        session: Where benchmarks lie; its command is for the checkpoints' provenance.

    Raises:
        EmdiagError: As `train_rl`; what was trained before is kept.
    """
    check_rl_plan(plan)
    _need_trl()
    options, out = plan.engine, Path(plan.out)
    checkpoint = resolve_checkpoint(
        followed(plan.ref),
        label=plan.ref.rstrip("/").rsplit("/", 1)[-1],
        home=session.home,
        trust_remote_code=plan.engine.trust_remote_code,
    )
    _check_parent(plan, checkpoint)
    encoder = open_encoder("transformers", checkpoint, options=options)
    problems = load_training_set(plan, encoder, home=session.home)
    dtype = effective_dtype("transformers", options=options)
    jobs = [
        _job(
            plan,
            seed,
            out=out,
            checkpoint=checkpoint,
            problems=problems,
            dtype=dtype,
            stop_token_ids=encoder.stop_token_ids(),
            command=session.command,
        )
        for seed in plan.seeds
    ]
    from emdiag.grading.pool.pool import GraderPool
    from emdiag.train.rl.cell import train_cell

    with (
        held(out, what="this training folder"),
        GraderPool(
            workers=plan.grading.grader_workers, deadline_s=plan.grading.deadline_s
        ) as grader,
    ):
        folder = register(out, _folder_of(plan, jobs))
        trained = [(job, train_cell(job, grader=grader, progress=session.progress)) for job in jobs]
    return TrainResult(
        out=str(out),
        parent=checkpoint.ref,
        stage=next_stage(checkpoint.stage, "rl"),
        chosen=folder.chosen,
        cells=tuple(_trained(job, records) for job, records in trained),
    )


def _trained(job: RLJob, records: Sequence[UpdateRecord]) -> TrainedCell:
    from emdiag.train.rl.cell import cell_notes

    return TrainedCell(
        name=_cell_name(job.plan, job.seed),
        seed=job.seed,
        recipe=job.recipe.name,
        checkpoint=str(job.folder / checkpoint_name(job.recipe.updates)),
        start=records[0],
        first=records[1],
        last=records[-1],
        notes=(*job.notes, *cell_notes(job.folder)),
    )


def _job(  # noqa: PLR0913 - a record is formed of these, each once
    plan: RLPlan,
    seed: int,
    *,
    out: Path,
    checkpoint: CheckpointRef,
    problems: TrainingSet,
    dtype: str,
    stop_token_ids: tuple[int, ...],
    command: Sequence[str],
) -> RLJob:
    from emdiag.train.rl.cell import RLJob, cell_seed

    sampling = SamplingParams(
        temperature=float(plan.recipe.temperature),
        max_tokens=problems.max_tokens,
        seed=cell_seed(seed),
        stop_token_ids=stop_token_ids,
    )
    return RLJob(
        plan=plan,
        seed=seed,
        folder=out / _cell_name(plan, seed),
        checkpoint=checkpoint,
        dtype=dtype,
        problems=problems,
        sampling=sampling,
        notes=problems.notes,
        command=tuple(command),
    )


def _cell_name(plan: RLPlan, seed: int) -> str:
    return f"seed-{seed}" if len(plan.seeds) > 1 else "."


def _folder_of(plan: RLPlan, jobs: Sequence[RLJob]) -> TrainFolder:
    """What `training.json` is to say of this plan."""
    last = checkpoint_name(plan.recipe.updates)
    names = tuple(_cell_name(plan, seed) for seed in plan.seeds)
    return TrainFolder(
        key=_key(plan, jobs[0]),
        method="rl",
        chosen=last if names[0] == "." else f"{names[0]}/{last}",
        cells=names,
        saved_updates=plan.saved_updates,
    )


def _key(plan: RLPlan, job: RLJob) -> str:
    """Of everything that shapes the weights; seeds and saved updates stand beside it."""
    return digest(
        {
            "method": "rl",
            "checkpoint": job.checkpoint.digest,
            "tokenizer": job.checkpoint.tokenizer_digest,
            "recipe": plan.recipe,
            "prompts": prompts_digest(job.problems.prompts),
            "answers": [problem.answer for problem in job.problems.problems],
            "max_tokens": job.problems.max_tokens,
            "stop_token_ids": list(job.sampling.stop_token_ids),
            "dtype": job.dtype,
        }
    )


def _need_trl() -> None:
    missing = [name for name in ("trl", "datasets") if util.find_spec(name) is None]
    if missing:
        raise EngineMissingError(
            f"reinforcement learning needs {' and '.join(missing)}, not installed here",
            hint="pip install 'emdiag[rl]'",
        )


def _check_parent(plan: RLPlan, checkpoint: CheckpointRef) -> None:
    if checkpoint.path.endswith(".json"):
        raise PlanError(
            "a table of the scripted engine has no weights to train", checkpoint=checkpoint.path
        )
    if plan.recipe.beta > 0 and checkpoint.path.lower().endswith(".gguf"):
        raise PlanError(
            "TRL cannot load a .gguf file as the reference that beta needs",
            checkpoint=checkpoint.path,
            hint="set beta=0, or convert the checkpoint to a safetensors folder",
        )
