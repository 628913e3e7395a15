"""One seed of reinforcement learning: measured beside TRL's loop, checked at its first reward."""

from __future__ import annotations

import copy
import math
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
import torch
from transformers import PreTrainedModel

from emdiag.core.codec import encode
from emdiag.core.digest import derive_seed
from emdiag.core.files import remove_partial, write_atomically
from emdiag.core.grades import Verdict
from emdiag.core.problems import gold_of
from emdiag.core.protocols import Grader, Progress, ProgressStage
from emdiag.core.sampling import Completion
from emdiag.core.training import Method, TrainManifest, UpdateRecord
from emdiag.engines.checkpoint.tokenizers import decode, open_tokenizer
from emdiag.engines.hf.model_loading import load_model, pick_device
from emdiag.engines.hf.sampler import TransformersSampler
from emdiag.store.files import read_record
from emdiag.store.journal import JournalWriter
from emdiag.store.provenance import now
from emdiag.store.training_folder import UPDATES_FILE, checkpoint_name, read_updates
from emdiag.train.checkpoints import save_checkpoint
from emdiag.train.held_out import HeldOut
from emdiag.train.jobs import TrainJob
from emdiag.train.rl.first_reward import base_counts, compare_first, refuse_disagreement
from emdiag.train.rl.plan import FirstReward, RLPlan
from emdiag.train.rl.prompts import TrainingSet, schedule, texts_for_trl
from emdiag.train.rl.recipe import RLRecipe
from emdiag.train.rl.rewards import JudgedSamples
from emdiag.train.rl.trainer import (
    build_trainer,
    grpo_config,
    run_trainer,
    trl_version,
    whole_state,
)
from emdiag.train.rl.watch import UpdateWatch
from emdiag.train.sample_statistics import peak_memory_bytes

FIRST_REWARD_FILE = "first_reward.json"
STATE_FOLDER = "state-rl"


@dataclass(frozen=True, kw_only=True)
class RLJob(TrainJob):
    """One training by reward; its problems belong to the prompts one by one."""

    method: ClassVar[Method] = "rl"
    state: ClassVar[str] = STATE_FOLDER

    plan: RLPlan
    recipe: RLRecipe
    problems: TrainingSet


def train_cell(job: RLJob, *, grader: Grader, progress: Progress) -> list[UpdateRecord]:
    """Train one seed, or go on where it was interrupted; the records of all its updates.

    Raises:
        CheckpointError: Weights or tokenizer cannot be used, or a checkpoint not be written.
        StoreError: Records or state cannot be read or written.
        TrainingError: The first reward does not agree, the loss is not a number, or memory ends.
    """
    if not job.is_done():
        job.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(job.folder)
        trainer = _CellTrainer(job, grader, progress=progress)
        try:
            trainer.train()
        finally:
            trainer.close()
    return read_updates(job.folder)


class _CellTrainer:
    """One seed with its weights loaded."""

    def __init__(self, job: RLJob, grader: Grader, *, progress: Progress) -> None:
        self.job, self.grader, self.progress = job, grader, progress
        path, trusted = job.checkpoint.path, job.plan.engine.trust_remote_code
        self.device = pick_device(job.plan.engine.device)
        self.tokenizer = open_tokenizer(path, trust_remote_code=trusted)
        self.model: PreTrainedModel = load_model(
            path, dtype="float32", device=self.device, trust_remote_code=trusted
        )
        self.config = copy.deepcopy(self.model.config)  # TRL writes a pad token into it
        self.start = [w.detach().to("cpu", copy=True) for w in self.model.parameters()]
        self.sampler = TransformersSampler(
            self.model,
            self.tokenizer,
            options=msgspec.structs.replace(job.plan.engine, dtype="auto"),
        )
        self.held_out = HeldOut(job.held_out, sampling=job.sampling, seed=0)
        self.first = _read_first(job.folder)
        self.base: dict[str, tuple[int, int]] = {}
        self.started = now()
        self.journal: JournalWriter[UpdateRecord] = JournalWriter(job.folder / UPDATES_FILE)
        self.stage: ProgressStage | None = None

    def train(self) -> None:
        """Every update that is missing."""
        job, recipe = self.job, self.job.recipe
        state = job.folder / STATE_FOLDER
        done = whole_state(state)
        self.held_out.start(self.sampler, job.folder / "held_out.jsonl")
        rows = schedule(
            len(job.problems.problems), rows=recipe.updates * recipe.groups, seed=job.seed
        )
        if done == 0:
            self._measure_base(rows[: recipe.groups])
        texts = texts_for_trl(job.prompts, self.tokenizer)
        trainer = build_trainer(
            self.model,
            self.tokenizer,
            [texts[number] for number in rows],
            watch=self._watch(rows),
            config=grpo_config(
                recipe,
                job.sampling,
                folder=state,
                device=self.device,
                bfloat16=job.dtype == "bfloat16",
                state_every=job.plan.state_every,
            ),
            stop_token_ids=job.sampling.stop_token_ids,
        )
        title = f"rl {job.checkpoint.label} seed {job.seed}"
        with self.journal, self.progress.stage(title, total=recipe.updates, done=done) as stage:
            self.stage = stage
            if done == 0:
                self._record(UpdateRecord(update=0, method="rl"))
            if done < recipe.updates:
                run_trainer(trainer, folder=state)
        shutil.rmtree(state, ignore_errors=True)

    def close(self) -> None:
        """Free the weights."""
        self.sampler.close()

    def _watch(self, rows: Sequence[int]) -> UpdateWatch:
        job = self.job
        questions = [
            (prompt, gold_of(problem, job.problems.card.grader))
            for problem, prompt in zip(job.problems.problems, job.prompts, strict=True)
        ]
        return UpdateWatch(
            [questions[number] for number in rows],
            job=job,
            grader=self.grader,
            decode=lambda ids: decode(self.tokenizer, ids, skip_special_tokens=True),
            judged=self._judged,
            updated=self._updated,
        )

    def _measure_base(self, rows: Sequence[int]) -> None:
        """Draw the parent's samples on the problems of the first update."""
        problems = self.job.problems
        if not problems.is_labelled:
            return
        golds = {p.id: gold_of(p, problems.card.grader) for p in problems.problems}
        self.base = base_counts(
            [self.job.prompts[number] for number in rows],
            golds,
            sampler=self.sampler,
            grader=self.grader,
            params=self.job.sampling,
            samples=self.job.plan.check_samples,
        )

    def _judged(
        self, completions: Sequence[Completion], samples: JudgedSamples, rewards: Sequence[float]
    ) -> None:
        """Hold the samples of the first update against the parent's, before anything is learned."""
        if samples.update != 1 or not self.base:
            return
        right: Counter[str] = Counter()
        drawn: Counter[str] = Counter()
        for completion, judgement in zip(completions, samples.judgements, strict=True):
            drawn[completion.problem_id] += 1
            right[completion.problem_id] += judgement.verdict is Verdict.CORRECT
        self.first = compare_first(
            {name: (right[name], count) for name, count in drawn.items()},
            self.base,
            reward=sum(rewards) / len(rewards),
        )
        self.progress.note(self.first.sentence())
        if self.job.plan.first_reward_check:
            refuse_disagreement(self.first)
        write_atomically(self.job.folder / FIRST_REWARD_FILE, encode(self.first) + b"\n")

    def _updated(self, record: UpdateRecord) -> None:
        """Write an update down and keep its checkpoint where it is wanted."""
        self._record(record)
        if record.update in self.job.saved:
            self._save(record.update)
        assert self.stage is not None
        self.stage.status(f"reward {record.reward:.3f}, {record.mean_tokens:.0f} tokens")
        self.stage.advance(tokens=record.tokens)

    def _record(self, record: UpdateRecord) -> None:
        interval = self.job.plan.held_out_every
        wanted = record.update % interval == 0 or record.update == self.job.recipe.updates
        began = time.perf_counter()
        was_training = self.model.training
        self.model.train(mode=False)
        entropy = self.held_out.entropy(self.model) if wanted else None
        flips = self.held_out.flips(self.sampler) if wanted and record.update else None
        self.model.train(mode=was_training)
        self.journal.append(
            msgspec.structs.replace(
                record,
                weight_distance=self._distance() if record.update else 0.0,
                held_out_entropy_nats=entropy,
                answer_flips_frac=flips,
                measuring_s=time.perf_counter() - began,
                peak_memory_bytes=peak_memory_bytes(self.device),
            )
        )

    @torch.no_grad()
    def _distance(self) -> float:
        """L2 norm of what all updates so far changed."""
        total = 0.0
        for weight, old in zip(self.model.parameters(), self.start, strict=True):
            total += float((weight.detach() - old.to(weight.device)).double().square().sum())
        return math.sqrt(total)

    def _save(self, update: int) -> None:
        """Keep the weights under the parent's own configuration."""
        used = self.model.config
        self.model.config = self.config
        try:
            save_checkpoint(
                self.job.folder / checkpoint_name(update),
                self.model,
                parent=Path(self.job.checkpoint.path),
                manifest=self._manifest(update),
                trust_remote_code=self.job.plan.engine.trust_remote_code,
            )
        finally:
            self.model.config = used

    def _manifest(self, update: int) -> TrainManifest:
        return self.job.manifest(
            update,
            engine=self.sampler.info,
            started=self.started,
            settings={"max_tokens": self.job.sampling.max_tokens},
            notes=cell_notes(self.job.folder),
            provenance={"trl": trl_version()},
        )


def cell_seed(seed: int) -> int:
    """The seed of sampling that belongs to a seed of training."""
    return derive_seed(seed, "rl")


def cell_notes(folder: Path) -> tuple[str, ...]:
    """What a reader of a score should know of a cell: its first reward, and updates without one.

    Where all samples of every group earn the same, there is nothing to learn. AdamW divides by
    the size of earlier gradients, so that the few updates between many such ones are large.
    """
    first = _read_first(folder)
    records = [record for record in read_updates(folder) if record.update]
    silent = sum(record.gradient_norm == 0 for record in records)
    notes = [] if first is None else [first.sentence()]
    if silent > len(records) / 2:
        notes.append(
            f"{silent} of {len(records)} updates had nothing to learn from: every group earned "
            "equal rewards; AdamW makes full-size steps of the few others"
        )
    return tuple(notes)


def _read_first(folder: Path) -> FirstReward | None:
    file = folder / FIRST_REWARD_FILE
    if not file.is_file():
        return None
    return read_record(file, FirstReward, hint="remove the file; only the record loses it")
