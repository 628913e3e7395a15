"""Numbers as a reader meets them; the only formatters.

One rule for each: a true minus sign; `+` only before differences; percent and points with one
decimal, other statistics with two significant digits on the scale of their interval, and more of
either where an end would otherwise be written as zero, since its side of zero decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import floor, log2, log10
from typing import Final

from msgspec.structs import replace

from emdiag.core.results import Interval, Metric

NOTHING: Final = "-"
"""A cell for what is not defined."""

NO_INTERVAL: Final = "no interval"
"""Stands in a sentence where an interval belongs and none could be found."""

MINUS: Final = "\N{MINUS SIGN}"
ARROW: Final = "\N{RIGHTWARDS ARROW}"
_STORAGE: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_MOST_DECIMALS, _ZERO, _TINY = 6, 1e-9, 1e-5


def percent(value: float | None, interval: Interval | None = None) -> str:
    """A share of 1 in a sentence, such as `60.0 % [54.4, 65.4]`."""
    return _with_unit(value, interval, unit=" %")


def percent_cell(value: float | None, interval: Interval | None = None) -> str:
    """The same under a heading that says percent, such as `60.0 [54.4, 65.4]`."""
    return _cell(value, interval)


def metric_cell(metric: Metric | None) -> str:
    """The same of a metric, if there is one."""
    return NOTHING if metric is None else percent_cell(metric.value, metric.interval)


def points(value: float | None, interval: Interval | None = None) -> str:
    """A difference of shares in a sentence, such as `+3.1 points [-0.2, 6.4]`."""
    return _with_unit(value, interval, unit=" points", signed=True)


def points_cell(value: float | None, interval: Interval | None = None) -> str:
    """The same under a heading that says points."""
    return _cell(value, interval, signed=True)


def distance(value: float, interval: Interval | None) -> str:
    """The size of a difference of shares whose side words tell, such as `3.1 points [0.2, 6.4]`."""
    if interval is not None and value < 0:
        interval = replace(interval, low=-interval.high, high=-interval.low)
    return _with_unit(abs(value), interval, unit=" points")


def statistic(value: float | None, interval: Interval | None = None) -> str:
    """A value with its interval, such as `2.24 [2.19, 2.30]`."""
    return _cell(value, interval, scale=1, decimals=None)


def quantity(value: float, interval: Interval | None = None) -> str:
    """How many, such as `3 [1, 5]`; with the decimals of its interval where one is not whole."""
    numbers = (value, interval.low, interval.high) if interval is not None else (value,)
    if any(number != round(number) for number in numbers):
        return statistic(value, interval)
    return _cell(value, interval, scale=1, decimals=0)


def true_minus(words: str) -> str:
    """Words of others with a true minus sign before their numbers, such as `-5 and +3 points`."""
    return re.sub(r"(?<![\w)])-(?=\.?\d)", MINUS, words)


def change(value: float | None, interval: Interval | None = None) -> str:
    """A difference of statistics with its interval, such as `+0.31 [0.28, 0.33]`."""
    return _cell(value, interval, scale=1, decimals=None, signed=True)


def short(value: float | None) -> str:
    """Three significant digits, or all that stand before the point; `2e-06` where it is tiny."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < _TINY:
        return f"{value:.3g}".replace("-", MINUS)
    rounded = float(f"{abs(value):.2e}")  # else 0.09999 would have a digit more
    return _plain(value, _decimals(rounded, digits=3) if value else 2)


def fixed(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """With so many decimals, for columns and axes that share them."""
    return NOTHING if value is None else _plain(value, decimals, signed=signed)


def p_value(value: float | None) -> str:
    """In a sentence, such as `p = 0.032` or `p < 0.001`."""
    if value is None:
        return "not tested"
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def p_cell(value: float | None) -> str:
    """Under a heading that says p, such as `0.032` or `< 0.001`."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def from_to(before: float | None, after: float | None, decimals: int | None = None) -> str:
    """Such as `0.12 -> 0.09`, with an arrow; each with three digits where no number is given."""
    if before is None or after is None:
        return NOTHING
    if decimals is None:
        return f"{short(before)} {ARROW} {short(after)}"
    return f"{_plain(before, decimals)} {ARROW} {_plain(after, decimals)}"


def moved(
    before: float | None, after: float | None, difference: float, interval: Interval | None
) -> str:
    """From where to where, and by how much, such as `2.24 -> 1.93 (-0.31 [-0.36, -0.26])`."""
    amount = change(difference, interval)
    if before is None or after is None:
        return amount
    return f"{from_to(before, after, _decimals_of(difference, interval))} ({amount})"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Such as `1 problem`, `1,319 problems` or `2 entropies`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def storage(size: float) -> str:
    """Bytes, such as `45.0 KiB` or `1.25 GiB`."""
    unit = max(0, min(int(log2(size) // 10), len(_STORAGE) - 1)) if size >= 1 else 0
    return f"{short(size / 1024**unit) if unit else int(size)} {_STORAGE[unit]}"


def duration(seconds: float) -> str:
    """Such as `1.5 s`, `12 min` or `3.4 h`."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{short(seconds / size)} {unit}"
    return f"{short(seconds)} s"


def span(numbers: Sequence[int], noun: str) -> str:
    """Such as `1 problem`, or `3 to 5 seeds` where they differ."""
    low, high = (min(numbers), max(numbers)) if numbers else (0, 0)
    return count(high, noun) if low == high else f"{low:,} to {count(high, noun)}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Such as `base, em and rl`; of many, how many more there are."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def setting(value: float) -> str:
    """A value that was chosen, such as `0.6` or `1`; at most three digits."""
    return f"{value:.3g}"


def at_temperature(temperature: float) -> str:
    """Such as `greedy` or `at T 0.6`."""
    return "greedy" if temperature == 0 else f"at T {setting(temperature)}"


def how_scored(metric: str, *, samples: int, temperature: float) -> str:
    """Under what a score was found, such as `greedy` or `avg@8 at T 0.6`."""
    how = at_temperature(temperature)
    return f"{metric} {how}" if samples > 1 else how


def intervals_drawn(intervals: Iterable[Interval | None], mark: str) -> str:
    """What the marks of a figure are, such as `Bars: 95 % intervals, bootstrap over problems`."""
    known = [interval for interval in intervals if interval is not None]
    if not known:
        return "No intervals"
    levels = " and ".join(setting(100 * level) for level in sorted({one.level for one in known}))
    return f"{mark}: {levels} % intervals, {' or '.join(sorted({one.method for one in known}))}"


def _with_unit(
    value: float | None, interval: Interval | None, *, unit: str, signed: bool = False
) -> str:
    if value is None:
        return "not defined"
    words = f"{_plain(100 * value, 1, signed=signed)}{unit}"
    return f"{words} {_ends(interval, scale=100, decimals=1)}"


def _cell(
    value: float | None,
    interval: Interval | None,
    *,
    scale: float = 100,
    decimals: int | None = 1,
    signed: bool = False,
) -> str:
    """Without a number of decimals, on the scale of the interval."""
    if value is None:
        return NOTHING
    decimals = _decimals_of(value, interval) if decimals is None else decimals
    words = _plain(scale * value, decimals, signed=signed)
    if interval is None:
        return words
    return f"{words} {_ends(interval, scale=scale, decimals=decimals)}"


def _decimals_of(value: float, interval: Interval | None) -> int:
    width = interval.high - interval.low if interval is not None else 0.0
    return _decimals(width, digits=2) if width else _decimals(abs(value), digits=3)


def _decimals(size: float, *, digits: int) -> int:
    """So that a number of this size shows so many significant digits."""
    if size < _ZERO:
        return 2
    return min(max(digits - 1 - floor(log10(size) + _ZERO), 0), _MOST_DECIMALS)


def _ends(interval: Interval | None, *, scale: float, decimals: int) -> str:
    if interval is None:
        return f"[{NO_INTERVAL}]"
    low, high = (_end(scale * value, decimals) for value in (interval.low, interval.high))
    return f"[{low}, {high}]"


def _end(value: float, decimals: int) -> str:
    while decimals < _MOST_DECIMALS and abs(value) > _ZERO and not round(value, decimals):
        decimals += 1
    return _plain(value, decimals)


def _plain(value: float, decimals: int, *, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}z,.{decimals}f}".replace("-", MINUS)
