"""The control: the base at the temperature where its entropy is that of another checkpoint."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.results import Interval
from emdiag.core.temperature_sweep import CoolingControl, CoolingVerdict
from emdiag.stats.comparisons import holm
from emdiag.stats.curves import place_of
from emdiag.stats.families import p_of_mean
from emdiag.stats.intervals import of_share_arms
from emdiag.studies.sweep.plan import MARGIN
from emdiag.studies.sweep.points import MeasuredPoint

TOLERANCE_FRAC, LEAST_TOLERANCE_NATS = 0.02, 0.0005
"""Two entropies are equal within this share of them, or within this many nats if that is more."""

LOWEST, HIGHEST = 0.01, 2.0
"""Temperatures of the base that are tried besides greedy decoding; engines refuse others."""

ROUNDS = 4
"""How often new temperatures of the base are tried at most."""

_DIGITS = 3  # of a temperature, so that equal searches make equal runs


@dataclass(kw_only=True)
class BaseCurve:
    """The base on one benchmark at every temperature measured so far; greedy may be missing."""

    points: dict[float, MeasuredPoint] = field(default_factory=dict)

    def entropies(self) -> dict[float, float]:
        """Temperature to mean entropy, in nats; greedy decoding has none at all."""
        measured = {
            temperature: point.entropy_nats
            for temperature, point in self.points.items()
            if point.entropy is not None
        }
        return {0.0: 0.0, **measured}

    def falls_somewhere(self) -> bool:
        """Whether entropy goes down from one measured temperature to the next, beyond noise."""
        heights = [height for _, height in sorted(self.entropies().items())]
        return any(
            before - after > TOLERANCE_FRAC * before
            for before, after in itertools.pairwise(heights)
        )

    def nearest(self, entropy_nats: float) -> float:
        """The temperature measured whose entropy is nearest."""
        curve = {t: entropy for t, entropy in self.entropies().items() if t in self.points}
        return min(curve, key=lambda temperature: abs(curve[temperature] - entropy_nats))


def match_entropies(
    targets: Mapping[str, Sequence[MeasuredPoint]],
    curves: Mapping[str, BaseCurve],
    *,
    measure: Callable[[Mapping[str, Sequence[float]]], Mapping[str, Mapping[float, MeasuredPoint]]],
) -> None:
    """Measure the base where its entropy should equal each target's, until it does.

    Every round interpolates the curve measured so far, and asks for all new temperatures of all
    targets at once, so that weights are loaded once a round. What is measured, benchmark to
    temperature to point, is added to the curves.
    """
    for _ in range(ROUNDS):
        wanted = {
            benchmark: temperatures
            for benchmark, of_benchmark in targets.items()
            if (temperatures := sorted(_next_temperatures(of_benchmark, curves[benchmark])))
        }
        if not wanted:
            return
        for benchmark, points in measure(wanted).items():
            curves[benchmark].points.update(points)


def _next_temperatures(targets: Sequence[MeasuredPoint], curve: BaseCurve) -> set[float]:
    """Where to measure next; nothing for a target that is matched or out of reach."""
    entropies = curve.entropies()
    temperatures = set()
    for target in targets:
        nearest = min(entropies, key=lambda place: abs(entropies[place] - target.entropy_nats))
        if abs(entropies[nearest] - target.entropy_nats) <= _tolerance(target):
            temperature = nearest
        elif target.entropy_nats > max(entropies.values()):
            temperature = HIGHEST
        else:
            place = place_of(target.entropy_nats, entropies)
            temperature = LOWEST if place is None else round(max(place, LOWEST), _DIGITS)
        if temperature not in curve.points:
            temperatures.add(temperature)
    return temperatures


def _tolerance(target: MeasuredPoint) -> float:
    return max(TOLERANCE_FRAC * target.entropy_nats, LEAST_TOLERANCE_NATS)


def control_of(target: MeasuredPoint, curve: BaseCurve, *, base: str) -> CoolingControl:
    """A checkpoint against the base at equal entropy, or at the nearest entropy measured."""
    entropies = curve.entropies()
    temperature = curve.nearest(target.entropy_nats)
    baseline = curve.points[temperature]
    point = target.point
    difference = _mean(target.accuracy) - _mean(baseline.accuracy)
    bound = MARGIN if difference > 0 else -MARGIN
    is_matched = abs(entropies[temperature] - target.entropy_nats) <= _tolerance(target)
    return CoolingControl(
        checkpoint=point.checkpoint,
        base=base,
        benchmark=point.benchmark,
        temperature=point.setting.temperature,
        base_temperature=temperature,
        entropy_nats=target.entropy_nats,
        base_entropy_nats=entropies[temperature],
        tolerance_nats=_tolerance(target),
        tried=tuple(sorted(curve.points)),
        is_matched=is_matched,
        value=_mean(target.accuracy),
        base_value=_mean(baseline.accuracy),
        difference=difference,
        interval=of_share_arms([target.accuracy], [baseline.accuracy]),
        verdict="undecided",
        p_value=p_of_mean(target.accuracy, baseline.accuracy + bound) if is_matched else None,
    )


def with_verdicts(controls: Sequence[CoolingControl]) -> list[CoolingControl]:
    """The same controls with their verdicts, one of each checkpoint and benchmark the headline.

    All tests of a sweep against the margin are one family (Holm).
    """
    nearest: dict[tuple[str, str], CoolingControl] = {}
    ranked = sorted(controls, key=lambda c: (round(abs(c.temperature - 1), 9), c.temperature))
    for control in ranked:
        nearest.setdefault((control.benchmark, control.checkpoint), control)
    headlines = {id(control) for control in nearest.values()}
    corrected = iter(holm([c.p_value for c in controls if c.p_value is not None]))
    tests = [None if control.p_value is None else next(corrected) for control in controls]
    return [
        msgspec.structs.replace(
            control,
            is_headline=id(control) in headlines,
            p_holm=p_holm,
            verdict=_verdict(control.interval, p_holm) if control.is_matched else "undecided",
        )
        for control, p_holm in zip(controls, tests, strict=True)
    ]


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _verdict(interval: Interval | None, p_holm: float | None) -> CoolingVerdict:
    if interval is None:
        return "undecided"
    is_tested = p_holm is not None and p_holm < 1 - interval.level
    if interval.low > MARGIN:
        return "more than cooling" if is_tested else "undecided"
    if interval.high < -MARGIN:
        return "less than cooling" if is_tested else "undecided"
    if interval.low > -MARGIN and interval.high < MARGIN:
        return "cooling"
    return "undecided"
