"""What every page is made of: numbers in words, tables and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.core.results import Interval
from emdiag.findings.page import Picture, sentence
from emdiag.plots.style import figure_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.samples_book import Tone
    from emdiag.findings.page import Statement
    from emdiag.plots.style import Drawn

NO_INTERVAL = "no interval"
"""Stands where an interval belongs and none could be found."""

NOTHING: Final = "-"
"""A cell for what is not defined."""


def percent(value: float, interval: Interval | None) -> str:
    """A share of 1 in a sentence, such as `60.0 % [54.4, 65.4]`."""
    return f"{100 * value:.1f} % {_ends(interval, scale=100, decimals=1)}"


def percent_cell(value: float | None, interval: Interval | None = None) -> str:
    """The same in a table whose title says percent; `-` where it is not defined."""
    if value is None:
        return NOTHING
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} {_ends(interval, scale=100, decimals=1)}"


def points(value: float, interval: Interval | None, *, signed: bool = True) -> str:
    """A difference of shares in a sentence, such as `+3.1 points [-0.2, 6.4]`."""
    said = f"{100 * value:+z.1f}" if signed else f"{100 * value:z.1f}"
    return f"{said} points {_ends(interval, scale=100, decimals=1)}"


def points_cell(value: float, interval: Interval | None) -> str:
    """The same in a table whose title says points."""
    bounds = f" {_ends(interval, scale=100, decimals=1)}" if interval else ""
    return f"{100 * value:+z.1f}{bounds}"


def number(value: float | None, interval: Interval | None = None) -> str:
    """A figure with its interval, such as `2.24 [2.19, 2.30]`; `-` where it is not defined."""
    if value is None:
        return NOTHING
    if interval is None:
        return short(value)
    width = interval.high - interval.low
    decimals = _decimals(min(abs(value), width)) if width else _decimals(abs(value))
    return f"{value:z.{decimals}f} {_ends(interval, scale=1, decimals=decimals)}"


def short(value: float) -> str:
    """Three digits, or more before the point."""
    return f"{value:z.{_decimals(abs(value))}f}"


def _decimals(size: float) -> int:
    """So that a number of this size shows three digits, or two where it is small."""
    if size == 0:
        return 2
    for decimals, least in ((0, 100.0), (1, 10.0), (2, 1.0), (3, 0.0095)):
        if size >= least:
            return decimals
    return 5


def _ends(interval: Interval | None, *, scale: float, decimals: int) -> str:
    if interval is None:
        return f"[{NO_INTERVAL}]"
    return interval.ends(scale=scale, decimals=decimals)


def amount(interval: Interval | None, value: float) -> Interval | None:
    """The interval of the size of a difference: turned where the difference is negative."""
    if interval is None or value >= 0:
        return interval
    return Interval(
        low=-interval.high, high=-interval.low, level=interval.level, method=interval.method
    )


def side(interval: Interval | None) -> Tone:
    """Which side of zero a difference lies on, if its interval says so."""
    if interval is None or interval.low <= 0 <= interval.high:
        return "undecided"
    return "better" if interval.low > 0 else "worse"


def count(many: int, noun: str) -> str:
    """Such as `1 problem` or `1,319 problems`."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Such as `base, em and rl`; of many, how many more there are."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def how_sampled(temperature: float) -> str:
    """Such as `greedy` or `at temperature 0.6`."""
    return "greedy" if temperature == 0 else f"at temperature {temperature:g}"


def picture(name: str, figure: Drawn, *, caption: str, alt: str) -> Picture:
    """A figure with its words."""
    return Picture(name=name, svg=figure_svg(figure), caption=caption, alt=alt)


def pictures(
    figures: Mapping[str, Drawn], told: Mapping[str, str], *, shown: Sequence[Statement]
) -> tuple[Picture, ...]:
    """Figures that `told` has words for, in its order.

    Args:
        figures: By name.
        told: What is drawn, by name; the caption, and the beginning of the text for who cannot
            see it.
        shown: What they show, with figures; ends that text.
    """
    found = " ".join(sentence(one.words) for one in shown)
    return tuple(
        picture(name, figures[name], caption=words, alt=f"{words} {found}".strip())
        for name, words in told.items()
        if name in figures
    )
