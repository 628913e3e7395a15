"""The sheet of every figure: title, quiet words below it, panels, and a legend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from msgspec.structs import replace
from numpy.typing import NDArray

from emdiag.core.results import Interval, Metric
from emdiag.findings.page import Statement
from emdiag.plots.plain_text import plain_label, plain_words
from emdiag.plots.style import QUIET, WORDS_BOX, Look

DrawnPoint = tuple[float, float | None, Interval | None]
"""Position, value and interval."""

WIDTH_INCHES = 9.0
TITLE_LINES: Final = 3
_TITLE_POINTS = 10.0
_QUIET_POINTS = 8.0
_LINE = 1.3
_MARGIN = 0.012
_LEGEND_CHARACTERS = 110
_LEGEND_LINE_INCHES = 0.17
_WORD: Final = re.compile(r"[^\s\[]*\[[^\[\]]{0,24}\]\S*|\S+")
"""What stays on one line; an interval in its brackets is one word."""


def sheet(
    finding: Sequence[Statement],
    quiet: str,
    *,
    height: float,
    shape: tuple[int, int] = (1, 1),
    **grid: Any,
) -> tuple[Figure, NDArray[np.object_]]:
    """An empty figure with its words, and its axes `[row, column]`.

    Args:
        finding: Its title: as many as it bears, a line each, and how many are left out.
        quiet: How to read it, below the title.
        height: Of the panels and the legend, in inches; the words come on top.
        shape: Rows and columns.
        grid: As in `Figure.subplots`.
    """
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    FigureCanvasAgg(figure)
    lines = [plain_words(statement.words) for statement in finding[:TITLE_LINES]]
    if rest := len(finding) - len(lines):
        lines.append(f"\N{HORIZONTAL ELLIPSIS} {rest} more in the figure")
    titles = _wrapped(figure, lines, size=_TITLE_POINTS, indent="    ", weight="bold")
    below = _wrapped(figure, [quiet], size=_QUIET_POINTS)
    title_inches = len(titles) * _TITLE_POINTS * _LINE / 72
    whole = height + title_inches + len(below) * _QUIET_POINTS * _LINE / 72 + 0.16
    figure.set_size_inches(WIDTH_INCHES, whole)
    figure.get_layout_engine().set(rect=(0, 0, 1, height / whole), wspace=0.04, hspace=0.04)  # type: ignore[union-attr, call-arg]  # set above: constrained
    top = 1 - 0.06 / whole
    shared: dict[str, Any] = {"ha": "left", "va": "top", "linespacing": _LINE}
    bold: dict[str, Any] = {"weight": "bold", "size": _TITLE_POINTS, "in_layout": False}
    figure.suptitle("\n".join(titles), x=_MARGIN, y=top, **bold, **shared)
    small: dict[str, Any] = {"size": _QUIET_POINTS, "color": QUIET}
    figure.text(_MARGIN, top - title_inches / whole, "\n".join(below), **small, **shared)
    return figure, figure.subplots(*shape, squeeze=False, **grid)


def panel_grid(
    finding: Sequence[Statement],
    quiet: str,
    count: int,
    *,
    height: float,
    entries: Mapping[str, Artist] | None = None,
    columns: int | None = None,
    **grid: object,
) -> tuple[Figure, list[Axes]]:
    """A sheet with `count` panels of `height` inches and a legend below them.

    Places that stay empty are removed; `columns` go by the number of panels where they are not
    given. The rest is as in `sheet`.
    """
    columns, labels = columns or columns_of(count), list(entries or ())
    rows = -(-count // columns)
    lines = -(-len(labels) // _legend_columns(labels)) if labels else 0
    whole = rows * height + 0.25 + _LEGEND_LINE_INCHES * lines
    figure, panels = sheet(finding, quiet, height=whole, shape=(rows, columns), **grid)
    places = list(panels.ravel())
    for axes in places[count:]:
        axes.remove()
    legend(figure, entries or {})
    return figure, places[:count]


def benchmark_panels(
    finding: Sequence[Statement],
    quiet: str,
    benchmarks: Sequence[str],
    *,
    height: float,
    entries: Mapping[str, Artist] | None = None,
    y: str = "",
) -> tuple[Figure, dict[str, Axes]]:
    """A panel for each benchmark on one vertical scale `y`, named where there are several."""
    figure, panels = panel_grid(
        finding, quiet, len(benchmarks), height=height, entries=entries, sharey=True
    )
    if len(benchmarks) > 1:
        for axes, benchmark in zip(panels, benchmarks, strict=True):
            axes.set_title(plain_label(benchmark, 30))
    panels[0].set_ylabel(y)
    return figure, dict(zip(benchmarks, panels, strict=True))


def columns_of(panels: int) -> int:
    """How many panels stand side by side."""
    return {1: 1, 2: 2, 4: 2}.get(panels, 3)


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


def legend(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """One legend for the whole figure, below its panels."""
    if not entries:
        return
    drawn = figure.legend(
        list(entries.values()),
        [f"entry {index}" for index in range(len(entries))],
        loc="outside lower left",
        ncols=_legend_columns(list(entries)),
        frameon=False,
        fontsize=_QUIET_POINTS,
        handlelength=3.2,
        columnspacing=1.6,
    )
    for text, label in zip(drawn.get_texts(), entries, strict=True):
        text.set_text(label)  # a legend drops labels that begin with an underscore


def _legend_columns(labels: Sequence[str]) -> int:
    widest = max(map(len, labels)) + 9
    return min(len(labels), max(1, _LEGEND_CHARACTERS // widest))


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
    axes: Axes, points: Sequence[DrawnPoint], look: Look, *, label: str, bars: bool = False
) -> None:
    """A line with its intervals as a band, or as bars; a gap where a value is not defined."""
    ends = [
        (interval.low, interval.high) if interval is not None and value is not None else (None,) * 2
        for _, value, interval in points
    ]
    x, y = np.array([point[:2] for point in points], dtype=float).T
    low, high = np.array(ends, dtype=float).T
    axes.plot(x, y, label=label, **line_options(look))
    known = np.isfinite(low)
    if bars and known.any():
        axes.vlines(x[known], low[known], high[known], color=look.colour, linewidth=1.2, alpha=0.8)
    elif known.any():
        axes.fill_between(x, low, high, color=look.colour, alpha=0.14, linewidth=0)
        if not (known[1:] & known[:-1]).any():  # a band needs two neighbours to be seen
            axes.vlines(x[known], low[known], high[known], color=look.colour, linewidth=1.2)


def metric_values(metric: Metric | None, scale: float) -> tuple[float | None, Interval | None]:
    """Value and interval, times `scale`; None where the metric is not defined."""
    if metric is None:
        return None, None
    return scale * metric.value, scaled(metric.interval, scale)


def scaled(interval: Interval | None, scale: float = 100) -> Interval | None:
    """The same in another unit, such as percent."""
    if interval is None:
        return None
    return replace(interval, low=scale * interval.low, high=scale * interval.high)


def draw_interval(axes: Axes, interval: Interval | None, *, line: float, **options: Any) -> None:
    """A bar along a row, if there is an interval."""
    if interval is not None:
        axes.hlines(line, interval.low, interval.high, **({"linewidth": 2.2} | options))


def name_rows(
    axes: Axes, names: Sequence[str], *, above: float, below: float = 0.4, **font: Any
) -> None:
    """Rows from top to bottom, their names at the left, with room above and below them."""
    axes.set_yticks(range(len(names)), names, **font)
    axes.set_ylim(len(names) - below, -above)
    axes.grid(visible=False, axis="y")
