"""Where in the text, and at which ranks, a checkpoint differs from the base."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import MaxNLocator

from emdiag.core.moments import RANK_BUCKETS
from emdiag.plots.logits.lookup import What
from emdiag.plots.logits.words import (
    ARROW,
    UNDECIDED,
    WITHOUT_INTERVAL,
    capped,
    estimate,
    how_many,
    intervals_said,
)
from emdiag.plots.sheet import Words, arm_legend, draw_series, finish, label_axes, sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import LogitEstimate
    from emdiag.plots.logits.lookup import Book

DECILES: Final = tuple(f"decile {number}" for number in range(1, 11))
"""Parts of a text by position."""

RANKS: Final = tuple(
    f"rank {low}" if low == high else f"rank {low}-{high or ''}" for low, high in RANK_BUCKETS
)
"""Parts of the vocabulary by the base's rank, the most likely token first."""

_ALONG: Final = {"skewness": "per-token skewness", "entropy_nats": "entropy, nats per token"}
_SHIFTS: Final = (
    (What(statistic="log_prob_shift_nats", source="log_prob"), "Log-probability", "shift, nats"),
    (
        What(statistic="centred_shift"),
        "Logit minus the mean over the vocabulary",
        "shift, logit units",
    ),
)
_SHORT: Final = {
    part: part.removeprefix("rank ").removesuffix("-") + "+" * part.endswith("-") for part in RANKS
}
_MOVED: Final = {1: "lifted", -1: "lowered"}


def along_figure(book: Book) -> Figure | None:
    """Skewness and entropy by tenths of the text; None where the result has neither."""
    whats = {name: [What(statistic=name, part=part) for part in DECILES] for name in _ALONG}
    whats = {name: parts for name, parts in whats.items() if book.texts(*parts)}
    texts = book.texts(*(what for parts in whats.values() for what in parts))
    if not texts:
        return None
    text = texts[0]
    rows = [row for parts in whats.values() for what in parts for row in book.found(text, what)]
    tokens = book.found(text, What(statistic=next(iter(whats)))) or rows
    words = Words(
        finding=_along_finding(book, text),
        quiet=(
            f"Read on {book.label_of(text)}, each text cut into ten parts of equal length; "
            f"{how_many(tokens)}. {intervals_said(rows, drawn='Bands')}."
        ),
    )
    figure, grid = sheet(words, height=1.9 * len(whats) + 0.6, shape=(len(whats), 1), sharex=True)
    for axes, (name, parts) in zip(grid[:, 0], whats.items(), strict=True):
        _series(axes, book, text, whats=parts)
        axes.set_ylabel(_ALONG[name])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
        axes.set_xlim(0.7, 10.3)
    grid[-1, 0].set_xticks(range(1, 11))
    grid[-1, 0].set_xlabel("tenth of the text (1: its beginning)")
    arm_legend(figure, book.looks, book.names)
    return finish(figure)


def _series(axes: Axes, book: Book, text: str, *, whats: Sequence[What]) -> None:
    """A line for each arm that has any of these, at 1, 2, ..."""
    for label, look in book.looks.items():
        rows = [book.find(label, text, what) for what in whats]
        points = [
            (at, row.value, row.interval) if row is not None else (at, None, None)
            for at, row in enumerate(rows, start=1)
        ]
        if any(rows):
            draw_series(axes, points, look, label=label)


def _along_finding(book: Book, text: str) -> list[str]:
    base = book.result.base
    lines = []
    for label, name in book.names.items():
        if label == base:
            continue
        said = []
        for statistic, word in (("skewness", "skewness"), ("entropy_nats", "entropy")):
            rows = [
                book.find(label, text, What(statistic=statistic, part=part)) for part in DECILES
            ]
            compared = [row for row in rows if row is not None and row.difference is not None]
            if compared:
                said.append(f"{word} {_where(compared)}")
        if said:
            lines.append(f"{name} against {book.names.get(base, 'base')}: {', '.join(said)}")
    if lines:
        return capped(lines)
    return _from_first_to_last(book, text)


def _from_first_to_last(book: Book, text: str) -> list[str]:
    """For texts that nothing can be compared on: each checkpoint by itself."""
    lines = []
    for label, name in book.names.items():
        said = []
        for statistic, word in (("skewness", "skewness"), ("entropy_nats", "entropy")):
            whats = [What(statistic=statistic, part=part) for part in DECILES]
            rows = [row for what in whats if (row := book.find(label, text, what))]
            if rows:
                ends = f"{estimate(rows[0])} {ARROW} {estimate(rows[-1])}"
                said.append(f"{word} {ends}")
        if said:
            lines.append(f"{name}, first to last tenth: {', '.join(said)}")
    return capped(lines)


def _where(rows: Sequence[LogitEstimate]) -> str:
    """Such as `lower in 8 and higher in 1 of 10 tenths`."""
    found = [row.difference.direction for row in rows if row.difference is not None]
    counts = {word: found.count(word) for word in ("lower", "higher")}
    said = [f"{word} in {count}" for word, count in counts.items() if count]
    if not said:
        return f"undecided in all {len(rows)} tenths"
    return f"{' and '.join(said)} of {len(rows)} tenths"


def shift_figure(book: Book) -> Figure | None:
    """Shift of log-probability, and of the centred logit, by the base's rank of the token.

    None where no checkpoint was read beside the base.
    """
    panels = [
        (what, title, unit)
        for what, title, unit in _SHIFTS
        if book.texts(*(_at(what, part) for part in RANKS))
    ]
    if not panels:
        return None
    text = book.texts(*(_at(what, part) for what, _, _ in panels for part in RANKS))[0]
    whats = {what: [_at(what, part) for part in RANKS] for what, _, _ in panels}
    rows = [row for parts in whats.values() for what in parts for row in book.found(text, what)]
    words = Words(
        finding=_shift_finding(book, text),
        quiet=(
            f"Checkpoint minus {book.names.get(book.result.base, 'base')} at the same positions of "
            f"{book.label_of(text)}; {how_many(book.found(text, whats[panels[0][0]][0]) or rows)}. "
            f"{intervals_said(rows, drawn='Bands')}."
        ),
    )
    present = [part for part in RANKS if any(row.part == part for row in rows)]
    figure, grid = sheet(words, height=3.6, shape=(1, len(panels)))
    for axes, (what, title, unit) in zip(grid[0], panels, strict=True):
        axes.axhline(0, color="#111111", linewidth=0.9)
        _series(axes, book, text, whats=[_at(what, part) for part in present])
        axes.set_xticks(range(1, len(present) + 1), [_SHORT[part] for part in present])
        axes.tick_params(axis="x", rotation=45)
        label_axes(axes, title=title, x="rank of the token at the base, in doublings", y=unit)
    looks = {label: look for label, look in book.looks.items() if label != book.result.base}
    arm_legend(figure, looks, book.names)
    return finish(figure)


def _at(what: What, part: str) -> What:
    return replace(what, part=part)


def _shift_finding(book: Book, text: str) -> list[str]:
    """What became of the most likely token and of the least likely ones, and no more than that."""
    what = next(
        (one for one, _, _ in _SHIFTS if book.found(text, _at(one, RANKS[0]))), _SHIFTS[0][0]
    )
    thing = "log-probability" if what.source == "log_prob" else "centred logit"
    lines = []
    for label, name in book.names.items():
        rows = [row for part in RANKS if (row := book.find(label, text, _at(what, part)))]
        if len(rows) < 2:
            continue
        head, tail = rows[0], rows[-1]
        lines.append(
            f"{name}: {thing} {estimate(head, signed=True)} at {head.part}, "
            f"{estimate(tail, signed=True)} at {_ranks(tail)}: {_verdict(head, tail)}"
        )
    return capped(lines) if lines else ["Shift by rank: too few ranks to compare head and tail"]


def _ranks(row: LogitEstimate) -> str:
    """Such as `65-128`, or `1025+`."""
    return _SHORT[row.part or RANKS[0]]


def _verdict(head: LogitEstimate, tail: LogitEstimate) -> str:
    match _sign(head), _sign(tail):
        case 0, 0:
            return UNDECIDED if head.interval and tail.interval else WITHOUT_INTERVAL
        case (1, 0) | (-1, 0):
            return f"head {_MOVED[_sign(head)]}, tail undecided"
        case (0, 1) | (0, -1):
            return f"tail {_MOVED[_sign(tail)]}, head undecided"
        case one, other if one == other:
            return f"head and tail {_MOVED[one]}"
        case one, other:
            return f"head {_MOVED[one]}, tail {_MOVED[other]}"


def _sign(row: LogitEstimate) -> int:
    """Of the shift; 0 unless its interval lies on one side of zero."""
    if row.interval is None:
        return 0
    return int(row.interval.low > 0) - int(row.interval.high < 0)
