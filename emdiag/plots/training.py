"""How training went: one small panel for each figure of `UpdateRecord`, over updates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emdiag.core.checkpoints import Stage
from emdiag.core.errors import MeasurementError
from emdiag.findings import training
from emdiag.findings.training import Panel, Runs
from emdiag.plots.sheet import panel_grid
from emdiag.plots.style import STAGE_COLOURS, style

Series = dict[int, float]

_PANEL_INCHES = 2.15
_DOTS_UP_TO = 25


@style()
def training_figure(runs: Runs, *, stage: Stage) -> Figure:
    """Small panels over updates; one thin line for each run and a thick one for their mean.

    What no run defines has no panel. The mean is drawn where every run has a value, so that a run
    which has not come as far cannot bend it. The stage decides the colour.

    Raises:
        MeasurementError: No run has a figure to draw.
    """
    panels = [panel for panel in training.PANELS if any(_series(runs, panel))]
    if not panels:
        raise MeasurementError(
            "no update has a figure to draw",
            runs=", ".join(runs) or "none",
            hint="draw a training run after its first update",
        )
    figure, grid = panel_grid(
        training.figure_title(runs, stage=stage),
        training.figure_note(runs),
        len(panels),
        height=_PANEL_INCHES,
    )
    last = max(record.update for records in runs.values() for record in records)
    for axes, panel in zip(grid, panels, strict=True):
        _draw(axes, runs, panel, colour=STAGE_COLOURS[stage], last=last)
    return figure


def _draw(axes: Axes, runs: Runs, panel: Panel, *, colour: str, last: int) -> None:
    lines = _series(runs, panel)
    dots: dict[str, Any] = {"marker": "o" if last <= _DOTS_UP_TO else None, "markersize": 3.5}
    thin: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.45}
    if len(runs) == 1:
        thin = {"linewidth": 2.0} | dots
    for label, series in zip(runs, lines, strict=True):
        axes.plot(*_points(series), color=colour, label=label, **thin)
    shared = sorted(set.intersection(*map(set, lines)))
    if len(runs) > 1 and shared:
        means = {at: float(np.mean([series[at] for series in lines])) for at in shared}
        axes.plot(*_points(means), color=colour, label="mean", linewidth=2.4, **dots)
    _scale(axes, panel, lines, last=last)
    axes.set(
        title=training.panel_title(runs, panel),
        ylabel=training.panel_unit(runs, panel),
        xlabel="update",
    )


def _points(series: Series) -> tuple[list[int], list[float]]:
    updates = sorted(series)
    return updates, [series[update] for update in updates]


def _scale(axes: Axes, panel: Panel, lines: Sequence[Series], *, last: int) -> None:
    """The whole range for shares; elsewhere from 0, unless values lie below it."""
    reach = max(last, 1)
    axes.set_xlim(-0.03 * reach, 1.03 * reach)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    values = [value for series in lines for value in series.values()]
    if panel.is_share:
        axes.set_ylim(-0.03, 1.03)
    elif min(values) >= 0:
        axes.set_ylim(0, 1.08 * max(values) or 1.0)


def _series(runs: Runs, panel: Panel) -> list[Series]:
    """For each run, its values by update, where defined."""
    return [training.value_series(records, panel.field) for records in runs.values()]
