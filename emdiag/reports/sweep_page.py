"""A sweep over ways of sampling, and the cooled base, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.cautions import arm_cautions, as_sentence, distinct, few_problems, truncation
from emdiag.findings.page import Page, Section, Statement, sentence
from emdiag.plots.sweep.figures import sweep_figures
from emdiag.reports.pieces import amount, listed, percent, pictures, points
from emdiag.reports.sweep_tables import (
    COOLING_TONES,
    TREND_TONES,
    control_table,
    difference_table,
    points_tables,
    slope_table,
    text_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.temperature_sweep import (
        Axis,
        CoolingControl,
        CoolingVerdict,
        Slope,
        SlopeDifference,
        TemperatureSweepResult,
    )
    from emdiag.findings.page import Context

MOST_ANSWERS = 8
"""Statements on top of the page; the others stand beside their tables."""

_AXES: Final[Mapping[Axis, str]] = {
    "temperature": "temperature",
    "top_p": "top-p",
    "top_k": "top-k",
}
_COOLING_SAID: Final[Mapping[CoolingVerdict, str]] = {
    "more than cooling": "more than cooling",
    "cooling": "no more than cooling",
    "less than cooling": "less than cooling would give",
    "undecided": "undecided whether it is more than cooling",
}
_WHY_COOL: Final = (
    "Any model gives more of its own favourite answers when its temperature is lowered. Here the "
    "base is cooled until it is as certain as the checkpoint; only what is left then was gained by "
    "training."
)
_SHORTLY: Final[Mapping[str, str]] = {
    "more than cooling": "more",
    "cooling": "no more",
    "less than cooling": "less",
    "undecided": "undecided",
}
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
    trends, differences = _trends(result), _differences(result)
    controls = [_cooling(one, result) for one in result.controls if one.is_headline]
    figures = sweep_figures(result)
    answers = _first(trends, controls, differences) or _plain(result)
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
                pictures=pictures(figures, _ALONG_TOLD, shown=[*trends, *differences]),
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


def _question(result: TemperatureSweepResult, axes: str) -> str:
    where = listed(result.benchmarks)
    question = f"Does accuracy on {where} fall or rise with {axes}"
    if not result.controls:
        return f"{question}?"
    trained = list(dict.fromkeys(one.checkpoint for one in result.controls))
    base = result.base or "the base"
    verb = "is" if len(trained) == 1 else "are"
    return f"{question}, and {verb} {listed(trained)} more than {base}, cooled?"


def _first(*groups: Sequence[Statement]) -> tuple[Statement, ...]:
    """As many as have room, taken from each group in turn, shown group by group."""
    room, kept = MOST_ANSWERS, [0] * len(groups)
    for place in range(MOST_ANSWERS):
        for index, group in enumerate(groups):
            if place < len(group) and room:
                kept[index] += 1
                room -= 1
    return tuple(one for group, n in zip(groups, kept, strict=True) for one in group[:n])


def _trends(result: TemperatureSweepResult) -> list[Statement]:
    """Slopes of the trained checkpoints, then those of the base."""
    ordered = sorted(result.slopes, key=lambda one: one.checkpoint == result.base)
    return [Statement(words=_trend(one), tone=TREND_TONES[one.trend]) for one in ordered]


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
    return [Statement(words=_difference(one)) for one in clear]


def _difference(one: SlopeDifference) -> str:
    word = "above" if one.value > 0 else "below"
    return (
        f"On {one.benchmark} the slope of {one.left} lies {word} that of {one.right}: "
        f"{points(one.value, one.interval)} per unit of {_AXES[one.axis]}"
    )


def _cooling(one: CoolingControl, result: TemperatureSweepResult) -> Statement:
    where = "" if len(result.benchmarks) == 1 else f" on {one.benchmark}"
    start = f"At T {one.temperature:g}{where}, {one.checkpoint}"
    if not one.is_matched:
        text = (
            f"{start} has an entropy of {one.entropy_nats:.3f} nats that {one.base} was not "
            f"brought to (nearest: {one.base_entropy_nats:.3f}): undecided whether it is more "
            "than cooling"
        )
        return Statement(words=text, tone="undecided")
    word = "above" if one.difference >= 0 else "below"
    size = points(abs(one.difference), amount(one.interval, one.difference), signed=False)
    text = (
        f"{start} is {size} {word} "
        f"{one.base} cooled to the same entropy (T {one.base_temperature:.3g}): "
        f"{_COOLING_SAID[one.verdict]}{_elsewhere(one, result)}"
    )
    return Statement(words=text, tone=COOLING_TONES[one.verdict])


def _elsewhere(shown: CoolingControl, result: TemperatureSweepResult) -> str:
    """Verdicts at the other temperatures, such as `; more than cooling also at T 0.4 and 0.6`."""
    said = []
    for verdict in ("more than cooling", "cooling", "less than cooling", "undecided"):
        at = [
            f"{one.temperature:g}"
            for one in result.controls
            if (one.checkpoint, one.benchmark) == (shown.checkpoint, shown.benchmark)
            and one.verdict == verdict
            and one.temperature != shown.temperature
        ]
        if at:
            also = "also " if verdict == shown.verdict else ""
            said.append(f"{also}{_SHORTLY[verdict]} at T {listed(at)}")
    return f"; {', '.join(said)}" if said else ""


def _plain(result: TemperatureSweepResult) -> tuple[Statement, ...]:
    """Where no trend and no control was found: the accuracies."""
    return tuple(
        Statement(
            words=f"{one.checkpoint} answers {percent(one.accuracy.value, one.accuracy.interval)} "
            f"of {one.benchmark} right at T {one.setting.temperature:g}"
        )
        for one in result.points[:MOST_ANSWERS]
        if not one.is_control
    )


def _said_by_study(result: TemperatureSweepResult) -> tuple[Section, ...]:
    if not result.statements:
        return ()
    words = tuple(sentence(one) for one in result.statements)
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
    found += arm_cautions(result.arms)
    return distinct([*found, *(as_sentence(note) for note in result.notes)])
