"""What else a page shows of an arm on a text: the decomposition, flips, histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from emdiag.core.logit_skew import (
    Decomposition,
    Finding,
    LogitQuantity,
    NamedHistogram,
    TopTokenFlow,
)
from emdiag.core.moments import COOLING_TEMPERATURES, Histogram
from emdiag.core.results import Interval, remark
from emdiag.measure.logit_estimates import EstimateTable
from emdiag.measure.logit_rows import ArmReadings, Mask, RowMaker, paired, spread_out
from emdiag.measure.logit_statistics import texts_to_problems
from emdiag.stats.curves import best_temperature
from emdiag.stats.jackknife import ratio_shape
from emdiag.stats.moments import histogram_of

FLOWS = 40
SKEWNESS_LOW, SKEWNESS_WIDTH, SKEWNESS_BINS = -10.0, 0.05, 1000
UNCHANGED_NATS = 1e-3
COOLING_ABOVE, NOT_COOLING_BELOW = 0.8, 0.2


def decomposition(table: EstimateTable, arm: ArmReadings) -> Decomposition | None:
    """What one temperature explains of the way from the base, with its rows; None without pairs."""
    if not arm.pairs or arm.base is None:
        return None
    rows, base = RowMaker(table, arm), arm.base
    kl, own, order = (
        np.stack([member.by_problem(pair.statistics[name]) for member, pair in paired(arm)])
        for name in ("kl_nats", "kl_after_own_temperatures_nats", "reranking_nats")
    )
    is_read: Mask = np.asarray(~np.isnan(kl).any(axis=0))
    curves = np.stack([texts_to_problems(pair.curves, base) for pair in arm.pairs])[:, is_read]
    best = best_temperature(curves, COOLING_TEMPERATURES)
    left = np.full_like(kl, np.nan)
    left[:, is_read] = best.kl_by_problem  # more than before, where it takes a problem farther
    rows.add("kl_after_cooling_nats", spread=left)
    logs = np.full_like(kl, np.nan)
    if best.log_temperature_pseudo is not None:
        logs[:, is_read] = best.log_temperature_pseudo
    rows.add(
        "cooling_temperature",
        spread=None if best.temperature is None else logs,
        value=best.temperature,
        log_scale=True,
        note=None if best.temperature else remark("no-closest-temperature"),
    )
    of_positions = np.stack(
        [member.by_problem(pair.log_temperatures) for member, pair in paired(arm)]
    )
    if not np.isnan(of_positions).all():
        rows.add("own_temperature", spread=of_positions, log_scale=True)
    means = [float(values[:, is_read].mean()) for values in (kl, left, own, order)]
    # Each set of distributions holds the one before, so only rounding can turn these around.
    means[1] = min(means[0], means[1])
    means[3] = min(means[1], means[3])
    share = None
    if means[0] > UNCHANGED_NATS:
        share = ratio_shape((kl - left)[:, is_read], kl[:, is_read])
    value, spread = spread_out(share, is_read, len(arm.members))
    note = None if share else remark("nothing-to-share", nats=UNCHANGED_NATS)
    rows.add("cooling_share", spread=spread, value=value, note=note)
    return Decomposition(
        checkpoint=arm.label,
        text=arm.text,
        temperature=best.temperature,
        kl_nats=means[0],
        cooling_nats=means[0] - means[1],
        reranking_nats=means[3],
        rest_nats=means[1] - means[3],
        own_temperatures_nats=max(0.0, means[0] - means[2]),
        curve_temperatures=COOLING_TEMPERATURES,
        curve_nats=tuple(curves.mean(axis=(0, 1)).tolist()),
        finding="undecided",
    )


def finding(kl_nats: float, share: Interval | None) -> Finding:
    """What the share of KL that one temperature explains says; see `core.logit_skew.Finding`."""
    if kl_nats < UNCHANGED_NATS:
        return "unchanged"
    if share is None:
        return "undecided"
    if share.low > COOLING_ABOVE:
        return "cooling"
    if share.high < NOT_COOLING_BELOW:
        return "not cooling"
    if share.low > NOT_COOLING_BELOW and share.high < COOLING_ABOVE:
        return "partly cooling"
    return "undecided"


def flows(arm: ArmReadings, decode: Callable[[Sequence[int]], str]) -> list[TopTokenFlow]:
    """The most frequent changes of the most likely token, over all seeds."""
    if not arm.pairs or arm.base is None:
        return []
    counted: Counter[tuple[int, int]] = Counter()
    for member in arm.members:
        changed = member.top1 != arm.base.top1
        before, after = arm.base.top1[changed].tolist(), member.top1[changed].tolist()
        counted.update(zip(before, after, strict=True))
    return [
        TopTokenFlow(
            checkpoint=arm.label,
            text=arm.text,
            from_token=decode([before]),
            to_token=decode([after]),
            count=count,
            share=count / arm.tokens,
        )
        for (before, after), count in counted.most_common(FLOWS)
    ]


def histograms(arm: ArmReadings) -> list[NamedHistogram]:
    """Counts of logits, of logits less their position's mean, and of per-token skewness."""
    skewness = np.concatenate([member.statistics["skewness"] for member in arm.members])
    raw, centred = arm.members[0].histogram, arm.members[0].centred
    for member in arm.members[1:]:
        raw, centred = raw.merge(member.histogram), centred.merge(member.centred)
    per_token = histogram_of(
        skewness[~np.isnan(skewness)], low=SKEWNESS_LOW, width=SKEWNESS_WIDTH, bins=SKEWNESS_BINS
    )
    quantities: dict[LogitQuantity, Histogram] = {
        "logits": raw,
        "centred logits": centred,
        "per-token skewness": per_token,
    }
    return [
        NamedHistogram(checkpoint=arm.label, text=arm.text, quantity=name, histogram=histogram)
        for name, histogram in quantities.items()
    ]
