"""Tables of a sweep: slopes, their differences, the cooled base, and every setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.page import Cell, table
from emdiag.reports.pieces import NOTHING, number, percent_cell, points_cell, side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emdiag.core.results import Metric
    from emdiag.core.samples_book import Tone
    from emdiag.core.temperature_sweep import (
        Axis,
        CoolingVerdict,
        TemperatureSweepResult,
        Trend,
    )
    from emdiag.findings.page import Row, Table

_SHORT: Final[Mapping[Axis, str]] = {"temperature": "T", "top_p": "top-p", "top_k": "top-k"}
TREND_TONES: Final[Mapping[Trend, Tone]] = {
    "rises": "better",
    "falls": "worse",
    "undecided": "undecided",
}
"""Falling accuracy is worse."""

COOLING_TONES: Final[Mapping[CoolingVerdict, Tone]] = {
    "more than cooling": "better",
    "cooling": "plain",
    "less than cooling": "worse",
    "undecided": "undecided",
}
"""Beside the base at equal entropy."""


def slope_table(result: TemperatureSweepResult) -> Table:
    """A row for each checkpoint, benchmark and axis."""
    rows: list[Row] = [
        [
            one.checkpoint,
            one.benchmark,
            f"{_SHORT[one.axis]} {one.low:g} to {one.high:g}",
            Cell(text=points_cell(one.value, one.interval), tone=TREND_TONES[one.trend]),
            Cell(text=one.trend, tone=TREND_TONES[one.trend]),
        ]
        for one in result.slopes
    ]
    return table(
        "Slope of accuracy, in points per unit of the axis, with 95 % intervals",
        ("checkpoint", "benchmark", "axis", "slope", "trend"),
        rows=rows,
        note="Least-squares line through the settings. A trend is named only where the interval "
        "lies on one side of zero.",
    )


def difference_table(result: TemperatureSweepResult) -> Table:
    """A row for each pair of checkpoints."""
    rows: list[Row] = [
        [
            f"{one.left} \N{MINUS SIGN} {one.right}",
            one.benchmark,
            _SHORT[one.axis],
            Cell(
                text=points_cell(one.value, one.interval),
                tone="undecided" if side(one.interval) == "undecided" else "plain",
            ),
            Cell(
                text="< 0.001" if one.p_holm < 0.001 else f"{one.p_holm:.2g}",
                hint=f"sign flips over problems; before the correction {one.p_value:.2g}",
            ),
        ]
        for one in result.slope_differences
    ]
    return table(
        "Difference of slopes, in points per unit of the axis, paired by problem",
        ("pair", "benchmark", "axis", "difference", "p (Holm)"),
        rows=rows,
    )


def control_table(result: TemperatureSweepResult) -> Table:
    """A row for each checkpoint and temperature beside its cooled base."""
    rows: list[Row] = []
    for one in result.controls:
        tone = COOLING_TONES[one.verdict]
        tried = ", ".join(f"{value:.3g}" for value in one.tried)
        rows.append(
            [
                f"{one.checkpoint}, T {one.temperature:g}",
                one.benchmark,
                f"{one.entropy_nats:.3f}",
                percent_cell(one.value),
                Cell(text=f"{one.base_temperature:.3g}", hint=f"temperatures tried: {tried}"),
                Cell(
                    text=f"{one.base_entropy_nats:.3f}",
                    hint=f"equal within {one.tolerance_nats:g} nats: "
                    f"{'yes' if one.is_matched else 'no'}",
                ),
                percent_cell(one.base_value),
                Cell(text=points_cell(one.difference, one.interval), tone=tone),
                Cell(text=one.verdict, tone=tone),
            ]
        )
    base = result.base or "base"
    return table(
        "At equal entropy: entropies in nats per token, accuracy in percent, differences in points",
        (
            "checkpoint",
            "benchmark",
            "its entropy",
            "accuracy",
            f"{base} at T",
            f"{base}'s entropy",
            f"{base}'s accuracy",
            "difference",
            "verdict",
        ),
        rows=rows,
        note="More than cooling: the interval lies above +2 points; less: below -2; cooling: "
        "within; undecided: it crosses one of them, or the entropies are not equal.",
    )


def points_tables(result: TemperatureSweepResult) -> tuple[Table, ...]:
    """For each benchmark the accuracy under every setting, a column for each checkpoint."""
    tables = []
    labels = [arm.label for arm in result.arms]
    for benchmark in result.benchmarks:
        here = [one for one in result.points if one.benchmark == benchmark and not one.is_control]
        found = {(one.setting.words(result.axes), one.checkpoint): one.accuracy for one in here}
        settings = list(dict.fromkeys(one.setting.words(result.axes) for one in here))
        rows: list[Row] = [
            [name, *(_percent(found.get((name, label))) for label in labels)] for name in settings
        ]
        title = f"Accuracy on {benchmark} in percent, with 95 % intervals"
        tables.append(table(title, ["setting", *labels], rows=rows))
    return tuple(tables)


def text_table(result: TemperatureSweepResult) -> Table:
    """Everything else that is known of each point, the cooled base's included."""
    rows: list[Row] = [
        [
            one.checkpoint + (", cooled" if one.is_control else ""),
            one.benchmark,
            one.setting.words(result.axes),
            str(one.samples),
            _percent(one.pass_at_k[-1] if one.samples > 1 else None),
            _percent(one.majority),
            _percent(one.agreement),
            _number(one.distinct_answers),
            _number(one.entropy_nats),
            _number(one.mean_tokens),
            _percent(one.truncated_frac),
            _percent(one.repeated_frac),
            _percent(one.no_box_frac),
        ]
        for one in result.points
    ]
    return table(
        "Samples under every setting; shares in percent, entropy in nats per token",
        (
            "checkpoint",
            "benchmark",
            "setting",
            "samples",
            "pass@k",
            "maj@k",
            "agreement",
            "distinct answers",
            "entropy",
            "tokens",
            "cut off",
            "repetitive",
            "no box",
        ),
        rows=rows,
        note="k is the number of samples. Agreement: chance that two samples give the same answer.",
    )


def _percent(metric: Metric | None) -> str:
    return NOTHING if metric is None else percent_cell(metric.value, metric.interval)


def _number(metric: Metric | None) -> str:
    return NOTHING if metric is None else number(metric.value, metric.interval)
