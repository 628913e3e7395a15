"""AdamW in float32 whatever the weights are kept in, and its state in a file to go on from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from emdiag.core.errors import StoreError
from emdiag.core.files import replacing
from emdiag.train.checkpoints import state_unwritable

CPU_PIECE, DEVICE_PIECE = 2**18, 2**24
"""Weights whose distance is summed at a time: what fits a cache, and what fills a device."""

_FUSED = {"cpu", "cuda"}
STATE_FILE = "state.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class MasterAdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` on float32 copies of half-precision weights.

    A rate of 2e-5 moves a bfloat16 weight of 0.02 by a quarter of the gap to its neighbour:
    rounded there and then, most of an update would be lost. So the sums live in float32 copies,
    and the weights are rounded from those after every step, as mixed-precision training does.
    Weights that are float32 or wider are their own copies.

    Source: Micikevicius et al. 2018, arXiv:1710.03740, section 3.1; Loshchilov and Hutter 2019.
    """

    def __init__(self, weights: Sequence[Tensor], *, lr: float, weight_decay: float) -> None:
        self.weights = list(weights)
        self.masters = [
            weight.detach().float().requires_grad_() if weight.dtype.itemsize < 4 else weight
            for weight in self.weights
        ]
        self.direction: torch.Generator | None = None
        """Where it is set, a step is turned into a direction drawn from it, as long for every
        weight."""
        self.step_norm = 0.0
        """L2 norm of what the last step changed of the weights."""
        # A group for each, so that they can be stepped one by one; fused, so that a step needs
        # no room of its own.
        super().__init__(
            [{"params": [master]} for master in self.masters],
            lr=lr,
            weight_decay=weight_decay,
            fused=all(master.device.type in _FUSED for master in self.masters),
        )

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of copies and weights from the gradients of the weights, which go.

        Weight by weight, the largest last: what a step needs beside weights, gradients and moments
        is no more than that takes.
        """
        assert closure is None
        groups, square = self.param_groups, 0.0
        parts = zip(groups, self.weights, self.masters, strict=True)
        try:
            for group, weight, master in sorted(parts, key=lambda part: part[1].numel()):
                self.param_groups = [group]
                square += self._step_one(weight, master)
        finally:
            self.param_groups = groups
        self.step_norm = math.sqrt(square)

    @torch.no_grad()
    def _step_one(self, weight: Tensor, master: Tensor) -> float:
        """The squared length of what the step changed of a weight."""
        before = weight.detach().clone()
        if master is not weight and weight.grad is not None:
            master.grad, weight.grad = weight.grad.float(), None
        super().step()
        master.grad = None
        if master is not weight:
            weight.copy_(master)
        if self.direction is not None:
            start = before.float()
            length = (weight.float() - start).norm()
            drawn = torch.randn(before.shape, generator=self.direction).to(master.device)
            master.copy_(drawn.mul_(length / drawn.norm()).add_(start))
            weight.copy_(master)
        return squared_distance(weight.detach(), before)

    def zero_grad(self, *, set_to_none: bool = True) -> None:  # type: ignore[override]
        """Forget the gradients of copies and weights."""
        super().zero_grad(set_to_none)
        for weight in self.weights:
            weight.grad = None

    def round_weights(self) -> None:
        """Have the weights say what their copies say."""
        for weight, master in self._pairs():
            weight.data.copy_(master.data)

    def _pairs(self) -> list[tuple[Tensor, Tensor]]:
        return [
            (weight, master)
            for weight, master in zip(self.weights, self.masters, strict=True)
            if master is not weight
        ]


def squared_distance(new: Tensor, old: Tensor) -> float:
    """Squared L2 norm of a difference, summed in float64 on the device of `new`.

    In pieces: squares in float64 of a whole embedding would be the peak of an update.
    """
    size = CPU_PIECE if new.device.type == "cpu" else DEVICE_PIECE
    total = torch.zeros((), dtype=torch.float64, device=new.device)
    for now, was in zip(*(torch.split(side.flatten(), size) for side in (new, old)), strict=True):
        total += (now.float() - was.to(now.device).float()).double().square().sum()
    return float(total)


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


def state_update(cell: Path) -> int:
    """The update that the state of a cell is of; -1 where it cannot be read."""
    with (
        suppress(OSError, SafetensorError, KeyError, ValueError, TypeError),
        safe_open(cell / STATE_FILE, framework="pt") as stored,
    ):
        return int(stored.metadata()["update"])
    return -1


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


def _placed(value: Tensor, name: str, master: Tensor) -> Tensor:
    # AdamW keeps its count of steps on the CPU, unless it is fused.
    is_counted_there = name == "step" and master.device.type not in _FUSED
    return value if is_counted_there else value.to(master.device, torch.float32)
