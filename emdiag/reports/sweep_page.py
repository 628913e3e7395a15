"""A sweep over ways of sampling, and the cooled base, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.plots.sweep import sweep_figures
from emdiag.reports.doubts import arm_doubts, as_sentence, few_problems, once, truncation
from emdiag.reports.page import Page, Section, Statement
from emdiag.reports.pieces import listed, percent, pictures, points
from emdiag.reports.sweep_tables import (
    control_table,
    difference_table,
    points_tables,
    slope_table,
    text_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.samples_book import Tone
    from emdiag.core.temperature_sweep import (
        Axis,
        CoolingControl,
        CoolingVerdict,
        Slope,
        SlopeDifference,
        TemperatureSweepResult,
        Trend,
    )
    from emdiag.reports.page import Context

MOST_ANSWERS = 8
"""Statements on top of the page; the others stand beside their tables."""

_AXES: Final[Mapping[Axis, str]] = {
    "temperature": "temperature",
    "top_p": "top-p",
    "top_k": "top-k",
}
_TREND_TONES: Final[Mapping[Trend, Tone]] = {
    "rises": "better",
    "falls": "worse",
    "undecided": "undecided",
}
_COOLING_TONES: Final[Mapping[CoolingVerdict, Tone]] = {
    "more than cooling": "better",
    "cooling": "plain",
    "less than cooling": "worse",
    "undecided": "undecided",
}
_COOLING_SAID: Final[Mapping[CoolingVerdict, str]] = {
    "more than cooling": "is more than its base, cooled",
    "cooling": "is no more than its base, cooled",
    "less than cooling": "is less than its base, cooled, would be",
    "undecided": "may or may not be more than its base, cooled",
}
_WHY_COOL: Final = (
    "Any model gives more of its own favourite answers when its temperature is lowered. Here the "
    "base is cooled until it is as certain as the checkpoint; only what is left then was gained by "
    "training."
)
_ALONG_TOLD: Final = {
    "accuracy": (
        "Accuracy along the axis, a curve for each checkpoint. A hollow mark is the base at the "
        "temperature where its entropy equals the checkpoint's: what lies between the two is "
        "more than cooling."
    ),
    "heat": "Accuracy in percent for every pair of settings, on one scale of colours.",
    "slopes": (
        "How many points of accuracy one unit of the axis costs (left of zero) or brings, and "
        "how far the checkpoints differ in this."
    ),
}
_CONTROL_TOLD: Final = {
    "control": (
        "The base cooled until it is as certain as the checkpoint, and the checkpoint. A bar "
        "right of the grey zone: the checkpoint gained more than certainty."
    ),
    "entropy": (
        "Accuracy over the entropy of the distribution that was sampled. At equal entropy, the "
        "higher curve is the better model and not only the more certain one."
    ),
}
_SAMPLES_TOLD: Final = {
    "samples": (
        "What else moves with the axis: how often any or most samples are right, how far they "
        "agree, how long they are, and how many are cut off or repeat themselves."
    )
}


def sweep_page(result: TemperatureSweepResult, *, context: Context) -> Page:
    """Whether accuracy falls or rises along an axis, and whether training is more than cooling."""
    trends = [*_trends(result), *_differences(result)]
    controls = [_cooling(one) for one in headline_controls(result)]
    figures = sweep_figures(result)
    answers = _first([controls, trends]) or _plain(result)
    details = (*points_tables(result), text_table(result))
    control_section = Section(
        heading="More than cooling?",
        words=(_WHY_COOL,),
        pictures=pictures(figures, _CONTROL_TOLD, shown=controls),
        tables=(control_table(result),) if result.controls else (),
    )
    axes = listed([_AXES[axis] for axis in result.axes])
    tables = [slope_table(result)] if result.slopes else []
    tables += [difference_table(result)] if result.slope_differences else []
    return Page(
        kind="temperature sweep",
        title=f"{listed([arm.label for arm in result.arms])} over {axes}",
        question=_question(result, axes),
        answers=answers,
        sections=(
            Section(
                heading=f"Accuracy over {axes}",
                pictures=pictures(figures, _ALONG_TOLD, shown=trends),
                tables=tuple(tables),
            ),
            *([control_section] if control_section.pictures else []),
            Section(
                heading="What else changes", pictures=pictures(figures, _SAMPLES_TOLD, shown=())
            ),
            Section(heading="Every setting", tables=details, is_detail=True),
            *_said_by_study(result),
        ),
        cautions=_doubts(result),
        context=context,
    )


def headline_controls(result: TemperatureSweepResult) -> list[CoolingControl]:
    """For every checkpoint and benchmark the control whose temperature is nearest to 1."""
    found: dict[tuple[str, str], CoolingControl] = {}
    for one in sorted(result.controls, key=lambda one: abs(one.temperature - 1)):
        found.setdefault((one.benchmark, one.checkpoint), one)
    order = [arm.label for arm in result.arms]
    return sorted(
        found.values(),
        key=lambda one: (
            result.benchmarks.index(one.benchmark),
            order.index(one.checkpoint) if one.checkpoint in order else len(order),
        ),
    )


def _question(result: TemperatureSweepResult, axes: str) -> str:
    where = listed(result.benchmarks)
    question = f"Does accuracy on {where} fall or rise with {axes}"
    if not result.controls:
        return f"{question}?"
    trained = listed(list(dict.fromkeys(one.checkpoint for one in result.controls)))
    base = result.base or "the base"
    return f"{question}, and is {trained} more than {base}, cooled?"


def _first(groups: Sequence[list[Statement]]) -> tuple[Statement, ...]:
    """Half of the room for each group, and what one leaves goes to the other."""
    first, second = groups
    room = max(MOST_ANSWERS // 2, MOST_ANSWERS - len(second))
    kept = first[:room]
    return (*kept, *second[: MOST_ANSWERS - len(kept)])


def _trends(result: TemperatureSweepResult) -> list[Statement]:
    """Slopes of the trained checkpoints, then those of the base."""
    ordered = sorted(result.slopes, key=lambda one: one.checkpoint == result.base)
    return [Statement(text=_trend(one), tone=_TREND_TONES[one.trend]) for one in ordered]


def _trend(slope: Slope) -> str:
    amount = f"{points(slope.value, slope.interval)} per unit of {_AXES[slope.axis]}"
    words = f"on {slope.benchmark} with {_AXES[slope.axis]}"
    match slope.trend:
        case "rises" | "falls":
            return f"Accuracy of {slope.checkpoint} {slope.trend} {words}: {amount}"
        case "undecided":
            return (
                f"Undecided whether accuracy of {slope.checkpoint} falls or rises {words}: {amount}"
            )


def _differences(result: TemperatureSweepResult) -> list[Statement]:
    """Pairs whose slopes differ, by interval and corrected test; EM with RL first."""
    stages = {arm.label: arm.stage for arm in result.arms}
    clear = [
        one
        for one in result.slope_differences
        if one.interval is not None
        and not one.interval.low <= 0 <= one.interval.high
        and one.p_holm < 1 - one.interval.level
    ]
    clear.sort(key=lambda one: {stages.get(one.left), stages.get(one.right)} != {"em", "rl"})
    return [Statement(text=_difference(one)) for one in clear]


def _difference(one: SlopeDifference) -> str:
    word = "above" if one.value > 0 else "below"
    return (
        f"On {one.benchmark} the slope of {one.left} lies {word} that of {one.right}: "
        f"{points(one.value, one.interval)} per unit of {_AXES[one.axis]}"
    )


def _cooling(one: CoolingControl) -> Statement:
    start = f"{one.checkpoint} at T {one.temperature:g} {_COOLING_SAID[one.verdict]}"
    if not one.is_matched:
        text = (
            f"{start}, on {one.benchmark}: {one.base} was not brought to its entropy of "
            f"{one.entropy_nats:.3f} nats (nearest: {one.base_entropy_nats:.3f})"
        )
        return Statement(text=text, tone="undecided")
    text = (
        f"{start} to the same entropy (T {one.base_temperature:.3g}), on {one.benchmark}: "
        f"{points(one.difference, one.interval)}, {100 * one.value:.1f} % against "
        f"{100 * one.base_value:.1f} %"
    )
    return Statement(text=text, tone=_COOLING_TONES[one.verdict])


def _plain(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Where no trend and no control was found: the accuracies."""
    return tuple(
        Statement(
            text=f"{one.checkpoint} answers {percent(one.accuracy.value, one.accuracy.interval)} "
            f"of {one.benchmark} right at T {one.setting.temperature:g}"
        )
        for one in result.points[:MOST_ANSWERS]
        if not one.is_control
    )


def _said_by_study(result: TemperatureSweepResult) -> tuple[Section, ...]:
    if not result.statements:
        return ()
    words = tuple(as_sentence(one) for one in result.statements)
    return (Section(heading="Everything the intervals allow to say", words=words, is_detail=True),)


def _doubts(result: TemperatureSweepResult) -> tuple[str, ...]:
    found: list[str] = []
    least: dict[str, int] = {}
    cut: dict[str, float] = {}
    for one in result.points:
        least[one.benchmark] = min(one.problems, least.get(one.benchmark, one.problems))
        name = f"{one.checkpoint} on {one.benchmark} at T {one.setting.temperature:g}"
        cut[name] = one.truncated_frac.value
    for benchmark, problems in least.items():
        total = result.problems_total.get(benchmark, problems)
        if problems < total:
            found.append(f"Partial: {problems} of {total} problems of {benchmark} were measured.")
    found += [*few_problems(least), *truncation(cut)]
    if any(one.accuracy.interval is None for one in result.points):
        found.append("Some settings have no interval, so nothing follows from their numbers.")
    found += [
        f"No temperature of {control.base} was found that has the entropy of "
        f"{control.checkpoint} at T {control.temperature:g} on {control.benchmark}."
        for control in result.controls
        if not control.is_matched
    ]
    found += arm_doubts(result.arms)
    return once([*found, *(as_sentence(note) for note in result.notes)])
