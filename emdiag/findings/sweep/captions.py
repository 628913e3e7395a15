"""Words around the figures of a temperature sweep: captions, and what stands below a title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from emdiag.core.temperature_sweep import Axis, SweepPoint, TemperatureSweepResult
from emdiag.findings.numbers import intervals_drawn, span
from emdiag.findings.page import Statement
from emdiag.findings.sweep.statements import AXES

WHY_A_BASELINE: Final = (
    "Any model gives its most likely answers more often when its temperature is lowered. Here the "
    "base is sampled at the temperature at which its entropy equals that of the checkpoint; only "
    "what exceeds this baseline was gained by training."
)
ALONG_AN_AXIS: Final[Mapping[str, str]] = {
    "accuracy": (
        "Accuracy along the axis, a curve for each checkpoint. A hollow mark is the base at the "
        "temperature where its entropy equals the checkpoint's: the distance between the two is "
        "more than cooling."
    ),
    "heat": "Accuracy in percent for every pair of settings, on one colour scale.",
    "slopes": (
        "How many points of accuracy are lost (left of zero) or gained per unit of the axis, and "
        "how far the checkpoints differ in this."
    ),
}
AT_EQUAL_ENTROPY: Final[Mapping[str, str]] = {
    "control": (
        "The base at the temperature of equal entropy, and the checkpoint. A bar right of the grey "
        "zone: the checkpoint gained more than lower entropy."
    ),
    "entropy": (
        "Accuracy over the entropy of the distribution that was sampled. At equal entropy, the "
        "higher curve is the more accurate model and not only the more certain one."
    ),
}
OTHER_METRICS: Final[Mapping[str, str]] = {
    "samples": (
        "Other metrics along the axis: how often any or most samples are right, how far they "
        "agree, how long they are, and how many are truncated or repetitive."
    )
}
OVER_ENTROPY: Final = Statement(words="Accuracy over the entropy that the samples were drawn with")
AT_BASELINES: Final = Statement(
    words="Accuracy of each checkpoint and of its entropy-matched baseline"
)
"""Titles where nothing is stated."""

HOLLOW_MARKS: Final = "Hollow: the base at the checkpoint's entropy."
GREEDY_POINTS: Final = "Greedy answers have entropy 0."
NO_GREEDY_POINTS: Final = "Metrics that need several samples have no greedy point."
LEAST_SQUARES: Final = (
    "Least-squares line of accuracy along the axis; differences are paired by problem."
)
HEAT_COLOURS: Final = "Greedy answers depend on no second axis. Intervals stand in the tables."


def sizes(points: Sequence[SweepPoint]) -> str:
    """Such as `n = 300 problems, 1 to 8 samples of each, 3 seeds`."""
    parts = [
        span([point.problems for point in points], "problem"),
        span([point.samples for point in points], "sample") + " of each",
    ]
    if any(point.seeds > 1 for point in points):
        parts.append(span([point.seeds for point in points], "seed"))
    return f"n = {', '.join(parts)}"


def about_points(points: Sequence[SweepPoint], mark: str) -> str:
    """How many samples points rest on, and what the marks of their intervals are."""
    intervals = intervals_drawn((point.accuracy.interval for point in points), mark)
    return f"{sizes(points)}. {intervals}."


def entropy_axis(*, panels: int) -> str:
    """Below the axis of entropies; shorter where there are several panels."""
    of = " of the sampled distribution" if panels == 1 else ""
    return f"mean entropy{of}, nats per token"


def baseline_of(base: str, checkpoint: str) -> str:
    """In a legend."""
    return f"{base} at the entropy of {checkpoint}"


def held(axis: Axis, value: str) -> str:
    """Where the second axis is held while the first one is drawn."""
    return f"{AXES[axis].symbol} is {value} throughout; slopes are over all its values."


def rows_of_baselines(margin: float) -> str:
    """How to read the rows of baselines; `margin` in points."""
    return (
        "Each row: the base at the temperature where its entropy equals the checkpoint's "
        f"(hollow), and the checkpoint (filled). Grey zone: within {margin:g} points of each "
        "other, the change is cooling."
    )


def other_metrics(result: TemperatureSweepResult) -> Statement:
    """Title of the figure of all other metrics."""
    axis = AXES[result.first_axis].name
    return Statement(words=f"Coverage, agreement, length and faults over {axis}")


def never_above_zero(names: Sequence[str]) -> str:
    """What is not drawn, since it never happens."""
    return f"Nowhere above 0, so not drawn: {', '.join(names)}." if names else ""


def left_out(number: int, noun: str) -> str:
    """How many of something stand in the tables alone; empty for none."""
    return f"{span([number], noun)} more in the tables." if number else ""
