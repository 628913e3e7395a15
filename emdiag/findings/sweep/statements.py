"""What a temperature sweep says: trends, differences of slopes, and entropy-matched baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emdiag.core.results import Amount, Direction, Remark, remark
from emdiag.core.temperature_sweep import (
    Axis,
    CoolingControl,
    CoolingVerdict,
    Slope,
    SlopeDifference,
    SweepPoint,
    TemperatureSweepResult,
    Trend,
)
from emdiag.findings.numbers import (
    listed,
    percent,
    setting,
)
from emdiag.findings.page import Statement, Tone, statement
from emdiag.findings.remarks import words_of


@dataclass(frozen=True, kw_only=True)
class AxisWords:
    """What an axis is called: in a sentence, in a unit or a cell, and below a figure."""

    name: str
    symbol: str
    label: str

    @property
    def unit(self) -> str:
        """Of a slope along this axis."""
        return f"points per unit of {self.symbol}"


AXES: Final[Mapping[Axis, AxisWords]] = {
    "temperature": AxisWords(name="temperature", symbol="T", label="sampling temperature T"),
    "top_p": AxisWords(name="top-p", symbol="top-p", label="top-p"),
    "top_k": AxisWords(name="top-k", symbol="top-k", label="top-k"),
}
_TRENDS: Final[Mapping[Trend, tuple[str, Direction, Tone]]] = {
    "falls": ("falls", "lower", "worse"),
    "rises": ("rises", "higher", "better"),
    "undecided": ("shows no clear trend", "undecided", "undecided"),
}
_VERDICTS: Final[Mapping[CoolingVerdict, tuple[str, Direction, Tone]]] = {
    "more than cooling": ("more", "higher", "better"),
    "cooling": ("no more", "undecided", "plain"),
    "less than cooling": ("less", "lower", "worse"),
    "undecided": ("undecided", "undecided", "undecided"),
}
"""Words, direction and tone."""


def statements(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Trends, then slopes that differ, then baselines; accuracies where there is nothing else."""
    findings = (*trends(result), *different_slopes(result), *baselines(result))
    return findings or accuracies(result)


def answers(result: TemperatureSweepResult, most: int) -> tuple[Statement, ...]:
    """At most so many: some of each kind, taken in turn."""
    groups = (trends(result), baselines(result), different_slopes(result))
    turns = sorted(
        (turn, index) for index, group in enumerate(groups) for turn in range(len(group))
    )
    chosen = sorted((index, turn) for turn, index in turns[:most])
    return tuple(groups[index][turn] for index, turn in chosen) or accuracies(result)[:most]


def trends(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Of every slope, those of the base last."""
    ordered = sorted(result.slopes, key=lambda slope: slope.checkpoint == result.base)
    return tuple(trend(slope) for slope in ordered)


def trend(slope: Slope) -> Statement:
    """Whether accuracy falls or rises along an axis."""
    _, direction, tone = _TRENDS[slope.trend]
    subject = f"{slope.checkpoint} on {slope.benchmark}"
    sentence = words_of(trend_remark(slope))
    return statement(sentence, "trend", subject, of=slope, direction=direction, tone=tone)


def trend_remark(slope: Slope) -> Remark:
    """The facts of this statement."""
    return remark(
        "trend", checkpoint=slope.checkpoint, benchmark=slope.benchmark, trend=slope.trend,
        axis=slope.axis, slope=Amount(slope.value, slope.interval),
    )  # fmt: skip


def trends_by_checkpoint(result: TemperatureSweepResult, axis: Axis) -> tuple[Statement, ...]:
    """A statement for each checkpoint, in which the trends of several benchmarks are counted.

    Where no line was fitted along this axis, the range of accuracies.
    """
    return tuple(
        _counted_trends(slopes) if len(slopes) > 1 else trend(slopes[0])
        for label in _base_last(result)
        if (slopes := [s for s in result.slopes if (s.checkpoint, s.axis) == (label, axis)])
    ) or (accuracy_range(result),)


def _counted_trends(slopes: Sequence[Slope]) -> Statement:
    label, axis = slopes[0].checkpoint, AXES[slopes[0].axis]
    names = [slope.trend for slope in slopes]
    counts = ", ".join(
        f"{words} on {names.count(name)}" for name, (words, *_) in _TRENDS.items() if name in names
    )
    words = f"Accuracy of {label} {counts} of {len(slopes)} benchmarks with {axis.name}"
    return statement(words, "trends", label)


def different_slopes(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Of every pair whose slopes differ significantly, EM against RL first."""
    stages = {arm.label: arm.stage for arm in result.arms}
    pairs = [pair for pair in result.slope_differences if pair.direction != "undecided"]
    pairs.sort(key=lambda pair: {stages.get(pair.left), stages.get(pair.right)} != {"em", "rl"})
    return tuple(slope_difference(pair) for pair in pairs)


def slope_difference(pair: SlopeDifference) -> Statement:
    """Whether the slopes of two checkpoints differ."""
    subject, sentence = (
        f"{pair.left} and {pair.right} on {pair.benchmark}",
        words_of(slope_remark(pair)),
    )
    return statement(sentence, "slope difference", subject, of=pair, direction=pair.direction)


def slope_remark(pair: SlopeDifference) -> Remark:
    """The facts of this statement."""
    return remark(
        "slope-difference", left=pair.left, right=pair.right, benchmark=pair.benchmark,
        direction=pair.direction, axis=pair.axis, p_holm=pair.p_holm,
        difference=Amount(pair.value, pair.interval),
    )  # fmt: skip


def baselines(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Of every checkpoint and benchmark against its entropy-matched baseline."""
    return tuple(
        baseline(control, [c for c in result.controls if _side(c) == _side(control)])
        for control in result.controls
        if control.is_headline
    )


def _side(control: CoolingControl) -> tuple[str, str]:
    return control.checkpoint, control.benchmark


def baseline(control: CoolingControl, controls: Sequence[CoolingControl] = ()) -> Statement:
    """Whether a checkpoint is more accurate than its base at equal entropy.

    Verdicts of `controls`, of the same checkpoint at other temperatures, are named.
    """
    words = words_of(baseline_remark(control)) + _at_other_temperatures(control, controls)
    subject = f"{control.checkpoint} on {control.benchmark}"
    of = Amount(control.difference, control.interval) if control.is_matched else None
    _, direction, tone = _VERDICTS[control.verdict]
    return statement(words, "entropy-matched", subject, of=of, direction=direction, tone=tone)


def baseline_remark(control: CoolingControl) -> Remark:
    """The facts of this statement."""
    if not control.is_matched:
        return remark(
            "no-equal-entropy", checkpoint=control.checkpoint, benchmark=control.benchmark,
            temperature=control.temperature, entropy_nats=control.entropy_nats, base=control.base,
            base_temperature=control.base_temperature,
            base_entropy_nats=control.base_entropy_nats,
        )  # fmt: skip
    return remark(
        "at-equal-entropy", checkpoint=control.checkpoint, benchmark=control.benchmark,
        temperature=control.temperature, base=control.base,
        base_temperature=control.base_temperature, verdict=control.verdict,
        difference=Amount(control.difference, control.interval),
    )  # fmt: skip


def _explained(verdict: CoolingVerdict) -> str:
    if verdict == "undecided":
        return "undecided whether it is more than cooling"
    return f"{_VERDICTS[verdict][0]} than cooling"


def _at_other_temperatures(control: CoolingControl, controls: Sequence[CoolingControl]) -> str:
    """Such as `; also more at T 0.4 and 0.6, less at T 0.2`."""
    parts = []
    for verdict, (words, *_) in _VERDICTS.items():
        temperatures = [
            setting(other.temperature)
            for other in controls
            if other.verdict == verdict and other.temperature != control.temperature
        ]
        if temperatures:
            also = "also " if verdict == control.verdict else ""
            parts.append(f"{also}{words} at T {listed(temperatures)}")
    return f"; {', '.join(parts)}" if parts else ""


def baselines_by_checkpoint(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """A statement for each checkpoint, in which the verdicts of several benchmarks are counted."""
    if len({control.benchmark for control in result.controls}) < 2:
        return baselines(result)
    return tuple(
        _counted_verdicts(controls)
        for label in _base_last(result)
        if (controls := [c for c in result.controls if c.checkpoint == label])
    )


def _counted_verdicts(controls: Sequence[CoolingControl]) -> Statement:
    verdicts = [control.verdict for control in controls]
    counts = ", ".join(
        f"{_explained(verdict)} in {verdicts.count(verdict)}"
        for verdict in _VERDICTS
        if verdict in verdicts
    )
    label = controls[0].checkpoint
    words = (
        f"{label} against its entropy-matched baselines: {counts} of {len(controls)} comparisons"
    )
    return statement(words, "entropy-matched", label)


def accuracies(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Of every point, where there is nothing else to say."""
    return tuple(_accuracy(point) for point in result.points if not point.is_control)


def _accuracy(point: SweepPoint) -> Statement:
    subject, accuracy = f"{point.checkpoint} on {point.benchmark}", point.accuracy
    amount = percent(accuracy.value, accuracy.interval)
    words = f"Accuracy of {subject}, {point.setting.words()}: {amount}"
    return statement(words, "score", subject, of=accuracy)


def accuracy_range(result: TemperatureSweepResult) -> Statement:
    """The least and the greatest accuracy of all settings; their order is no finding."""
    shown = [point for point in result.points if not point.is_control]
    low, high = (
        f"{percent(point.accuracy.value, point.accuracy.interval)} ({point.checkpoint})"
        for point in (
            min(shown, key=lambda point: point.accuracy.value),
            max(shown, key=lambda point: point.accuracy.value),
        )
    )
    return statement(f"Accuracy ranges from {low} to {high}", "range", "")


def _base_last(result: TemperatureSweepResult) -> list[str]:
    return sorted((arm.label for arm in result.arms), key=lambda label: label == result.base)
