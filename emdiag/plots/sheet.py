"""The sheet of every figure of logits: title, quiet words below it, panels, and a legend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from emdiag.plots.plain_text import plain_words
from emdiag.plots.style import QUIET, WORDS_BOX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from numpy.typing import NDArray

    from emdiag.core.results import Interval
    from emdiag.findings.page import Statement
    from emdiag.plots.style import Look

WIDTH_INCHES = 9.0
TITLE_LINES: Final = 3
_TITLE_POINTS = 10.0
_QUIET_POINTS = 8.0
_LINE = 1.3
_MARGIN = 0.012
_LEGEND_CHARACTERS = 110
_WORD: Final = re.compile(r"[^\s\[]*\[[^\[\]]{0,24}\]\S*|\S+")
"""What stays on one line; an interval in its brackets is one word."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What stands above the panels: a line for each finding, and what is said quietly."""

    finding: Sequence[str]
    quiet: str


def title_lines(statements: Sequence[Statement]) -> list[str]:
    """As many statements as a title bears, a line each, and how many are left out."""
    lines = [plain_words(statement.words) for statement in statements[:TITLE_LINES]]
    rest = len(statements) - len(lines)
    return [*lines, f"\N{HORIZONTAL ELLIPSIS} {rest} more in the figure"] if rest else lines


def sheet(
    words: Words, *, height: float, shape: tuple[int, int] = (1, 1), **grid: Any
) -> tuple[Figure, NDArray[np.object_]]:
    """An empty figure with its words, and its axes `[row, column]`.

    Args:
        words: Its finding and what is said quietly.
        height: Of the panels and the legend, in inches; the words come on top.
        shape: Rows and columns.
        grid: As in `Figure.subplots`.
    """
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    FigureCanvasAgg(figure)
    finding = _wrapped(figure, words.finding, size=_TITLE_POINTS, indent="    ", weight="bold")
    quiet = _wrapped(figure, [words.quiet], size=_QUIET_POINTS)
    title = len(finding) * _TITLE_POINTS * _LINE / 72
    below = len(quiet) * _QUIET_POINTS * _LINE / 72
    whole = height + title + below + 0.16
    figure.set_size_inches(WIDTH_INCHES, whole)
    figure.get_layout_engine().set(rect=(0, 0, 1, height / whole), wspace=0.04, hspace=0.04)  # type: ignore[union-attr, call-arg]  # set above: constrained
    shared: dict[str, Any] = {"x": _MARGIN, "ha": "left", "va": "top", "linespacing": _LINE}
    top = 1 - 0.06 / whole
    figure.suptitle(
        "\n".join(finding), y=top, weight="bold", size=_TITLE_POINTS, in_layout=False, **shared
    )
    shared.pop("x")
    figure.text(
        _MARGIN, top - title / whole, "\n".join(quiet), size=_QUIET_POINTS, color=QUIET, **shared
    )
    return figure, figure.subplots(*shape, squeeze=False, **grid)


def _wrapped(
    figure: Figure, paragraphs: Sequence[str], *, size: float, indent: str = "", **font: Any
) -> list[str]:
    """Lines that fit on the sheet, measured with the font they are drawn in."""
    properties = FontProperties(size=size, **font)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # an Agg canvas
    room = (1 - 2 * _MARGIN) * figure.bbox.width
    lines = []
    for paragraph in paragraphs:
        line = ""
        for word in _WORD.findall(paragraph):
            longer = f"{line} {word}" if line else word
            width, _, _ = renderer.get_text_width_height_descent(longer, properties, ismath=False)
            if line and width > room:
                lines.append(line)
                longer = indent + word
            line = longer
        lines.append(line)
    return lines


def finish(figure: Figure) -> Figure:
    """Without frames on the right and on top."""
    sns.despine(figure)
    return figure


def label_axes(axes: Axes, *, title: str, x: str = "", y: str = "") -> None:
    """Name a panel and its axes."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def legend(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """One legend for the whole figure, below its panels."""
    if not entries:
        return
    labels = list(entries)
    drawn = figure.legend(
        list(entries.values()),
        [f"entry {index}" for index in range(len(labels))],
        loc="outside lower left",
        ncols=_legend_columns(labels),
        frameon=False,
        fontsize=_QUIET_POINTS,
        handlelength=3.2,
        columnspacing=1.6,
    )
    write_labels(drawn, labels)


def legend_lines(labels: Sequence[str]) -> int:
    """How many lines a legend with these labels takes."""
    return -(-len(labels) // _legend_columns(labels)) if labels else 0


def _legend_columns(labels: Sequence[str]) -> int:
    widest = max(map(len, labels)) + 9
    return min(len(labels), max(1, _LEGEND_CHARACTERS // widest))


def write_labels(drawn: Legend, labels: Sequence[str]) -> None:
    """Put the labels into a legend afterwards: it drops those that begin with an underscore."""
    for text, label in zip(drawn.get_texts(), labels, strict=True):
        text.set_text(label)


def arm_legend(figure: Figure, looks: Mapping[str, Look], names: Mapping[str, str]) -> None:
    """A legend of arms as lines with their dash and marker."""
    legend(figure, {names[label]: line_of(look) for label, look in looks.items()})


def write_above(axes: Axes, words: str, *, at: tuple[float, int], **options: Any) -> None:
    """Small words above a mark, in the middle of it."""
    axes.annotate(
        words,
        at,
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=QUIET,
        bbox=WORDS_BOX,
        **({"size": 7} | options),
    )


def line_of(look: Look, **options: Any) -> Line2D:
    """A piece of line as it stands in a legend."""
    return Line2D([], [], **line_options(look), **options)


def line_options(look: Look) -> dict[str, Any]:
    """What every line of an arm is drawn with."""
    return {
        "color": look.colour,
        "linestyle": look.dash,
        "marker": look.marker,
        "markersize": 4,
        "linewidth": 1.6,
    }


def draw_series(
    axes: Axes,
    points: Sequence[tuple[float, float | None, Interval | None]],
    look: Look,
    *,
    label: str,
    bars: bool = False,
) -> None:
    """A line with its intervals as a band, or as bars; a gap where a value is not defined.

    Args:
        axes: Where to draw.
        points: Position, value and interval of each.
        look: Of the arm.
        label: Of the line, for who asks the figure.
        bars: Bars instead of a band.
    """
    x, y, low, high = (np.array(column, dtype=float) for column in _columns(points))
    axes.plot(x, y, label=label, **line_options(look))
    known = np.isfinite(low)
    if bars and known.any():
        axes.vlines(x[known], low[known], high[known], color=look.colour, linewidth=1.2, alpha=0.8)
    elif known.any():
        axes.fill_between(x, low, high, color=look.colour, alpha=0.14, linewidth=0)
        if not (known[1:] & known[:-1]).any():  # a band needs two neighbours to be seen
            axes.vlines(x[known], low[known], high[known], color=look.colour, linewidth=1.2)


def _columns(
    points: Sequence[tuple[float, float | None, Interval | None]],
) -> tuple[list[float], ...]:
    nan = float("nan")
    kept = [interval if value is not None else None for _, value, interval in points]
    return (
        [x for x, _, _ in points],
        [nan if value is None else value for _, value, _ in points],
        [nan if interval is None else interval.low for interval in kept],
        [nan if interval is None else interval.high for interval in kept],
    )
