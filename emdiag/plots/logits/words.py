"""What a figure says in words: numbers with their intervals, and only what these support."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emdiag.core.logit_skew import LogitEstimate, QuirkValue
    from emdiag.core.results import Interval
    from emdiag.plots.logits.lookup import Book, What

ARROW = "\N{RIGHTWARDS ARROW}"
TITLE_LINES = 3
UNDECIDED = "no difference that the interval supports"
WITHOUT_INTERVAL = "undecided, without an interval"


def places(*values: float | None, least: int = 2) -> int:
    """Decimals so that the smallest of these amounts, zeros apart, shows a digit of its own."""
    amounts = [abs(value) for value in values if value]
    return min(max(least, -floor(log10(min(amounts)))), 5) if amounts else least


def number(value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """Such as `-0.31`; a value that is not defined says so."""
    if value is None:
        return "not defined"
    return f"{value:+z.{decimals}f}" if signed else f"{value:z.{decimals}f}"


def with_interval(
    value: float | None, interval: Interval | None, decimals: int | None = None, *, signed: bool
) -> str:
    """Such as `-0.31 [-0.35, -0.27]`; without brackets where there is no interval."""
    if decimals is None:
        decimals = places(value, *([interval.high - interval.low] if interval else []))
    said = number(value, decimals, signed=signed)
    if interval is None or value is None:
        return said
    low, high = (number(end, decimals, signed=signed) for end in (interval.low, interval.high))
    return f"{said} [{low}, {high}]"


def estimate(row: LogitEstimate | None, *, signed: bool = False) -> str:
    """An estimate with its interval."""
    if row is None:
        return "not defined"
    return with_interval(row.value, row.interval, signed=signed)


def capped(lines: Sequence[str]) -> list[str]:
    """As many lines as a title bears, and how many are left out."""
    rest = len(lines) - TITLE_LINES
    if rest <= 0:
        return list(lines)
    return [*lines[:TITLE_LINES], f"\N{HORIZONTAL ELLIPSIS} {rest} more in the figure"]


def skewness_change(book: Book, text: str, what: What, *, name: str) -> list[str]:
    """For each checkpoint, from what to what its skewness went; of the base alone, its value."""
    base_label = book.result.base
    base = book.find(base_label, text, what)
    others = [row for row in book.found(text, what) if row.checkpoint != base_label]
    if not others:
        return [f"{name} {estimate(base)}: {book.names.get(base_label, 'base')}"]
    lines = [_one_change(book, row, base) for row in others]
    return capped([f"{name} {lines[0]}", *lines[1:]])


def _one_change(book: Book, row: LogitEstimate, base: LogitEstimate | None) -> str:
    gap = row.difference
    if base is None:
        return f"{estimate(row)}: {book.names[row.checkpoint]}; that of the base is not defined"
    if gap is None:
        pair = [f"{estimate(one)} ({book.names[one.checkpoint]})" for one in (base, row)]
        return f"{' and '.join(pair)}: on other texts, so not compared"
    width = gap.interval.high - gap.interval.low if gap.interval else None
    decimals = places(width, gap.value if width is None else None)
    return (
        f"{number(base.value, decimals)} {ARROW} {number(row.value, decimals)} "
        f"({with_interval(gap.value, gap.interval, decimals, signed=True)}): "
        f"{verdict(book, row, base)}"
    )


def verdict(book: Book, row: LogitEstimate, base: LogitEstimate) -> str:
    """A skewness against the base's, such as `em less right-skewed than base`.

    Says no more than `difference.direction`, which speaks only where the interval does.
    """
    name, than, gap = book.names[row.checkpoint], book.names[base.checkpoint], row.difference
    values = [value for value in (row.value, base.value) if value is not None]
    if gap is None or gap.direction == "undecided":
        return f"{name}: {UNDECIDED if gap and gap.interval else WITHOUT_INTERVAL}"
    if gap.direction == "lower":
        word = "less right-skewed" if min(values) > 0 else "more left-skewed"
    else:
        word = "less left-skewed" if max(values) < 0 else "more right-skewed"
    return f"{name} {word} than {than}"


def how_many(rows: Iterable[LogitEstimate]) -> str:
    """Such as `n = 20 problems, 12,345 tokens, 5 seeds`; ranges where the rows differ."""
    rows = list(rows)
    parts = [
        counted([getattr(row, noun + "s") for row in rows], noun)
        for noun in ("problem", "token", "seed")
    ]
    return f"n = {', '.join(parts)}" + (" for each checkpoint" if len(rows) > 1 else "")


def counted(numbers: Sequence[int], noun: str) -> str:
    """Such as `1 problem` or `3 to 5 seeds`."""
    low, high = (min(numbers), max(numbers)) if numbers else (0, 0)
    span = f"{high:,}" if low == high else f"{low:,} to {high:,}"
    return f"{span} {noun}{'' if (low, high) == (1, 1) else 's'}"


def intervals_said(rows: Iterable[LogitEstimate | QuirkValue], *, drawn: str) -> str:
    """What the bars or bands are: their level and how they were found."""
    found = [row.interval for row in rows if row.interval is not None]
    if not found:
        return "No intervals"
    levels = " and ".join(f"{level * 100:g}" for level in sorted({one.level for one in found}))
    return f"{drawn}: {levels} % intervals, {' or '.join(sorted({one.method for one in found}))}"
