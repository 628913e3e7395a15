"""Which temperature of the base comes closest to a checkpoint, position by position."""

from __future__ import annotations

import torch
from torch import Tensor

from emdiag.core.moments import COOLING_TEMPERATURES


def cooling_curve(
    logits: Tensor, highest: Tensor, weight: Tensor, entropy: Tensor
) -> tuple[Tensor, Tensor]:
    """KL from a checkpoint to the base at each of `COOLING_TEMPERATURES`, and its slope.

    With b = 1/T: KL(b) = -H - b E[z] + log sum exp(b z), and dKL/db = E_b[z] - E[z], where E is
    the checkpoint's mean and E_b that of the base at T. It is convex in b.

    Args:
        logits: The base's, `[position, vocab]`.
        highest: Their maximum, `[position]`.
        weight: The checkpoint's probabilities, `[position, vocab]`.
        entropy: The checkpoint's, in nats, `[position]`.

    Returns:
        KL in nats and slopes by b, both `[position, temperature]` in float64.
    """
    less = logits - highest[:, None].to(logits.dtype)
    mean = (weight * less).sum(dim=1, dtype=torch.float64)
    values, slopes = [], []
    for temperature in COOLING_TEMPERATURES:
        powers = (less / temperature).exp_()
        total = powers.sum(dim=1, dtype=torch.float64)
        cooled_mean = powers.mul_(less).sum(dim=1, dtype=torch.float64) / total
        values.append((total.log() - mean / temperature - entropy).clamp(min=0))
        slopes.append(cooled_mean - mean)
    return torch.stack(values, dim=1), torch.stack(slopes, dim=1)


def best_by_position(values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """The temperature with the least KL at each position, and that KL in nats, `[position]`.

    Between two of `COOLING_TEMPERATURES` the curve is taken for the cubic in log T that has their
    values and slopes; that finds the temperature to about 0.1 %. The temperature is nan where the least lies outside of them, or where every
    temperature gives the same.
    """
    betas = 1 / torch.tensor(COOLING_TEMPERATURES, dtype=torch.float64, device=values.device)
    rising = (slopes > 0).int()  # from hot to cold the slope by b goes up; the list is cold first
    count = rising.sum(dim=1)
    is_inside = (count > 0) & (count < len(betas)) & (slopes[:, -1] < 0)
    cold = (count - 1).clamp(0, len(betas) - 2)[:, None]
    hot = cold + 1
    width = (betas[cold] / betas[hot])[:, 0].log()
    y0, y1 = (values.gather(1, place)[:, 0] for place in (hot, cold))
    m0, m1 = ((slopes * betas).gather(1, place)[:, 0] * width for place in (hot, cold))
    x = _where_slope_is_zero(y0, y1, m0, m1)
    least = _hermite(x, y0, y1, m0, m1).clamp(min=0)
    temperature = (-x * width).exp() / betas[hot[:, 0]]
    nan = torch.full_like(temperature, torch.nan)
    at_the_end = values[:, [0, -1]].amin(dim=1)
    return torch.where(is_inside, temperature, nan), torch.where(is_inside, least, at_the_end)


def _where_slope_is_zero(y0: Tensor, y1: Tensor, m0: Tensor, m1: Tensor) -> Tensor:
    """Where in [0, 1] a cubic has its least value, given that its slope goes from - to +."""
    a = 6 * (y0 - y1) + 3 * (m0 + m1)
    b = -6 * (y0 - y1) - 4 * m0 - 2 * m1
    root = (b * b - 4 * a * m0).clamp(min=0).sqrt()
    # The same root in two ways; each is taken where it does not cancel.
    x = torch.where(b > 0, -2 * m0 / (b + root), (root - b) / (2 * a))
    return torch.nan_to_num(x, nan=0.5).clamp(0, 1)


def _hermite(x: Tensor, y0: Tensor, y1: Tensor, m0: Tensor, m1: Tensor) -> Tensor:
    """The cubic on [0, 1] with values y0, y1 and slopes m0, m1 at its ends."""
    rest = 1 - x
    return (
        (1 + 2 * x) * rest**2 * y0 + x * rest**2 * m0 + x**2 * (3 - 2 * x) * y1 - x**2 * rest * m1
    )
