"""The published figure: its quirks undone one after the other, and each by itself."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from emdiag.findings.logits.statements import published_statements
from emdiag.findings.numbers import count, intervals_drawn, span
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import (
    Words,
    arm_legend,
    draw_series,
    finish,
    label_axes,
    line_options,
    sheet,
    title_lines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import PublishedFigure, QuirkStep
    from emdiag.plots.logits.lookup import DrawnStudy

_STEP_CHARACTERS = 32
_LINE_CHARACTERS = 16
_SPREAD = 0.56


def published_figure(study: DrawnStudy) -> Figure | None:
    """The ladder of quirks and, at its right, each undone alone; None without `--published`."""
    published = study.result.published
    if published is None:
        return None
    ladder = published.ladder or (published.shown,)
    words = Words(
        finding=title_lines(published_statements(study.result)), quiet=_quiet(published, ladder)
    )
    if not published.alone:
        figure, grid = sheet(words, height=3.8)
    else:
        height = max(3.8, 0.12 * len(study.looks) * len(published.alone) + 1.3)
        figure, grid = sheet(words, height=height, shape=(1, 2), width_ratios=[1.25, 1])
        _alone(grid[0, 1], study, published.alone, start=ladder[0])
        label_axes(grid[0, 1], title="Each undone alone (dotted: as published)", x="skewness")
    _ladder(grid[0, 0], study, ladder)
    label_axes(
        grid[0, 0],
        title=f"From {_name(ladder[0])} to raw, shared, per token",
        x="one quirk more is undone at each step",
        y="skewness",
    )
    arm_legend(figure, study.looks, study.names)
    return finish(figure)


def _quiet(published: PublishedFigure, ladder: Sequence[QuirkStep]) -> str:
    values = [value for step in (*ladder, *published.alone) for value in step.values]
    problems = [text.problems for text in published.texts]
    without = f" Asked for without: {', '.join(published.undone)}." if published.undone else ""
    return (
        f"As published: scores of a sampler at T = {published.temperature:g} among its "
        f"{published.top_k} highest, every text cut to {count(published.positions, 'position')}, "
        "its own text for each checkpoint, all values in one pool; "
        f"n = {span(problems, 'problem')}, "
        f"{span([value.tokens for value in values], 'token')} for each value. "
        f"{intervals_drawn((value.interval for value in values), 'Bars')}.{without}"
    )


def _name(step: QuirkStep) -> str:
    return plain_label(step.name, _STEP_CHARACTERS)


def _ladder(axes: Axes, study: DrawnStudy, ladder: Sequence[QuirkStep]) -> None:
    for offset, (label, look) in zip(
        _offsets(len(study.looks), 0.2), study.looks.items(), strict=True
    ):
        values = [step.value_of(label) for step in ladder]
        points = [
            (at + offset, value.skewness, value.interval)
            if value is not None
            else (at + offset, None, None)
            for at, value in enumerate(values)
        ]
        if any(y is not None for _, y, _ in points):
            draw_series(axes, points, look, label=label, bars=True)
    names = [fill(_name(step), _LINE_CHARACTERS, break_on_hyphens=False) for step in ladder]
    axes.set_xticks(range(len(ladder)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.4, len(ladder) - 0.6)
    low, high = axes.get_ylim()
    if low < 0 < high:  # else the line would squeeze everything else together
        axes.axhline(0, color="#111111", linewidth=0.7)


def _alone(axes: Axes, study: DrawnStudy, steps: Sequence[QuirkStep], *, start: QuirkStep) -> None:
    offsets = _offsets(len(study.looks), _SPREAD)
    for offset, (label, look) in zip(offsets, study.looks.items(), strict=True):
        published = start.value_of(label)
        if published is not None and published.skewness is not None:
            axes.axvline(published.skewness, color=look.colour, linewidth=1, linestyle=":")
        options = line_options(look) | {"linestyle": "none"}
        for line, step in enumerate(steps):
            value = step.value_of(label)
            if value is None or value.skewness is None:
                continue
            axes.plot([value.skewness], [line + offset], label=label, **options)
            if value.interval is not None:
                low, high = value.interval.low, value.interval.high
                axes.hlines(line + offset, low, high, color=look.colour, linewidth=1.4)
    names = [fill(_name(step), _LINE_CHARACTERS, break_on_hyphens=False) for step in steps]
    axes.set_yticks(range(len(steps)), names)
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.hlines(
        [line + 0.5 for line in range(len(steps) - 1)],
        0,
        1,
        transform=axes.get_yaxis_transform(),
        color="#e4e4e4",
        linewidth=0.7,
    )
    axes.grid(visible=False, axis="y")


def _offsets(arms: int, spread: float) -> list[float]:
    """Places of the arms side by side, the middle of all at 0."""
    return [spread * ((arm + 0.5) / arms - 0.5) for arm in range(arms)]
