"""Readings of one arm on one set of texts to rows: every statistic, of all tokens and of parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emdiag.core.logit_skew import OWN, LogitSource
from emdiag.core.moments import KL_BUCKETS, RANK_BUCKETS, Moments, rank_part
from emdiag.core.results import Remark, remark
from emdiag.measure.logit_estimates import EstimateRow, EstimateTable
from emdiag.measure.logit_statistics import (
    Floats,
    PairStatistics,
    Positions,
    forking,
    texts_to_problems,
)
from emdiag.stats.jackknife import Jackknifed, pooled_shape, ratio_shape
from emdiag.stats.moments import DECILES, MomentColumns

PER_TOKEN = (
    *("mean", "sigma", "skewness", "excess_kurtosis", "entropy_nats", "effective_vocabulary"),
    *("top1_prob", "top10_prob", "top50_prob", "tail_prob", "varentropy_nats2"),
    *("top1_margin_nats", "nucleus_size", "written_rank", "written_log_prob"),
    "self_certainty_nats",
)
POOLED = ("mean", "sigma", "skewness", "excess_kurtosis")
ALONG = ("skewness", "entropy_nats")
"""What is shown by decile of the answer."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ArmReadings:
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


def add_rows(table: EstimateTable, arm: ArmReadings, base_spans: tuple[Mask, Mask] | None) -> None:
    """Every statistic of one arm on one text; `base_spans` are of a base that read another text."""
    rows = RowMaker(table, arm)
    temperatures = [
        name for name in arm.members[0].statistics if name.startswith("entropy_nats_at_")
    ]
    for name in (*PER_TOKEN, *temperatures):
        rows.per_token(name)
    rows.per_token("log_prob_mean", statistic="mean", source="log_prob")
    rows.pooled("raw", lambda member: member.moments)
    rows.pooled("log_prob", lambda member: member.moments.shifted(-member.log_sum_exp))
    rows.skewness_shares()
    for decile in range(1, DECILES + 1):
        masks = [member.decile == decile for member in arm.members]
        of_base = None if arm.base is None else arm.base.decile == decile
        for name in ALONG:
            rows.part(name, f"decile {decile}", masks, base_mask=of_base)
    own = base_spans or (arm.spans[0] if arm.spans else None)
    for number, name in enumerate(("reasoning", "answer")):
        rows.part(
            "entropy_nats",
            name,
            [spans[number] for spans in arm.spans],
            base_mask=own[number] if own else None,
        )
    if arm.pairs or (arm.label == table.base and arm.text != OWN):
        chosen = forking([*arm.members, *([arm.base] if arm.base else [])])
        rows.part("entropy_nats", "forking", [chosen] * len(arm.members))
        rows.part("entropy_nats", "filler", [~chosen] * len(arm.members))
    if arm.pairs:
        for name in arm.pairs[0].statistics:
            rows.pair(name)
        rows.shifts()
        rows.kl_by_rank()


class RowMaker:
    """Adds the rows of one arm on one text to the table."""

    def __init__(self, table: EstimateTable, arm: ArmReadings) -> None:
        self._table, self._arm = table, arm
        self._is_base = arm.label == table.base

    def per_token(
        self, name: str, *, statistic: str | None = None, source: LogitSource = "raw"
    ) -> None:
        """A statistic of every position, averaged; paired with the base's of the same name."""
        arm = self._arm
        spread = np.stack([member.by_problem(member.statistics[name]) for member in arm.members])
        base = arm.base.by_problem(arm.base.statistics[name]) if arm.base else None
        self.add(statistic or name, spread=spread, base=base, source=source)

    def part(
        self, name: str, part: str, masks: Sequence[Mask], *, base_mask: Mask | None = None
    ) -> None:
        """A per-token statistic of some positions, by default the same ones of the base."""
        arm = self._arm
        if not masks:
            return
        spread = np.stack(
            [
                member.by_problem(member.statistics[name], only=mask)
                for member, mask in zip(arm.members, masks, strict=True)
            ]
        )
        base = None
        if arm.base is not None:
            only = masks[0] if base_mask is None else base_mask
            base = arm.base.by_problem(arm.base.statistics[name], only=only)
        tokens = sum(int(mask.sum()) for mask in masks)
        self.add(name, spread=spread, base=base, part=part, tokens=tokens)

    def pair(self, name: str) -> None:
        """A measure between checkpoint and base at every position, averaged."""
        values = [member.by_problem(pair.statistics[name]) for member, pair in paired(self._arm)]
        self.add(name, spread=np.stack(values))

    def shifts(self) -> None:
        """Shift of log-probabilities and of centred logits by the base's rank."""
        arm = self._arm
        assert arm.base is not None
        for number, (first, last) in enumerate(RANK_BUCKETS):
            name = rank_part(first, last)
            log_probs, centred = (
                np.stack([texts_to_problems(values[:, number], arm.base) for values in of_seeds])
                for of_seeds in (
                    [pair.log_prob_shift for pair in arm.pairs],
                    [pair.centred_shift for pair in arm.pairs],
                )
            )
            if not np.isnan(log_probs).all():
                zero = np.zeros(self._count)  # a shift is itself the difference from the base
                self.add(
                    "log_prob_shift_nats", spread=log_probs, base=zero, part=name, source="log_prob"
                )
                self.add("centred_shift", spread=centred, base=zero, part=name)

    def kl_by_rank(self) -> None:
        """Parts of the KL by the base's rank; they add up to it."""
        arm = self._arm
        assert arm.base is not None
        for number, (first, last) in enumerate(KL_BUCKETS):
            spread = np.stack(
                [texts_to_problems(pair.kl_by_rank[:, number], arm.base) for pair in arm.pairs]
            )
            if not np.isnan(spread).all():
                self.add("kl_by_rank_nats", spread=spread, part=rank_part(first, last))

    def skewness_shares(self) -> None:
        """What the highest logits have of the third moment; undefined where a problem has none."""
        members = self._arm.members
        whole = np.stack([each.by_problem(each.statistics["skewness"]) for each in members])
        is_read: Mask = np.asarray(~np.isnan(whole).any(axis=0))
        for number, name in enumerate(("skewness_top1_share", "skewness_top10_share")):
            parts = np.stack([each.by_problem(each.skewness_of_top[number]) for each in members])
            known = parts[:, is_read], whole[:, is_read]
            share = ratio_shape(*known) if is_read.any() and (known[1] > 0).all() else None
            value, spread = spread_out(share, is_read, len(members))
            note = None if share else remark("no-right-skew")
            self.add(name, spread=spread, value=value, note=note)

    def pooled(self, source: LogitSource, columns: Callable[[Positions], MomentColumns]) -> None:
        """Moments of all values together, of the problems that every reading has."""
        arm = self._arm
        readings = [*arm.members, *([arm.base] if arm.base else [])]
        counts = [np.bincount(reading.problem, minlength=self._count) for reading in readings]
        is_read = np.all(np.stack(counts) > 0, axis=0)
        parts = [_kept(member.pooled(columns(member)), is_read) for member in arm.members]
        shape = pooled_shape(parts)
        of_base = None
        if arm.base is not None:
            of_base = pooled_shape([_kept(arm.base.pooled(columns(arm.base)), is_read)])
        for name in POOLED:
            value, spread = spread_out(shape.get(name), is_read, len(arm.members))
            base = spread_out(of_base.get(name), is_read, 1)[1] if of_base else None
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
        note: Remark | None = None,
    ) -> None:
        """One row; see `EstimateRow` for what its sides are."""
        self._table.rows.append(
            EstimateRow(
                checkpoint=self._arm.label,
                text=self._arm.text,
                statistic=statistic,
                kind="pooled" if is_pooled else "per_token",
                source=source,
                part=part,
                spread=spread,
                value=value,
                base_spread=None if self._is_base else base,
                tokens=self._arm.tokens if tokens is None else tokens,
                seeds=len(self._arm.members),
                problems=self._count,
                log_scale=log_scale,
                note=note,
            )
        )

    @property
    def _count(self) -> int:
        return len(self._table.problems)


def paired(arm: ArmReadings) -> list[tuple[Positions, PairStatistics]]:
    """Readings of each seed with how they differ from the base."""
    return list(zip(arm.members, arm.pairs, strict=True))


def spread_out(
    shape: Jackknifed | None, is_read: Mask, seeds: int
) -> tuple[float | None, Floats | None]:
    """Value and pseudo-values of a statistic of the whole, `[seeds, problems]`."""
    if shape is None:
        return None, None
    if shape.pseudo_values is None:
        return shape.value, None
    spread = np.full((seeds, len(is_read)), np.nan)
    spread[:, is_read] = shape.pseudo_values.reshape(seeds, -1)
    return shape.value, spread


def _kept(parts: Sequence[Moments], is_read: Mask) -> list[Moments]:
    return [part for part, is_kept in zip(parts, is_read, strict=True) if is_kept]
