"""A temperature sweep as tables, statements and cautions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emdiag.core.results import Metric
from emdiag.core.temperature_sweep import (
    CoolingControl,
    Slope,
    SlopeDifference,
    TemperatureSweepResult,
)
from emdiag.findings.cautions import (
    arm_cautions,
    distinct,
    few_problems,
    note_sentences,
    truncation,
    unfinished,
    untested,
)
from emdiag.findings.numbers import (
    MINUS,
    NOTHING,
    count,
    listed,
    metric_cell,
    p_cell,
    percent_cell,
    points_cell,
    setting,
    short,
    statistic,
)
from emdiag.findings.page import Cell, Findings, Table, Tone, table, table_of
from emdiag.findings.sweep.statements import AXES, baseline, statements, trend

_TESTED: Final = ("more than cooling", "less than cooling")


def sweep_findings(result: TemperatureSweepResult) -> Findings:
    """All of it, as a terminal shows it."""
    return Findings(
        tables=(
            *accuracy_tables(result),
            point_table(result),
            slope_table(result),
            difference_table(result),
            baseline_table(result),
        ),
        statements=statements(result),
        cautions=cautions(result),
        files=tuple(f"figure: {figure}.svg" for figure in result.figures),
        next=(f"runs are stored in {result.store}; the same command continues them",),
    )


def title(result: TemperatureSweepResult) -> str:
    """Such as `base and em over temperature`."""
    return f"{listed([arm.label for arm in result.arms])} over {axes(result)}"


def axes(result: TemperatureSweepResult) -> str:
    """What was varied, such as `temperature and top-p`."""
    return listed([AXES[axis].name for axis in result.axes])


def question(result: TemperatureSweepResult) -> str:
    """What the sweep answers."""
    start = f"Does accuracy on {listed(result.benchmarks)} fall or rise with {axes(result)}"
    trained = list(dict.fromkeys(control.checkpoint for control in result.controls))
    if not trained:
        return f"{start}?"
    verb = "is" if len(trained) == 1 else "are"
    return (
        f"{start}, and {verb} {listed(trained)} more accurate than {result.base or 'the base'} at "
        "equal entropy?"
    )


def accuracy_tables(result: TemperatureSweepResult) -> tuple[Table, ...]:
    """For each benchmark the accuracy under every setting, a column for each checkpoint."""
    return tuple(_accuracy_table(result, benchmark) for benchmark in result.benchmarks)


def _accuracy_table(result: TemperatureSweepResult, benchmark: str) -> Table:
    points = [p for p in result.points if p.benchmark == benchmark and not p.is_control]
    accuracies = {(point.setting, point.checkpoint): point.accuracy for point in points}
    rows = [
        [
            sampling.words(result.axes),
            listed(sorted({p.accuracy.name for p in points if p.setting == sampling})),
            *(metric_cell(accuracies.get((sampling, arm.label))) for arm in result.arms),
        ]
        for sampling in dict.fromkeys(point.setting for point in points)
    ]
    measured = max((point.problems for point in points), default=0)
    total = count(result.problems_total.get(benchmark, measured), "problem")
    labels = [
        arm.label + (f" ({len(arm.digests)} seeds)" if len(arm.digests) > 1 else "")
        for arm in result.arms
    ]
    return table(
        f"Accuracy on {benchmark} in percent, {measured:,} of {total}, with 95 % intervals",
        ["setting", "metric", *labels],
        rows=rows,
        secondary=("metric",),
    )


def point_table(result: TemperatureSweepResult) -> Table:
    """Everything else that is known of each point, those of the baselines included."""
    return table_of(
        result.points,
        f"Samples{_at_one_benchmark(result)} under every setting; shares in percent, entropy in "
        "nats per token",
        (
            ("checkpoint", lambda p: p.checkpoint + (" (baseline)" if p.is_control else "")),
            ("benchmark", lambda p: _benchmark(result, p.benchmark)),
            ("setting", lambda p: p.setting.words(result.axes)),
            ("samples", lambda p: str(p.samples)),
            ("pass@k", lambda p: metric_cell(p.pass_at_k[-1] if p.samples > 1 else None)),
            ("maj@k", lambda p: metric_cell(p.majority)),
            ("agreement", lambda p: metric_cell(p.agreement)),
            ("distinct answers", lambda p: _statistic(p.distinct_answers)),
            ("entropy", lambda p: _statistic(p.entropy_nats)),
            ("tokens", lambda p: _statistic(p.mean_tokens)),
            ("truncated", lambda p: metric_cell(p.truncated_frac)),
            ("unfinished", lambda p: metric_cell(p.unfinished_frac)),
            ("repetitive", lambda p: metric_cell(p.repeated_frac)),
            ("no box", lambda p: metric_cell(p.no_box_frac)),
            ("no answer", lambda p: metric_cell(p.no_answer_frac)),
        ),
        note="k is the number of samples. Agreement: chance that two samples give the same answer. "
        "A sample without an answer is no vote of maj@k and agrees with nothing.",
        secondary=(
            *("no box", "repetitive", "distinct answers", "maj@k", "samples", "tokens"),
            *("agreement", "truncated", "unfinished"),
        ),
    )


def slope_table(result: TemperatureSweepResult) -> Table:
    """A row for each checkpoint, benchmark and axis."""

    def toned(slope: Slope, text: str) -> Cell:
        return Cell(text=text, tone=trend(slope).tone)

    return table_of(
        result.slopes,
        f"Slope of accuracy{_at_one_benchmark(result)}, in points per unit of the axis, with 95 % "
        "intervals",
        (
            ("checkpoint", lambda s: s.checkpoint),
            ("benchmark", lambda s: _benchmark(result, s.benchmark)),
            ("axis", lambda s: f"{AXES[s.axis].symbol} {setting(s.low)} to {setting(s.high)}"),
            ("slope", lambda s: toned(s, points_cell(s.value, s.interval))),
            ("p (Holm)", _corrected_p),
            ("trend", lambda s: toned(s, s.trend)),
        ),
        note="Least-squares line through the settings. A trend is named only where interval and "
        "test exclude zero; p is corrected over all slopes of the sweep and their differences.",
        secondary=("axis", "p (Holm)"),
    )


def difference_table(result: TemperatureSweepResult) -> Table:
    """A row for each pair of checkpoints."""
    return table_of(
        result.slope_differences,
        f"Difference of slopes{_at_one_benchmark(result)}, in points per unit of the axis, paired "
        "by problem",
        (
            ("pair", lambda pair: f"{pair.left} {MINUS} {pair.right}"),
            ("benchmark", lambda pair: _benchmark(result, pair.benchmark)),
            ("axis", lambda pair: AXES[pair.axis].symbol),
            ("difference", _difference),
            ("p (Holm)", _corrected_p),
        ),
        secondary=("axis",),
    )


def _difference(pair: SlopeDifference) -> Cell:
    tone: Tone = "undecided" if pair.direction == "undecided" else "plain"
    return Cell(text=points_cell(pair.value, pair.interval), tone=tone)


def _corrected_p(row: Slope | SlopeDifference | CoolingControl) -> Cell:
    return Cell(text=p_cell(row.p_holm), hint=f"before the correction {p_cell(row.p_value)}")


def baseline_table(result: TemperatureSweepResult) -> Table:
    """A row for each checkpoint and temperature, with its entropy-matched baseline, if any."""
    base = result.base or "base"
    return table_of(
        result.controls,
        f"Entropy-matched baseline{_at_one_benchmark(result)}: entropies in nats per token, "
        "accuracy in percent, differences in points",
        (
            ("checkpoint", lambda c: f"{c.checkpoint}, T {setting(c.temperature)}"),
            ("benchmark", lambda c: _benchmark(result, c.benchmark)),
            ("entropy", lambda c: short(c.entropy_nats)),
            ("accuracy", lambda c: percent_cell(c.value)),
            (f"{base} at T", _base_temperature),
            (f"{base}'s entropy", _base_entropy),
            (f"{base}'s accuracy", lambda c: percent_cell(c.base_value)),
            (
                "difference",
                lambda c: Cell(text=points_cell(c.difference, c.interval), tone=baseline(c).tone),
            ),
            ("p (Holm)", _corrected_p),
            (
                "verdict",
                lambda c: Cell(
                    text=c.verdict + ("" if c.is_matched else " (entropies differ)"),
                    tone=baseline(c).tone,
                ),
            ),
        ),
        note="More than cooling: interval and test lie above 2 points; less: below "
        f"{MINUS}2; cooling: the interval is between them; else, or where the entropies are not "
        "equal, undecided. p is of that bound, corrected over all baselines of the sweep.",
        secondary=("p (Holm)", f"{base}'s entropy", "entropy", f"{base}'s accuracy", "accuracy"),
    )


def _base_temperature(control: CoolingControl) -> Cell:
    tried = ", ".join(setting(temperature) for temperature in control.tried)
    return Cell(text=setting(control.base_temperature), hint=f"temperatures tried: {tried}")


def _base_entropy(control: CoolingControl) -> Cell:
    is_equal = "yes" if control.is_matched else "no"
    hint = f"equal within {setting(control.tolerance_nats)} nats: {is_equal}"
    return Cell(text=short(control.base_entropy_nats), hint=hint)


def _at_one_benchmark(result: TemperatureSweepResult) -> str:
    """In a title, where there is no column of benchmarks."""
    return f" on {result.benchmarks[0]}" if len(result.benchmarks) == 1 else ""


def _benchmark(result: TemperatureSweepResult, benchmark: str) -> str:
    """In a column, which is left out where all its cells are empty."""
    return benchmark if len(result.benchmarks) > 1 else ""


def _statistic(metric: Metric | None) -> str:
    return NOTHING if metric is None else statistic(metric.value, metric.interval)


def cautions(result: TemperatureSweepResult) -> tuple[str, ...]:
    """What changes how the numbers should be read, the gravest first, then the notes."""
    problems: dict[str, int] = {}
    truncated: dict[str, float] = {}
    thinking: dict[str, float | None] = {}
    for point in result.points:
        known = problems.get(point.benchmark, point.problems)
        problems[point.benchmark] = min(point.problems, known)
        name = f"{point.checkpoint} on {point.benchmark}, {point.setting.words()}"
        truncated[name] = point.truncated_frac.value
        thinking[name] = point.unfinished_frac.value if point.unfinished_frac else None
    distrust = [
        f"Partial: {measured:,} of {count(total, 'problem')} of {benchmark} were measured."
        for benchmark, measured in problems.items()
        if measured < (total := result.problems_total.get(benchmark, measured))
    ]
    distrust += [*few_problems(problems), *truncation(truncated), *unfinished(thinking)]
    if any(point.accuracy.interval is None for point in result.points):
        distrust.append("Some settings have no interval, so nothing follows from their numbers.")
    distrust += _unmatched(result.controls)
    distrust += untested((slope.trend != "undecided", slope.p_holm) for slope in result.slopes)
    distrust += untested((c.verdict in _TESTED, c.p_holm) for c in result.controls)
    return distinct([*distrust, *arm_cautions(result.arms), *note_sentences(result.notes)])


def _unmatched(controls: Sequence[CoolingControl]) -> list[str]:
    """Of settings without a baseline."""
    settings = [
        f"{control.checkpoint} on {control.benchmark} at T {setting(control.temperature)}"
        for control in controls
        if not control.is_matched
    ]
    if not settings:
        return []
    words = (
        f"For {len(settings)} of {count(len(controls), 'setting')} no base temperature matches the "
        f"entropy ({listed(settings)}), so these comparisons are undecided."
    )
    return [words]
