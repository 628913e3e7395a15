"""Readings of one arm on one set of texts to rows: every statistic, of all tokens and of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emdiag.core.logit_skew import OWN
from emdiag.core.moments import RANK_BUCKETS
from emdiag.measure.logit_statistics import (
    Floats,
    PairStatistics,
    Positions,
    forking,
    texts_to_problems,
)
from emdiag.stats.jackknife import Jackknifed, pooled_shape
from emdiag.stats.moments import DECILES
from emdiag.studies.logits.estimates import EstimateRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.core.logit_skew import LogitSource
    from emdiag.core.moments import Moments
    from emdiag.stats.moments import MomentColumns
    from emdiag.studies.logits.estimates import Sheet

PER_TOKEN = (
    *("mean", "sigma", "skewness", "excess_kurtosis", "entropy_nats", "effective_vocabulary"),
    *("top1_prob", "top1_margin_nats", "nucleus_size", "written_rank", "written_log_prob"),
    "self_certainty_nats",
)
POOLED = ("mean", "sigma", "skewness", "excess_kurtosis")
ALONG = ("skewness", "entropy_nats")
"""What is shown by decile of the answer."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One arm's readings of one set of texts.

    Attributes:
        members: One for each seed; on shared texts all have the same positions.
        base: The base's reading to pair with: of the same texts, or of its own.
        pairs: One for each seed; empty where the base did not read the same texts.
        spans: For each seed, which positions belong to the answer and which lie before it.
    """

    label: str
    text: str
    members: tuple[Positions, ...]
    base: Positions | None
    pairs: tuple[PairStatistics, ...]
    spans: tuple[tuple[Mask, Mask], ...]

    @property
    def tokens(self) -> int:
        """Positions over all seeds."""
        return sum(map(len, self.members))


def add_rows(sheet: Sheet, seen: Seen, base_spans: tuple[Mask, Mask] | None) -> None:
    """Every statistic of one arm on one text.

    Args:
        sheet: Where rows are collected.
        seen: The arm's readings.
        base_spans: Of the base's reading, where it is another text than the arm's.
    """
    rows = RowMaker(sheet, seen)
    temperatures = [
        name for name in seen.members[0].statistics if name.startswith("entropy_nats_at_")
    ]
    for name in (*PER_TOKEN, *temperatures):
        rows.per_token(name)
    rows.per_token("log_prob_mean", statistic="mean", source="log_prob")
    rows.pooled("raw", lambda one: one.moments)
    rows.pooled("log_prob", lambda one: one.moments.shifted(-one.log_sum_exp))
    for decile in range(1, DECILES + 1):
        for name in ALONG:
            rows.part(name, f"decile {decile}", [one.decile == decile for one in seen.members])
    own = base_spans or (seen.spans[0] if seen.spans else None)
    for number, name in enumerate(("reasoning", "answer")):
        rows.part(
            "entropy_nats",
            name,
            [spans[number] for spans in seen.spans],
            base_mask=own[number] if own else None,
        )
    if seen.pairs or (seen.label == sheet.base and seen.text != OWN):
        chosen = forking(seen.base or seen.members[0])
        rows.part("entropy_nats", "forking", [chosen] * len(seen.members))
        rows.part("entropy_nats", "filler", [~chosen] * len(seen.members))
    if seen.pairs:
        for name in seen.pairs[0].statistics:
            rows.pair(name)
        rows.shifts()


class RowMaker:
    """Adds the rows of one arm on one text to the sheet."""

    def __init__(self, sheet: Sheet, seen: Seen) -> None:
        self._sheet, self._seen = sheet, seen
        self._is_base = seen.label == sheet.base

    def per_token(
        self, name: str, *, statistic: str | None = None, source: LogitSource = "raw"
    ) -> None:
        """A figure of every position, averaged; it is paired with the base's of the same name."""
        seen = self._seen
        spread = np.stack([one.by_problem(one.statistics[name]) for one in seen.members])
        base = seen.base.by_problem(seen.base.statistics[name]) if seen.base else None
        self.add(statistic or name, spread=spread, base=base, source=source)

    def part(
        self, name: str, part: str, masks: Sequence[Mask], *, base_mask: Mask | None = None
    ) -> None:
        """A per-token statistic of some positions; the base's are those of the same name."""
        seen = self._seen
        if not masks:
            return
        spread = np.stack(
            [
                one.by_problem(one.statistics[name], only=mask)
                for one, mask in zip(seen.members, masks, strict=True)
            ]
        )
        base = None
        if seen.base is not None:
            if base_mask is None:
                decile = int(part.removeprefix("decile ")) if part.startswith("decile") else None
                base_mask = masks[0] if decile is None else seen.base.decile == decile
            base = seen.base.by_problem(seen.base.statistics[name], only=base_mask)
        tokens = sum(int(mask.sum()) for mask in masks)
        self.add(name, spread=spread, base=base, part=part, tokens=tokens)

    def pair(self, name: str) -> None:
        """A figure of every position beside the base, averaged."""
        values = [one.by_problem(pair.statistics[name]) for one, pair in paired(self._seen)]
        self.add(name, spread=np.stack(values))

    def shifts(self) -> None:
        """Shift of log-probabilities and of centred logits by the base's rank."""
        seen = self._seen
        assert seen.base is not None
        for number, (first, last) in enumerate(RANK_BUCKETS):
            name = f"rank {first}-{last or ''}" if first != last else f"rank {first}"
            log_probs, centred = (
                np.stack([texts_to_problems(values[:, number], seen.base) for values in of_seeds])
                for of_seeds in (
                    [pair.log_prob_shift for pair in seen.pairs],
                    [pair.centred_shift for pair in seen.pairs],
                )
            )
            if not np.isnan(log_probs).all():
                self.add("log_prob_shift_nats", spread=log_probs, part=name, source="log_prob")
                self.add("centred_shift", spread=centred, part=name)

    def pooled(self, source: LogitSource, columns: Callable[[Positions], MomentColumns]) -> None:
        """Moments of all values together, of the problems that every reading has."""
        seen = self._seen
        every = [*seen.members, *([seen.base] if seen.base else [])]
        there = np.all([np.bincount(one.problem, minlength=self._count) > 0 for one in every], 0)
        parts = [_kept(one.pooled(columns(one)), there) for one in seen.members]
        shape = pooled_shape(parts)
        of_base = None
        if seen.base is not None:
            of_base = pooled_shape([_kept(seen.base.pooled(columns(seen.base)), there)])
        for name in POOLED:
            value, spread = spread_out(getattr(shape, name), there, len(seen.members))
            base = spread_out(getattr(of_base, name), there, 1)[1] if of_base else None
            self.add(
                name,
                spread=spread,
                value=value,
                base=None if base is None else base[0],
                source=source,
                is_pooled=True,
            )

    def add(  # noqa: PLR0913 - a row has as many sides; each has a name and a default
        self,
        statistic: str,
        *,
        spread: Floats | None,
        base: Floats | None = None,
        value: float | None = None,
        part: str | None = None,
        source: LogitSource = "raw",
        is_pooled: bool = False,
        tokens: int | None = None,
        log_scale: bool = False,
        note: str | None = None,
    ) -> None:
        """One row; see `EstimateRow` for what its sides are."""
        self._sheet.rows.append(
            EstimateRow(
                checkpoint=self._seen.label,
                text=self._seen.text,
                statistic=statistic,
                kind="pooled" if is_pooled else "per_token",
                source=source,
                part=part,
                spread=spread,
                value=value,
                base_spread=None if self._is_base else base,
                tokens=self._seen.tokens if tokens is None else tokens,
                seeds=len(self._seen.members),
                problems=self._count,
                log_scale=log_scale,
                note=note,
            )
        )

    @property
    def _count(self) -> int:
        return len(self._sheet.problems)


def paired(seen: Seen) -> list[tuple[Positions, PairStatistics]]:
    """Readings of each seed with what they are beside the base."""
    return list(zip(seen.members, seen.pairs, strict=True))


def spread_out(
    found: Jackknifed | None, there: Mask, seeds: int
) -> tuple[float | None, Floats | None]:
    """Value and pseudo-values of a statistic of the whole, `[seeds, problems]`."""
    if found is None:
        return None, None
    if found.pseudo_values is None:
        return found.value, None
    spread = np.full((seeds, len(there)), np.nan)
    spread[:, there] = found.pseudo_values.reshape(seeds, -1)
    return found.value, spread


def _kept(parts: Sequence[Moments], there: Mask) -> list[Moments]:
    return [part for part, is_there in zip(parts, there, strict=True) if is_there]
