"""Scores of checkpoints, their differences, and what more samples find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from emdiag.findings.comparison import comparison_statements, conclusion_words
from emdiag.findings.evaluation import coverage_statement, score_statement
from emdiag.findings.numbers import count, intervals_drawn, percent_cell, points_cell, span
from emdiag.findings.seeds import mean_statement
from emdiag.plots.plain_text import arm_names, plain_label
from emdiag.plots.sheet import (
    Words,
    draw_series,
    finish,
    label_axes,
    legend,
    line_of,
    sheet,
    title_lines,
    write_above,
)
from emdiag.plots.style import QUIET, STAGE_COLOURS, looks_by_label, style
from emdiag.plots.sweep.lookup import columns_of, metric_values, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.results import BenchmarkScore, CompareResult, Comparison
    from emdiag.core.seed_scores import BenchmarkSeeds, SeedGroup
    from emdiag.findings.evaluation import Scores
    from emdiag.plots.style import Look


_ROW_INCHES = 0.36
_BANDS_UP_TO = 3


def accuracy_figure(scores: Scores) -> Figure:
    """Scores with their intervals: a line for each checkpoint, a panel for each benchmark.

    Runs of one checkpoint that differ in temperature have a line each.
    """
    benchmarks = list(dict.fromkeys(score.benchmark for score in scores))
    looks = _looks(scores)
    names = arm_names(list(looks))
    order = list(looks)
    rows = sorted({_row(score) for score in scores}, key=lambda row: (order.index(row[0]), row[2]))
    runs = {(label, temperature) for label, _, temperature in rows}
    with style():
        words = Words(
            finding=title_lines([score_statement(_plain(score, names)) for score in scores]),
            quiet=f"{_sizes(scores)}. "
            f"{intervals_drawn((score.interval for score in scores), 'Bars')}. "
            "Whether two of them differ is a question for their paired difference.",
        )
        height = _ROW_INCHES * max(len(rows), 2) + 0.55
        figure, panels = panel_grid(words, len(benchmarks), height=height, sharey=True)
        for index, (axes, benchmark) in enumerate(zip(panels, benchmarks, strict=True)):
            for score in scores:
                if score.benchmark == benchmark:
                    _score(axes, score, look=looks[score.label], line=rows.index(_row(score)))
            axes.set_ylim(len(rows) - 0.5, -0.75)
            _percent_limits(axes)
            axes.grid(visible=False, axis="y")
            several = len(runs) > len(looks)
            ticks = [names[label] + (f", T {at:g}" if several else "") for label, _, at in rows]
            axes.set_yticks(range(len(rows)), ticks)
            title = plain_label(benchmark, 30) if len(benchmarks) > 1 else ""
            metric = " or ".join(
                dict.fromkeys(score.metric for score in scores if score.benchmark == benchmark)
            )
            label_axes(axes, title=title, x=f"{metric}, % right")
            axes.tick_params(labelleft=index % columns_of(len(benchmarks)) == 0)
        return finish(figure)


def difference_figure(result: CompareResult) -> Figure:
    """Paired differences of two checkpoints by benchmark, with the zone of no difference."""
    macro = _plain_pair(result.macro) if result.macro else None
    result = replace(result, comparisons=tuple(map(_plain_pair, result.comparisons)), macro=macro)
    rows = [*result.comparisons, *([macro] if macro else [])]
    first = rows[0]
    with style():
        words = Words(
            finding=title_lines(comparison_statements(result)),
            quiet=f"Paired by problem; n = {span([row.problems for row in rows], 'problem')}. "
            f"{intervals_drawn((row.interval for row in rows), 'Bars')}. "
            f"Grey zone: within {100 * first.margin:g} points the two count as equivalent.",
        )
        height = 0.42 * max(len(rows), 2) + 0.6
        figure, grid = sheet(words, height=height)
        axes = grid[0, 0]
        axes.axvline(0, color=QUIET, linewidth=0.9)
        for line, row in enumerate(rows):
            _difference(axes, row, line=line, is_macro=row is macro)
        axes.axvspan(-100 * first.margin, 100 * first.margin, color="#dddddd", zorder=0)
        axes.set_yticks(range(len(rows)), [row.benchmark for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.75)
        axes.margins(x=0.15)
        axes.grid(visible=False, axis="y")
        label_axes(
            axes,
            title="",
            x=f"points; right of 0: {first.right} is better, left of 0: {first.left} is better",
        )
        return finish(figure)


def pass_at_k_figure(scores: Scores) -> Figure | None:
    """Chance that any of k samples is right, over k; None where no run has several samples."""
    drawn = [score for score in scores if len(score.pass_at_k) > 1]
    if not drawn:
        return None
    benchmarks = list(dict.fromkeys(score.benchmark for score in drawn))
    looks = _looks(scores)
    names = arm_names(list(looks))
    bars = len({_row(score) for score in drawn}) > _BANDS_UP_TO
    entries = list(dict.fromkeys(score.label for score in drawn))
    intervals = (metric.interval for score in drawn for metric in score.pass_at_k)
    with style():
        words = Words(
            finding=title_lines([coverage_statement(_plain(score, names)) for score in drawn]),
            quiet=f"{_sizes(drawn)}. {intervals_drawn(intervals, 'Bars' if bars else 'Bands')}.",
        )
        figure, panels = panel_grid(
            words,
            len(benchmarks),
            height=2.5,
            sharey=True,
            entries=[names[label] for label in entries],
        )
        for index, (axes, benchmark) in enumerate(zip(panels, benchmarks, strict=True)):
            for score in drawn:
                if score.benchmark == benchmark:
                    values = [metric_values(metric, 100) for metric in score.pass_at_k]
                    series = [(float(k), *pair) for k, pair in enumerate(values, start=1)]
                    draw_series(axes, series, looks[score.label], label=score.label, bars=bars)
            _axis_of_k(axes, max(score.samples for score in drawn))
            title = plain_label(benchmark, 30) if len(benchmarks) > 1 else ""
            label_axes(axes, title=title, x="samples k", y="" if index else "pass@k, %")
        legend(figure, {names[label]: line_of(looks[label]) for label in entries})
        return finish(figure)


def seeds_figure(of: BenchmarkSeeds) -> Figure:
    """Single seeds as marks and their mean with its interval: a line for each group, and the base.

    The checkpoint that was registered before training has a ring.
    """
    of = _plain_seeds(of)
    names = [group.name or "all seeds" for group in of.groups]
    with style():
        words = Words(
            finding=title_lines([mean_statement(group, of) for group in of.groups]),
            quiet=f"{of.benchmark}, {of.metric}; n = "
            f"{count(of.problems, 'problem')}. "
            f"{intervals_drawn((group.interval for group in of.groups), 'Bars')}. "
            "Diamond: mean of the seeds; ring: registered before training; line: the base.",
        )
        figure, grid = sheet(words, height=0.55 * max(len(names), 2) + 0.6)
        axes = grid[0, 0]
        for line, group in enumerate(of.groups):
            _seeds(axes, of, group, line=line)
        if of.base is not None:
            colour = STAGE_COLOURS["base"]
            axes.axvline(100 * of.base.value, color=colour, linewidth=1.2)
            if of.base.interval is not None:
                low, high = 100 * of.base.interval.low, 100 * of.base.interval.high
                axes.axvspan(low, high, color=colour, alpha=0.1, linewidth=0)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.7)
        _percent_limits(axes)
        axes.grid(visible=False, axis="y")
        label_axes(axes, title="", x=f"{of.metric}, % right")
        return finish(figure)


def _seeds(axes: Axes, of: BenchmarkSeeds, group: SeedGroup, *, line: int) -> None:
    values = [100 * seed.value for seed in group.seeds]
    axes.plot(values, [line + 0.22] * len(values), "|", color=QUIET, markersize=9, mew=1.6)
    kept = of.registered
    if kept is not None and any(seed.run_key == kept.run_key for seed in group.seeds):
        at, ring = [100 * kept.value], [line + 0.22]
        axes.plot(at, ring, "o", mfc="none", mec="#111111", markersize=10)
    if group.interval is not None:
        low, high = 100 * group.interval.low, 100 * group.interval.high
        axes.hlines(line, low, high, color="#111111", linewidth=2.2)
    axes.plot([100 * group.mean], [line], "D", color="#111111", markersize=6)
    write_above(axes, percent_cell(group.mean, group.interval), at=(100 * group.mean, line))


def _row(score: BenchmarkScore) -> tuple[str, str, float]:
    return score.label, score.metric, score.temperature


def _looks(scores: Scores) -> dict[str, Look]:
    return looks_by_label({score.label: score.checkpoint.stage for score in scores})


def _sizes(scores: Scores) -> str:
    return (
        f"n = {span([score.problems for score in scores], 'problem')}, "
        f"{span([score.samples for score in scores], 'sample')} of each"
    )


def _plain(score: BenchmarkScore, names: dict[str, str]) -> BenchmarkScore:
    """With names that have room in a figure."""
    return replace(score, label=names[score.label], benchmark=plain_label(score.benchmark))


def _plain_pair(row: Comparison) -> Comparison:
    left, right = plain_label(row.left), plain_label(row.right)
    return replace(row, left=left, right=right, benchmark=plain_label(row.benchmark, 30))


def _plain_seeds(of: BenchmarkSeeds) -> BenchmarkSeeds:
    groups = tuple(map(_plain_group, of.groups))
    return replace(of, benchmark=plain_label(of.benchmark), groups=groups)


def _plain_group(group: SeedGroup) -> SeedGroup:
    name, gap = plain_label(group.name, 30) if group.name else "", group.difference
    difference = None if gap is None else replace(gap, base=plain_label(gap.base))
    return replace(group, name=name, difference=difference)


def _score(axes: Axes, score: BenchmarkScore, *, look: Look, line: int) -> None:
    if score.interval is not None:
        low, high = 100 * score.interval.low, 100 * score.interval.high
        axes.hlines(line, low, high, color=look.colour, linewidth=2.2)
    value = 100 * score.value
    axes.plot([value], [line], look.marker, color=look.colour, markersize=6, label=score.label)
    write_above(axes, percent_cell(score.value, score.interval), at=(value, line))


def _percent_limits(axes: Axes) -> None:
    """Room for words on both sides, and no tick beyond 100 %."""
    axes.margins(x=0.22)
    low, high = axes.get_xlim()
    low, high = max(low, -8.0), min(high, 108.0)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= 100])
    axes.set_xlim(low, high)


def _difference(axes: Axes, row: Comparison, *, line: int, is_macro: bool) -> None:
    if row.interval is not None:
        low, high = 100 * row.interval.low, 100 * row.interval.high
        axes.hlines(line, low, high, color=QUIET, linewidth=2.2)
    value = 100 * row.difference
    axes.plot([value], [line], "D" if is_macro else "o", color="#111111", markersize=6)
    words = f"{points_cell(row.difference, row.interval)}: {conclusion_words(row)}"
    write_above(axes, words, at=(value, line))


def _axis_of_k(axes: Axes, most: int) -> None:
    """Doubling numbers of samples, as far apart as their logarithms."""
    axes.set_xscale("log", base=2)
    ticks = [2**power for power in range(most.bit_length()) if 2**power <= most]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
