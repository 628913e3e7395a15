"""Sits beside TRL's trainer: rewards its samples, writes every update down, keeps checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from emdiag.core.errors import TrainingError
from emdiag.core.grades import Gold
from emdiag.core.protocols import Grader
from emdiag.core.sampling import Completion, FinishReason, Prompt, SampleRequest
from emdiag.core.training import UpdateRecord
from emdiag.engines.texts import Decoder, completion_of
from emdiag.train.rl.rewards import JudgedSamples, judge, reward_of
from emdiag.train.sample_statistics import describe

if TYPE_CHECKING:
    from emdiag.train.rl.cell import RLJob

STATE_COMPLETE = "emdiag-complete"
"""Written last into a state to continue from: one without it was interrupted."""


class UpdateWatch(TrainerCallback):
    """Reward function and callback of one training; TRL calls both in turn.

    Args:
        problems: Of every row of the schedule, with the prompt and the gold.
        job: What is rewarded, the size of a group, and how samples are drawn.
        grader: Judges every sample; what a model writes cannot hold it up.
        decode: Tokens to text, as the engine does it.
        judged: Gets samples, judgements and rewards before anything is learned from them.
        updated: Gets the record of an update; it measures what is held out, writes the record
            down and keeps a checkpoint.
    """

    def __init__(
        self,
        problems: Sequence[tuple[Prompt, Gold]],
        *,
        job: RLJob,
        grader: Grader,
        decode: Decoder,
        judged: Callable[[Sequence[Completion], JudgedSamples, Sequence[float]], None],
        updated: Callable[[UpdateRecord], None],
    ) -> None:
        self._problems = problems
        self._recipe = job.recipe
        self._params = job.sampling
        self._grader = grader
        self._decode = decode
        self._when_judged, self._when_updated = judged, updated
        self._began = self._judged = self._ended = time.perf_counter()
        self._figures: dict[str, Any] = {}

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
        """
        completions = [
            self._completion(ids, number=number, place=place)
            for place, (ids, number) in enumerate(zip(completion_ids, row, strict=True))
        ]
        samples = judge(
            [completion.text for completion in completions],
            [self._problems[number][1] for number in row],
            grader=self._grader,
            group_size=self._recipe.group_size,
            update=trainer_state.global_step + 1,
            seed=self._params.seed,
        )
        rewards = reward_of(self._recipe.reward, samples)
        self._when_judged(completions, samples, rewards)
        self._figures = {
            **msgspec.structs.asdict(describe(completions)),
            "reward": sum(rewards) / len(rewards),
            "tokens": sum(len(completion.token_ids) for completion in completions),
        }
        self._judged = time.perf_counter()
        return rewards

    def _completion(self, ids: Sequence[int], *, number: int, place: int) -> Completion:
        prompt, params = self._problems[number][0], self._params
        request = SampleRequest(
            problem_id=prompt.problem_id,
            sample_index=place,
            token_ids=prompt.token_ids,
            seed=params.seed,
        )
        reason: FinishReason = "stop" if ids and ids[-1] in params.stop_token_ids else "length"
        return completion_of(request, ids, reason, decode=self._decode, params=params)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """An update begins with its samples."""
        del args, state, control
        self._began = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """The weights have changed."""
        del args, state, control
        self._ended = time.perf_counter()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Tell the hook how the update went.

        Raises:
            TrainingError: The loss or the gradient is not a number.
        """
        del args, control
        if logs is None or "loss" not in logs:  # the summary at the end
            return
        loss, norm = logs["loss"], logs.get("grad_norm")
        if not math.isfinite(loss) or not (norm is None or math.isfinite(norm)):
            raise TrainingError(
                f"the loss is {loss} and the gradient's norm {norm}: not numbers",
                update=state.global_step,
                hint="take a lower rate (--lr) or --dtype float32; checkpoints of earlier updates "
                "are kept",
            )
        record = UpdateRecord(
            update=state.global_step,
            method="rl",
            loss=loss,
            loss_temperature=self._recipe.temperature,
            gradient_norm=norm,
            learning_rate=logs.get("learning_rate"),
            sampling_s=self._judged - self._began,
            update_s=self._ended - self._judged,
            **self._figures,
        )
        self._when_updated(record)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Mark a state as whole."""
        del control
        assert args.output_dir is not None
        (state_folder(args.output_dir, state.global_step) / STATE_COMPLETE).touch()


def state_folder(folder: str | Path, update: int) -> Path:
    """Where TRL keeps what it needs to continue after an update."""
    return Path(folder) / f"checkpoint-{update}"
