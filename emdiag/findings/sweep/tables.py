"""A temperature sweep as tables, statements and cautions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings.cautions import arm_cautions, as_sentence, distinct, few_problems, truncation
from emdiag.findings.numbers import (
    MINUS,
    NOTHING,
    count,
    listed,
    p_cell,
    percent_cell,
    points_cell,
    setting,
    short,
    statistic,
)
from emdiag.findings.page import Cell, Findings, table
from emdiag.findings.sweep.statements import AXES, baseline, statements, trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.results import Metric
    from emdiag.core.temperature_sweep import CoolingControl, SweepPoint, TemperatureSweepResult
    from emdiag.findings.page import Row, Table


def sweep_findings(result: TemperatureSweepResult) -> Findings:
    """All of it, as a terminal shows it."""
    return Findings(
        tables=(
            *accuracy_tables(result),
            point_table(result),
            *slope_tables(result),
            *baseline_tables(result),
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


def slope_tables(result: TemperatureSweepResult) -> tuple[Table, ...]:
    """Slopes and their differences, as far as there are any."""
    return (
        *((_slope_table(result),) if result.slopes else ()),
        *((_difference_table(result),) if result.slope_differences else ()),
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
            *(_percent(accuracies.get((sampling, arm.label))) for arm in result.arms),
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
    return table(
        f"Samples{_at_one_benchmark(result)} under every setting; shares in percent, entropy in "
        "nats per token",
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
            "truncated",
            "repetitive",
            "no box",
        ),
        rows=[_point_row(result, point) for point in result.points],
        note="k is the number of samples. Agreement: chance that two samples give the same answer.",
        secondary=(
            "no box",
            "repetitive",
            "distinct answers",
            "maj@k",
            "samples",
            "tokens",
            "agreement",
            "truncated",
        ),
    )


def _point_row(result: TemperatureSweepResult, point: SweepPoint) -> Row:
    return [
        point.checkpoint + (" (baseline)" if point.is_control else ""),
        _benchmark(result, point.benchmark),
        point.setting.words(result.axes),
        str(point.samples),
        _percent(point.pass_at_k[-1] if point.samples > 1 else None),
        _percent(point.majority),
        _percent(point.agreement),
        _statistic(point.distinct_answers),
        _statistic(point.entropy_nats),
        _statistic(point.mean_tokens),
        _percent(point.truncated_frac),
        _percent(point.repeated_frac),
        _percent(point.no_box_frac),
    ]


def _slope_table(result: TemperatureSweepResult) -> Table:
    """A row for each checkpoint, benchmark and axis."""
    rows: list[Row] = [
        [
            slope.checkpoint,
            _benchmark(result, slope.benchmark),
            f"{AXES[slope.axis].symbol} {setting(slope.low)} to {setting(slope.high)}",
            Cell(text=points_cell(slope.value, slope.interval), tone=trend(slope).tone),
            Cell(text=slope.trend, tone=trend(slope).tone),
        ]
        for slope in result.slopes
    ]
    return table(
        f"Slope of accuracy{_at_one_benchmark(result)}, in points per unit of the axis, with 95 % "
        "intervals",
        ("checkpoint", "benchmark", "axis", "slope", "trend"),
        rows=rows,
        note="Least-squares line through the settings. A trend is named only where the interval "
        "excludes zero.",
        secondary=("axis",),
    )


def _difference_table(result: TemperatureSweepResult) -> Table:
    """A row for each pair of checkpoints."""
    rows: list[Row] = [
        [
            f"{pair.left} {MINUS} {pair.right}",
            _benchmark(result, pair.benchmark),
            AXES[pair.axis].symbol,
            Cell(
                text=points_cell(pair.value, pair.interval),
                tone="undecided" if pair.direction == "undecided" else "plain",
            ),
            Cell(
                text=p_cell(pair.p_holm),
                hint=f"sign flips over problems; before the correction {p_cell(pair.p_value)}",
            ),
        ]
        for pair in result.slope_differences
    ]
    return table(
        f"Difference of slopes{_at_one_benchmark(result)}, in points per unit of the axis, paired "
        "by problem",
        ("pair", "benchmark", "axis", "difference", "p (Holm)"),
        rows=rows,
        secondary=("axis",),
    )


def baseline_tables(result: TemperatureSweepResult) -> tuple[Table, ...]:
    """A row for each checkpoint and temperature, with its entropy-matched baseline, if any."""
    return (_baseline_table(result),) if result.controls else ()


def _baseline_table(result: TemperatureSweepResult) -> Table:
    base = result.base or "base"
    return table(
        f"Entropy-matched baseline{_at_one_benchmark(result)}: entropies in nats per token, "
        "accuracy in percent, differences in points",
        (
            "checkpoint",
            "benchmark",
            "entropy",
            "accuracy",
            f"{base} at T",
            f"{base}'s entropy",
            f"{base}'s accuracy",
            "difference",
            "verdict",
        ),
        rows=[_baseline_row(result, control) for control in result.controls],
        note=f"More than cooling: the interval is above 2 points; less: below {MINUS}2; cooling: "
        "between them; undecided: it holds one of them, or the entropies are not equal.",
        secondary=(f"{base}'s entropy", "entropy", f"{base}'s accuracy", "accuracy"),
    )


def _baseline_row(result: TemperatureSweepResult, control: CoolingControl) -> Row:
    tone = baseline(control).tone
    tried = ", ".join(setting(temperature) for temperature in control.tried)
    differ = "" if control.is_matched else " (entropies differ)"
    return [
        f"{control.checkpoint}, T {setting(control.temperature)}",
        _benchmark(result, control.benchmark),
        short(control.entropy_nats),
        percent_cell(control.value),
        Cell(text=setting(control.base_temperature), hint=f"temperatures tried: {tried}"),
        Cell(
            text=short(control.base_entropy_nats),
            hint=f"equal within {setting(control.tolerance_nats)} nats: "
            f"{'yes' if control.is_matched else 'no'}",
        ),
        percent_cell(control.base_value),
        Cell(text=points_cell(control.difference, control.interval), tone=tone),
        Cell(text=f"{control.verdict}{differ}", tone=tone),
    ]


def _at_one_benchmark(result: TemperatureSweepResult) -> str:
    """In a title, where there is no column of benchmarks."""
    return f" on {result.benchmarks[0]}" if len(result.benchmarks) == 1 else ""


def _benchmark(result: TemperatureSweepResult, benchmark: str) -> str:
    """In a column, which is left out where all its cells are empty."""
    return benchmark if len(result.benchmarks) > 1 else ""


def _percent(metric: Metric | None) -> str:
    return NOTHING if metric is None else percent_cell(metric.value, metric.interval)


def _statistic(metric: Metric | None) -> str:
    return NOTHING if metric is None else statistic(metric.value, metric.interval)


def cautions(result: TemperatureSweepResult) -> tuple[str, ...]:
    """What changes how the numbers should be read, the gravest first, then the notes."""
    problems: dict[str, int] = {}
    truncated: dict[str, float] = {}
    for point in result.points:
        known = problems.get(point.benchmark, point.problems)
        problems[point.benchmark] = min(point.problems, known)
        name = f"{point.checkpoint} on {point.benchmark}, {point.setting.words()}"
        truncated[name] = point.truncated_frac.value
    sentences = [
        f"Partial: {measured:,} of {count(total, 'problem')} of {benchmark} were measured."
        for benchmark, measured in problems.items()
        if measured < (total := result.problems_total.get(benchmark, measured))
    ]
    sentences += [*few_problems(problems), *truncation(truncated)]
    if any(point.accuracy.interval is None for point in result.points):
        sentences.append("Some settings have no interval, so nothing follows from their numbers.")
    sentences += _unmatched(result.controls)
    notes = (as_sentence(note) for note in result.notes)
    return distinct([*sentences, *arm_cautions(result.arms), *notes])


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
