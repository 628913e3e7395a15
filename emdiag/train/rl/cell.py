"""One seed of reinforcement learning: what TRL's loop calls, and what is written down of it."""

from __future__ import annotations

import copy
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import msgspec
import torch
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerState,
)

from emdiag.core.codec import encode
from emdiag.core.errors import TrainingError
from emdiag.core.files import make_folder, remove_partial, write_atomically
from emdiag.core.problems import gold_of
from emdiag.core.protocols import Grader, Progress, ProgressStage
from emdiag.core.sampling import Completion, Prompt, SampleRequest
from emdiag.core.training import Method, UpdateRecord
from emdiag.engines.checkpoint.tokenizers import decode
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.texts import completion_of
from emdiag.grading.parse.origin import GraderOfOrigin, Origin
from emdiag.store.files import read_record
from emdiag.store.training_folder import read_updates
from emdiag.train.cell import OpenCell, described
from emdiag.train.jobs import TrainJob
from emdiag.train.rl.first_reward import (
    Counts,
    FirstReward,
    base_counts,
    compare_first,
    count_right,
    refuse_disagreement,
)
from emdiag.train.rl.plan import RLPlan
from emdiag.train.rl.prompts import TrainingSet, schedule, texts_for_trl
from emdiag.train.rl.recipe import RLRecipe
from emdiag.train.rl.rewards import judge, reward_of
from emdiag.train.rl.trainer import (
    STATE_COMPLETE,
    build_trainer,
    grpo_config,
    run_trainer,
    state_folder,
    whole_state,
)

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

    def state_update(self) -> int:
        """As every job's."""
        return whole_state(self.folder / STATE_FOLDER)


def train_cell(job: RLJob, *, grader: Grader, progress: Progress) -> list[UpdateRecord]:
    """Train one seed, or go on where it was interrupted; the records of all its updates.

    Raises:
        CheckpointError: Weights or tokenizer cannot be used, or a checkpoint not be written.
        StoreError: Records or state cannot be read or written.
        TrainingError: The first reward does not agree, the loss is not a number, or memory ends.
    """
    if not job.is_done(progress):
        make_folder(job.folder)
        remove_partial(job.folder)
        trainer = CellTrainer(job, grader, progress=progress)
        try:
            trainer.train()
        finally:
            trainer.close()
    return read_updates(job.folder)


class CellTrainer(TrainerCallback):
    """One seed with its weights loaded; reward function and callback of TRL, which calls both."""

    def __init__(self, job: RLJob, grader: Grader, *, progress: Progress) -> None:
        self.job, self.progress = job, progress
        origin = Origin(question_mark=job.problems.question_mark, opening=job.opening)
        self.grader = GraderOfOrigin(grader, origin)
        options = job.plan.engine
        self.model: PreTrainedModel = load_model(
            job.checkpoint.path, dtype="float32", options=options
        )
        self.config = copy.deepcopy(self.model.config)  # TRL writes a pad token into it
        self.start = [w.detach().to("cpu", copy=True) for w in self.model.parameters()]
        self.cell = OpenCell(job, self.model, options=options)
        self.golds = {p.id: gold_of(p, job.problems.card.grader) for p in job.problems.problems}
        self.rows = schedule(
            len(job.prompts), rows=job.recipe.updates * job.recipe.groups, seed=job.seed
        )
        self.base: dict[str, Counts] = {}
        self.began = self.rewarded = self.ended = time.perf_counter()
        self.update = UpdateRecord(update=0, method="rl")
        self.stage: ProgressStage | None = None

    def train(self) -> None:
        """Every update that is missing."""
        job, recipe = self.job, self.job.recipe
        state = job.folder / STATE_FOLDER
        done = whole_state(state)
        self.cell.start()
        if done == 0 and all(problem.answer for problem in job.problems.problems):
            self.base = base_counts(
                [job.prompts[number] for number in self.rows[: recipe.groups]],
                self.golds,
                sampler=self.cell.sampler,
                grader=self.grader,
                params=job.sampling,
                samples=job.plan.check_samples,
            )
        texts = texts_for_trl(job.prompts, self.cell.tokenizer)
        trainer = build_trainer(
            self.model,
            self.cell.tokenizer,
            [texts[number] for number in self.rows],
            reward=self.reward,
            config=grpo_config(
                recipe,
                job.sampling,
                folder=state,
                device=self.model.device,
                bfloat16=job.dtype == "bfloat16",
                state_every=job.plan.state_every,
            ),
            stop_token_ids=job.sampling.stop_token_ids,
        )
        trainer.add_callback(self)
        title = f"rl {job.checkpoint.label} seed {job.seed}"
        with self.progress.stage(title, total=recipe.updates, done=done) as stage:
            self.stage = stage
            if done == 0:
                self._record(self.update)
            if done < recipe.updates:
                run_trainer(trainer, folder=state)
        shutil.rmtree(state, ignore_errors=True)

    def close(self) -> None:
        """Free the weights."""
        self.cell.sampler.close()

    def reward(
        self,
        *,
        completion_ids: Sequence[Sequence[int]],
        row: Sequence[int],
        trainer_state: TrainerState,
        **_unused: object,
    ) -> list[float]:
        """The reward of every sample of an update, in TRL's order: groups side by side.

        TRL's own texts are left aside: they are decoded in another way than under evaluation.

        Raises:
            TrainingError: The samples of the first update are not right as often as the parent's;
                nothing is learned from them.
        """
        prompts = [self.job.prompts[self.rows[number]] for number in row]
        completions = [
            self._completion(ids, prompt=prompt, index=index)
            for index, (ids, prompt) in enumerate(zip(completion_ids, prompts, strict=True))
        ]
        samples = judge(
            [completion.text for completion in completions],
            [self.golds[prompt.problem_id] for prompt in prompts],
            grader=self.grader,
            group_size=self.job.recipe.group_size,
            update=trainer_state.global_step + 1,
            seed=self.job.sampling.seed,
        )
        rewards = reward_of(self.job.recipe.reward, samples)
        reward = sum(rewards) / len(rewards)
        if samples.update == 1 and self.base:
            drawn = count_right(completions, samples.judgements)
            self._check_first(compare_first(drawn, self.base, reward=reward))
        record = UpdateRecord(
            update=samples.update,
            method="rl",
            loss_temperature=self.job.recipe.temperature,
            reward=reward,
            tokens=sum(len(completion.token_ids) for completion in completions),
        )
        self.update = described(record, completions, opening=self.job.opening)
        self.rewarded = time.perf_counter()
        return rewards

    def on_step_begin(self, *_args: object, **_kwargs: object) -> None:
        """An update begins with its samples."""
        self.began = time.perf_counter()

    def on_step_end(self, *_args: object, **_kwargs: object) -> None:
        """The weights have changed."""
        self.ended = time.perf_counter()

    def on_log(
        self,
        args: object,
        state: TrainerState,
        control: object,
        logs: dict[str, float] | None = None,
        **_kwargs: object,
    ) -> None:
        """Write an update down and keep its checkpoint where it is wanted.

        Raises:
            TrainingError: The loss, the gradient or a weight is not a number.
        """
        if logs is None or "loss" not in logs:  # the summary at the end
            return
        update, loss, norm = state.global_step, logs["loss"], logs.get("grad_norm")
        if not math.isfinite(loss) or not (norm is None or math.isfinite(norm)):
            raise _broken(f"the loss is {loss} and the gradient's norm {norm}", update)
        record = msgspec.structs.replace(
            self.update,
            loss=loss,
            gradient_norm=norm,
            learning_rate=logs.get("learning_rate"),
            sampling_s=self.rewarded - self.began,
            update_s=self.ended - self.rewarded,
        )
        self._record(record)
        if update in self.job.saved:
            self._save(update)
        assert self.stage is not None
        self.stage.status(f"reward {record.reward:.3f}, {record.mean_tokens:.0f} tokens")
        self.stage.advance(tokens=record.tokens)

    def on_save(self, args: object, state: TrainerState, control: object, **_: object) -> None:
        """Mark a state as whole."""
        folder = state_folder(self.job.folder / STATE_FOLDER, state.global_step)
        write_atomically(folder / STATE_COMPLETE, b"")

    def _completion(self, ids: Sequence[int], *, prompt: Prompt, index: int) -> Completion:
        params = self.job.sampling
        request = SampleRequest(
            problem_id=prompt.problem_id,
            sample_index=index,
            token_ids=prompt.token_ids,
            seed=params.seed,
        )
        return completion_of(
            request,
            ids,
            "stop" if ids and ids[-1] in params.stop_token_ids else "length",
            decode=lambda ids: decode(self.cell.tokenizer, ids, skip_special_tokens=True),
            params=params,
        )

    def _check_first(self, first: FirstReward) -> None:
        self.progress.note(first.sentence())
        if self.job.plan.first_reward_check:
            refuse_disagreement(first)
        write_atomically(self.job.folder / FIRST_REWARD_FILE, encode(first) + b"\n")

    def _record(self, record: UpdateRecord) -> None:
        update = record.update
        is_wanted = update % self.job.plan.held_out_every == 0 or update == self.job.updates
        moved = self._distance() if update else 0.0
        if not math.isfinite(moved):
            raise _broken(f"the weights are {moved} from where they began", update)
        record = msgspec.structs.replace(record, weight_distance=moved)
        self.cell.write_down(record, entropy=is_wanted, flips=is_wanted and update > 0)

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
            self.cell.save(
                update,
                settings={"max_tokens": self.job.sampling.max_tokens},
                notes=cell_notes(self.job.folder),
                provenance={"trl": metadata.version("trl")},
            )
        finally:
            self.model.config = used


def cell_notes(folder: Path) -> tuple[str, ...]:
    """What a reader of a score should know of a cell: its first reward, and updates without one.

    Where all samples of every group earn the same, there is nothing to learn. AdamW divides by
    the size of earlier gradients, so that the few updates between many such ones are large.
    """
    file = folder / FIRST_REWARD_FILE
    hint = "remove the file; only the record loses it"
    notes = [read_record(file, FirstReward, hint=hint).sentence()] if file.is_file() else []
    records = [record for record in read_updates(folder) if record.update]
    silent = sum(record.gradient_norm == 0 for record in records)
    if silent > len(records) / 2:
        notes.append(
            f"{silent} of {len(records)} updates had nothing to learn from: every group earned "
            "equal rewards; AdamW makes full-size steps of the few others"
        )
    return tuple(notes)


def _broken(what: str, update: int) -> TrainingError:
    return TrainingError(
        f"{what}: not numbers",
        update=update,
        hint="take a lower rate (--lr) or --dtype float32; checkpoints of earlier updates are kept",
    )
