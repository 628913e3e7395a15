"""Every figure that a study of logits or a sweep has something for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from matplotlib.figure import Figure

from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.plots.logits.cooling import cooling_figure
from emdiag.plots.logits.flips import flips_figure
from emdiag.plots.logits.lines import along_figure, shift_figure
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.logits.published import published_figure
from emdiag.plots.logits.shapes import histogram_figure
from emdiag.plots.logits.violins import violin_figure
from emdiag.plots.style import style
from emdiag.plots.sweep.heat import heat_figure
from emdiag.plots.sweep.lines import accuracy_figure, entropy_figure
from emdiag.plots.sweep.lookup import SweepLookup
from emdiag.plots.sweep.samples import samples_figure
from emdiag.plots.sweep.slopes import control_figure, slopes_figure

Study = TypeVar("Study", DrawnStudy, SweepLookup)

_OF_LOGITS: Final[Mapping[str, Callable[[DrawnStudy], Figure | None]]] = {
    "histogram": histogram_figure,
    "per-token-skewness": violin_figure,
    "along-the-answer": along_figure,
    "shift-by-rank": shift_figure,
    "cooling": cooling_figure,
    "published": published_figure,
    "flips": flips_figure,
}
_OF_A_SWEEP: Final[Mapping[str, Callable[[SweepLookup], Figure | None]]] = {
    "accuracy": accuracy_figure,
    "control": control_figure,
    "entropy": entropy_figure,
    "slopes": slopes_figure,
    "samples": samples_figure,
    "heat": heat_figure,
}


def skew_figures(result: LogitSkewResult) -> dict[str, Figure]:
    """Figures by the name of their file, without those the result has nothing for.

    They are read on the base's own writing where it was read, else on every checkpoint's own, and
    say so. Save them with `save_figure`.
    """
    return _drawn(_OF_LOGITS, DrawnStudy(result))


def sweep_figures(result: TemperatureSweepResult) -> dict[str, Figure]:
    """The same of a sweep."""
    return _drawn(_OF_A_SWEEP, SweepLookup(result))


def _drawn(
    figures: Mapping[str, Callable[[Study], Figure | None]], study: Study
) -> dict[str, Figure]:
    with style():
        drawn = {name: draw(study) for name, draw in figures.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}
