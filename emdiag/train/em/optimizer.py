"""AdamW whose arithmetic is in float32 whatever the weights are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


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
        super().__init__(self.masters, lr=lr, weight_decay=weight_decay)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of copies and weights from the gradients of the weights."""
        assert closure is None
        for weight, master in self._pairs():
            master.grad = None if weight.grad is None else weight.grad.float()
        super().step()
        for weight, master in self._pairs():
            weight.data.copy_(master.data)
            master.grad = None

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
