"""Raw logits of a checkpoint beside the base's, position by position, to one row of statistics."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from emdiag.core.moments import (
    KL_BUCKETS,
    OVERLAP,
    RANK_BUCKETS,
    RANKED,
    LogitTrace,
    PairTrace,
)
from emdiag.core.protocols import TextLogits
from emdiag.measure.cooling import Cooling
from emdiag.measure.logits import BlockShape, Columns, Reduction, TracedText, blocks, counted
from emdiag.measure.ranking import kendall_tau, reranking_kl

_LAST_RANK = max(last for _, last in RANK_BUCKETS if last is not None)
_LAST_KL_RANK = max(last for _, last in KL_BUCKETS if last is not None)


def pair_traces(
    base: TextLogits[Tensor], text: TextLogits[Tensor], *, base_read: TracedText, read: TracedText
) -> tuple[LogitTrace, PairTrace]:
    """What is kept of a checkpoint's logits along a text, alone and beside the base's.

    Both read the same text, over the same vocabulary.

    Raises:
        MeasurementError: A logit of either is not a finite number, or there are too few.
    """
    own, of_base = (
        Reduction(side_read, positions=text.positions) for side_read in (read, base_read)
    )
    pairs = _Pairs()

    def take_in(chunk: Tensor, base_chunk: Tensor, start: int) -> None:
        both = zip(blocks(chunk, start), blocks(base_chunk.to(chunk.device), start), strict=True)
        for (block, at), (base_block, _) in both:
            shape = own.add(block, at)
            pairs.add(
                _BlockLogits(
                    logits=base_block.to(block.dtype), shape=of_base.shape_of(base_block, at)
                ),
                _BlockLogits(logits=block, shape=shape),
            )

    for start in range(0, text.positions, text.chunk_positions):
        stop = start + text.chunk_positions  # chunks have no name here; see `trace`
        take_in(
            counted(text.logits(start, stop), read),
            counted(base.logits(start, stop), base_read),
            start,
        )
    return own.trace(), pairs.trace(read)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockLogits:
    """One checkpoint's logits in a block, `[position, vocab]`."""

    logits: Tensor
    shape: BlockShape

    def log_probs(self) -> Tensor:
        return self.logits - self.shape.log_sum_exp[:, None].to(self.logits.dtype)


class _Pairs:
    """The rows of one pair trace as they come in, block by block."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._curve: list[Tensor] = []
        self._shifts: list[Tensor] = []
        self._kl_by_rank: list[Tensor] = []

    def add(self, base: _BlockLogits, own: _BlockLogits) -> None:
        """Take in one block of both."""
        top = base.logits.topk(min(_LAST_RANK, base.logits.shape[1]), dim=1)
        weight = self._add_divergences(base, own, top.indices)
        cooling = Cooling.of(
            base.logits, highest=base.shape.highest, weight=weight, entropy=own.shape.entropy
        )
        values, slopes = cooling.curve()
        temperature, left = cooling.best(values, slopes)
        self._curve.append(values)
        self._columns.add(cooling_temperature=temperature, cooled_kl_nats=left)
        self._add_order(base, own, weight, top)

    def trace(self, read: TracedText) -> PairTrace:
        """Everything that came in."""
        columns = self._columns.joined()
        for name in ("kendall_tau", "cooling_temperature"):
            columns[name] = tuple(None if x != x else x for x in columns[name])  # noqa: PLR0124 - nan
        return PairTrace(
            problem_id=read.problem_id,
            sample_index=read.sample_index,
            cooling_curve_nats=tuple(torch.cat(self._curve).mean(dim=0).tolist()),
            shift_by_rank=_means(self._shifts),
            kl_by_rank_nats=_means(self._kl_by_rank),
            **columns,
        )

    def _add_divergences(self, base: _BlockLogits, own: _BlockLogits, ranked: Tensor) -> Tensor:
        """KL both ways and Jensen-Shannon; the checkpoint's probabilities, `[position, vocab]`.

        `ranked` are the base's most likely tokens, `[position, rank]`.
        """
        before, after = base.log_probs(), own.log_probs()
        weight, base_weight = after.exp(), before.exp()
        gap = after.sub_(before)
        parts = weight * gap
        kl = parts.sum(dim=1, dtype=torch.float64)
        self._kl_by_rank.append(_by_rank(parts.sub_(weight).add_(base_weight), ranked))
        reverse = -(base_weight * gap).sum(dim=1, dtype=torch.float64)
        # With m half of both: log m = log p(base) + softplus(gap) - log 2.
        middle = torch.nn.functional.softplus(gap).sub_(log(2))
        both = (base_weight.add_(weight).mul_(middle)).sum(dim=1, dtype=torch.float64)
        self._columns.add(
            kl_nats=kl.clamp(min=0),
            reverse_kl_nats=reverse.clamp(min=0),
            js_nats=((kl - both) / 2).clamp(min=0),
        )
        return weight

    def _add_order(
        self, base: _BlockLogits, own: _BlockLogits, weight: Tensor, top: torch.return_types.topk
    ) -> None:
        """What became of the base's ranking."""
        size = base.logits.shape[1]
        own_values = own.logits.gather(1, top.indices)
        all_shifts = (own.shape.mean - base.shape.mean) * size
        self._shifts.append(_shift_by_rank(top.values, own_values, all_shifts, size))
        ranked = min(RANKED, size)
        before, after = top.values[:, :ranked], own_values[:, :ranked]
        # Of tokens that the base gives the same logit none comes first.
        order = _by_base_then_checkpoint(before, after)
        chosen = weight.gather(1, top.indices[:, :ranked].gather(1, order)).double()
        first = own.logits.topk(min(OVERLAP, size), dim=1).indices
        shared = (first[:, :, None] == top.indices[:, None, : first.shape[1]]).any(dim=2)
        self._columns.add(
            kendall_tau=kendall_tau(before, after),
            overlap_frac=shared.double().mean(dim=1),
            reranking_kl_nats=reranking_kl(chosen, remaining=size - ranked),
        )


def _means(buckets: list[Tensor]) -> tuple[float | None, ...]:
    """Of each bucket over all positions; None for a bucket beyond the vocabulary, which is nan."""
    means = torch.cat(buckets).mean(dim=0).tolist()
    return tuple(None if x != x else x for x in means)  # noqa: PLR0124 - nan


def _by_rank(parts: Tensor, ranked: Tensor) -> Tensor:
    """Sum of a token's parts in each of `KL_BUCKETS`, float64 `[position, bucket]`."""
    ranked = ranked[:, :_LAST_KL_RANK]
    of_ranked = parts.gather(1, ranked).double()
    rest = parts.scatter(1, ranked, 0.0).sum(dim=1, dtype=torch.float64)
    sums = [
        rest if last is None else of_ranked[:, first - 1 : last].sum(dim=1)
        for first, last in KL_BUCKETS
    ]
    is_empty = torch.tensor([first > parts.shape[1] for first, _ in KL_BUCKETS])
    by_bucket = torch.stack(sums, dim=1).clamp(min=0)
    return by_bucket.masked_fill(is_empty.to(by_bucket.device), torch.nan)


def _by_base_then_checkpoint(before: Tensor, after: Tensor) -> Tensor:
    """Order by the base's logits, falling; among equal ones by the checkpoint's."""
    second = after.argsort(dim=1, descending=True, stable=True)
    first = before.gather(1, second).argsort(dim=1, descending=True, stable=True)
    return second.gather(1, first)


def _shift_by_rank(before: Tensor, after: Tensor, all_shifts: Tensor, size: int) -> Tensor:
    """Mean shift of the tokens in each bucket, `[position, bucket]`; nan for an empty bucket."""
    shifts = after.double() - before.double()
    means = []
    for first, last in RANK_BUCKETS:
        if last is None:
            rest = size - shifts.shape[1]
            means.append(
                (all_shifts - shifts.sum(dim=1)) / rest if rest else all_shifts * torch.nan
            )
        else:
            part = shifts[:, first - 1 : last]
            means.append(part.mean(dim=1) if part.shape[1] else all_shifts * torch.nan)
    return torch.stack(means, dim=1)
