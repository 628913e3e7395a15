"""Traces to statistics of every position, and positions to one value for each problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emdiag.core.moments import TOP_LOGITS, Histogram, LogitTrace, Moments, PairTrace
from emdiag.stats.moments import MomentColumns, decile_of

FORKING_FRAC = 0.2
"""Share of positions, those with the most entropy, that count as forking tokens.

Source: Wang et al. 2025, arXiv:2506.01939."""

_KEPT = (
    *("top1_prob", "top10_prob", "top50_prob", "varentropy_nats2", "top1_margin_nats"),
    *("nucleus_size", "written_rank", "written_log_prob"),
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Every position of one set of texts as one checkpoint reads it, text after text.

    Attributes:
        problems: Ids, in the order of the study.
        problem: Which of them each position belongs to, `[position]`.
        text: Which text each position belongs to, `[position]`.
        offset: Place in its text, from 0, `[position]`.
        decile: Tenth of its text, 1 to 10, `[position]`.
        statistics: Name to one value for each position, `[position]`; nan where not defined.
        moments: Of all logits of each position.
        top: Of the `TOP_LOGITS` highest.
        zeros, top_zeros: Logits that are exactly 0, of all and of the highest, `[position]`.
        skewness_of_top: What the most likely token and the ten most likely have of the skewness at
            each position, `[position]` each; nan where all logits are equal.
        top1: Most likely tokens, `[position]`.
        log_sum_exp: `[position]`.
        histogram, centred: Of all positions together.
    """

    problems: tuple[str, ...]
    problem: NDArray[np.int64]
    text: NDArray[np.int64]
    offset: NDArray[np.int64]
    decile: NDArray[np.int64]
    statistics: Mapping[str, Floats]
    moments: MomentColumns
    top: MomentColumns
    zeros: NDArray[np.int64]
    top_zeros: NDArray[np.int64]
    skewness_of_top: tuple[Floats, Floats]
    top1: NDArray[np.int64]
    log_sum_exp: Floats
    histogram: Histogram
    centred: Histogram

    def __len__(self) -> int:
        return len(self.problem)

    def by_problem(self, values: Floats, *, only: NDArray[np.bool_] | None = None) -> Floats:
        """Mean of defined values over a problem's positions, `[problem]`; nan without any."""
        counted = ~np.isnan(values) if only is None else only & ~np.isnan(values)
        size = len(self.problems)
        sums = np.bincount(self.problem[counted], values[counted], minlength=size)
        counts = np.bincount(self.problem[counted], minlength=size)
        means: Floats = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
        return means

    def by_text(self, values: Floats) -> Floats:
        """Mean over each text's positions, `[text]`."""
        means: Floats = np.bincount(self.text, values) / np.bincount(self.text)
        return means

    def pooled(self, columns: MomentColumns) -> list[Moments]:
        """Moments of all values of each problem, in the order of `problems`."""
        return [
            columns.select(self.problem == number).pooled() for number in range(len(self.problems))
        ]


def positions_of(
    traces: Sequence[LogitTrace], *, problems: Sequence[str], temperatures: Sequence[float] = ()
) -> Positions:
    """All positions of one trace or more, in their order.

    Problems are in the order of the study; one without a trace has no positions.
    """
    places = {name: number for number, name in enumerate(problems)}
    lengths = [len(trace.mean) for trace in traces]
    size = traces[0].vocab_size
    moments = _columns(traces, "", size)
    lse = _joined(traces, "log_sum_exp")
    entropy = _joined(traces, "entropy_nats")
    statistics = {
        "mean": moments.mean,
        "sigma": moments.sigma(),
        "skewness": moments.skewness(),
        "excess_kurtosis": moments.excess_kurtosis(),
        "log_prob_mean": moments.mean - lse,
        "entropy_nats": entropy,
        "effective_vocabulary": np.exp(entropy),
        # KL from the uniform distribution to the model's.
        "self_certainty_nats": lse - moments.mean - np.log(size),
    }
    for name in _KEPT:
        statistics[name] = _joined(traces, name)
    statistics["tail_prob"] = (
        1 - statistics["top50_prob"] if size > TOP_LOGITS else np.zeros(len(lse))
    )
    for number, temperature in enumerate(temperatures):
        values = [np.array(trace.entropies_nats[number]) for trace in traces]
        statistics[f"entropy_nats_at_{temperature:g}"] = np.concatenate(values)
    histogram, centred = traces[0].histogram, traces[0].centred_histogram
    for trace in traces[1:]:
        histogram = histogram.merge(trace.histogram)
        centred = centred.merge(trace.centred_histogram)
    return Positions(
        problems=tuple(problems),
        problem=np.repeat([places[trace.problem_id] for trace in traces], lengths),
        text=np.repeat(np.arange(len(traces)), lengths),
        offset=np.concatenate([np.arange(length) for length in lengths]),
        decile=np.concatenate([decile_of(length) for length in lengths]),
        statistics=statistics,
        moments=moments,
        top=_columns(traces, "top_", min(size, TOP_LOGITS)),
        zeros=_joined(traces, "zeros").astype(np.int64),
        top_zeros=_joined(traces, "top_zeros").astype(np.int64),
        skewness_of_top=(
            replace(moments, m3=_joined(traces, "top1_m3")).skewness(),
            replace(moments, m3=_joined(traces, "top10_m3")).skewness(),
        ),
        top1=_joined(traces, "top1_token").astype(np.int64),
        log_sum_exp=lse,
        histogram=histogram,
        centred=centred,
    )


@dataclass(frozen=True, kw_only=True)
class PairStatistics:
    """What a checkpoint is beside the base, on the same positions.

    Attributes:
        statistics: Name to one value for each position, `[position]`; nan where not defined.
        log_temperatures: Logarithm of the base's best temperature at each position, `[position]`;
            nan where it lies outside of those tried.
        curves: KL to the base at each of `COOLING_TEMPERATURES`, `[text, temperature]`.
        log_prob_shift, centred_shift: By the base's rank, `[text, bucket]`; the shift of
            log-probabilities, and that of logits less the shift of the vocabulary's mean. Nan for
            a bucket beyond the vocabulary.
        kl_by_rank: Parts of the KL by the base's rank, `[text, bucket]`; nan likewise.
    """

    statistics: Mapping[str, Floats]
    log_temperatures: Floats
    curves: Floats
    log_prob_shift: Floats
    centred_shift: Floats
    kl_by_rank: Floats


def pair_statistics(
    pairs: Sequence[PairTrace], *, own: Positions, base: Positions
) -> PairStatistics:
    """Figures of pair traces, of the same texts in the same order as both readings."""
    statistics = {
        "kl_nats": _joined(pairs, "kl_nats"),
        "reverse_kl_nats": _joined(pairs, "reverse_kl_nats"),
        "js_nats": _joined(pairs, "js_nats"),
        "top1_flips_frac": (own.top1 != base.top1).astype(np.float64),
        "kendall_tau": _joined(pairs, "kendall_tau"),
        "overlap_frac": _joined(pairs, "overlap_frac"),
        "kl_after_own_temperatures_nats": _joined(pairs, "cooled_kl_nats"),
        "reranking_nats": _joined(pairs, "reranking_kl_nats"),
    }
    shifts = np.array([trace.shift_by_rank for trace in pairs], dtype=np.float64)  # None is nan
    of_mean = own.by_text(own.statistics["mean"] - base.statistics["mean"])
    of_log_sum = own.by_text(own.log_sum_exp - base.log_sum_exp)
    return PairStatistics(
        statistics=statistics,
        log_temperatures=np.log(_joined(pairs, "cooling_temperature")),
        curves=np.array([trace.cooling_curve_nats for trace in pairs]),
        log_prob_shift=shifts - of_log_sum[:, None],
        centred_shift=shifts - of_mean[:, None],
        kl_by_rank=np.array([trace.kl_by_rank_nats for trace in pairs], dtype=np.float64),
    )


def forking(readings: Sequence[Positions]) -> NDArray[np.bool_]:
    """Where checkpoints together are most undecided: `FORKING_FRAC` of positions, ties included.

    The readings are of the same text, the base among them. Where the base alone chose, noise would
    make every other checkpoint more certain there: its own highest positions hold its own noise.
    """
    entropy = np.mean([reading.statistics["entropy_nats"] for reading in readings], axis=0)
    chosen: NDArray[np.bool_] = entropy >= np.quantile(entropy, 1 - FORKING_FRAC)
    return chosen


def texts_to_problems(values: Floats, base: Positions) -> Floats:
    """Figures of texts, `[text, ...]`, to statistics of problems, weighted by positions.

    Nan where a problem has no text.
    """
    lengths = np.bincount(base.text)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    owner = base.problem[first]
    size = len(base.problems)
    weights = np.zeros((size, len(lengths)))
    weights[owner, np.arange(len(lengths))] = lengths
    totals = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, totals, out=np.full_like(weights, np.nan), where=totals > 0)
    means: Floats = weights @ values
    return means


def _columns(traces: Sequence[LogitTrace], prefix: str, count: int) -> MomentColumns:
    mean, *powers = (_joined(traces, prefix + name) for name in ("mean", "m2", "m3", "m4"))
    return MomentColumns(
        count=np.full(len(mean), count), mean=mean, m2=powers[0], m3=powers[1], m4=powers[2]
    )


def _joined(traces: Sequence[LogitTrace] | Sequence[PairTrace], name: str) -> Floats:
    """One column of all traces; None becomes nan."""
    return np.concatenate([np.array(getattr(trace, name), dtype=np.float64) for trace in traces])
