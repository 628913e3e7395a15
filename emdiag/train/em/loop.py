"""Entropy minimisation of one checkpoint: sample, mask, weigh, update, save.

`accelerate launch -m emdiag.train.em ...` is `emdiag train em ...` on every device.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import torch
from accelerate import Accelerator
from transformers import PreTrainedModel

from emdiag.core.digest import derive_seed
from emdiag.core.errors import PlanError
from emdiag.core.files import make_folder, remove_partial
from emdiag.core.protocols import Progress, ProgressStage
from emdiag.core.sampling import Completion, SampleRequest
from emdiag.core.training import Method, UpdateRecord
from emdiag.engines.hf.checked import examined
from emdiag.engines.hf.model_loading import load_model
from emdiag.store.training_folder import read_updates
from emdiag.train.cell import OpenCell, described
from emdiag.train.em.devices import gather, holds_parts, is_sharded, open_accelerator, refresh
from emdiag.train.em.learner import Learner
from emdiag.train.em.objectives import Sampled, form_rows, weigh
from emdiag.train.em.optimizer import STATE_FILE, load_state, save_state, state_update
from emdiag.train.em.plan import EMPlan
from emdiag.train.em.recipes import EMRecipe
from emdiag.train.jobs import TrainJob

CPU_ROWS, DEVICE_ROWS = 8, 4
"""Rows of one forward pass, where the plan names none."""


@dataclass(frozen=True, kw_only=True)
class EMJob(TrainJob):
    """One training by entropy minimisation; its samples are shared out evenly over the prompts."""

    method: ClassVar[Method] = "em"
    state: ClassVar[str] = STATE_FILE

    plan: EMPlan
    recipe: EMRecipe

    def state_update(self) -> int:
        """As every job's."""
        return state_update(self.folder)


def train_cell(job: EMJob, *, progress: Progress) -> list[UpdateRecord]:
    """Train one cell, or go on where it was interrupted; the records of all its updates.

    Raises:
        CheckpointError: Weights cannot be loaded or written.
        StoreError: Records or state cannot be read or written.
        TrainingError: Loss or gradient is not a number; checkpoints saved before are kept.
    """
    accelerator = open_accelerator(
        device=job.plan.engine.device, tracker=job.plan.tracker, folder=job.folder
    )
    accelerator.wait_for_everyone()
    with accelerator.main_process_first():
        is_done = job.is_done(progress)
    if is_done:
        return read_updates(job.folder)
    if accelerator.is_main_process:
        make_folder(job.folder)
        remove_partial(job.folder)
    if job.plan.tracker:
        accelerator.init_trackers("emdiag", config=msgspec.structs.asdict(job.recipe))
    trainer = _Trainer(job, accelerator, progress=progress)
    try:
        trainer.train()
    finally:
        trainer.close()
        for tracker in accelerator.trackers:
            tracker.finish()
    accelerator.wait_for_everyone()
    return read_updates(job.folder)


class _Trainer:
    """One cell with its weights loaded."""

    def __init__(self, job: EMJob, accelerator: Accelerator, *, progress: Progress) -> None:
        self.job, self.recipe, self.accelerator = job, job.recipe, accelerator
        self.progress = progress
        self.model = self._load()
        check = examined(self.model, checkpoint=job.checkpoint)
        if job.plan.padding == "left" and check.way not in {"refill", "padded"}:
            raise PlanError(
                f"{type(self.model).__name__} reads padding on the left as if it were text",
                hint="--padding right, the default",
            )
        rows = CPU_ROWS if accelerator.device.type == "cpu" else DEVICE_ROWS
        self.learner = Learner(
            self.model,
            recipe=self.recipe,
            accelerator=accelerator,
            micro_batch=(job.plan.micro_batch or rows) if check.reads_together else 1,
            padding=job.plan.padding,
            folder=job.folder,
        )
        # What is sampled, measured and saved: the model itself, or a whole copy of its parts.
        self.whole = self._load() if holds_parts(accelerator) else self.model
        self.cell = OpenCell(job, self.whole, options=job.plan.engine, check=check)

    def train(self) -> None:
        """Every update that is missing."""
        if self.accelerator.is_main_process:
            self.cell.start()
        can_continue = not is_sharded(self.accelerator)
        done = load_state(self.job.folder, self.learner.optimizer) if can_continue else 0
        title = f"em {self.job.checkpoint.label} {self.job.name.removeprefix('.')}".strip()
        with self.progress.stage(title, total=self.job.updates, done=done) as stage:
            if done == 0:
                self._record(stage, UpdateRecord(update=0, method="em", weight_distance=0.0))
                self._save(0)
            for update in range(done + 1, self.job.updates + 1):
                record = self._update(update)
                self._save(update)
                self._record(stage, record)
                stage.advance(tokens=round((record.mean_tokens or 0) * record.samples))
                self._keep_state(update)
        if self.accelerator.is_main_process:
            (self.job.folder / STATE_FILE).unlink(missing_ok=True)

    def close(self) -> None:
        """Free the weights."""
        self.cell.sampler.close()
        if self.accelerator.device.type == "cuda":  # wrappers hold weights in circles
            self.accelerator.free_memory()

    def _update(self, update: int) -> UpdateRecord:
        """Sample, mask, weigh, step: one optimiser update."""
        if self.recipe.train_mode:
            # Dropout draws from torch's global generator: a continued run has to draw the same.
            rank = self.accelerator.process_index
            torch.manual_seed(derive_seed(self.job.seed, "dropout", update, rank))
        began = time.perf_counter()
        completions = self._sample(update)
        sampled = time.perf_counter()
        rows = form_rows(
            completions,
            {prompt.problem_id: prompt.token_ids for prompt in self.job.prompts},
            recipe=self.recipe,
            pad_id=self.cell.tokenizer.pad_token_id,
        )
        samples = Sampled(
            completions=completions, rows=rows, entropy_of=lambda: self.learner.entropies(rows)
        )
        weights = weigh(samples, self.recipe)
        self._mode(learning=True)
        step = self.learner.learn(rows, weights, seed=derive_seed(self.job.seed, "em-step", update))
        if self.whole is not self.model:
            refresh(self.whole, self.accelerator, self.learner.module)
        learned = time.perf_counter()
        record = UpdateRecord(
            update=update,
            method="em",
            loss=step.loss,
            loss_temperature=self.recipe.effective_loss_temperature,
            gradient_norm=step.gradient_norm,
            step_norm=step.step_norm,
            weight_distance=self.learner.distance(),
            learning_rate=self.recipe.learning_rate,
            tokens=sum(len(row.positions) for row in rows),
            sampling_s=sampled - began,
            update_s=learned - sampled,
        )
        return described(record, completions, opening=self.job.opening)

    def _sample(self, update: int) -> list[Completion]:
        """The completions of one update on every process, of which each draws its share."""
        requests = [
            SampleRequest(
                problem_id=prompt.problem_id,
                sample_index=index,
                token_ids=prompt.token_ids,
                seed=derive_seed(self.job.seed, "em", update, prompt.problem_id, index),
            )
            for index in range(self.recipe.samples)
            for prompt in [self.job.prompts[index % len(self.job.prompts)]]
        ]
        own_requests = requests[self.accelerator.process_index :: self.accelerator.num_processes]
        self._mode(learning=False)
        drawn = list(self.cell.sampler.sample(own_requests, params=self.job.sampling))
        return gather(drawn, self.accelerator)

    def _record(self, stage: ProgressStage, record: UpdateRecord) -> None:
        """Measure the held-out prompts and write the update down."""
        if self.accelerator.is_main_process:
            record = self.cell.write_down(record)
            stage.status(_line(record))
            numbers = {
                name: float(value)
                for name, value in msgspec.structs.asdict(record).items()
                if isinstance(value, int | float) and name != "update"
            }
            self.accelerator.log(numbers, step=record.update)

    def _save(self, update: int) -> None:
        """Keep the checkpoint of an update where it is wanted."""
        if update not in self.job.saved:
            return
        if self.accelerator.is_main_process:
            processes = {"train_processes": str(self.accelerator.num_processes)}
            self.cell.save(update, notes=self.learner.notes, provenance=processes)
        self.accelerator.wait_for_everyone()

    def _keep_state(self, update: int) -> None:
        interval = self.job.plan.state_every
        wanted = interval and update % interval == 0 and update < self.job.updates
        if wanted and self.accelerator.is_main_process and not is_sharded(self.accelerator):
            save_state(self.job.folder, self.learner.optimizer, update=update)

    def _mode(self, *, learning: bool) -> None:
        """Dropout only where the recipe says so; checkpointing only while learning.

        transformers checkpoints gradients in train mode alone, and drops the cache there.
        """
        checkpoint = learning and self.job.plan.gradient_checkpointing
        self.model.train(mode=self.recipe.train_mode or checkpoint)
        if not learning:
            self.whole.train(mode=self.recipe.train_mode)
        if checkpoint:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        elif self.job.plan.gradient_checkpointing:
            self.model.gradient_checkpointing_disable()  # type: ignore[no-untyped-call] # no stub

    def _load(self) -> PreTrainedModel:
        return load_model(
            self.job.checkpoint.path,
            dtype=self.job.dtype,
            options=self.job.plan.engine,
            device=self.accelerator.device,
        )


def _line(record: UpdateRecord) -> str:
    """An update in a few words."""
    parts = [f"update {record.update}"]
    if record.loss is not None:
        parts.append(f"loss {record.loss:.4f} at T {record.loss_temperature:g}")
    if record.held_out_entropy_nats is not None:
        parts.append(f"held-out entropy {record.held_out_entropy_nats:.3f}")
    if record.mean_tokens is not None:
        parts.append(f"{record.mean_tokens:.0f} tokens")
    return ", ".join(parts)
