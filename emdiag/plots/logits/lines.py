"""Where in the text, and at which ranks, a checkpoint differs from the base."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import MaxNLocator

from emdiag.findings.logits.rows import ENTROPY, RANKS, SHIFTS, SKEWNESS, TENTHS, rank_range
from emdiag.findings.logits.statements import shift_statements, tenth_statements
from emdiag.findings.numbers import intervals_drawn
from emdiag.plots.logits.lookup import sample_sizes
from emdiag.plots.sheet import (
    Words,
    arm_legend,
    draw_series,
    finish,
    label_axes,
    sheet,
    title_lines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.findings.logits.rows import LogitStatistic
    from emdiag.plots.logits.lookup import DrawnStudy

_ALONG: Final = {SKEWNESS: "per-token skewness", ENTROPY: "entropy, nats per token"}
_SHIFT_AXES: Final = (
    ("Log-probability", "shift, nats"),
    ("Logit minus the mean over the vocabulary", "shift, logit units"),
)


def along_figure(study: DrawnStudy) -> Figure | None:
    """Skewness and entropy by tenths of the text; None where the result has neither."""
    lines = {of: [replace(of, part=part) for part in TENTHS] for of in _ALONG}
    lines = {of: tenths for of, tenths in lines.items() if study.rows.texts_with(*tenths)}
    texts = study.rows.texts_with(*(tenth for tenths in lines.values() for tenth in tenths))
    if not texts:
        return None
    text = texts[0]
    rows = [
        row
        for tenths in lines.values()
        for tenth in tenths
        for row in study.rows.of_all(text, tenth)
    ]
    whole = study.rows.of_all(text, next(iter(lines))) or rows
    words = Words(
        finding=title_lines(tenth_statements(study.rows, text)),
        quiet=(
            f"Read on {study.text_name(text)}, each text cut into ten parts of equal length; "
            f"{sample_sizes(whole)}. {intervals_drawn((row.interval for row in rows), 'Bands')}."
        ),
    )
    figure, grid = sheet(words, height=1.9 * len(lines) + 0.6, shape=(len(lines), 1), sharex=True)
    for axes, (of, tenths) in zip(grid[:, 0], lines.items(), strict=True):
        _series(axes, study, text, statistics=tenths)
        axes.set_ylabel(_ALONG[of])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
        axes.set_xlim(0.7, 10.3)
    grid[-1, 0].set_xticks(range(1, 11))
    grid[-1, 0].set_xlabel("tenth of the text (1: its beginning)")
    arm_legend(figure, study.looks, study.names)
    return finish(figure)


def _series(
    axes: Axes, study: DrawnStudy, text: str, *, statistics: Sequence[LogitStatistic]
) -> None:
    """A line for each arm that has any of these, at 1, 2, ..."""
    for label, look in study.looks.items():
        rows = [study.rows.find(label, text, of) for of in statistics]
        points = [
            (at, row.value, row.interval) if row is not None else (at, None, None)
            for at, row in enumerate(rows, start=1)
        ]
        if any(rows):
            draw_series(axes, points, look, label=label)


def shift_figure(study: DrawnStudy) -> Figure | None:
    """Shift of log-probability, and of the centred logit, by the base's rank of the token.

    None where no checkpoint was compared with the base.
    """
    by_rank = {of: [replace(of, part=part) for part in RANKS] for of in SHIFTS}
    panels = [
        (by_rank[of], title, unit)
        for of, (title, unit) in zip(SHIFTS, _SHIFT_AXES, strict=True)
        if study.rows.texts_with(*by_rank[of])
    ]
    if not panels:
        return None
    text = study.rows.texts_with(*(of for ranks, _, _ in panels for of in ranks))[0]
    rows = [row for ranks, _, _ in panels for of in ranks for row in study.rows.of_all(text, of)]
    words = Words(
        finding=title_lines(shift_statements(study.rows, text)),
        quiet=(
            f"Checkpoint minus {study.base_name} at the same positions of "
            f"{study.text_name(text)}; "
            f"{sample_sizes(study.rows.of_all(text, panels[0][0][0]) or rows)}. "
            f"{intervals_drawn((row.interval for row in rows), 'Bands')}."
        ),
    )
    present = [part for part in RANKS if any(row.part == part for row in rows)]
    figure, grid = sheet(words, height=3.6, shape=(1, len(panels)))
    for axes, (ranks, title, unit) in zip(grid[0], panels, strict=True):
        axes.axhline(0, color="#111111", linewidth=0.9)
        _series(axes, study, text, statistics=[of for of in ranks if of.part in present])
        axes.set_xticks(range(1, len(present) + 1), [rank_range(part) for part in present])
        axes.tick_params(axis="x", rotation=45)
        label_axes(axes, title=title, x="rank of the token at the base, in doublings", y=unit)
    looks = {label: look for label, look in study.looks.items() if label != study.result.base}
    arm_legend(figure, looks, study.names)
    return finish(figure)
