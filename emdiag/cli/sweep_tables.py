"""A sweep as tables of the terminal; every number stands beside its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from emdiag.cli.console import Out
    from emdiag.core.results import Interval, Metric
    from emdiag.core.temperature_sweep import SweepPoint, TemperatureSweepResult


def show_sweep(result: TemperatureSweepResult, out: Out) -> None:
    """Accuracy by setting, what else changes, trends, the cooled base, and what may be said."""
    for benchmark in result.benchmarks:
        out.table(_accuracy(result, benchmark))
        out.table(_others(result, benchmark))
    if result.slopes:
        out.table(_slopes(result))
    if result.controls:
        out.table(_controls(result))
    for statement in result.statements:
        out.line(statement)
    for note in result.notes:
        out.line(f"note: {note}")
    for figure in result.figures:
        out.say(f"figure: {figure}.svg")
    out.say(f"runs lie in {result.store}; the same command continues them")


def _accuracy(result: TemperatureSweepResult, benchmark: str) -> Table:
    points = [one for one in result.points if one.benchmark == benchmark and not one.is_control]
    most = max(point.problems for point in points)
    table = Table(
        title=f"{benchmark}, {most} of {result.problems_total[benchmark]} problems: accuracy in "
        "percent, with 95 % intervals"
    )
    table.add_column("setting")
    table.add_column("metric")
    for arm in result.arms:
        seeds = len(arm.digests)
        table.add_column(arm.label + (f"\n{seeds} seeds" if seeds > 1 else ""), justify="right")
    for setting in dict.fromkeys(point.setting for point in points):
        row = {one.checkpoint: one for one in points if one.setting == setting}
        first = next(iter(row.values()))
        cells = [_percent(row[arm.label].accuracy) for arm in result.arms]
        table.add_row(setting.words(result.axes), first.accuracy.name, *cells)
    return table


def _others(result: TemperatureSweepResult, benchmark: str) -> Table:
    points = [one for one in result.points if one.benchmark == benchmark]
    most = max(point.samples for point in points)
    table = Table(title=f"{benchmark}: what else changes (shares in percent)")
    table.add_column("checkpoint")
    table.add_column("setting")
    names = (f"pass@{most}", f"maj@{most}", "agree", "answers", "entropy, nats", "tokens")
    for name in (*names, "cut off", "repetitive", "no box"):
        table.add_column(name, justify="right")
    for point in points:
        table.add_row(*_other_cells(point, result, most=most), end_section=False)
    return table


def _other_cells(point: SweepPoint, result: TemperatureSweepResult, *, most: int) -> list[str]:
    label = f"{point.checkpoint}, cooled" if point.is_control else point.checkpoint
    full = point.samples == most
    return [
        label,
        point.setting.words(result.axes),
        _percent(point.pass_at_k[-1]) if full else "-",
        _percent(point.majority) if full else "-",
        _percent(point.agreement),
        _plain(point.distinct_answers, ".2f"),
        _plain(point.entropy_nats, ".3f"),
        _plain(point.mean_tokens, ".1f"),
        _share(point.truncated_frac),
        _share(point.repeated_frac),
        _share(point.no_box_frac),
    ]


def _slopes(result: TemperatureSweepResult) -> Table:
    table = Table(title="slopes of accuracy, in points per unit of the axis, with 95 % intervals")
    for name in ("benchmark", "axis", "checkpoint"):
        table.add_column(name)
    for name in ("slope", "p (Holm)"):
        table.add_column(name, justify="right")
    table.add_column("")
    for slope in result.slopes:
        table.add_row(
            slope.benchmark,
            f"{slope.axis} {slope.low:g} to {slope.high:g}",
            slope.checkpoint,
            _points(slope.value, slope.interval),
            "",
            slope.trend,
        )
    for one in result.slope_differences:
        table.add_row(
            one.benchmark,
            one.axis,
            f"{one.left} minus {one.right}",
            _points(one.value, one.interval),
            "<0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}",
            "",
        )
    return table


def _controls(result: TemperatureSweepResult) -> Table:
    table = Table(title=f"beside {result.base} at equal entropy: accuracy in percent")
    for name in ("benchmark", "checkpoint"):
        table.add_column(name)
    for name in ("T", "nats", "accuracy", "base's T", "nats", "accuracy", "difference, points"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for one in result.controls:
        table.add_row(
            one.benchmark,
            one.checkpoint,
            f"{one.temperature:g}",
            f"{one.entropy_nats:.4f}",
            f"{100 * one.value:.1f}",
            f"{one.base_temperature:g}",
            f"{one.base_entropy_nats:.4f}",
            f"{100 * one.base_value:.1f}",
            _points(one.difference, one.interval),
            one.verdict + ("" if one.is_matched else " (entropies differ)"),
        )
    return table


def _percent(metric: Metric | None) -> str:
    return "-" if metric is None else _spread(100 * metric.value, metric.interval, scale=100)


def _share(metric: Metric) -> str:
    return f"{100 * metric.value:.1f}"


def _plain(metric: Metric | None, form: str) -> str:
    return "-" if metric is None else f"{metric.value:{form}}"


def _points(value: float, interval: Interval | None) -> str:
    return f"{'+' if value > 0 else ''}{_spread(100 * value, interval, scale=100)}"


def _spread(value: float, interval: Interval | None, *, scale: float) -> str:
    if interval is None:
        return f"{value:.1f}"
    return f"{value:.1f} {interval.ends(scale=scale)}"
