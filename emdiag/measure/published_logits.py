"""The released script's figure of logits, and what becomes of it as its quirks are undone.

The script stores what samplers leave: logits divided by the temperature, of which the highest 50
are kept. Every checkpoint writes its own text; all are cut to the length of the shortest; what was
removed is set to 0 and all zeros are dropped; the rest is pooled over positions and problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from emdiag.core.logit_skew import PublishedFigure, Quirk, QuirkStep, QuirkValue, TextInfo
from emdiag.measure.logit_rows import spread_out
from emdiag.measure.logit_statistics import Floats, Positions
from emdiag.stats.intervals import interval_of
from emdiag.stats.jackknife import pooled_shape
from emdiag.stats.moments import MomentColumns

TEMPERATURE = 0.6
TOP_K = 50
QUIRKS: tuple[Quirk, ...] = get_args(Quirk)


@dataclass(frozen=True, kw_only=True)
class PublishedReadings:
    """What the figure is made of.

    Attributes:
        own: Label to its reading of the text it wrote under the script's sampling.
        shared: Label to its reading of the base's.
        texts: What the own texts are.
    """

    own: Mapping[str, Positions]
    shared: Mapping[str, Positions]
    texts: tuple[TextInfo, ...]


def published_figure(
    readings: PublishedReadings, *, base: str, undo: Sequence[Quirk], seed: int
) -> PublishedFigure:
    """The figure as published, with each quirk undone, and with one after the other undone.

    `shown` leaves out the quirks to `undo`; changes are to the base, a label.
    """
    cut = min(int(np.bincount(reading.text).min()) for reading in readings.own.values())

    def step(name: str, undone: Sequence[Quirk], *, cumulative: bool) -> QuirkStep:
        source = readings.shared if "own-text" in undone else readings.own
        figures = {label: _figure(own, undone, cut=cut) for label, own in source.items()}
        values = [_value(label, figures, base=base, seed=seed) for label in figures]
        return QuirkStep(
            name=name, undone=tuple(undone), cumulative=cumulative, values=tuple(values)
        )

    chosen = [quirk for quirk in QUIRKS if quirk in undo]
    return PublishedFigure(
        temperature=TEMPERATURE,
        top_k=TOP_K,
        positions=cut,
        texts=readings.texts,
        undone=tuple(chosen),
        shown=step(
            f"without {', '.join(chosen)}" if chosen else "as published", chosen, cumulative=False
        ),
        alone=tuple(step(f"without {quirk}", [quirk], cumulative=False) for quirk in QUIRKS),
        ladder=(
            step("as published", [], cumulative=True),
            *(
                step(f"also without {quirk}", QUIRKS[: number + 1], cumulative=True)
                for number, quirk in enumerate(QUIRKS)
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """One checkpoint under some of the quirks; `spread` is what the skewness is the mean of."""

    mean: float | None
    sigma: float | None
    skewness: float | None
    spread: Floats | None
    tokens: int


def _value(label: str, figures: Mapping[str, _Figure], *, base: str, seed: int) -> QuirkValue:
    own, other = figures[label], figures[base]
    change = None
    if label != base and own.spread is not None and other.spread is not None:
        change = own.spread - other.spread
    return QuirkValue(
        checkpoint=label,
        mean=own.mean,
        sigma=own.sigma,
        skewness=own.skewness,
        interval=None if own.spread is None else interval_of(own.spread, seed=seed),
        tokens=own.tokens,
        change=None if change is None else _mean(change),
        change_interval=None if change is None else interval_of(change, seed=seed),
    )


def _figure(reading: Positions, undone: Sequence[Quirk], *, cut: int) -> _Figure:
    """One checkpoint's figure under the quirks that are not undone."""
    is_whole = "top-k" in undone
    columns = reading.moments if is_whole else reading.top
    if "zeros-dropped" not in undone:
        columns = columns.without(0.0, reading.zeros if is_whole else reading.top_zeros)
    if "temperature" not in undone:
        columns = columns.scaled(1 / TEMPERATURE)
    kept = reading.offset >= 0 if "cut-to-shortest" in undone else reading.offset < cut
    if "pooled" not in undone:
        return _pooled(reading, columns, kept)
    means = {}
    for name in ("mean", "sigma", "skewness"):
        values = columns.mean if name == "mean" else getattr(columns, name)()
        means[name] = reading.by_problem(values, only=kept)
    return _Figure(
        mean=_mean(means["mean"]),
        sigma=_mean(means["sigma"]),
        skewness=_mean(means["skewness"]),
        spread=means["skewness"],
        tokens=int(kept.sum()),
    )


def _pooled(reading: Positions, columns: MomentColumns, kept: NDArray[np.bool_]) -> _Figure:
    problems = range(len(reading.problems))
    is_read = np.array([(reading.problem == number).any() for number in problems])
    parts = [columns.select(kept & (reading.problem == number)).pooled() for number in problems]
    shape = pooled_shape([part for part, is_kept in zip(parts, is_read, strict=True) if is_kept])
    skewness, spread = spread_out(shape.get("skewness"), is_read, 1)
    return _Figure(
        mean=shape["mean"].value if shape else None,
        sigma=shape["sigma"].value if shape else None,
        skewness=skewness,
        spread=None if spread is None else spread[0],
        tokens=int(kept.sum()),
    )


def _mean(values: Floats) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))
