"""How training went: one small panel for each figure of `UpdateRecord`, over updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emdiag.core.errors import MeasurementError
from emdiag.findings.training import STAGE_NAMES, group_statements, run_noun, value_series
from emdiag.plots.style import QUIET, STAGE_COLOURS, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from emdiag.core.checkpoints import Stage
    from emdiag.findings.training import Runs

    Series = dict[int, float]

COLUMNS = 3
_PANEL_INCHES = (3.2, 2.15)
_WORDS_INCHES = 1.0
_DOTS_UP_TO = 25


@dataclass(frozen=True)
class Panel:
    """One figure of `UpdateRecord` as a reader meets it.

    Attributes:
        is_share: Between 0 and 1, and drawn on that whole range.
    """

    field: str
    title: str
    unit: str
    is_share: bool = False


PANELS: Final = (
    Panel("held_out_entropy_nats", "Held-out entropy at T = 1", "nats per token"),
    Panel("loss", "Loss", "nats per token"),
    Panel("reward", "Reward", "mean of samples"),
    Panel("gradient_norm", "Gradient norm, before clipping", "L2 norm"),
    Panel("weight_distance", "Weight distance from the start", "L2 norm"),
    Panel("mean_tokens", "Length of completions", "tokens, mean"),
    Panel("truncated_frac", "Cut off at the limit", "share of samples", is_share=True),
    Panel("majority_frac", "Samples with the majority answer", "share of samples", is_share=True),
    Panel(
        "answer_flips_frac",
        "Greedy answers unlike the start's",
        "share of held-out prompts",
        is_share=True,
    ),
)


def training_figure(runs: Runs, *, stage: Stage) -> Figure:
    """Small panels over updates; one thin line for each run and a thick one for their mean.

    Args:
        runs: Label, such as `seed 0`, to the records of its updates; update 0 is the start.
        stage: What training made; decides the colour.

    Figures that no run defines have no panel. The mean is drawn where every run has a value, so
    that a run which has not come as far cannot bend it.

    Raises:
        MeasurementError: No run has a figure to draw.
    """
    panels = [panel for panel in PANELS if any(_series(runs, panel))]
    if not panels:
        raise MeasurementError(
            "no update has a figure to draw",
            runs=", ".join(runs) or "none",
            hint="draw a training run after its first update",
        )
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    width, height = _PANEL_INCHES
    with style():
        figure = Figure(
            figsize=(width * COLUMNS, height * rows + _WORDS_INCHES), layout="constrained"
        )
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        last = max(record.update for records in runs.values() for record in records)
        for axes, panel in zip(grid, panels, strict=False):
            _draw(axes, runs, panel, colour=STAGE_COLOURS[stage], last=last)
        for axes in grid[len(panels) :]:
            axes.remove()
        sns.despine(figure)
        figure.suptitle(_title_of_all(runs, stage=stage), x=0.01, ha="left", weight="bold", size=11)
        figure.supxlabel(_legend(runs), x=0.01, ha="left", size=8, color=QUIET)
        figure.get_layout_engine().set(hspace=0.06, wspace=0.05)  # type: ignore[union-attr, call-arg]  # set above: constrained
    return figure


def _title_of_all(runs: Runs, *, stage: Stage) -> str:
    """What changed; changed answers have their panel alone."""
    statements = [
        statement.words
        for statement in group_statements(runs, stage=stage)
        if statement.kind in {"reward", "held-out entropy", "loss"}
    ]
    return "\n".join(statements) or f"{STAGE_NAMES[stage]}: the start, before any update"


def _draw(axes: Axes, runs: Runs, panel: Panel, *, colour: str, last: int) -> None:
    lines = _series(runs, panel)
    single = len(runs) == 1
    dots = "o" if last <= _DOTS_UP_TO else None
    for label, series in zip(runs, lines, strict=True):
        updates = sorted(series)
        axes.plot(
            updates,
            [series[update] for update in updates],
            color=colour,
            label=label,
            linewidth=2.0 if single else 0.8,
            alpha=1.0 if single else 0.45,
            marker=dots if single else None,
            markersize=3.5,
        )
    shared = sorted(set.intersection(*(set(series) for series in lines)))
    if not single and shared:
        axes.plot(
            shared,
            [np.mean([series[update] for series in lines]) for update in shared],
            color=colour,
            label="mean",
            linewidth=2.4,
            marker=dots,
            markersize=3.5,
        )
    _scale(axes, panel, lines, last=last)
    axes.set_title(_title(runs, panel))
    axes.set_ylabel(_unit(runs, panel))
    axes.set_xlabel("update")


def _scale(axes: Axes, panel: Panel, lines: Sequence[Series], *, last: int) -> None:
    """The whole range for shares; elsewhere from 0, unless values lie below it."""
    reach = max(last, 1)
    axes.set_xlim(-0.03 * reach, 1.03 * reach)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    highest = max(value for series in lines for value in series.values())
    lowest = min(value for series in lines for value in series.values())
    if panel.is_share:
        axes.set_ylim(-0.03, 1.03)
    elif lowest >= 0:
        axes.set_ylim(0, 1.08 * highest if highest > 0 else 1.0)


def _series(runs: Runs, panel: Panel) -> list[Series]:
    """For each run, its values by update, where defined."""
    return [value_series(records, panel.field) for records in runs.values()]


def _title(runs: Runs, panel: Panel) -> str:
    if panel.field != "loss":
        return panel.title
    records = [record for records in runs.values() for record in records]
    used = sorted({r.loss_temperature for r in records if r.loss_temperature is not None})
    return f"Loss at T = {' and '.join(f'{t:g}' for t in used)}" if used else "Loss"


def _unit(runs: Runs, panel: Panel) -> str:
    methods = {record.method for records in runs.values() for record in records}
    return "as its library defines it" if panel.field == "loss" and "rl" in methods else panel.unit


def _legend(runs: Runs) -> str:
    lines = f"Thin: one {run_noun(runs)}; thick: their mean. " if len(runs) > 1 else ""
    return (
        f"{lines}Held-out statistics and the distance are of the weights after the update, "
        "all others of those before it."
    )
