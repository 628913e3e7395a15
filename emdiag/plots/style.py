"""What every figure shares: a colour for each stage, fonts, grid, and how it is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeAlias

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emdiag.core.checkpoints import Stage
from emdiag.core.errors import system_errors_as
from emdiag.core.files import make_folder, replacing
from emdiag.core.marks import visible
from emdiag.core.protocols import Progress

Drawn: TypeAlias = "Figure"
"""A figure, for rooms that only hand it on."""

STAGE_COLOURS: Final[Mapping[Stage, str]] = {
    "base": "#111111",
    "em": "#e04704",
    "rl": "#0c359a",
    "em_rl": "#35b474",
    "rl_em": "#a42d6d",
}
"""One colour for each stage, the same in every figure.

Their lightness differs by at least 10 of 100, so that they stay apart in grey, and every pair
stays apart for a reader without one kind of cone; all stand out from white.
"""

OTHER_COLOURS: Final = ("#7d7468", "#5f8793", "#8b8a3c", "#9a7fa6")
"""Of checkpoints whose stage is not known; none is, or is near, the colour of a stage."""

QUIET: Final = "#595959"
"""Of words that explain and are no result; readable on white."""

WORDS_BOX: Final[Mapping[str, object]] = {
    "facecolor": "white",
    "edgecolor": "none",
    "alpha": 0.8,
    "pad": 0.6,
}
"""Behind words that stand in a panel, so that no line crosses them."""

_DASHES: Final = (
    (0.0, ()),
    (0.0, (4.5, 1.6)),
    (0.0, (1.2, 1.3)),
    (0.0, (6.0, 1.4, 1.2, 1.4)),
    (0.0, (9.0, 2.0)),
    (0.0, (3.0, 1.2, 1.2, 1.2, 1.2, 1.2)),
)
_MARKERS: Final = "os^DvP"
_STEPS_FROM_COLOUR: Final = (0.0, 0.45, 0.25, 0.55, 0.12, 0.35)
_DARK: Final = 0.08
_PNG_DOTS_PER_INCH = 160
_SVG_METADATA: Final = {"Date": None, "Creator": "emdiag"}
_SETTINGS: Final[Mapping[str, Any]] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.labelcolor": QUIET,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",  # words stay words: they can be searched, read aloud and copied
    "svg.hashsalt": "emdiag",  # else every file has other ids and no two are equal
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a label or a token that holds dollar signs is shown as it is
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """How the lines of one arm are told from all others, in colour and in grey.

    Attributes:
        dash: Offset and lengths on and off, in line widths; no lengths: drawn through.
    """

    colour: str
    dash: tuple[float, tuple[float, ...]]
    marker: str


def arm_looks(stages: Mapping[str, Stage | None]) -> dict[str, Look]:
    """A look for each arm by its label, in the order given.

    The first arm of a stage has the colour of the stage; further ones have the same hue, darker
    where that colour is light and lighter where it is dark. Arms without a stage have colours of
    `OTHER_COLOURS`. Dash and marker differ for the first six arms, whatever their stages.
    """
    looks: dict[str, Look] = {}
    before: Counter[Stage | None] = Counter()
    for index, (label, stage) in enumerate(stages.items()):
        place, number = index % len(_DASHES), before[stage]
        colour = OTHER_COLOURS[number % len(OTHER_COLOURS)]
        if stage is not None:
            colour = _shade(STAGE_COLOURS[stage], number)
        looks[label] = Look(colour=colour, dash=_DASHES[place], marker=_MARKERS[place])
        before[stage] += 1
    return looks


def _shade(colour: str, step: int) -> str:
    rgb = np.array(to_rgb(colour))
    towards = 1.0 if _luminance(rgb) < _DARK else 0.0
    share = _STEPS_FROM_COLOUR[step % len(_STEPS_FROM_COLOUR)]
    return to_hex(tuple((1 - share) * rgb + share * towards))


def _luminance(rgb: NDArray[np.float64]) -> float:
    """Relative luminance, between 0 and 1. Source: WCAG 2.1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the project; matplotlib's own settings are as before afterwards."""
    shared = {**sns.plotting_context("paper"), **sns.axes_style("ticks"), **_SETTINGS}
    with mpl.rc_context(shared):
        yield


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure that was drawn inside `style` as SVG and as PNG; equal figures, equal files.

    Both endings are added to `path`, whatever dots it holds; returns where the two lie.

    Raises:
        StoreError: A file cannot be written; what was there before is kept.
    """
    svg, png = (path.with_name(f"{path.name}.{ending}") for ending in ("svg", "png"))
    _write(figure, svg, metadata=_SVG_METADATA)
    _write(figure, png, metadata={"Software": None}, dpi=_PNG_DOTS_PER_INCH)
    return svg, png


def save_figures(
    draw: Callable[[], Mapping[str, Figure]], folder: Path, *, progress: Progress
) -> tuple[str, ...]:
    """Draw figures and write each as SVG and PNG; returns the files, without ending.

    Raises:
        StoreError: A file cannot be written.
    """
    with progress.stage("drawing figures", total=1) as stage:
        figures = {str(folder / name): figure for name, figure in draw().items()}
        for file, figure in figures.items():
            save_figure(figure, Path(file))
        stage.advance()
    return tuple(figures)


def figure_svg(figure: Figure) -> str:
    """The SVG that `save_figure` writes, to be put into a page; equal figures give equal text."""
    out = StringIO()
    with style():
        figure.savefig(out, format="svg", metadata=_SVG_METADATA)
    return visible(out.getvalue())


def _write(figure: Figure, path: Path, **options: Any) -> None:
    with system_errors_as("cannot write", file=path):
        make_folder(path.parent)
        with style(), replacing(path) as partial:
            figure.savefig(partial, format=path.suffix[1:], **options)
