"""Whether two rows of logits put tokens in the same order, and what another order costs."""

from __future__ import annotations

import torch
from torch import Tensor

_COMPARED_AT_ONCE = 2**21
"""Pairs of tokens that are held at a time."""


def kendall_tau(before: Tensor, after: Tensor) -> Tensor:
    """Rank correlation tau-b of rows `[position, token]`, `[position]`; nan for constant rows.

    Source: Kendall 1945, Biometrika 33(3).
    """
    coefficients = []
    rows = max(1, _COMPARED_AT_ONCE // before.shape[1] ** 2)
    for first, second in zip(torch.split(before, rows), torch.split(after, rows), strict=True):
        left, right = (
            torch.sign(x[:, :, None] - x[:, None, :]).flatten(1) for x in (first, second)
        )
        agree = (left * right).sum(dim=1, dtype=torch.float64)
        untied = left.abs().sum(dim=1, dtype=torch.float64) * right.abs().sum(
            dim=1, dtype=torch.float64
        )
        coefficients.append(agree / untied.sqrt())  # 0/0 is nan
    return torch.cat(coefficients)


def reranking_kl(ordered: Tensor, *, remaining: int) -> Tensor:
    """Least KL, in nats, from p to any q that never rises along the given order, `[position]`.

    The tokens that are not given count as one block that comes last, whatever their order. The
    best q averages p over runs of tokens (antitonic regression, by its min-max formula).

    Args:
        ordered: Probabilities of the first tokens, in order, float64 `[position, token]`.
        remaining: How many tokens come after them.

    Source: Robertson, Wright and Dykstra 1988, Order Restricted Statistical Inference, theorems
    1.4.4 and 1.5.1 (the same q for every Bregman divergence, hence for KL).
    """
    rest = (1 - ordered.sum(dim=1, keepdim=True)).clamp(min=0)
    mass = torch.cat([ordered, rest], dim=1) if remaining else ordered
    sizes = torch.ones(mass.shape[1], dtype=mass.dtype, device=mass.device)
    if remaining:
        sizes[-1] = remaining
    rows = max(1, _COMPARED_AT_ONCE // mass.shape[1] ** 2)
    return torch.cat([_antitonic_kl(part, sizes) for part in torch.split(mass, rows)])


def _antitonic_kl(mass: Tensor, sizes: Tensor) -> Tensor:
    zero = torch.zeros_like(mass[:, :1])
    sums = torch.cat([zero, mass.cumsum(dim=1)], dim=1)
    widths = torch.cat([zero[0], sizes.cumsum(dim=0)])
    of_runs = sums[:, None, 1:] - sums[:, :-1, None]  # [position, first, last]
    over = widths[None, 1:] - widths[:-1, None]
    is_run = over > 0
    averages = torch.where(is_run, of_runs / over.where(is_run, torch.ones_like(over)), -torch.inf)
    highest = averages.flip(2).cummax(dim=2).values.flip(2)  # over last >= token
    starts_later = torch.ones_like(is_run).tril(-1)  # first > token
    fitted = highest.masked_fill(starts_later, torch.inf).amin(dim=1) * sizes
    kl: Tensor = torch.special.xlogy(mass, mass / fitted.clamp(min=1e-300)).sum(dim=1)
    return kl.clamp(min=0)
