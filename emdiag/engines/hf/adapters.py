"""Puts a LoRA adapter on a model held by transformers, unmerged, and sees that it acts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from emdiag.core.checkpoints import AdapterRef, CheckpointRef
from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.adapter_config import MERGE, read_config
from emdiag.engines.checkpoint.adapters import WEIGHTS, module_of
from emdiag.engines.checkpoint.border import checkpoint_errors
from emdiag.engines.checkpoint.tokenizers import max_context
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.options import EngineOptions

_PROBE = 24


def load_checkpoint(
    checkpoint: CheckpointRef, *, dtype: str, options: EngineOptions
) -> PreTrainedModel:
    """The model of a checkpoint, with its adapter if it has one.

    Raises:
        EngineMissingError: The device is not there.
        CheckpointError: As `load_model` and `apply_adapter`.
    """
    model = load_model(checkpoint.path, dtype=dtype, options=options)
    if checkpoint.adapter:
        apply_adapter(model, checkpoint.adapter)
    return model


def apply_adapter(model: PreTrainedModel, adapter: AdapterRef) -> None:
    """Put the matrices of an adapter beside those of the model, whose class stays what it is.

    peft is given tensors and names of modules; it opens no file. Numbers are in the format of the
    model.

    Raises:
        CheckpointError: The adapter does not fit the model, or changes none of its logits.
    """
    folder = Path(adapter.path)
    facts = {"adapter": adapter.path, "base": adapter.base}
    with (
        checkpoint_errors("the adapter cannot be put on its base", **facts, hint=MERGE),
        warnings.catch_warnings(action="ignore"),
    ):
        before = _logits(model)
        tensors = load_file(folder / WEIGHTS)
        modules = {str(module_of(name)) for name in tensors}
        config = read_config(folder)
        inject_adapter_in_model(
            LoraConfig(
                r=config.r,
                lora_alpha=config.lora_alpha,  # type: ignore[arg-type]  # a fraction works too
                target_modules=sorted(modules),
                use_rslora=config.use_rslora,
                use_dora=config.use_dora,
                fan_in_fan_out=config.fan_in_fan_out,
                rank_pattern=config.rank_pattern,
                alpha_pattern=config.alpha_pattern,
                inference_mode=True,
            ),
            model,
        )
        report: Any = set_peft_model_state_dict(model, tensors)
        model.train(mode=False)
    missing = [name for name in report.missing_keys if ".lora_" in name]
    if lost := sorted([*report.unexpected_keys, *missing]):
        raise CheckpointError(
            f"{len(lost)} tensors of the adapter have no place in its base, or are missing",
            **facts,
            first=lost[0],
            architecture=type(model).__name__,
            hint="name its own base: BASE+ADAPTER",
        )
    after = _logits(model)
    if bool(before.isfinite().all()) and not bool(after.isfinite().all()):
        raise CheckpointError(
            "with the adapter the model's logits are infinite or not numbers",
            **facts,
            dtype=str(model.dtype).removeprefix("torch."),
            hint="its scale may be too large for the number format, or its training have diverged",
        )
    if torch.equal(before, after):
        raise CheckpointError(
            "the adapter changes nothing: it is not applied by the engine, or too weak for its "
            "number format",
            **facts,
            dtype=str(model.dtype).removeprefix("torch."),
            hint="measure the base itself; or --dtype float32, if the adapter is weak",
        )


@torch.no_grad()
def _logits(model: PreTrainedModel) -> Tensor:
    """Raw logits along a few tokens from all over the vocabulary, `[1, position, vocab]`."""
    size = min(_PROBE, max_context(model.config) or _PROBE)
    vocab = int(model.config.get_text_config().vocab_size)
    ids = (torch.arange(1, size + 1, device=model.device) * 7919 % vocab)[None]
    logits: Tensor = model(input_ids=ids, use_cache=False).logits
    return logits
