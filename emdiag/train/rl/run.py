"""Reinforcement learning by TRL with our grader as the reward: the counterpart of EM.

No algorithm is written here. TRL trains; this module gives it problems, end tokens and rewards that
are exactly those of evaluation, and proves at the first update that they are.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import derive_seed, digest, prompts_digest
from emdiag.core.errors import EngineMissingError, PlanError
from emdiag.core.keywords import RLKeywords
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Progress
from emdiag.core.sampling import SamplingParams
from emdiag.core.training import TrainResult
from emdiag.engines.open import effective_dtype, open_encoder
from emdiag.grading.parse.extract import opened_answer
from emdiag.store.session import Session, open_session
from emdiag.train.jobs import open_parent, train_jobs
from emdiag.train.rl.plan import RLPlan
from emdiag.train.rl.prompts import load_training_set

if TYPE_CHECKING:
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

    Every other option of `RLPlan` and field of `RLRecipe` is a keyword, such as `recipe="lab",
    seeds=[0, 1], learning_rate=5e-5`.

    Raises:
        EmdiagError: The request, the problems, the checkpoint or the training is wrong.
    """
    plan = RLPlan.of({"ref": ref, "benchmark": benchmark, "out": out, **options})
    return run_rl(plan, open_session(out, home=home, progress=progress))


def run_rl(plan: RLPlan, session: Session) -> TrainResult:
    """Train every seed of a plan that is not trained yet.

    Raises:
        EmdiagError: As `train_rl`; what was trained before is kept.
    """
    _need_trl()
    from emdiag.grading.pool.pool import GraderPool
    from emdiag.train.rl.cell import RLJob, train_cell

    checkpoint = open_parent(
        plan.ref,
        home=session.home,
        trust_remote_code=plan.engine.trust_remote_code,
        chat=plan.asking.needs_chat or bool(plan.recipe.chat),
    )
    _check_parent(plan, checkpoint)
    encoder = open_encoder("transformers", checkpoint, options=plan.engine)
    problems = load_training_set(plan, checkpoint, encoder, home=session.home)
    for note in problems.choices:
        session.progress.note(f"note: {note}")
    jobs = [
        RLJob(
            plan=plan,
            problems=problems,
            out=Path(plan.out),
            name=f"seed-{seed}" if len(plan.seeds) > 1 else ".",
            seed=seed,
            recipe=plan.recipe,
            saved=tuple(sorted({*plan.save_updates, plan.recipe.updates})),
            checkpoint=checkpoint,
            dtype=effective_dtype("transformers", options=plan.engine),
            prompts=problems.prompts,
            held_out=problems.held_out,
            sampling=SamplingParams(
                temperature=float(plan.recipe.temperature),
                max_tokens=problems.max_tokens,
                seed=derive_seed(seed, "rl"),
                stop_token_ids=encoder.stop_token_ids(),
            ),
            opening=opened_answer(plan.asking.prefix),
            notes=problems.notes,
            command=session.command,
        )
        for seed in plan.seeds
    ]
    with GraderPool(
        workers=plan.grading.grader_workers, deadline_s=plan.grading.deadline_s
    ) as grader:
        return train_jobs(
            jobs,
            lambda job: train_cell(job, grader=grader, progress=session.progress),
            key=_key(jobs[0]),
        )


def _key(job: RLJob) -> str:
    """Of everything that shapes the weights; seeds and saved updates stand beside it."""
    return digest(
        {
            "method": "rl",
            "checkpoint": job.checkpoint.digest,
            "tokenizer": job.checkpoint.tokenizer_digest,
            "recipe": job.recipe,
            "prompts": prompts_digest(job.prompts),
            "answers": [problem.answer for problem in job.problems.problems],
            "max_tokens": job.sampling.max_tokens,
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
