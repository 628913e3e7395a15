"""Where in the text, and at which ranks, a checkpoint differs from the base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emdiag.core.logit_skew import LogitEstimate
from emdiag.findings.logits import captions
from emdiag.findings.logits.rows import ENTROPY, RANKS, SKEWNESS, TENTHS, LogitStatistic, rank_range
from emdiag.findings.logits.statements import shift_statements, tenth_statements
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.sheet import arm_legend, draw_series, sheet

Parts = Mapping[LogitStatistic, list[LogitStatistic]]
"""A statistic and the same of each part."""

_ALONG: Final = {SKEWNESS: "per-token skewness", ENTROPY: "entropy, nats per token"}


def along_figure(study: DrawnStudy) -> Figure | None:
    """Skewness and entropy by tenths of the text; None where the result has neither."""
    lines, text = _read(study, _ALONG, TENTHS)
    if text is None:
        return None
    rows = _rows(study, lines, text)
    figure, grid = sheet(
        tenth_statements(study.rows, text),
        captions.tenths_note(
            study.text_name(text), study.rows.of_all(text, next(iter(lines))) or rows, rows
        ),
        height=1.9 * len(lines) + 0.6,
        shape=(len(lines), 1),
        sharex=True,
    )
    for axes, (of, tenths) in zip(grid[:, 0], lines.items(), strict=True):
        _series(axes, study, text, statistics=tenths)
        axes.set_ylabel(_ALONG[of])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
        axes.set_xlim(0.7, 10.3)
    grid[-1, 0].set_xticks(range(1, 11))
    grid[-1, 0].set_xlabel(captions.TENTH)
    arm_legend(figure, study.looks, study.names)
    return figure


def shift_figure(study: DrawnStudy) -> Figure | None:
    """Shift of log-probability, and of the centred logit, by the base's rank of the token.

    None where no checkpoint was compared with the base.
    """
    panels, text = _read(study, captions.SHIFTED, RANKS)
    if text is None:
        return None
    rows = _rows(study, panels, text)
    first = study.rows.of_all(text, next(iter(panels.values()))[0]) or rows
    present = [part for part in RANKS if any(row.part == part for row in rows)]
    figure, grid = sheet(
        shift_statements(study.rows, text),
        captions.shift_note(study.base_name, study.text_name(text), first, rows),
        height=3.6,
        shape=(1, len(panels)),
    )
    for axes, (of, ranks) in zip(grid[0], panels.items(), strict=True):
        axes.axhline(0, color="#111111", linewidth=0.9)
        _series(axes, study, text, statistics=[rank for rank in ranks if rank.part in present])
        axes.set_xticks(range(1, len(present) + 1), [rank_range(part) for part in present])
        axes.tick_params(axis="x", rotation=45)
        title, unit = captions.SHIFTED[of]
        axes.set(title=title, xlabel=captions.RANK, ylabel=unit)
    looks = {label: look for label, look in study.looks.items() if label != study.result.base}
    arm_legend(figure, looks, study.names)
    return figure


def _read(
    study: DrawnStudy, statistics: Iterable[LogitStatistic], parts: Sequence[str]
) -> tuple[Parts, str | None]:
    """Those of these statistics that were estimated by parts, and the first text that has any."""
    by_part = {of: [replace(of, part=part) for part in parts] for of in statistics}
    defined = {of: each for of, each in by_part.items() if study.rows.texts_with(*each)}
    texts = study.rows.texts_with(*(part for each in defined.values() for part in each))
    return defined, texts[0] if texts else None


def _rows(study: DrawnStudy, panels: Parts, text: str) -> list[LogitEstimate]:
    return [row for each in panels.values() for of in each for row in study.rows.of_all(text, of)]


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
