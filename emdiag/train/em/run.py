"""A plan of entropy minimisation: what is trained, in which folders, from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Unpack

from emdiag.core.digest import digest, prompts_digest
from emdiag.core.errors import PlanError
from emdiag.core.keywords import EMKeywords
from emdiag.core.paths import expanded
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Progress
from emdiag.core.sampling import Prompt, SamplingParams
from emdiag.core.training import TrainResult
from emdiag.engines.open import effective_dtype, open_encoder
from emdiag.engines.requests import check_room
from emdiag.grading.parse.extract import opened_answer
from emdiag.store.session import Session, open_session
from emdiag.train.em.loop import EMJob, train_cell
from emdiag.train.em.plan import EMPlan, GridCell, expand
from emdiag.train.em.recipes import EMRecipe
from emdiag.train.jobs import open_parent, train_jobs, trained
from emdiag.train.prompts import (
    ProblemSource,
    Reading,
    find_problems,
    read_benchmark,
    read_prompt_file,
    spread,
)


@spelled_out(EMPlan)
def train_em(
    ref: str,
    *,
    out: str | Path,
    home: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[EMKeywords],
) -> TrainResult:
    """Entropy minimisation of a checkpoint; the Python twin of `emdiag train em`.

    Every other option of `EMPlan` and field of `EMRecipe` is a keyword, such as `recipe="lab",
    problems=["chain/0012"], learning_rate=1e-4`.

    Raises:
        EmdiagError: The request, the prompt, the checkpoint or the training is wrong.
    """
    plan = EMPlan.of({"ref": ref, "out": out, **options})
    return run_em(plan, open_session(out, home=home, progress=progress))


def run_em(plan: EMPlan, session: Session, *, is_main: bool = True) -> TrainResult:
    """Train every cell of a plan that is not trained yet; only the main process writes.

    Raises:
        EmdiagError: As `train_em`; what was trained before is kept, and the same plan continues.
    """
    cells = expand(plan)
    checkpoint = open_parent(
        plan.ref,
        home=session.home,
        trust_remote_code=plan.engine.trust_remote_code,
        chat=plan.asking.needs_chat or any(cell.recipe.chat for cell in cells),
    )
    encoder = open_encoder("transformers", checkpoint, options=plan.engine)
    readings = [
        Reading(
            checkpoint=checkpoint,
            encoder=encoder,
            template=cell.recipe.template,
            chat=cell.recipe.chat,
            asking=plan.asking,
        )
        for cell in cells
    ]
    jobs = [
        _job(plan, cell, reading, session) for cell, reading in zip(cells, readings, strict=True)
    ]
    for note in dict.fromkeys(note for reading in readings for note in reading.choices):
        session.progress.note(f"note: {note}")
    train = partial(train_cell, progress=session.progress)
    if not is_main:
        return trained([(job, train(job)) for job in jobs])
    return train_jobs(jobs, train, key=_key(plan, jobs), is_grid=bool(plan.grid))


def _job(plan: EMPlan, cell: GridCell, reading: Reading, session: Session) -> EMJob:
    recipe, encoder = cell.recipe, reading.encoder
    source = (
        read_prompt_file(expanded(plan.prompt_file), prompts=plan.prompts)
        if plan.prompt_file is not None
        else find_problems(cell.problems, home=session.home)
    )
    _check_shares(source, recipe)
    prompts = reading.prompts(source)
    held_out = _held_out(plan, source, reading, home=session.home)
    sampling = SamplingParams(
        temperature=recipe.temperature,
        top_p=recipe.top_p,
        top_k=recipe.top_k,
        repetition_penalty=recipe.repetition_penalty,
        max_tokens=recipe.max_tokens or reading.max_tokens(source, [*prompts, *held_out]),
        seed=cell.seed,
        stop_token_ids=encoder.stop_token_ids(),
    )
    check_room(
        [*prompts, *held_out], max_tokens=sampling.max_tokens, max_context=encoder.max_context
    )
    return EMJob(
        plan=plan,
        out=Path(plan.out),
        name=cell.name,
        seed=cell.seed,
        recipe=recipe,
        saved=tuple(sorted({*plan.save_updates, recipe.optimiser_updates})),
        checkpoint=reading.checkpoint,
        dtype=effective_dtype("transformers", options=plan.engine),
        prompts=tuple(prompts),
        held_out=tuple(held_out),
        sampling=sampling,
        opening=opened_answer(plan.asking.prefix),
        notes=(*reading.notes(), *_notes(recipe, held_out)),
        command=session.command,
    )


def _check_shares(source: ProblemSource, recipe: EMRecipe) -> None:
    """Refuse prompts that no sample of an update would be left for."""
    prompts = len(source.problems)
    if prompts > recipe.samples:
        raise PlanError(
            f"{prompts} training prompts share the samples of an update, and there are "
            f"{recipe.samples}: some would never be trained on",
            hint="--prompts 1 takes the first of a prompt file; --samples draws more",
        )


def _held_out(plan: EMPlan, source: ProblemSource, reading: Reading, *, home: Path) -> list[Prompt]:
    """Prompts that are measured and not trained on, under the template of their benchmark."""
    count = plan.held_out_problems
    if plan.held_out == "none":
        return []
    if plan.held_out is not None:
        held_out = read_benchmark(plan.held_out, home=home, leave_out=source.problems, count=count)
    else:
        untrained = spread(source.benchmark_problems, leave_out=source.problems, count=count)
        held_out = replace(source, problems=tuple(untrained))
    return replace(reading, template=None).prompts(held_out)


def _notes(recipe: EMRecipe, held_out: Sequence[Prompt]) -> list[str]:
    """What a reader of the record should know about the recipe."""
    notes = []
    if recipe.step == "micro-batch":
        notes.append(
            f"{recipe.updates} steps of the released code on {recipe.processes} devices are "
            f"{recipe.optimiser_updates} optimiser updates"
        )
    if not held_out:
        notes.append("no held-out prompts: name a benchmark with --held-out to measure them")
    return notes


def _key(plan: EMPlan, jobs: Sequence[EMJob]) -> str:
    """Of everything that shapes the weights; seeds and saved updates stand beside it."""
    if len({job.saved for job in jobs}) > 1:
        raise PlanError("a grid over `updates` has no common last update: run one after the other")
    return digest(
        [
            "em",
            jobs[0].checkpoint.digest,
            jobs[0].checkpoint.tokenizer_digest,
            jobs[0].dtype,
            plan.grid,
            [
                [
                    job.recipe,
                    job.sampling.max_tokens,  # the recipe may leave it to the card
                    list(job.sampling.stop_token_ids),
                    prompts_digest(job.prompts),
                    prompts_digest(job.held_out),
                ]
                for job in jobs
                if job.seed == plan.seeds[0]
            ],
        ]
    )
