"""Accuracy over two axes of sampling: a map for each arm and benchmark, on one scale."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emdiag.findings.sweep.captions import HEAT_COLOURS, sizes
from emdiag.findings.sweep.statements import AXES, accuracy_range
from emdiag.plots.plain_text import plain_label
from emdiag.plots.sheet import panel_grid
from emdiag.plots.sweep.lookup import SweepLookup, along, value_name

_COLOURS = "cividis"  # even in lightness, and the same for all kinds of colour vision
_DARK_BELOW = 0.55


def heat_figure(lookup: SweepLookup) -> Figure | None:
    """Accuracy over both axes, a number in each cell; None where one axis was swept."""
    if len(lookup.result.axes) < 2:
        return None
    across, up = lookup.result.axes[:2]
    columns, rows = lookup.values(across), lookup.values(up)
    maps = {
        (benchmark, label): grid
        for benchmark in lookup.result.benchmarks
        for label in lookup.looks
        if np.isfinite(grid := _grid(lookup, benchmark, label)).any()
    }
    if not maps:
        return None
    wide = min(len(maps), 3 if len(columns) > 5 else 4)
    figure, panels = panel_grid(
        [accuracy_range(lookup.result)],
        f"{sizes(lookup.points)}. {HEAT_COLOURS}",
        len(maps),
        height=max(1.6, 0.3 * len(rows) + 0.8),
        columns=wide,
    )
    values = [100 * point.accuracy.value for point in lookup.points]
    several = len(lookup.result.benchmarks) > 1
    for index, (axes, (benchmark, label)) in enumerate(zip(panels, maps, strict=True)):
        _map(axes, maps[benchmark, label], ends=(min(values), max(values)))
        axes.set_xticks(range(len(columns)), [value_name(across, value) for value in columns])
        axes.set_yticks(range(len(rows)), [value_name(up, value) for value in rows])
        title = lookup.names[label] + (f" on {plain_label(benchmark, 14)}" if several else "")
        y = "" if index % wide else AXES[up].label
        axes.set(title=title, xlabel=AXES[across].label, ylabel=y)
    return figure


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


def _grid(lookup: SweepLookup, benchmark: str, label: str) -> NDArray[np.float64]:
    """Percent `[second axis, first axis]`; nan where nothing was measured."""
    axes = lookup.result.axes[1::-1]
    values = [lookup.values(axis) for axis in axes]
    grid = np.full([len(of_axis) for of_axis in values], np.nan)
    for point in lookup.points:
        if (point.benchmark, point.checkpoint) == (benchmark, label):
            is_greedy = point.setting.temperature == 0 and "temperature" in axes
            cell = tuple(
                slice(None)
                if is_greedy and axis != "temperature"
                else of_axis.index(along(point.setting, axis))
                for axis, of_axis in zip(axes, values, strict=True)
            )
            grid[cell] = 100 * point.accuracy.value
    return grid
