"""Accuracy over two axes of sampling: a map for each arm and benchmark, on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import Words, finish, label_axes
from emdiag.plots.sweep.lookup import AXIS_NAMES, along, panel_grid, percent, sizes, value_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from emdiag.core.temperature_sweep import SweepPoint
    from emdiag.plots.sweep.lookup import SweepBook

_COLOURS = "cividis"  # even in lightness, and the same for all kinds of colour vision
_DARK_BELOW = 0.55


def heat_figure(book: SweepBook) -> Figure | None:
    """Accuracy over both axes, a number in each cell; None where one axis was swept."""
    if len(book.result.axes) < 2:
        return None
    drawn = [point for point in book.result.points if not point.is_control]
    cells = [(b, a) for b in book.result.benchmarks for a in book.looks if _has(drawn, b, a)]
    if not cells:
        return None
    words = Words(
        finding=[_finding(book, drawn)],
        quiet=(
            f"Accuracy in percent, the same colours in all panels; {sizes(drawn)}. Greedy answers "
            "depend on no second axis. Intervals stand in the tables."
        ),
    )
    across, up = book.result.axes[:2]
    columns, rows = book.values(across), book.values(up)
    wide = min(len(cells), 3 if len(columns) > 5 else 4)
    height = max(1.6, 0.3 * len(rows) + 0.8)
    figure, panels = panel_grid(words, len(cells), height=height, columns=wide)
    every = [100 * point.accuracy.value for point in drawn]
    for index, (axes, (benchmark, label)) in enumerate(zip(panels, cells, strict=True)):
        _map(axes, _grid(book, drawn, benchmark, label=label), ends=(min(every), max(every)))
        axes.set_xticks(range(len(columns)), [value_name(across, one) for one in columns])
        axes.set_yticks(range(len(rows)), [value_name(up, one) for one in rows])
        several = len(book.result.benchmarks) > 1
        title = book.names[label] + (f" on {plain_label(benchmark, 14)}" if several else "")
        first = index % wide == 0
        label_axes(axes, title=title, x=AXIS_NAMES[across], y=AXIS_NAMES[up] if first else "")
    return finish(figure)


def _map(axes: Axes, grid: NDArray[np.float64], *, ends: tuple[float, float]) -> None:
    """Colours and numbers; cells without a value stay white."""
    low, high = ends[0], max(ends[1], ends[0] + 1)
    axes.imshow(grid, cmap=_COLOURS, vmin=low, vmax=high, aspect="auto", origin="lower")
    for (line, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            dark = (value - low) / (high - low) < _DARK_BELOW
            axes.text(
                column,
                line,
                f"{value:.0f}",
                ha="center",
                va="center",
                size=7,
                color="white" if dark else "#111111",
            )
    axes.grid(visible=False)


def _has(drawn: list[SweepPoint], benchmark: str, label: str) -> bool:
    return any((one.benchmark, one.checkpoint) == (benchmark, label) for one in drawn)


def _grid(
    book: SweepBook, drawn: list[SweepPoint], benchmark: str, *, label: str
) -> NDArray[np.float64]:
    """Percent `[second axis, first axis]`; nan where nothing was measured."""
    across, up = book.result.axes[:2]
    columns, rows = book.values(across), book.values(up)
    grid = np.full((len(rows), len(columns)), np.nan)
    for point in drawn:
        if (point.benchmark, point.checkpoint) != (benchmark, label):
            continue
        column, line = (
            values.index(along(point.setting, axis))
            for values, axis in ((columns, across), (rows, up))
        )
        if point.setting.temperature == 0 and across == "temperature":
            grid[:, column] = 100 * point.accuracy.value
        elif point.setting.temperature == 0 and up == "temperature":
            grid[line, :] = 100 * point.accuracy.value
        else:
            grid[line, column] = 100 * point.accuracy.value
    return grid


def _finding(book: SweepBook, drawn: list[SweepPoint]) -> str:
    """Lowest and highest cell; which of two near ones is better is not said."""
    low = min(drawn, key=lambda point: point.accuracy.value)
    high = max(drawn, key=lambda point: point.accuracy.value)
    said = [
        f"{percent(one.accuracy.value, one.accuracy.interval)} ({book.names[one.checkpoint]})"
        for one in (low, high)
    ]
    return f"Accuracy over all settings reaches from {said[0]} to {said[1]}"
