"""Shares of right samples by seed and problem, paired between arms under equal settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Decision
from emdiag.core.results import Amount, Interval, Remark
from emdiag.ledger.claims_file import Fairness
from emdiag.ledger.evidence import Evidence, Setting
from emdiag.ledger.fairness import fairness_of
from emdiag.measure.seed_summary import count_above
from emdiag.stats.intervals import of_share_arms

Rates = NDArray[np.float64]
"""Shares of right samples, `[seeds, problems]`."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms under one setting, on the problems that every checkpoint of both has.

    Attributes:
        problems: Without those that a checkpoint of either was trained on.
        left, right: `[seeds, problems]`; in the order of the arm's checkpoints.
        left_digests, right_digests: Of the checkpoints that were measured.
        samples: Of each problem, the fewest of any side.
    """

    setting: Setting
    problems: tuple[str, ...]
    left: Rates
    right: Rates
    left_digests: tuple[str, ...]
    right_digests: tuple[str, ...]
    samples: int
    fairness: Fairness

    @property
    def benchmark(self) -> str:
        """Its name."""
        return self.setting.benchmark

    @property
    def temperature(self) -> float:
        """Of sampling."""
        return self.setting.sampling.temperature

    @cached_property
    def difference(self) -> Amount:
        """Right minus left, in shares of 1; see `difference_of`."""
        return difference_of(self.left, self.right)


def pairs(
    evidence: Evidence, left: Arm, right: Arm, *, decision: Decision, benchmark: str | None = None
) -> list[Pair]:
    """One pair for each benchmark measured on both sides, by the benchmark's name.

    Of several settings, the one with as many samples as the rule asks for, then with most
    checkpoints, samples and problems.
    """
    low, high = decision.temperatures
    best: dict[str, tuple[tuple[int, int, int, int, str], Pair]] = {}
    for setting in evidence.measured_of(left).keys() & evidence.measured_of(right).keys():
        if benchmark not in (None, setting.benchmark):
            continue
        if not low <= setting.sampling.temperature <= high:
            continue
        pair = pair_under(evidence, (left, right), setting)
        if pair is None:
            continue
        seeds = len(pair.left) + len(pair.right)
        enough = min(pair.samples, decision.samples)
        worth = (enough, seeds, pair.samples, len(pair.problems), repr(setting))
        if setting.benchmark not in best or worth > best[setting.benchmark][0]:
            best[setting.benchmark] = (worth, pair)
    return [best[name][1] for name in sorted(best)]


def pair_under(
    evidence: Evidence,
    arms: tuple[Arm, Arm],
    setting: Setting,
    *,
    value: Callable[[list[bool]], float] = fmean,
) -> Pair | None:
    """Two arms that were both run under a setting, with any value of a problem's outcomes.

    None where they share fewer than two problems that neither was trained on.
    """
    sides = [evidence.measured_of(arm)[setting] for arm in arms]
    digests = [
        tuple(digest for digest in arm.digests if digest in side)
        for arm, side in zip(arms, sides, strict=True)
    ]
    all_outcomes = [side[d] for of, side in zip(digests, sides, strict=True) for d in of]
    measured = set.intersection(*(set(outcomes.problems) for outcomes in all_outcomes))
    shared = sorted(measured - evidence.trained_on(arms))
    if len(shared) < 2:
        return None
    rates = [
        np.array([[value(side[digest].correct[problem]) for problem in shared] for digest in of])
        for of, side in zip(digests, sides, strict=True)
    ]
    return Pair(
        setting=setting,
        problems=tuple(shared),
        left=rates[0],
        right=rates[1],
        left_digests=digests[0],
        right_digests=digests[1],
        samples=min(outcomes.samples for outcomes in all_outcomes),
        fairness=fairness_of(evidence, arms, settings=(setting, setting), problems=measured),
    )


def difference_of(left: Rates, right: Rates) -> Amount:
    """Mean of `right` minus mean of `left`, `[seeds, problems]` each.

    The interval is over problems, and over seeds where a side has several.
    """
    return Amount(float(right.mean() - left.mean()), of_share_arms([right], [left]))


def divided(interval: Interval | None, by: float) -> Interval | None:
    """Of a value over a number; below zero, the ends change places."""
    if interval is None:
        return None
    low, high = sorted((interval.low / by, interval.high / by))
    return msgspec.structs.replace(interval, low=low, high=high)


def mean_difference(of_benchmarks: Sequence[Pair]) -> Amount:
    """Mean over benchmarks of right minus left, each benchmark counted once.

    Several benchmarks count by the checkpoints measured on all of them; the interval is of
    problems drawn within each, and of seeds where a side has several.
    """
    if len(of_benchmarks) == 1:
        return of_benchmarks[0].difference
    left, right = _common(of_benchmarks, "left"), _common(of_benchmarks, "right")
    value = float(np.mean([r.mean() - b.mean() for b, r in zip(left, right, strict=True)]))
    return Amount(value, of_share_arms(right, left))


def seeds_above(of_benchmarks: Sequence[Pair], left: str) -> Remark:
    """How many seeds of the right side are above the mean of the left one, over benchmarks."""
    sides = [_common(of_benchmarks, side) for side in ("left", "right")]
    mean, of_seeds = (np.mean([rates.mean(axis=1) for rates in side], axis=0) for side in sides)
    return count_above(of_seeds - mean.mean()).remark(left)


def of_checkpoint(pair: Pair, digest: str) -> Pair:
    """The pair with one checkpoint of the right side alone; the first one where it was not run."""
    place = pair.right_digests.index(digest) if digest in pair.right_digests else 0
    alone = slice(place, place + 1)
    return replace(pair, right=pair.right[alone], right_digests=pair.right_digests[alone])


def _common(of_benchmarks: Sequence[Pair], side: str) -> list[Rates]:
    """Rates of the checkpoints that all benchmarks have, in the order of the first one's."""
    of_side = [(getattr(p, f"{side}_digests"), getattr(p, side)) for p in of_benchmarks]
    shared = [d for d in of_side[0][0] if all(d in digests for digests, _ in of_side)]
    if not shared:  # no checkpoint was measured on all: each benchmark's mean stands for its side
        return [rates.mean(axis=0, keepdims=True) for _, rates in of_side]
    return [rates[[digests.index(d) for d in shared]] for digests, rates in of_side]
