"""What the load check of a model found, kept with the checkpoint's digest."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers
from transformers import PreTrainedModel

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import digest
from emdiag.core.files import write_atomically
from emdiag.engines.hf.load_check import LoadCheck, check_model, require

logger = logging.getLogger(__name__)

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
    key = _key(model, checkpoint)
    try:
        check = msgspec.convert(_read(home).get(key), LoadCheck)
    except msgspec.ValidationError:  # never looked at, or the entry is damaged
        check = check_model(model)
        _remember(home, key, check)
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


def _read(home: Path) -> dict[str, Any]:
    path = home / CHECKS_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read and is rebuilt: %s", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _remember(home: Path, key: str, check: LoadCheck) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        content = {**_read(home), key: msgspec.to_builtins(check)}
        write_atomically(home / CHECKS_NAME, json.dumps(content).encode())
    except OSError as error:
        logger.warning("load checks are not remembered: %s", error)
