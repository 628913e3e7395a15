"""What a killed training run needs to go on to the same weights: one file, whole or not there."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from emdiag.core.errors import StoreError
from emdiag.core.files import replacing
from emdiag.train.checkpoints import state_unwritable
from emdiag.train.em.optimizer import MasterAdamW

STATE_FILE = "state.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save_state(cell: Path, optimizer: MasterAdamW, *, update: int) -> None:
    """Write weights and moments after an update; the file from before is replaced at once.

    Raises:
        StoreError: The disk is full or cannot be written; the file from before is kept.
    """
    tensors: dict[str, Tensor] = {}
    for number, master in enumerate(optimizer.masters):
        tensors[f"{number}.weight"] = master.detach().cpu().contiguous()
        moments = optimizer.state.get(master, {})
        for name in _MOMENTS:
            if name in moments:
                tensors[f"{number}.{name}"] = moments[name].detach().cpu().contiguous()
    file = cell / STATE_FILE
    try:
        with replacing(file) as partial:
            save_file(tensors, partial, metadata={"update": str(update)})
    except (OSError, SafetensorError) as error:
        raise state_unwritable(error, file=file) from error


def load_state(cell: Path, optimizer: MasterAdamW) -> int:
    """Put weights and moments back; the update they are of, 0 where there is no state.

    Raises:
        StoreError: The file is damaged or is of another model.
    """
    file = cell / STATE_FILE
    if not file.is_file():
        return 0
    try:
        with safe_open(file, framework="pt") as stored:
            names = set(stored.keys())
            for number, master in enumerate(optimizer.masters):
                weight = stored.get_tensor(f"{number}.weight")
                if weight.shape != master.shape:
                    msg = f"weight {number} has shape {tuple(weight.shape)}, the model's "
                    raise SafetensorError(msg + f"{tuple(master.shape)}")  # noqa: TRY301
                master.data.copy_(weight)
                optimizer.state[master] = {
                    name: _placed(stored.get_tensor(f"{number}.{name}"), name, master)
                    for name in _MOMENTS
                    if f"{number}.{name}" in names
                }
            update = int(stored.metadata()["update"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise StoreError(
            f"the state of training cannot be read: {error}",
            file=file,
            hint="remove it, and the run starts again from its first update",
        ) from error
    optimizer.round_weights()
    return update


def remove_state(cell: Path) -> None:
    """Forget the state of a run that is done."""
    (cell / STATE_FILE).unlink(missing_ok=True)


def _placed(value: Tensor, name: str, master: Tensor) -> Tensor:
    # AdamW keeps its count of steps on the CPU.
    return value if name == "step" else value.to(master.device, torch.float32)
