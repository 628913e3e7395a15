"""How many rows fit into the machine's memory, estimated before they are read.

A GPU says when its memory is full, and the batch is halved then. Linux promises memory it does not
have and later kills the process, so on a CPU the batch is planned.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

MEMORY_INFO = Path("/proc/meminfo")
SHARE = 0.5
"""Part of the available memory that keys and values may take."""


def rows_that_fit(config: PreTrainedConfig, *, tokens: int, item_bytes: int) -> int | None:
    """Rows of `tokens` positions whose keys and values fit, at least 1; None where unknown.

    Each number of the cache takes `item_bytes`.
    """
    available, per_token = available_bytes(), cache_numbers_per_token(config)
    if available is None or per_token is None:
        return None
    return max(1, int(available * SHARE) // (per_token * item_bytes * tokens))


def cache_numbers_per_token(config: PreTrainedConfig) -> int | None:
    """Numbers that keys and values hold for one position of one row; None where unknown."""
    text = config.get_text_config()
    if getattr(text, "is_heterogeneous", False):  # Gemma 4: layers of several widths
        return sum(map(_layer_numbers, text.per_layer_config)) or None
    return _layer_numbers(text) * (getattr(text, "num_hidden_layers", None) or 0) or None


def _layer_numbers(layer: Any) -> int:
    """Of one layer by its configuration; 0 where unknown."""
    heads = getattr(layer, "num_attention_heads", None)
    if not heads:
        return 0
    shared = getattr(layer, "num_key_value_heads", None) or heads
    width = getattr(layer, "head_dim", None) or getattr(layer, "hidden_size", 0) // heads
    return 2 * int(shared) * int(width)


def available_bytes() -> int | None:
    """Memory that can be taken without swapping, in bytes; None where Linux does not say."""
    try:
        lines = MEMORY_INFO.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def give_back_freed(device: torch.device) -> None:
    """Hand memory that was freed back to the system: glibc keeps what it gave in small blocks."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if device.type == "cpu" else None
    if trim is not None:
        trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had no memory left; torch says so in several ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(
        sign in text
        for sign in ("out of memory", "not enough memory", "can't allocate", "cannot allocate")
    )
