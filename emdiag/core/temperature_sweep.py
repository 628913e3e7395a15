"""How a checkpoint answers as its sampling changes, and an entropy-matched baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from emdiag.core.checkpoints import Arm
from emdiag.core.records import Record, Result
from emdiag.core.results import Direction, Interval, Metric, Remark

Axis = Literal["temperature", "top_p", "top_k"]
"""What a sweep varies."""


class SweepSetting(Record, frozen=True, kw_only=True):
    """One way of sampling; temperature 0 is greedy, top_p 1 and top_k 0 keep all tokens."""

    temperature: float
    top_p: float = 1.0
    top_k: int = 0

    def words(self, axes: Sequence[Axis] = ()) -> str:
        """Such as `T 0.6, top-p 0.9`, or `greedy`; axes are named even where they keep all."""
        if self.temperature == 0:
            return "greedy"
        parts = [f"T {self.temperature:g}"]
        if self.top_p != 1 or "top_p" in axes:
            parts.append(f"top-p {self.top_p:g}")
        if self.top_k or "top_k" in axes:
            parts.append(f"top-k {self.top_k or 'all'}")
        return ", ".join(parts)


class SweepPoint(Record, frozen=True, kw_only=True):
    """One arm under one setting on one benchmark; shares are between 0 and 1.

    Means are over problems, and over seeds where the arm has several; so are the intervals.

    Attributes:
        samples: Of each problem; 1 at temperature 0.
        accuracy: `avg@k` over all samples.
        majority: `maj@k`; None for one sample.
        agreement: Chance that two samples give the same answer; one without an answer agrees with
            nothing. None for one sample.
        distinct_answers: Different answers among the samples; grows with their number.
        entropy_nats: Mean entropy of the distributions that the tokens were drawn from, raw logits
            over the temperature, before top-p and top-k: over the tokens of a sample, then over
            samples and problems. 0 at temperature 0. None where it was not read.
        truncated_frac, repeated_frac, no_box_frac: As in `TextRates`.
        no_answer_frac: Samples without an answer, which are no votes; None in earlier records.
        unfinished_frac: Samples whose thinking never ended; None where nothing marks thinking.
        run_keys, grade_keys: Of the runs, one for each seed.
        is_control: Whether this is the base at a temperature found to match another arm's entropy.
    """

    checkpoint: str
    benchmark: str
    setting: SweepSetting
    samples: int
    seeds: int
    problems: int
    accuracy: Metric
    pass_at_k: tuple[Metric, ...]
    majority: Metric | None
    agreement: Metric | None
    distinct_answers: Metric | None
    entropy_nats: Metric | None
    mean_tokens: Metric
    truncated_frac: Metric
    repeated_frac: Metric
    no_box_frac: Metric
    run_keys: tuple[str, ...]
    grade_keys: tuple[str, ...]
    is_control: bool = False
    no_answer_frac: Metric | None = None
    unfinished_frac: Metric | None = None


Trend = Literal["rises", "falls", "undecided"]
"""Which way accuracy goes along an axis, if its slope is significant; see `direction_of`."""


class Slope(Record, frozen=True, kw_only=True):
    """Accuracy of one arm along one axis.

    Attributes:
        value: Of the least-squares line through the settings, in shares of 1 per unit of the
            axis; with two axes, along one of them with the other one held.
        p_value: Sign flips over problems for one seed, Student's t over seeds and problems for
            several; None where two problems are lacking, or in results stored without a test.
        p_holm: Corrected over all slopes of the sweep and their differences.
    """

    checkpoint: str
    benchmark: str
    axis: Axis
    value: float
    interval: Interval | None
    low: float
    high: float
    trend: Trend
    p_value: float | None = None
    p_holm: float | None = None


class SlopeDifference(Record, frozen=True, kw_only=True):
    """Slope of `left` minus slope of `right`, paired by problem.

    Attributes:
        p_value, p_holm: As those of a slope, and of the same family.
    """

    left: str
    right: str
    benchmark: str
    axis: Axis
    value: float
    interval: Interval | None
    p_value: float | None
    p_holm: float | None
    direction: Direction


CoolingVerdict = Literal["more than cooling", "cooling", "less than cooling", "undecided"]
"""By the accuracy of a checkpoint minus that of the base at equal entropy: `more` if the interval
lies above two points and the corrected test says so too, `less` if below minus two, `cooling` if
within; `undecided` if it crosses one of them, if the test does not agree, or where no temperature
of the base has that entropy."""


class CoolingControl(Record, frozen=True, kw_only=True):
    """A checkpoint against the base at the temperature where the base has the same entropy.

    Attributes:
        base_temperature: Of the base, the one tried whose entropy is nearest.
        entropy_nats, base_entropy_nats: Of the two; None where a checkpoint has none.
        tried: Temperatures of the base whose entropy was measured, in order.
        is_matched: Whether the two entropies are equal within `tolerance_nats`.
        difference: Checkpoint minus baseline, in shares of 1, paired by problem.
        p_value: That the true difference is two points, towards the side of the one measured; of
            the same tests as those of slopes. None where entropies are not equal or two problems
            are lacking, or in results stored without a test.
        p_holm: Corrected over all baselines of the sweep.
        is_headline: Whether it speaks for its checkpoint and benchmark: of their controls the one
            nearest to T 1, the lower of two that are as near.
    """

    checkpoint: str
    base: str
    benchmark: str
    temperature: float
    base_temperature: float
    entropy_nats: float
    base_entropy_nats: float
    tolerance_nats: float
    tried: tuple[float, ...]
    is_matched: bool
    value: float
    base_value: float
    difference: float
    interval: Interval | None
    verdict: CoolingVerdict
    is_headline: bool = False
    p_value: float | None = None
    p_holm: float | None = None


class TemperatureSweepResult(Result, frozen=True, kw_only=True, tag="sweep"):
    """Everything one sweep found.

    Attributes:
        base: Label of the base whose temperature is matched; None where there is no control.
        axes: What was varied, the axis of the plots first.
        points: Of every arm under every setting, then those of the baselines.
        figures: Files of the plots, without ending; `.svg` and `.png` lie beside each other.
    """

    folder: ClassVar[str] = "sweeps"
    benchmarks: tuple[str, ...]
    problems_total: dict[str, int]
    base: str | None
    axes: tuple[Axis, ...]
    arms: tuple[Arm, ...]
    points: tuple[SweepPoint, ...]
    slopes: tuple[Slope, ...]
    slope_differences: tuple[SlopeDifference, ...]
    controls: tuple[CoolingControl, ...]
    notes: tuple[Remark, ...]
    store: str
    figures: tuple[str, ...] = ()

    @property
    def first_axis(self) -> Axis:
        """The axis of the plots: temperature where one setting alone was measured."""
        return next(iter(self.axes), "temperature")
