"""Every figure that a sweep has something for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.plots.style import style
from emdiag.plots.sweep.heat import heat_figure
from emdiag.plots.sweep.lines import accuracy_figure, entropy_figure
from emdiag.plots.sweep.lookup import open_sweep
from emdiag.plots.sweep.samples import samples_figure
from emdiag.plots.sweep.slopes import control_figure, slopes_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

    from emdiag.core.temperature_sweep import TemperatureSweepResult
    from emdiag.plots.sweep.lookup import SweepLookup

_FIGURES: Final[Mapping[str, Callable[[SweepLookup], Figure | None]]] = {
    "accuracy": accuracy_figure,
    "control": control_figure,
    "entropy": entropy_figure,
    "slopes": slopes_figure,
    "samples": samples_figure,
    "heat": heat_figure,
}


def sweep_figures(result: TemperatureSweepResult) -> dict[str, Figure]:
    """Figures by the name of their file, without those the result has nothing for.

    Save them with `save_figure`, or put them into a page with `figure_svg`.
    """
    lookup = open_sweep(result)
    with style():
        drawn = {name: draw(lookup) for name, draw in _FIGURES.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}
