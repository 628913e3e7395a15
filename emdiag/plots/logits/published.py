"""The published figure: its quirks undone one after the other, and each by itself."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from emdiag.plots.logits.words import capped, counted, intervals_said, number, with_interval
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import (
    Words,
    arm_legend,
    draw_series,
    finish,
    label_axes,
    line_options,
    sheet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import PublishedFigure, QuirkStep, QuirkValue
    from emdiag.plots.logits.lookup import Book

_STEP_CHARACTERS = 32
_LINE_CHARACTERS = 16
_SPREAD = 0.56


def published_figure(book: Book) -> Figure | None:
    """The ladder of quirks and, beside it, each undone alone; None without `--published`."""
    found = book.result.published
    if found is None:
        return None
    ladder = found.ladder or (found.shown,)
    words = Words(finding=_finding(book, ladder), quiet=_quiet(found, ladder))
    if not found.alone:
        figure, grid = sheet(words, height=3.8)
    else:
        height = max(3.8, 0.12 * len(book.looks) * len(found.alone) + 1.3)
        figure, grid = sheet(words, height=height, shape=(1, 2), width_ratios=[1.25, 1])
        _alone(grid[0, 1], book, found.alone, start=ladder[0])
        label_axes(grid[0, 1], title="Each undone alone (dotted: as published)", x="skewness")
    _ladder(grid[0, 0], book, ladder)
    label_axes(
        grid[0, 0],
        title=f"From {_name(ladder[0])} to raw, shared, per token",
        x="one quirk more is undone at each step",
        y="skewness",
    )
    arm_legend(figure, book.looks, book.names)
    return finish(figure)


def _value(step: QuirkStep, label: str) -> QuirkValue | None:
    return next((value for value in step.values if value.checkpoint == label), None)


def _said(step: QuirkStep, label: str) -> str:
    value = _value(step, label)
    return number(value.skewness if value is not None else None)


def _changed(step: QuirkStep, label: str, base: str) -> str:
    """Such as `0.32 against 0.04 (+0.28 [+0.10, +0.47])`."""
    value = _value(step, label)
    said = f"{_said(step, label)} against {_said(step, base)}"
    if value is None or value.change is None:
        return said
    return f"{said} ({with_interval(value.change, value.change_interval, signed=True)})"


def _finding(book: Book, ladder: Sequence[QuirkStep]) -> list[str]:
    """Both ends of the ladder, each with its own paired change."""
    base, first, last = book.result.base, ladder[0], ladder[-1]
    lines = []
    for label, name in book.names.items():
        if label == base:
            continue
        line = f"{_name(first)}: {name} {_changed(first, label, base)}"
        if last is not first:
            line += f"; every quirk undone: {_changed(last, label, base)}"
        lines.append(line[0].upper() + line[1:])
    base_alone = f"{_name(first)}: {book.names.get(base, 'base')} {_said(first, base)}"
    return capped(lines or [base_alone[0].upper() + base_alone[1:]])


def _quiet(found: PublishedFigure, ladder: Sequence[QuirkStep]) -> str:
    values = [value for step in (*ladder, *found.alone) for value in step.values]
    problems = [text.problems for text in found.texts]
    asked = f" Asked for without: {', '.join(found.undone)}." if found.undone else ""
    return (
        f"As published: scores of a sampler at T = {found.temperature:g} among its {found.top_k} "
        f"highest, every text cut to {counted([found.positions], 'position')}, its own text for "
        f"each checkpoint, all values in one pool; n = {counted(problems, 'problem')}, "
        f"{counted([value.tokens for value in values], 'token')} for each value. "
        f"{intervals_said(values, drawn='Bars')}.{asked}"
    )


def _name(step: QuirkStep) -> str:
    return plain_label(step.name, _STEP_CHARACTERS)


def _ladder(axes: Axes, book: Book, ladder: Sequence[QuirkStep]) -> None:
    for offset, (label, look) in zip(
        _offsets(len(book.looks), 0.2), book.looks.items(), strict=True
    ):
        values = [_value(step, label) for step in ladder]
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


def _alone(axes: Axes, book: Book, steps: Sequence[QuirkStep], *, start: QuirkStep) -> None:
    offsets = _offsets(len(book.looks), _SPREAD)
    for offset, (label, look) in zip(offsets, book.looks.items(), strict=True):
        published = _value(start, label)
        if published is not None and published.skewness is not None:
            axes.axvline(published.skewness, color=look.colour, linewidth=1, linestyle=":")
        options = line_options(look) | {"linestyle": "none"}
        for line, step in enumerate(steps):
            value = _value(step, label)
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
    """Places of the arms beside each other, the middle of all at 0."""
    return [spread * ((arm + 0.5) / arms - 0.5) for arm in range(arms)]
