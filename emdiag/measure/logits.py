"""Raw logits along one text to one row of statistics for each position; the rest is forgotten.

Logits come a few positions at a time and are reduced where they are, on their device. Moments are
summed in float64 about the mean; exponentials are taken in the precision of the logits (float32)
and summed in float64, which leaves entropies and probabilities right to about 1e-6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emdiag.core.errors import MeasurementError
from emdiag.core.moments import (
    FEW_LOGITS,
    HISTOGRAM_BINS,
    HISTOGRAM_LOW,
    HISTOGRAM_WIDTH,
    NUCLEUS,
    TOP_LOGITS,
    Histogram,
    LogitTrace,
)
from emdiag.core.protocols import TextLogits

CPU_BLOCK, DEVICE_BLOCK = 2**18, 2**23
"""Logits reduced at a time: on a CPU as many as stay in its cache, elsewhere enough to be busy."""

_SORTED_AT_FIRST = 100
"""Most nuclei are smaller; only the rows of larger ones are sorted whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedText:
    """Which text is read, and how.

    Attributes:
        name: Of the checkpoint, for errors.
        written: Tokens of the completion, one for each position.
        vocab_size: Logits counted at each position, from the first on.
        entropy_temperatures: Beside 1, each above 0.
    """

    name: str
    problem_id: str
    sample_index: int
    written: Sequence[int]
    vocab_size: int
    entropy_temperatures: tuple[float, ...] = ()


def trace(text: TextLogits[Tensor], read: TracedText) -> LogitTrace:
    """What is kept of a text's logits.

    Raises:
        MeasurementError: A logit is not a finite number, or there are fewer than `vocab_size`.
    """
    reduction = Reduction(read, positions=text.positions)
    for start in range(0, text.positions, text.chunk_positions):
        # No name for the chunk here: it would live until the next one is made, and two take twice
        # the memory of one.
        reduction.add_chunk(counted(text.logits(start, start + text.chunk_positions), read), start)
    return reduction.trace()


def counted(chunk: Tensor, read: TracedText) -> Tensor:
    """The logits that are counted, `[position, vocab_size]`.

    Raises:
        MeasurementError: There are fewer.
    """
    if chunk.shape[1] < read.vocab_size:
        raise MeasurementError(
            f"{read.name} has {chunk.shape[1]} logits at each position, its configuration says "
            f"{read.vocab_size}"
        )
    return chunk[:, : read.vocab_size]


def blocks(chunk: Tensor, start: int) -> Iterator[tuple[Tensor, int]]:
    """Rows of a chunk, so many that a block is reduced fast, with the position of the first."""
    numbers = CPU_BLOCK if chunk.device.type == "cpu" else DEVICE_BLOCK
    rows = max(1, numbers // chunk.shape[1])
    for offset in range(0, len(chunk), rows):
        yield chunk[offset : offset + rows], start + offset


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockShape:
    """What a block's other statistics are made of, `[position]`, float64.

    `top1` is the token of the highest logit, the first of those that tie; entropy is in nats,
    varentropy in their squares.
    """

    mean: Tensor
    highest: Tensor
    top1: Tensor
    log_sum_exp: Tensor
    entropy: Tensor
    varentropy: Tensor


class Columns:
    """One value of each statistic for every position, as the blocks come in."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, **columns: Tensor) -> None:
        """Take in a block's, each `[position]`."""
        for name, column in columns.items():
            self._parts[name].append(column)

    def joined(self) -> dict[str, Any]:
        """Name to the values of all positions."""
        return {name: tuple(torch.cat(parts).tolist()) for name, parts in self._parts.items()}


class Reduction:
    """The rows of one trace as they come in, block by block."""

    def __init__(self, read: TracedText, *, positions: int) -> None:
        assert len(read.written) == positions, "one token for each position"
        self._read = read
        self._columns = Columns()
        self._histograms: dict[str, Tensor] = {}

    def add_chunk(self, chunk: Tensor, start: int) -> None:
        """Take in the logits of a chunk, block by block; the first are of position `start`.

        Raises:
            MeasurementError: As `add`.
        """
        for part, at in blocks(chunk, start):
            self.add(part, at)

    def add(self, logits: Tensor, at: int) -> BlockShape:
        """Take in the logits of a block, `[position, vocab]`, the first of them of position `at`.

        Raises:
            MeasurementError: One of them is not a finite number.
        """
        shape = self.shape_of(logits, at)
        self._add_moments(logits, shape)
        self._add_probabilities(logits, shape, at)
        self._add_top(logits, shape)
        self._count("histogram", logits)
        self._count("centred_histogram", logits - shape.mean[:, None].to(logits.dtype))
        return shape

    def trace(self) -> LogitTrace:
        """Everything that came in."""
        columns = self._columns.joined()
        entropies = tuple(
            columns.pop(f"entropy at {temperature}")
            for temperature in self._read.entropy_temperatures
        )
        return LogitTrace(
            problem_id=self._read.problem_id,
            sample_index=self._read.sample_index,
            vocab_size=self._read.vocab_size,
            entropies_nats=entropies,
            histogram=histogram(self._histograms["histogram"]),
            centred_histogram=histogram(self._histograms["centred_histogram"]),
            **columns,
        )

    def shape_of(self, logits: Tensor, at: int) -> BlockShape:
        """What a block's statistics are made of; nothing is taken in.

        Raises:
            MeasurementError: As `add`.
        """
        mean = logits.sum(dim=1, dtype=torch.float64) / logits.shape[1]
        highest, top1 = logits.max(dim=1)  # the first of those that tie
        self._refuse_nonfinite(logits, mean, at)
        log_sum, entropy, varentropy = _log_prob_moments(logits - highest[:, None])
        return BlockShape(
            mean=mean,
            highest=highest.double(),
            top1=top1,
            log_sum_exp=highest.double() + log_sum,
            entropy=entropy,
            varentropy=varentropy,
        )

    def _add_moments(self, logits: Tensor, shape: BlockShape) -> None:
        away = logits.to(torch.float64, copy=True).sub_(shape.mean[:, None])
        square = away * away
        self._columns.add(
            mean=shape.mean,
            m2=square.sum(dim=1),
            m3=torch.linalg.vecdot(square, away),
            m4=torch.linalg.vecdot(square, square),
            zeros=(logits == 0).sum(dim=1),
        )

    def _add_probabilities(self, logits: Tensor, shape: BlockShape, at: int) -> None:
        tokens = torch.tensor(self._read.written[at : at + len(logits)], device=logits.device)
        chosen = logits.gather(1, tokens[:, None])
        for temperature in self._read.entropy_temperatures:
            less = logits - shape.highest[:, None].to(logits.dtype)
            self._columns.add(**{f"entropy at {temperature}": _softmax(less, temperature)[1]})
        self._columns.add(
            log_sum_exp=shape.log_sum_exp,
            entropy_nats=shape.entropy,
            varentropy_nats2=shape.varentropy,
            top1_token=shape.top1,
            top1_prob=(shape.highest - shape.log_sum_exp).exp(),
            written_rank=(logits > chosen).sum(dim=1) + 1,
            written_log_prob=chosen[:, 0].double() - shape.log_sum_exp,
        )

    def _add_top(self, logits: Tensor, shape: BlockShape) -> None:
        size = logits.shape[1]
        highest = logits.topk(min(_SORTED_AT_FIRST, size), dim=1).values
        top = highest.double()
        # As float32, like the sum that they are shares of: what is left is then exact.
        mass = (highest[:, :TOP_LOGITS] - highest[:, :1]).exp().double().cumsum(dim=1)
        mass = mass / (shape.log_sum_exp - shape.highest).exp()[:, None]
        cubes = (top[:, :FEW_LOGITS] - shape.mean[:, None]).pow(3)
        margin = top[:, 0] - top[:, 1] if size > 1 else torch.zeros_like(top[:, 0])
        kept = top[:, :TOP_LOGITS]
        mean = kept.mean(dim=1)
        away = kept - mean[:, None]
        self._columns.add(
            top1_margin_nats=margin,
            nucleus_size=_nucleus(logits, top, shape.log_sum_exp),
            top_mean=mean,
            top_m2=away.pow(2).sum(dim=1),
            top_m3=away.pow(3).sum(dim=1),
            top_m4=away.pow(4).sum(dim=1),
            top_zeros=(kept == 0).sum(dim=1),
            top10_prob=mass[:, :FEW_LOGITS][:, -1].clamp(max=1),
            top50_prob=mass[:, -1].clamp(max=1),
            top1_m3=cubes[:, 0],
            top10_m3=cubes.sum(dim=1),
        )

    def _count(self, name: str, values: Tensor) -> None:
        """Count values between the fixed edges; the first and last bin are for those outside."""
        place = values * (1 / HISTOGRAM_WIDTH) + (1 - HISTOGRAM_LOW / HISTOGRAM_WIDTH)
        place = place.clamp_(0, HISTOGRAM_BINS + 1).to(torch.int32).flatten()
        counts = torch.bincount(place, minlength=HISTOGRAM_BINS + 2)
        before = self._histograms.get(name)
        self._histograms[name] = counts if before is None else before + counts

    def _refuse_nonfinite(self, logits: Tensor, mean: Tensor, at: int) -> None:
        if bool(torch.isfinite(mean).all()):  # nan and infinity survive every sum
            return
        row = int(torch.isfinite(logits).all(dim=1).logical_not().int().argmax())
        wrong = logits[row][~torch.isfinite(logits[row])]
        raise MeasurementError(
            f"{self._read.name}: {len(wrong)} of {logits.shape[1]} logits are not finite numbers",
            problem=self._read.problem_id,
            position=f"token {at + row + 1} of the completion",
            found=", ".join(sorted({str(value) for value in wrong[:1000].tolist()})) or "overflow",
            hint="look at the weights; numbers too large for float16 fit into bfloat16 or float32: "
            "--dtype",
        )


def histogram(counts: Tensor) -> Histogram:
    """Counts with the two outer bins, `[bins + 2]`, as a record."""
    below, *inside, above = counts.tolist()
    return Histogram(
        low=HISTOGRAM_LOW, width=HISTOGRAM_WIDTH, counts=tuple(inside), below=below, above=above
    )


def _softmax(less: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-sum-exp and entropy, float64 `[position]`, of logits less their maximum."""
    scaled = less if temperature == 1 else less / temperature
    weight = scaled.exp()
    total = weight.sum(dim=1, dtype=torch.float64)
    log_sum = total.log()
    mean = weight.mul_(scaled).sum(dim=1, dtype=torch.float64) / total
    return log_sum, (log_sum - mean).clamp_(min=0)


def _log_prob_moments(less: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-sum-exp, entropy and varentropy, float64 `[position]`; takes the place of `less`.

    `less` are logits less their maximum, `[position, vocab]`; varentropy is the variance of -log p
    under p.
    """
    weight = less.exp()
    total = weight.sum(dim=1, dtype=torch.float64)
    log_sum = total.log()
    mean = (weight * less).sum(dim=1, dtype=torch.float64) / total
    away = less.sub_(mean[:, None].to(less.dtype))
    square = weight.mul_(away).mul_(away).sum(dim=1, dtype=torch.float64)
    return log_sum, (log_sum - mean).clamp_(min=0), square / total


def _nucleus(logits: Tensor, top: Tensor, log_sum_exp: Tensor) -> Tensor:
    """Fewest tokens with probability `NUCLEUS` together, int64 `[position]`."""
    mass = (top - log_sum_exp[:, None]).exp().cumsum(dim=1)
    size = (mass < NUCLEUS).sum(dim=1) + 1
    large = (mass[:, -1] < NUCLEUS).nonzero()[:, 0]
    if len(large):
        mass = (_falling(logits[large]).double() - log_sum_exp[large, None]).exp().cumsum(dim=1)
        # Rounding may keep even the sum of all tokens below the nucleus.
        size[large] = ((mass < NUCLEUS).sum(dim=1) + 1).clamp(max=logits.shape[1])
    return size


def _falling(values: Tensor) -> Tensor:
    """Rows sorted from the highest on; on a CPU by numpy, which is many times as fast as torch."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=1)).flip(1)
    return values.sort(dim=1, descending=True).values
