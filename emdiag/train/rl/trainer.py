"""TRL's GRPO with every setting said aloud; the one module that knows TRL."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
)

from emdiag.core.errors import CheckpointError, EngineError, PlanError, TrainingError
from emdiag.core.sampling import SamplingParams
from emdiag.engines.checkpoint.tokenizers import quiet_transformers
from emdiag.engines.hf.memory import is_out_of_memory
from emdiag.train.checkpoints import state_unwritable
from emdiag.train.rl.recipe import RLRecipe

with warnings.catch_warnings():
    # Where vLLM is installed TRL imports it, and both warn; this module never lets it be used.
    warnings.simplefilter("ignore")
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

STATE_COMPLETE = "emdiag-complete"
"""Written last into a state to continue from: one without it was interrupted."""

_SEEDS = 2**31  # numpy takes no larger ones

_FIXED: dict[str, Any] = {
    "num_iterations": 1,
    "shuffle_dataset": False,  # the rows are in the order of the schedule already
    "top_p": 1.0,
    "top_k": 0,  # transformers would keep 50
    "min_p": None,
    "repetition_penalty": 1.0,
    "use_vllm": False,
    "disable_dropout": True,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "optim": "adamw_torch",
    "fp16": False,
    "save_total_limit": 2,  # the one before stays until the new one is whole
    "logging_steps": 1,
    "logging_nan_inf_filter": False,  # it would put an average in place of nan
    "report_to": "none",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
}
"""Fields of TRL that are the same for every recipe."""


def grpo_config(
    recipe: RLRecipe,
    params: SamplingParams,
    *,
    folder: Path,
    device: torch.device,
    bfloat16: bool,
    state_every: int,
) -> GRPOConfig:
    """Every field of TRL and of its parent that shapes weights, samples or files.

    Under `bfloat16` arithmetic is in bfloat16 over float32 weights; `state_every` 0 keeps no state.
    """
    return GRPOConfig(
        **_FIXED,
        output_dir=str(folder),
        # samples
        per_device_train_batch_size=recipe.rows_at_once,
        gradient_accumulation_steps=recipe.completions // recipe.rows_at_once,
        num_generations=recipe.group_size,
        max_completion_length=params.max_tokens,
        temperature=params.temperature,
        # loss
        beta=recipe.beta,
        epsilon=recipe.epsilon,
        epsilon_high=recipe.epsilon_high,
        loss_type=recipe.loss_type,
        scale_rewards=recipe.scale_rewards,
        mask_truncated_completions=recipe.mask_truncated,
        # optimiser
        max_steps=recipe.updates,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.gradient_clip,
        bf16=bfloat16,
        gradient_checkpointing=recipe.gradient_checkpointing,
        use_cpu=device.type == "cpu",
        seed=params.seed % _SEEDS,
        # files and words
        save_strategy="steps" if state_every else "no",
        save_steps=state_every or recipe.updates,
    )


def build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[str],
    *,
    reward: Callable[..., list[float]],
    config: GRPOConfig,
    stop_token_ids: Sequence[int],
) -> GRPOTrainer:
    """TRL's trainer on one prompt text a row; `row` says which one to the reward.

    Raises:
        CheckpointError: Nothing ends a completion of this model.
        EngineError: TRL would sample in another way than it was told.
        PlanError: Several processes were started.
    """
    if not stop_token_ids:
        raise CheckpointError(
            "no token ends a completion of this checkpoint, so every sample would be cut off",
            hint="set eos_token_id in its generation_config.json",
        )
    if tokenizer.eos_token_id is None:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(int(stop_token_ids[0]))
    # Whatever else the checkpoint's generation configuration says would shape samples unseen.
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # not annotated
        eos_token_id=list(stop_token_ids), pad_token_id=tokenizer.pad_token_id
    )
    dataset = Dataset.from_dict({"prompt": list(rows), "row": list(range(len(rows)))})
    with quiet_transformers():
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=[cast("Any", reward)],
            args=config,
            train_dataset=dataset,
            processing_class=tokenizer,
        )
    trainer.remove_callback(PrinterCallback)
    _check_sampling(trainer, stop_token_ids)
    if trainer.accelerator.num_processes > 1:
        raise PlanError(
            "reinforcement learning runs in one process here",
            processes=trainer.accelerator.num_processes,
            hint="start it without `accelerate launch`",
        )
    return trainer


def run_trainer(trainer: GRPOTrainer, *, folder: Path) -> None:
    """Train to the last update, from the newest whole state where there is one.

    Raises:
        TrainingError: Memory ran out, or a state cannot be read.
        StoreError: The disk is full or cannot be written.
    """
    done = whole_state(folder)
    path = str(state_folder(folder, done)) if done else None
    try:
        with quiet_transformers():
            trainer.train(resume_from_checkpoint=path)
    except OSError as error:
        raise state_unwritable(error, folder=folder) from error
    except (MemoryError, RuntimeError) as error:
        if "PytorchStreamWriter" in str(error) or "SafetensorError" in type(error).__name__:
            raise state_unwritable(error, folder=folder) from error
        if "probability tensor contains" in str(error):
            raise TrainingError(
                "the weights no longer give probabilities: not numbers",
                update=trainer.state.global_step + 1,
                hint="take a lower rate (--lr); checkpoints of earlier updates are kept",
            ) from error
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"memory ran out: {str(error).splitlines()[0]}",
            hint="lower micro_batch (--set micro_batch=4), set gradient_checkpointing=true, lower "
            "max_tokens, or take --dtype bfloat16",
        ) from error


def whole_state(folder: Path) -> int:
    """The update of the newest state that is whole, 0 without one; other states are removed."""
    updates = {
        int(path.name.rpartition("-")[2]): path
        for path in folder.glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit()
    }
    for path in updates.values():
        if not (path / STATE_COMPLETE).is_file():
            shutil.rmtree(path)
    return max((number for number, path in updates.items() if path.is_dir()), default=0)


def state_folder(folder: Path, update: int) -> Path:
    """Where TRL keeps what it needs to continue after an update."""
    return folder / f"checkpoint-{update}"


def _check_sampling(trainer: GRPOTrainer, stop_token_ids: Sequence[int]) -> None:
    """Compare what TRL will hand to `generate` with what it was told."""
    expected: dict[str, Any] = {
        "do_sample": True,
        "temperature": trainer.temperature,
        "top_k": 0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "max_new_tokens": trainer.max_completion_length,
    }
    actual = {name: getattr(trainer.generation_config, name) for name in expected}
    expected["stop token ids"] = sorted(stop_token_ids)
    actual["stop token ids"] = sorted(trainer.eos_token_ids)
    if actual != expected:
        raise EngineError(
            "TRL would sample in another way than it was told",
            told=expected,
            found=actual,
            hint="install the release of TRL that emdiag is pinned to: pip install 'emdiag[rl]'",
        )
