"""What else a page shows of an arm on a text: the decomposition, flips, histograms."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from emdiag.core.logit_skew import Decomposition, NamedHistogram, TopTokenFlow
from emdiag.core.moments import COOLING_TEMPERATURES
from emdiag.measure.logit_statistics import texts_to_problems
from emdiag.stats.cooling import best_temperature
from emdiag.stats.jackknife import ratio_shape
from emdiag.stats.moments import histogram_of
from emdiag.studies.logits.statistics import Mask, RowMaker, Seen, paired, spread_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.core.logit_skew import Finding, LogitQuantity
    from emdiag.core.moments import Histogram
    from emdiag.core.results import Interval
    from emdiag.studies.logits.estimates import Sheet

FLOWS = 40
SKEWNESS_LOW, SKEWNESS_WIDTH, SKEWNESS_BINS = -10.0, 0.05, 1000
UNCHANGED_NATS = 1e-3
COOLING_ABOVE, NOT_COOLING_BELOW = 0.8, 0.2


def decomposition(sheet: Sheet, seen: Seen) -> Decomposition | None:
    """What one temperature explains of the way from the base, with its rows; None without pairs."""
    if not seen.pairs or seen.base is None:
        return None
    rows, base = RowMaker(sheet, seen), seen.base
    kl, own, order = (
        np.stack([one.by_problem(pair.statistics[name]) for one, pair in paired(seen)])
        for name in ("kl_nats", "kl_after_own_temperatures_nats", "reranking_nats")
    )
    there: Mask = np.asarray(~np.isnan(kl).any(axis=0))
    curves = np.stack([texts_to_problems(pair.curves, base) for pair in seen.pairs])[:, there]
    best = best_temperature(curves, COOLING_TEMPERATURES)
    left = np.full_like(kl, np.nan)
    left[:, there] = best.kl_by_problem  # more than before, where it takes a problem farther
    rows.add("kl_after_cooling_nats", spread=left)
    logs = np.full_like(kl, np.nan)
    if best.log_temperature_pseudo is not None:
        logs[:, there] = best.log_temperature_pseudo
    rows.add(
        "cooling_temperature",
        spread=None if best.temperature is None else logs,
        value=best.temperature,
        log_scale=True,
        note=None if best.temperature else "no temperature from 1/8 to 4 comes closest",
    )
    of_positions = np.stack([one.by_problem(pair.log_temperatures) for one, pair in paired(seen)])
    if not np.isnan(of_positions).all():
        rows.add("own_temperature", spread=of_positions, log_scale=True)
    means = [float(values[:, there].mean()) for values in (kl, left, own, order)]
    # Each set of distributions holds the one before, so only rounding can turn these around.
    means[1] = min(means[0], means[1])
    means[3] = min(means[1], means[3])
    share = None
    if means[0] > UNCHANGED_NATS:
        share = ratio_shape((kl - left)[:, there], kl[:, there])
    value, spread = spread_out(share, there, len(seen.members))
    note = None if share else f"the KL is below {UNCHANGED_NATS:g} nats: there is nothing to share"
    rows.add("cooling_share", spread=spread, value=value, note=note)
    return Decomposition(
        checkpoint=seen.label,
        text=seen.text,
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


def flows(seen: Seen, decode: Callable[[Sequence[int]], str]) -> list[TopTokenFlow]:
    """The most frequent changes of the most likely token, over all seeds."""
    if not seen.pairs or seen.base is None:
        return []
    counted: Counter[tuple[int, int]] = Counter()
    for one in seen.members:
        changed = one.top1 != seen.base.top1
        before, after = seen.base.top1[changed].tolist(), one.top1[changed].tolist()
        counted.update(zip(before, after, strict=True))
    return [
        TopTokenFlow(
            checkpoint=seen.label,
            text=seen.text,
            from_token=decode([before]),
            to_token=decode([after]),
            count=count,
            share=count / seen.tokens,
        )
        for (before, after), count in counted.most_common(FLOWS)
    ]


def histograms(seen: Seen) -> list[NamedHistogram]:
    """Counts of logits, of logits less their position's mean, and of per-token skewness."""
    skewness = np.concatenate([one.statistics["skewness"] for one in seen.members])
    raw, centred = seen.members[0].histogram, seen.members[0].centred
    for one in seen.members[1:]:
        raw, centred = raw.merge(one.histogram), centred.merge(one.centred)
    per_token = histogram_of(
        skewness[~np.isnan(skewness)],
        low=SKEWNESS_LOW,
        width=SKEWNESS_WIDTH,
        bins=SKEWNESS_BINS,
    )
    quantities: dict[LogitQuantity, Histogram] = {
        "logits": raw,
        "centred logits": centred,
        "per-token skewness": per_token,
    }
    return [
        NamedHistogram(checkpoint=seen.label, text=seen.text, quantity=name, histogram=found)
        for name, found in quantities.items()
    ]
