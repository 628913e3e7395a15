"""Moments, histograms that add up, and what is kept of the logits along one text."""

from __future__ import annotations

from math import sqrt

import msgspec

from emdiag.core.records import Record

HISTOGRAM_LOW = -50.0
HISTOGRAM_WIDTH = 0.25
HISTOGRAM_BINS = 400
"""Fixed edges, from -50 to 50 in quarters, so that histograms of any two texts can be added."""

NUCLEUS = 0.9
"""Probability that the nucleus holds."""

TOP_LOGITS = 50
"""Highest logits that have moments of their own; the published figure knows no others."""

FEW_LOGITS = 10
"""Highest logits whose probability and share of the third moment are kept."""

OVERLAP = 10
"""Highest logits whose overlap between checkpoints is counted."""

RANKED = 100
"""Tokens, the base's most likely ones, whose order is compared between checkpoints."""

RANK_BUCKETS = (
    *((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64)),
    *((65, 128), (129, 256), (257, 512), (513, 1024), (1025, None)),
)
"""First and last rank, at the base, of the tokens whose logit shift is averaged; None: the rest."""

KL_BUCKETS = ((1, 1), (2, 10), (11, 50), (51, 1000), (1001, None))
"""First and last rank, at the base, of the tokens whose part of the KL is kept; None: the rest."""


def rank_part(first: int, last: int | None) -> str:
    """What a bucket of ranks is called as a part, such as `rank 1`, `rank 2-10` or `rank 1001-`."""
    return f"rank {first}" if first == last else f"rank {first}-{last or ''}"


COOLING_TEMPERATURES = tuple(2 ** (quarter / 4) for quarter in range(-12, 9))
"""Temperatures of the base at which the KL divergence is read: 1/8 to 4, by quarters of octaves."""

EQUAL_FRAC = 1e-12
"""At most this share of the mean, a standard deviation is rounding."""


class Moments(Record, frozen=True, kw_only=True):
    """Count, mean and central power sums of a stream of values.

    Attributes:
        m2, m3, m4: Sums of the second, third and fourth powers of (value - mean).
    """

    count: int
    mean: float
    m2: float
    m3: float
    m4: float

    @property
    def is_constant(self) -> bool:
        """Whether all values are equal, up to rounding, so that there is no shape to speak of."""
        return self.m2 <= self.count * (EQUAL_FRAC * self.mean) ** 2

    @property
    def sigma(self) -> float | None:
        """Population standard deviation; None without values."""
        return sqrt(self.m2 / self.count) if self.count else None

    @property
    def skewness(self) -> float | None:
        """Population skewness g1, dimensionless; None where all values are equal."""
        return None if self.is_constant else self.m3 * sqrt(self.count / self.m2) / self.m2

    @property
    def excess_kurtosis(self) -> float | None:
        """Population excess kurtosis g2, 0 for a normal; None where all values are equal."""
        return None if self.is_constant else self.m4 * self.count / self.m2**2 - 3


class Histogram(Record, frozen=True, kw_only=True):
    """Counts between fixed edges; bin i holds values from `low + i * width` on.

    Attributes:
        below, above: Values outside of the edges.
    """

    low: float
    width: float
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0

    def merge(self, other: Histogram) -> Histogram:
        """Counts of both taken together; the edges must be the same."""
        assert (self.low, self.width, len(self.counts)) == (
            other.low,
            other.width,
            len(other.counts),
        ), "histograms of different edges do not add up"
        return msgspec.structs.replace(
            self,
            counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
            below=self.below + other.below,
            above=self.above + other.above,
        )

    @property
    def total(self) -> int:
        """All values counted."""
        return sum(self.counts) + self.below + self.above


class LogitTrace(Record, frozen=True, kw_only=True):
    """What is kept of one checkpoint's raw logits along one text.

    Every tuple without another remark has one value for each token of the completion, of the
    distribution that this token is drawn from. Sums run over the whole vocabulary.

    Attributes:
        mean, m2, m3, m4: Mean of the logits and central power sums.
        log_sum_exp: Logarithm of the sum of exponentials: log-probability is logit minus this.
        entropy_nats: At temperature 1, between 0 and log(vocab_size).
        entropies_nats: At the temperatures of the reading, one tuple for each.
        top1_token: The most likely token; the first of those that tie.
        top1_prob: Its probability.
        top1_margin_nats: Its logit minus the second one's.
        nucleus_size: Fewest tokens that together have probability `NUCLEUS`.
        written_rank: Of the token that was written; 1 is the most likely.
        written_log_prob: Of the token that was written, in nats.
        zeros: Logits that are exactly 0.
        top_mean, top_m2, top_m3, top_m4, top_zeros: The same for the `TOP_LOGITS` highest alone.
        centred_histogram: Of raw logits minus the mean of their position.
        varentropy_nats2: Variance of -log p under p, at temperature 1.
        top10_prob, top50_prob: Of the `FEW_LOGITS` and `TOP_LOGITS` most likely tokens together.
        top1_m3, top10_m3: What the most likely and the `FEW_LOGITS` most likely have of `m3`.
    """

    problem_id: str
    sample_index: int
    vocab_size: int
    mean: tuple[float, ...]
    m2: tuple[float, ...]
    m3: tuple[float, ...]
    m4: tuple[float, ...]
    log_sum_exp: tuple[float, ...]
    entropy_nats: tuple[float, ...]
    entropies_nats: tuple[tuple[float, ...], ...]
    top1_token: tuple[int, ...]
    top1_prob: tuple[float, ...]
    top1_margin_nats: tuple[float, ...]
    nucleus_size: tuple[int, ...]
    written_rank: tuple[int, ...]
    written_log_prob: tuple[float, ...]
    zeros: tuple[int, ...]
    top_mean: tuple[float, ...]
    top_m2: tuple[float, ...]
    top_m3: tuple[float, ...]
    top_m4: tuple[float, ...]
    top_zeros: tuple[int, ...]
    histogram: Histogram
    centred_histogram: Histogram
    varentropy_nats2: tuple[float, ...]
    top10_prob: tuple[float, ...]
    top50_prob: tuple[float, ...]
    top1_m3: tuple[float, ...]
    top10_m3: tuple[float, ...]


class PairTrace(Record, frozen=True, kw_only=True):
    """What is kept of a checkpoint beside the base, at the same positions of the same text.

    Tuples have one value for each token of the completion, unless said otherwise.

    Attributes:
        kl_nats: KL divergence of the base from the checkpoint: the checkpoint's mean of
            log p(checkpoint) - log p(base).
        reverse_kl_nats: The other way: the base's mean.
        js_nats: Jensen-Shannon divergence, between 0 and log 2.
        kendall_tau: Rank correlation (tau-b) of the base's `RANKED` most likely tokens; None where
            either side gives all of them the same logit.
        overlap_frac: Share of the `OVERLAP` highest logits that both have.
        cooling_temperature: The temperature of the base that has the least KL to the checkpoint at
            this position; None where it lies outside of `COOLING_TEMPERATURES`.
        cooled_kl_nats: KL left at that temperature (at the nearest end where it lies outside).
        reranking_kl_nats: Least KL from the checkpoint to any distribution that keeps the base's
            order among its `RANKED` most likely tokens, all others taken together: a lower bound
            of what needs another order.
        cooling_curve_nats: For each of `COOLING_TEMPERATURES`, KL to the base at that temperature,
            averaged over positions.
        shift_by_rank: For each of `RANK_BUCKETS`, checkpoint's logit minus base's, averaged over
            the bucket's tokens and over positions; None for a bucket beyond the vocabulary.
        kl_by_rank_nats: For each of `KL_BUCKETS`, what its tokens have of `kl_nats`, averaged over
            positions: the sum of p log(p / q) - p + q, p the checkpoint's and q the base's, which
            no token makes negative; None for a bucket beyond the vocabulary.
    """

    problem_id: str
    sample_index: int
    kl_nats: tuple[float, ...]
    reverse_kl_nats: tuple[float, ...]
    js_nats: tuple[float, ...]
    kendall_tau: tuple[float | None, ...]
    overlap_frac: tuple[float, ...]
    cooling_temperature: tuple[float | None, ...]
    cooled_kl_nats: tuple[float, ...]
    reranking_kl_nats: tuple[float, ...]
    cooling_curve_nats: tuple[float, ...]
    shift_by_rank: tuple[float | None, ...]
    kl_by_rank_nats: tuple[float | None, ...]


class ReadingSpec(Record, frozen=True, kw_only=True):
    """Everything that could change a trace, beside the text itself.

    Attributes:
        vocab_size: Logits counted at each position, from the first on.
        entropy_temperatures: Beside 1.
        revision: Of the statistics; raised when one changes.
    """

    checkpoint_digest: str
    dtype: str
    vocab_size: int
    entropy_temperatures: tuple[float, ...] = ()
    trust_remote_code: bool = False
    revision: int = 2


class PairSpec(Record, frozen=True, kw_only=True):
    """Everything that could change a pair trace, beside the text itself."""

    checkpoint: ReadingSpec
    base: ReadingSpec
