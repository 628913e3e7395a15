"""Figures of problems to estimates: intervals, paired differences and corrected tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.logit_skew import LogitDifference, LogitEstimate, LogitSource, StatisticKind
from emdiag.core.results import Interval, Remark, direction_of, remark
from emdiag.stats.families import FamilyTest, step_down
from emdiag.stats.intervals import intervals_of

ROUNDING_FRAC = 1e-6
"""At most this share of the checkpoint's own value, a difference is rounding and has no sign."""

SpreadValues = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EstimateRow:
    """One statistic of one arm on one text, before anything is said about its uncertainty.

    Attributes:
        spread: Values whose mean the statistic is, `[seeds, problems]`: figures of problems, or
            pseudo-values. Nan for a problem that does not define it. None where nothing says how
            sure the value is.
        value: None to take the mean of `spread`.
        base_spread: The base's, `[problems]`; None where there is no difference to speak of.
        tokens: Positions counted, over all seeds.
        log_scale: Whether `spread` is of logarithms: value and interval are their exponentials.
    """

    checkpoint: str
    text: str
    statistic: str
    kind: StatisticKind
    source: LogitSource
    spread: SpreadValues | None
    tokens: int
    seeds: int
    problems: int
    part: str | None = None
    value: float | None = None
    base_spread: SpreadValues | None = None
    log_scale: bool = False
    note: Remark | None = None

    @property
    def mean(self) -> float | None:
        """Of the problems that every seed defines; None without any."""
        if self.spread is None:
            return None
        defined = self.spread[:, ~np.isnan(self.spread).any(axis=0)]
        return float(defined.mean()) if defined.size else None

    @property
    def differences(self) -> SpreadValues | None:
        """Checkpoint minus base, `[seeds, problems]`; nan where either does not define it."""
        if self.spread is None or self.base_spread is None:
            return None
        differences: SpreadValues = self.spread - self.base_spread
        return differences if (~np.isnan(differences)).all(axis=0).any() else None


@dataclass(kw_only=True)
class EstimateTable:
    """Rows as they are collected.

    Attributes:
        base: Label that differences are to.
        seed: Of bootstraps and permutations.
    """

    base: str
    problems: Sequence[str]
    seed: int
    rows: list[EstimateRow] = field(default_factory=list)

    def estimates(self) -> tuple[LogitEstimate, ...]:
        """All rows with their intervals; p-values are corrected over the whole study."""
        rows = self.rows
        intervals = self._intervals([row.spread for row in rows])
        differences = [row.differences for row in rows]
        of_differences = self._intervals(differences)
        tests = self._tests(differences)
        return tuple(
            _estimate(
                row,
                interval,
                None
                if difference is None
                else _difference(row, self.base, difference, between, tests.get(number)),
            )
            for number, (row, interval, difference, between) in enumerate(
                zip(rows, intervals, differences, of_differences, strict=True)
            )
        )

    def _intervals(self, spreads: Sequence[SpreadValues | None]) -> list[Interval | None]:
        """Intervals of the means, those of one shape from the same resamples."""
        intervals: list[Interval | None] = [None] * len(spreads)
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, spread in enumerate(spreads):
            if spread is not None:
                by_shape[spread.shape].append(number)
        for numbers in by_shape.values():
            stacked = np.stack([_known(spreads[number]) for number in numbers])
            of_shape = intervals_of(stacked, seed=self.seed)
            for number, interval in zip(numbers, of_shape, strict=True):
                intervals[number] = interval
        return intervals

    def _tests(self, differences: Sequence[SpreadValues | None]) -> dict[int, FamilyTest]:
        """Of every difference, corrected within the rows of all tokens, and within their parts.

        A page shows both families, so that each has half of what may be found by chance.
        """
        families: dict[bool, list[int]] = {False: [], True: []}
        for number, row in enumerate(self.rows):
            if differences[number] is not None:
                families[row.part is not None].append(number)
        return {
            number: FamilyTest(test.p_value, min(1.0, len(families) * test.corrected))
            for numbers in families.values()
            for number, test in zip(
                numbers,
                step_down([_known(differences[n]) for n in numbers], seed=self.seed),
                strict=True,
            )
            if test is not None
        }


def _estimate(
    row: EstimateRow, interval: Interval | None, difference: LogitDifference | None
) -> LogitEstimate:
    value = row.value
    if value is None and row.mean is not None:
        value = exp(row.mean) if row.log_scale else row.mean
    if interval is not None and row.log_scale:
        interval = msgspec.structs.replace(interval, low=exp(interval.low), high=exp(interval.high))
    counted = row.problems if row.spread is None else int((~np.isnan(row.spread)).all(axis=0).sum())
    return LogitEstimate(
        checkpoint=row.checkpoint,
        text=row.text,
        statistic=row.statistic,
        kind=row.kind,
        source=row.source,
        part=row.part,
        value=value,
        interval=interval,
        tokens=row.tokens,
        problems=counted,
        seeds=row.seeds,
        difference=difference,
        note=row.note or (None if value is not None else remark("not-defined")),
    )


def _difference(
    row: EstimateRow,
    base: str,
    differences: SpreadValues,
    interval: Interval | None,
    test: FamilyTest | None,
) -> LogitDifference:
    is_read = ~np.isnan(differences).any(axis=0)
    value = float(differences[:, is_read].mean())
    # Logits are float32: a checkpoint that only scales them moves every problem's skewness a
    # little, and often all the same way.
    is_rounding = abs(value) <= ROUNDING_FRAC * float(np.abs(_known(row.spread)[:, is_read]).mean())
    p_holm = None if test is None else test.corrected
    return LogitDifference(
        base=base,
        value=value,
        interval=interval,
        p_value=None if test is None else test.p_value,
        p_holm=p_holm,
        direction="undecided" if is_rounding else direction_of(interval, p_holm),
    )


def _known(spread: SpreadValues | None) -> SpreadValues:
    assert spread is not None
    return spread
