"""The published figure: its quirks undone one after the other, and each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emdiag.core.logit_skew import QuirkStep
from emdiag.findings.logits import captions
from emdiag.findings.logits.statements import published_statements
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import (
    arm_legend,
    draw_interval,
    draw_series,
    line_options,
    name_rows,
    sheet,
)

_STEP_CHARACTERS = 32
_LINE_CHARACTERS = 16
_SPREAD = 0.56


def published_figure(study: DrawnStudy) -> Figure | None:
    """The ladder of quirks and, at its right, each undone alone; None without `--published`."""
    published = study.result.published
    if published is None:
        return None
    ladder = published.steps
    finding = published_statements(study.result)
    quiet = captions.published_note(published)
    if not published.alone:
        figure, grid = sheet(finding, quiet, height=3.8)
    else:
        height = max(3.8, 0.12 * len(study.looks) * len(published.alone) + 1.3)
        figure, grid = sheet(finding, quiet, height=height, shape=(1, 2), width_ratios=[1.25, 1])
        _alone(grid[0, 1], study, published.alone, start=ladder[0])
        grid[0, 1].set(title=captions.EACH_ALONE, xlabel="skewness")
    _ladder(grid[0, 0], study, ladder)
    title = captions.ladder_title(_name(ladder[0]))
    grid[0, 0].set(title=title, xlabel=captions.LADDER, ylabel="skewness")
    arm_legend(figure, study.looks, study.names)
    return figure


def _name(step: QuirkStep) -> str:
    return plain_label(step.name, _STEP_CHARACTERS)


def _names(steps: Sequence[QuirkStep]) -> list[str]:
    return [fill(_name(step), _LINE_CHARACTERS, break_on_hyphens=False) for step in steps]


def _ladder(axes: Axes, study: DrawnStudy, ladder: Sequence[QuirkStep]) -> None:
    offsets = _offsets(len(study.looks), 0.2)
    for offset, (label, look) in zip(offsets, study.looks.items(), strict=True):
        values = [step.value_of(label) for step in ladder]
        points = [
            (at + offset, value.skewness, value.interval) if value else (at + offset, None, None)
            for at, value in enumerate(values)
        ]
        if any(y is not None for _, y, _ in points):
            draw_series(axes, points, look, label=label, bars=True)
    ticks: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(ladder)), _names(ladder), **ticks)
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
            if value is not None and value.skewness is not None:
                at = line + offset
                axes.plot([value.skewness], [at], label=label, **options)
                draw_interval(axes, value.interval, line=at, color=look.colour, linewidth=1.4)
    name_rows(axes, _names(steps), above=0.5, below=0.5)
    between = [line + 0.5 for line in range(len(steps) - 1)]
    across = axes.get_yaxis_transform()
    axes.hlines(between, 0, 1, transform=across, color="#e4e4e4", linewidth=0.7)


def _offsets(arms: int, spread: float) -> list[float]:
    """Places of the arms side by side, the middle of all at 0."""
    return [spread * ((arm + 0.5) / arms - 0.5) for arm in range(arms)]
