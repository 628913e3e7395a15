"""Every figure that a study of logits has something for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.plots.logits.cooling import cooling_figure
from emdiag.plots.logits.flips import flips_figure
from emdiag.plots.logits.lines import along_figure, shift_figure
from emdiag.plots.logits.lookup import drawn_study
from emdiag.plots.logits.published import published_figure
from emdiag.plots.logits.shapes import histogram_figure
from emdiag.plots.logits.violins import violin_figure
from emdiag.plots.style import style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import LogitSkewResult
    from emdiag.plots.logits.lookup import DrawnStudy

_FIGURES: Final[Mapping[str, Callable[[DrawnStudy], Figure | None]]] = {
    "histogram": histogram_figure,
    "per-token-skewness": violin_figure,
    "along-the-answer": along_figure,
    "shift-by-rank": shift_figure,
    "cooling": cooling_figure,
    "published": published_figure,
    "flips": flips_figure,
}


def skew_figures(result: LogitSkewResult) -> dict[str, Figure]:
    """Figures by the name of their file, without those the result has nothing for.

    They are read on the base's own writing where it was read, else on every checkpoint's own, and
    say so. Save them with `save_figure`.
    """
    study = drawn_study(result)
    with style():
        drawn = {name: draw(study) for name, draw in _FIGURES.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}
