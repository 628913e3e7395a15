"""Accuracy over two axes of sampling: a map for each arm and benchmark, on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emdiag.findings.sweep.captions import HEAT_COLOURS, sizes
from emdiag.findings.sweep.statements import AXES, accuracy_range
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import Words, finish, label_axes, title_lines
from emdiag.plots.sweep.lookup import along, panel_grid, value_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from emdiag.core.temperature_sweep import SweepPoint
    from emdiag.plots.sweep.lookup import SweepLookup

_COLOURS = "cividis"  # even in lightness, and the same for all kinds of colour vision
_DARK_BELOW = 0.55


def heat_figure(lookup: SweepLookup) -> Figure | None:
    """Accuracy over both axes, a number in each cell; None where one axis was swept."""
    if len(lookup.result.axes) < 2:
        return None
    drawn = [point for point in lookup.result.points if not point.is_control]
    cells = [(b, a) for b in lookup.result.benchmarks for a in lookup.looks if _has(drawn, b, a)]
    if not cells:
        return None
    words = Words(
        finding=title_lines([accuracy_range(lookup.result)]),
        quiet=f"{sizes(drawn)}. {HEAT_COLOURS}",
    )
    across, up = lookup.result.axes[:2]
    columns, rows = lookup.values(across), lookup.values(up)
    wide = min(len(cells), 3 if len(columns) > 5 else 4)
    height = max(1.6, 0.3 * len(rows) + 0.8)
    figure, panels = panel_grid(words, len(cells), height=height, columns=wide)
    values = [100 * point.accuracy.value for point in drawn]
    for index, (axes, (benchmark, label)) in enumerate(zip(panels, cells, strict=True)):
        _map(axes, _grid(lookup, drawn, benchmark, label=label), ends=(min(values), max(values)))
        axes.set_xticks(range(len(columns)), [value_name(across, value) for value in columns])
        axes.set_yticks(range(len(rows)), [value_name(up, value) for value in rows])
        several = len(lookup.result.benchmarks) > 1
        title = lookup.names[label] + (f" on {plain_label(benchmark, 14)}" if several else "")
        first = index % wide == 0
        label_axes(axes, title=title, x=AXES[across].label, y=AXES[up].label if first else "")
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
    return any((point.benchmark, point.checkpoint) == (benchmark, label) for point in drawn)


def _grid(
    lookup: SweepLookup, drawn: list[SweepPoint], benchmark: str, *, label: str
) -> NDArray[np.float64]:
    """Percent `[second axis, first axis]`; nan where nothing was measured."""
    across, up = lookup.result.axes[:2]
    columns, rows = lookup.values(across), lookup.values(up)
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
