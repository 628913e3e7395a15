"""The loss of an update and its gradient, with the output head applied in chunks of positions.

With z the raw logits of a position, p = softmax(z / T) and H the entropy of p,

    dH/dz       = -(p / T) (log p + H)
    dlog p_y/dz = (1[y] - p) / T

so a chunk's logits are reduced to loss and gradient at once and forgotten. What is kept is of the
size of the hidden states and of the head; nothing grows with vocabulary x tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from emdiag.engines.hf.output_head import OutputHead


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTerms:
    """What a number of positions contribute to the loss.

    Attributes:
        targets: Token drawn at each position, `[positions]` int64.
        entropy_weights, log_prob_weights: Of each position, `[positions]`.
        temperature: Divides the logits; above 0.
        dtype: Of softmax and entropy; float32 unless published code is imitated.
    """

    targets: Tensor
    entropy_weights: Tensor
    log_prob_weights: Tensor
    temperature: float
    dtype: torch.dtype = torch.float32


def weighted_loss(
    hidden: Tensor, head: OutputHead, terms: LossTerms, *, kept: list[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of weighted entropies and log-probabilities, and every position's entropy.

    Last hidden states are those of the counted positions, `[positions, hidden]`. The loss is a
    scalar that can be differentiated by them, by weight and bias; the entropies are in nats,
    `[positions]`, without gradient. Where `kept` is given, the gradient by the weight is summed
    there, as its only member, and not handed on.

    Source: Gao et al. 2025, arXiv:2505.20282, for the entropy; the gradient is derived above.
    """
    sums: tuple[Tensor, Tensor] = _Chunked.apply(  # type: ignore[no-untyped-call] # no stub
        hidden, head.weight, head.bias, head, terms, kept
    )
    return sums


def whole_loss(logits: Tensor, terms: LossTerms) -> tuple[Tensor, Tensor]:
    """The same from raw logits, `[positions, vocab]`, differentiated by autograd.

    For models without a plain linear head; its memory grows with vocabulary x positions.
    """
    log_p = torch.log_softmax(logits.to(terms.dtype) / terms.temperature, dim=-1)
    entropies = -(log_p.exp() * log_p).sum(dim=-1)
    drawn = log_p.gather(1, terms.targets[:, None])[:, 0]
    loss = (entropies * terms.entropy_weights + drawn * terms.log_prob_weights).sum()
    return loss, entropies.detach()


class _Chunked(torch.autograd.Function):
    """Loss and gradients in one pass over chunks; `backward` only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        _weight: Tensor,
        _bias: Tensor | None,
        head: OutputHead,
        terms: LossTerms,
        kept: list[Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        ctx.kept = kept
        sums = _Sums(hidden, head, terms, wants=ctx.needs_input_grad[:3])
        for start in range(0, len(hidden), head.chunk_positions()):
            sums.add(slice(start, start + head.chunk_positions()))
        by_head = (None if by is None else by.to(head.weight.dtype) for by in sums.by_head)
        ctx.save_for_backward(sums.by_hidden, *by_head)
        ctx.mark_non_differentiable(sums.entropies)
        return sums.loss, sums.entropies

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _entropies: Tensor) -> tuple[Tensor | None, ...]:
        scaled = ctx.saved_tensors
        if grad != 1:  # a copy as large as the head
            scaled = [None if part is None else part * grad.to(part.dtype) for part in scaled]
        by_hidden, by_weight, by_bias = scaled
        if ctx.kept is not None and by_weight is not None:
            ctx.kept[:] = [part.add_(by_weight) for part in ctx.kept] or [by_weight]
            by_weight = None
        return by_hidden, by_weight, by_bias, None, None, None


class _Sums:
    """Loss, entropies and gradients as they grow chunk by chunk."""

    def __init__(
        self, hidden: Tensor, head: OutputHead, terms: LossTerms, *, wants: Sequence[bool]
    ) -> None:
        self._hidden, self._head, self._terms = hidden, head, terms
        precise = torch.promote_types(terms.dtype, torch.float32)
        self.loss = torch.zeros((), dtype=precise, device=hidden.device)
        self.entropies = torch.zeros(len(hidden), dtype=precise, device=hidden.device)
        self.by_hidden = torch.zeros_like(hidden) if wants[0] else None
        # Chunks add up in float32 also where the weights are bfloat16.
        wide = torch.promote_types(head.weight.dtype, torch.float32)
        self.by_head = [
            torch.zeros_like(part, dtype=wide) if wanted and part is not None else None
            for part, wanted in zip((head.weight, head.bias), wants[1:], strict=True)
        ]

    def add(self, part: slice) -> None:
        """Take in the positions of one chunk."""
        terms, hidden = self._terms, self._hidden[part]
        entropy_weights = terms.entropy_weights[part, None]
        log_prob_weights = terms.log_prob_weights[part, None]
        targets = terms.targets[part, None]
        raw = self._head.logits(hidden)  # may be capped: the cap's slope comes from these
        log_p = torch.log_softmax(raw.to(terms.dtype) / terms.temperature, dim=-1)
        slope = self._slope(raw)
        del raw
        p = log_p.exp()
        entropies = -(p * log_p).sum(dim=-1, keepdim=True)
        drawn = log_p.gather(1, targets)
        self.entropies[part] = entropies[:, 0]
        self.loss += (entropies * entropy_weights + drawn * log_prob_weights).sum()
        by_logits = log_p.add_(entropies).mul_(p).mul_(-entropy_weights / terms.temperature)
        if log_prob_weights.any():
            by_logits.sub_(p * (log_prob_weights / terms.temperature))
            by_logits.scatter_add_(
                1, targets, (log_prob_weights / terms.temperature).to(by_logits.dtype)
            )
        if slope is not None:
            by_logits = by_logits * slope
        self._spread(by_logits.to(self._head.weight.dtype), hidden, part)

    def _spread(self, by_linear: Tensor, hidden: Tensor, part: slice) -> None:
        """From the gradient by the head's output to those by its input, weight and bias."""
        if self.by_hidden is not None:
            self.by_hidden[part] = by_linear @ self._head.weight
        by_weight, by_bias = self.by_head
        if by_weight is not None:
            if by_weight.dtype == by_linear.dtype:
                by_weight.addmm_(by_linear.T, hidden)
            else:
                by_weight += by_linear.T @ hidden
        if by_bias is not None:
            by_bias += by_linear.sum(dim=0)

    def _slope(self, raw: Tensor) -> Tensor | float | None:
        """Slope of the logits by the linear output: scale, and the cap's 1 - tanh^2."""
        scale, cap = self._head.scale, self._head.soft_cap
        if cap is None:
            return None if scale == 1 else scale
        return (1 - (raw / cap) ** 2) * scale
