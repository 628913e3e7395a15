"""What devices there are and where the hub's files lie, with no library opened that need not be."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

_DRIVERS = ("/proc/driver/nvidia/version", "/dev/dxg", "/dev/kfd")
"""Of which one is there where torch may find a device for CUDA, or for ROCm."""


def version_of(name: str) -> str | None:
    """Version of a distribution; None where it is not installed."""
    return next((item.version for item in metadata.distributions(name=name)), None)


def has_driver() -> bool:
    """Whether this system has a driver of a device that torch could use as CUDA."""
    return os.name == "nt" or any(map(os.path.exists, _DRIVERS))


def cuda_devices() -> list[tuple[str, int, str]]:
    """Name, bytes of memory, and what torch is built for, such as `CUDA 13.0`, of each device.

    torch is opened only where it is no build for a CPU alone and a driver is there.
    """
    if "+cpu" in (version_of("torch") or "+cpu") or not has_driver():
        return []
    import torch

    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}"
    devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [(item.name, int(item.total_memory), built_for) for item in devices]


def hub_cache() -> Path:
    """Folder of what was fetched from the Hugging Face hub."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
