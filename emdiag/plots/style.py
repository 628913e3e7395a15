"""What every figure shares: a colour for each stage, fonts, grid, and how it is written down."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import seaborn as sns

from emdiag.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from emdiag.core.checkpoints import Stage

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

STAGE_NAMES: Final[Mapping[Stage, str]] = {
    "base": "base",
    "em": "EM",
    "rl": "RL",
    "em_rl": "EM, then RL",
    "rl_em": "RL, then EM",
}
"""What the stages are called on a page."""

QUIET: Final = "#595959"
"""Of words that explain and are no result; readable on white."""

_PNG_DOTS_PER_INCH = 160
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
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",  # words stay words: they can be searched, read aloud and copied
    "svg.hashsalt": "emdiag",  # else every file has other ids and no two are equal
    "savefig.facecolor": "white",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the project; matplotlib's own settings are as before afterwards."""
    shared = {**sns.plotting_context("paper"), **sns.axes_style("ticks"), **_SETTINGS}
    with mpl.rc_context(shared):
        yield


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure as SVG and as PNG; equal figures give equal files.

    Args:
        figure: Drawn inside `style`.
        path: Without an ending; `.svg` and `.png` are added, whatever dots it holds.

    Returns:
        Where the SVG and the PNG lie.

    Raises:
        StoreError: A file cannot be written; what was there before is kept.
    """
    svg, png = (path.with_name(f"{path.name}.{ending}") for ending in ("svg", "png"))
    _write(figure, svg, metadata={"Date": None, "Creator": "emdiag"})
    _write(figure, png, metadata={"Software": None}, dpi=_PNG_DOTS_PER_INCH)
    return svg, png


def _write(figure: Figure, path: Path, **options: Any) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with style():
            figure.savefig(partial, format=path.suffix[1:], **options)
        partial.replace(path)
    except OSError as error:
        raise StoreError(
            f"cannot write: {error.strerror}", file=path, hint="make room or mend permissions"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
