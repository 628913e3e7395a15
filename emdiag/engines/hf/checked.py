"""What the load check of a model found, kept with the checkpoint's digest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
import transformers
from transformers import PreTrainedModel

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import digest
from emdiag.engines.checkpoint.fingerprints import read_cache, write_cache
from emdiag.engines.hf.load_check import LoadCheck, check_model, require

CHECKS_NAME = "load_checks.json"
REVISION = 1
"""Raised when the check looks at something else."""


def examined(
    model: PreTrainedModel, *, checkpoint: CheckpointRef | None = None, home: Path | None = None
) -> LoadCheck:
    """What the check finds in a model, or found when this checkpoint was opened like this before.

    Raises:
        EngineError: Memory does not hold a few rows of a few tokens.
        EngineRefusedError: The model cannot be used.
    """
    if checkpoint is None or home is None:
        return require(check_model(model), model)
    path, key = home / CHECKS_NAME, _key(model, checkpoint)
    try:
        check = msgspec.convert(read_cache(path).get(key), LoadCheck)
    except msgspec.ValidationError:  # never looked at, or the entry is damaged
        check = check_model(model)
        write_cache(path, {**read_cache(path), key: msgspec.to_builtins(check)})
    return require(check, model)


def _key(model: PreTrainedModel, checkpoint: CheckpointRef) -> str:
    """Everything the outcome depends on."""
    device = model.device
    return digest(
        [
            *(REVISION, checkpoint.digest, str(torch.__version__), transformers.__version__),
            *(type(model).__name__, str(model.dtype), device.type),
            torch.cuda.get_device_name(device) if device.type == "cuda" else "",
            str(model.config._attn_implementation),  # noqa: SLF001 - no public name
        ]
    )
