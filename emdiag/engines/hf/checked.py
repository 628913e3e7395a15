"""What the load check of a model found, kept with the checkpoint's digest."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import msgspec
import torch
import transformers
from transformers import PreTrainedModel

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import digest
from emdiag.engines.checkpoint.fingerprints import read_cache, write_cache
from emdiag.engines.hf.load_check import LoadCheck, check_model, require
from emdiag.engines.hf.model_loading import limit_threads
from emdiag.resources import version

CHECKS_NAME = "load_checks.json"
REVISION = 3
"""Raised when the check looks at something else."""

ONE_THREAD_PARAMETERS = 500_000_000
"""Below this the look takes seconds of one core. Two that wait for each other beside other work
took 32 seconds for what one did in 2."""

_KERNELS = ("kernels", "flash_attn", "fla", "mamba_ssm", "causal_conv1d")
"""Packages with which a model of transformers computes in another way."""


def examined(
    model: PreTrainedModel,
    *,
    threads: int | None = None,
    checkpoint: CheckpointRef | None = None,
    home: Path | None = None,
) -> LoadCheck:
    """What the check finds in a model, or found when this checkpoint was opened like this before.

    Raises:
        CheckpointError: The model cannot read a text.
        EngineError: Memory does not hold a few rows of a few tokens.
        EngineRefusedError: The model cannot be used.
    """
    if checkpoint is None or home is None:
        check = _checked(model, threads)
        return require(check, model, checkpoint.path if checkpoint else None)
    path, key = home / CHECKS_NAME, _key(model, checkpoint)
    try:
        check = msgspec.convert(read_cache(path).get(key), LoadCheck)
    except msgspec.ValidationError:  # never looked at, or the entry is damaged
        check = _checked(model, threads)
        write_cache(path, {**read_cache(path), key: msgspec.to_builtins(check)})
    return require(check, model, checkpoint.path)


def _checked(model: PreTrainedModel, threads: int | None) -> LoadCheck:
    before = limit_threads(model, threads, small=ONE_THREAD_PARAMETERS)
    try:
        return check_model(model)
    finally:
        torch.set_num_threads(before)


def _key(model: PreTrainedModel, checkpoint: CheckpointRef) -> str:
    """Everything the outcome depends on."""
    device = model.device
    return digest(
        [
            *(REVISION, checkpoint.digest, str(torch.__version__), transformers.__version__),
            [version(), *(name for name in _KERNELS if util.find_spec(name))],
            *(type(model).__name__, str(model.dtype), device.type),
            torch.cuda.get_device_name(device) if device.type == "cuda" else "",
            str(model.config._attn_implementation),  # noqa: SLF001 - no public name
        ]
    )
