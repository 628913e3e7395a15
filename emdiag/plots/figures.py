"""Every figure that a study of logits or a sweep has something for."""

from __future__ import annotations

from collections.abc import Mapping

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


@style()
def skew_figures(result: LogitSkewResult) -> dict[str, Figure]:
    """Figures by the name of their file, without those the result has nothing for.

    They are read on the base's own writing where it was read, else on every checkpoint's own, and
    say so. Save them with `save_figure`.
    """
    study = DrawnStudy(result)
    return _drawn(
        {
            "histogram": histogram_figure(study),
            "per-token-skewness": violin_figure(study),
            "along-the-answer": along_figure(study),
            "shift-by-rank": shift_figure(study),
            "cooling": cooling_figure(study),
            "published": published_figure(study),
            "flips": flips_figure(study),
        }
    )


@style()
def sweep_figures(result: TemperatureSweepResult) -> dict[str, Figure]:
    """The same of a sweep."""
    lookup = SweepLookup(result)
    return _drawn(
        {
            "accuracy": accuracy_figure(lookup),
            "control": control_figure(lookup),
            "entropy": entropy_figure(lookup),
            "slopes": slopes_figure(lookup),
            "samples": samples_figure(lookup),
            "heat": heat_figure(lookup),
        }
    )


def _drawn(figures: Mapping[str, Figure | None]) -> dict[str, Figure]:
    return {name: figure for name, figure in figures.items() if figure is not None}
