"""Scores of checkpoints, their differences, and what more samples find."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec.structs import replace

from emdiag.core.results import BenchmarkScore, CompareResult, Comparison
from emdiag.core.seed_scores import BenchmarkSeeds, SeedGroup
from emdiag.findings import comparison, evaluation, seeds
from emdiag.findings.evaluation import Scores
from emdiag.findings.numbers import percent_cell, points_cell
from emdiag.plots.plain_text import arm_names, plain_label
from emdiag.plots.sheet import (
    benchmark_panels,
    columns_of,
    draw_interval,
    draw_series,
    line_of,
    metric_values,
    name_rows,
    scaled,
    sheet,
    write_above,
)
from emdiag.plots.style import QUIET, STAGE_COLOURS, Look, arm_looks, style

_ROW_INCHES = 0.36
_BANDS_UP_TO = 3


@style()
def accuracy_figure(scores: Scores) -> Figure:
    """Scores with their intervals: a line for each checkpoint, a panel for each benchmark.

    Runs of one checkpoint that differ in temperature have a line each.
    """
    benchmarks = list(dict.fromkeys(score.benchmark for score in scores))
    looks = _looks(scores)
    names, order = arm_names(list(looks)), list(looks)
    rows = sorted({_row(score) for score in scores}, key=lambda row: (order.index(row[0]), row[2]))
    several = len({(label, temperature) for label, _, temperature in rows}) > len(looks)
    figure, panels = benchmark_panels(
        [evaluation.score_statement(_plain(score, names)) for score in scores],
        evaluation.scores_note(scores),
        benchmarks,
        height=_ROW_INCHES * max(len(rows), 2) + 0.55,
    )
    ticks = [names[label] + (f", T {at:g}" if several else "") for label, _, at in rows]
    for index, (benchmark, axes) in enumerate(panels.items()):
        shown = [score for score in scores if score.benchmark == benchmark]
        for score in shown:
            look, line, value = looks[score.label], rows.index(_row(score)), 100 * score.value
            draw_interval(axes, scaled(score.interval), line=line, color=look.colour)
            axes.plot(
                [value], [line], look.marker, color=look.colour, markersize=6, label=score.label
            )
            write_above(axes, percent_cell(score.value, score.interval), at=(value, line))
        name_rows(axes, ticks, above=0.75, below=0.5)
        _percent_limits(axes)
        axes.set_xlabel(f"{' or '.join(dict.fromkeys(s.metric for s in shown))}, % right")
        axes.tick_params(labelleft=index % columns_of(len(benchmarks)) == 0)
    return figure


@style()
def difference_figure(result: CompareResult) -> Figure:
    """Paired differences of two checkpoints by benchmark, with the zone of no difference."""
    macro = _plain_pair(result.macro) if result.macro else None
    result = replace(result, comparisons=tuple(map(_plain_pair, result.comparisons)), macro=macro)
    rows = [*result.comparisons, *([macro] if macro else [])]
    figure, grid = sheet(
        comparison.comparison_statements(result),
        comparison.differences_note(rows),
        height=0.42 * max(len(rows), 2) + 0.6,
    )
    axes, margin = grid[0, 0], 100 * rows[0].margin
    axes.axvline(0, color=QUIET, linewidth=0.9)
    for line, row in enumerate(rows):
        draw_interval(axes, scaled(row.interval), line=line, color=QUIET)
        at, marker = 100 * row.difference, "D" if row is macro else "o"
        axes.plot([at], [line], marker, color="#111111", markersize=6)
        amount = points_cell(row.difference, row.interval)
        write_above(axes, f"{amount}: {comparison.conclusion_words(row)}", at=(at, line))
    axes.axvspan(-margin, margin, color="#dddddd", zorder=0)
    name_rows(axes, [row.benchmark for row in rows], above=0.75, below=0.5)
    axes.margins(x=0.15)
    axes.set_xlabel(comparison.differences_axis(rows[0]))
    return figure


@style()
def pass_at_k_figure(scores: Scores) -> Figure | None:
    """Chance that any of k samples is right, over k; None where no run has several samples."""
    drawn = [score for score in scores if len(score.pass_at_k) > 1]
    if not drawn:
        return None
    looks = _looks(scores)
    names = arm_names(list(looks))
    bars = len({_row(score) for score in drawn}) > _BANDS_UP_TO
    figure, panels = benchmark_panels(
        [evaluation.coverage_statement(_plain(score, names)) for score in drawn],
        evaluation.coverage_note(drawn, "Bars" if bars else "Bands"),
        list(dict.fromkeys(score.benchmark for score in drawn)),
        height=2.5,
        entries={names[score.label]: line_of(looks[score.label]) for score in drawn},
        y="pass@k, %",
    )
    for score in drawn:
        values = [metric_values(metric, 100) for metric in score.pass_at_k]
        series = [(float(k), *pair) for k, pair in enumerate(values, start=1)]
        axes = panels[score.benchmark]
        draw_series(axes, series, looks[score.label], label=score.label, bars=bars)
    for axes in panels.values():
        _axis_of_k(axes, max(score.samples for score in drawn))
        axes.set_xlabel("samples k")
    return figure


@style()
def seeds_figure(of: BenchmarkSeeds) -> Figure:
    """Single seeds as dots and their mean with its interval: a line for each group, and the base.

    The checkpoint that was registered before training has a ring.
    """
    groups = tuple(map(_plain_group, of.groups))
    of = replace(of, benchmark=plain_label(of.benchmark), groups=groups)
    figure, grid = sheet(
        [seeds.mean_statement(group, of) for group in groups],
        seeds.seeds_note(of),
        height=0.55 * max(len(groups), 2) + 0.6,
    )
    axes = grid[0, 0]
    for line, group in enumerate(groups):
        _seeds(axes, of, group, line=line)
    if of.base is not None:
        colour = STAGE_COLOURS["base"]
        axes.axvline(100 * of.base.value, color=colour, linewidth=1.2)
        if (ends := scaled(of.base.interval)) is not None:
            axes.axvspan(ends.low, ends.high, color=colour, alpha=0.1, linewidth=0)
    name_rows(axes, [group.name or "all seeds" for group in groups], above=0.7)
    _percent_limits(axes)
    axes.set_xlabel(f"{of.metric}, % right")
    return figure


def _seeds(axes: Axes, of: BenchmarkSeeds, group: SeedGroup, *, line: int) -> None:
    values = [100 * seed.value for seed in group.seeds]
    axes.plot(values, [line + 0.22] * len(values), "o", color=QUIET, markersize=4, alpha=0.7)
    kept = of.registered
    if kept is not None and any(seed.run_key == kept.run_key for seed in group.seeds):
        at, ring = [100 * kept.value], [line + 0.22]
        axes.plot(at, ring, "o", mfc="none", mec="#111111", markersize=10)
    draw_interval(axes, scaled(group.interval), line=line, color="#111111")
    axes.plot([100 * group.mean], [line], "D", color="#111111", markersize=6)
    write_above(axes, percent_cell(group.mean, group.interval), at=(100 * group.mean, line))


def _row(score: BenchmarkScore) -> tuple[str, str, float]:
    return score.label, score.metric, score.temperature


def _looks(scores: Scores) -> dict[str, Look]:
    return arm_looks({score.label: score.checkpoint.stage for score in scores})


def _plain(score: BenchmarkScore, names: dict[str, str]) -> BenchmarkScore:
    """With names that have room in a figure."""
    return replace(score, label=names[score.label], benchmark=plain_label(score.benchmark))


def _plain_pair(row: Comparison) -> Comparison:
    left, right = plain_label(row.left), plain_label(row.right)
    return replace(row, left=left, right=right, benchmark=plain_label(row.benchmark, 30))


def _plain_group(group: SeedGroup) -> SeedGroup:
    name, gap = plain_label(group.name, 30) if group.name else "", group.difference
    difference = None if gap is None else replace(gap, base=plain_label(gap.base))
    return replace(group, name=name, difference=difference)


def _percent_limits(axes: Axes) -> None:
    """Room for words on both sides, and no tick beyond 100 %."""
    axes.margins(x=0.22)
    low, high = axes.get_xlim()
    low, high = max(low, -8.0), min(high, 108.0)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= 100])
    axes.set_xlim(low, high)


def _axis_of_k(axes: Axes, most: int) -> None:
    """Doubling numbers of samples, as far apart as their logarithms."""
    axes.set_xscale("log", base=2)
    ticks = [2**power for power in range(most.bit_length()) if 2**power <= most]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
