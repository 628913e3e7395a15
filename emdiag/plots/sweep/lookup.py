"""A sweep as its figures look things up in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from emdiag.core.results import Interval
from emdiag.core.temperature_sweep import (
    Axis,
    CoolingControl,
    SweepPoint,
    SweepSetting,
    TemperatureSweepResult,
)
from emdiag.plots.plain_text import arm_names
from emdiag.plots.style import Look, arm_looks

_NEUTRAL: Final[Mapping[Axis, float]] = {"temperature": 1.0, "top_p": 1.0, "top_k": 0.0}


@dataclass(frozen=True)
class SweepLookup:
    """A result and how its arms are shown."""

    result: TemperatureSweepResult

    @cached_property
    def looks(self) -> dict[str, Look]:
        """By label, in the order of the arms."""
        return arm_looks({arm.label: arm.stage for arm in self.result.arms})

    @cached_property
    def names(self) -> dict[str, str]:
        """By label: what may be written in a figure."""
        return arm_names([arm.label for arm in self.result.arms])

    @property
    def axis(self) -> Axis:
        """The axis of the curves."""
        return self.result.first_axis

    @cached_property
    def held(self) -> float | None:
        """The value of the second axis that curves are drawn at; None where there is one axis."""
        if len(self.result.axes) < 2:
            return None
        neutral = _NEUTRAL[self.result.axes[1]]
        values = {along(point.setting, self.result.axes[1]) for point in self.points}
        return min(values, key=lambda value: abs(value - neutral), default=neutral)

    @cached_property
    def points(self) -> list[SweepPoint]:
        """All but those of baselines."""
        return [point for point in self.result.points if not point.is_control]

    @cached_property
    def drawn(self) -> list[SweepPoint]:
        """Points of all curves, benchmark by benchmark."""
        return [
            point
            for benchmark in self.result.benchmarks
            for label in self.looks
            for point in self.curve(label, benchmark)
        ]

    @cached_property
    def places(self) -> dict[float, float]:
        """Settings of the first axis and where they are drawn; steps of top-k are equally wide."""
        values = self.values(self.axis)
        return dict(
            zip(values, range(len(values)) if self.axis == "top_k" else values, strict=True)
        )

    def curve(self, label: str, benchmark: str) -> list[SweepPoint]:
        """The points of an arm along the first axis, in order, the second one held."""
        points = [
            point
            for point in self.points
            if (point.checkpoint, point.benchmark) == (label, benchmark)
            and self._is_held(point.setting)
        ]
        return sorted(points, key=lambda point: self.places[along(point.setting, self.axis)])

    def values(self, axis: Axis) -> list[float]:
        """The settings tried along an axis, in order; top-k 0, all tokens, is the largest."""
        values = {along(point.setting, axis) for point in self.points}
        return sorted(values, key=lambda value: float("inf") if _is_all(axis, value) else value)

    def matched(self, benchmark: str) -> dict[str, list[CoolingControl]]:
        """Controls with an entropy-matched baseline by checkpoint, in the order of temperature."""
        ranked = sorted(self.result.controls, key=lambda control: control.temperature)
        by_label = {
            label: [c for c in ranked if (c.checkpoint, c.benchmark) == (label, benchmark)]
            for label in self.looks
        }
        matched = {label: [c for c in of if c.is_matched] for label, of in by_label.items()}
        return {label: controls for label, controls in matched.items() if controls}

    def baseline_interval(self, control: CoolingControl) -> Interval | None:
        """Of the accuracy of the entropy-matched baseline, if the result holds its point."""
        points = [
            point
            for point in self.result.points
            if (point.checkpoint, point.benchmark) == (control.base, control.benchmark)
            and point.setting.temperature == control.base_temperature
        ]
        kept = max(points, key=lambda p: (p.is_control, p.setting.top_p), default=None)
        return kept.accuracy.interval if kept else None

    def _is_held(self, setting: SweepSetting) -> bool:
        """Greedy answers are the same at any top-p and top-k, and may stand for all of them."""
        if self.held is None or setting.temperature == 0:
            return True
        return along(setting, self.result.axes[1]) == self.held


def along(setting: SweepSetting, axis: Axis) -> float:
    """The value of a setting on an axis, which is called as its field."""
    return float(getattr(setting, axis))


def value_name(axis: Axis, value: float) -> str:
    """Such as `0.6`; `all` for top-k 0."""
    return "all" if _is_all(axis, value) else f"{value:g}"


def _is_all(axis: Axis, value: float) -> bool:
    return axis == "top_k" and value == 0
