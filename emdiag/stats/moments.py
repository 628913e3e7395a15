"""Moments of many positions at once, and histograms with fixed edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.errors import MeasurementError
from emdiag.core.moments import EQUAL_FRAC, Histogram, Moments
from emdiag.stats.checks import numbers, refuse_counts

DECILES = 10
_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentColumns:
    """Moments of many positions, one beside the other; all arrays are `[positions]`.

    Attributes:
        count: Values at each position, int64.
        mean: float64; 0 where the count is.
        m2, m3, m4: float64 sums of the second, third and fourth powers of (value - mean).
    """

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    m3: NDArray[np.float64]
    m4: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.count)

    def is_constant(self) -> NDArray[np.bool_]:
        """Where all values are equal, up to rounding; the rule of `Moments.is_constant`."""
        constant: NDArray[np.bool_] = self.m2 <= self.count * (EQUAL_FRAC * self.mean) ** 2
        return constant

    def sigma(self) -> NDArray[np.float64]:
        """Population standard deviation at each position; nan without values."""
        sigma: NDArray[np.float64] = np.sqrt(self.m2 / np.where(self.count > 0, self.count, np.nan))
        return sigma

    def skewness(self) -> NDArray[np.float64]:
        """Population skewness g1 at each position; nan where all values are equal."""
        m2 = np.where(self.is_constant(), np.nan, self.m2)
        skewness: NDArray[np.float64] = self.m3 * np.sqrt(self.count / m2) / m2
        return skewness

    def excess_kurtosis(self) -> NDArray[np.float64]:
        """Population excess kurtosis g2 at each position; nan where all values are equal."""
        m2 = np.where(self.is_constant(), np.nan, self.m2)
        kurtosis: NDArray[np.float64] = self.m4 / m2 * self.count / m2
        return kurtosis - 3

    def pooled(self) -> Moments:
        """Moments of the values of all positions together.

        Source: Pébay 2008, SAND2008-6212, the update about a common mean.
        """
        total = int(self.count.sum())
        if not total:
            return Moments(count=0, mean=0.0, m2=0.0, m3=0.0, m4=0.0)
        mean = (self.count * self.mean).sum() / total
        mean += (self.count * (self.mean - mean)).sum() / total  # takes back the sum's rounding
        m2, m3, m4 = self.power_sums(mean)
        return Moments(
            count=total,
            mean=float(mean),
            m2=float(m2.sum()),
            m3=float(m3.sum()),
            m4=float(m4.sum()),
        )

    def scaled(self, factor: float) -> MomentColumns:
        """The columns with every value multiplied by `factor`."""
        return replace(
            self,
            mean=self.mean * factor,
            m2=self.m2 * factor**2,
            m3=self.m3 * factor**3,
            m4=self.m4 * factor**4,
        )

    def shifted(self, constant: NDArray[np.float64]) -> MomentColumns:
        """The columns with a constant, one per position, added to every value."""
        return replace(self, mean=np.where(self.count > 0, self.mean + constant, 0.0))

    def without(self, value: float, times: NDArray[np.int64]) -> MomentColumns:
        """The columns after `times[i]` values equal to `value` were taken out of position i.

        The inverse of merging a block of equal values. What is left is a difference: where it is
        no larger than the rounding of what it is a difference of, what is left counts as
        constant.

        Raises:
            MeasurementError: More values are to be taken out than there are.
        """
        left = self.count - times
        if (left < 0).any() or (times < 0).any():
            raise MeasurementError(
                "values to take out number between 0 and the count of their position"
            )
        mean = self.mean + (self.mean - value) * times / np.maximum(left, 1)
        mean = np.where(left > 0, mean, 0.0)
        gap = value - mean
        m2, m3, m4 = self.power_sums(mean)
        rest = m2 - times * gap**2
        spread = (left > 1) & ((times == 0) | (rest > _ROUNDING * m2))
        return MomentColumns(
            count=left,
            mean=mean,
            m2=np.where(spread, rest, 0.0),
            m3=np.where(spread, m3 - times * gap**3, 0.0),
            m4=np.where(spread, np.maximum(m4 - times * gap**4, 0.0), 0.0),
        )

    def select(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> MomentColumns:
        """The columns of some positions: a slice, a mask or indices."""
        return MomentColumns(
            **{column.name: getattr(self, column.name)[which] for column in fields(self)}
        )

    @staticmethod
    def of(moments: Sequence[Moments]) -> MomentColumns:
        """One position for each of the moments.

        Raises:
            MeasurementError: One is not finite, or a count or an even power is negative.
        """
        rows = np.array([msgspec.structs.astuple(each) for each in moments], dtype=np.float64)
        if len(rows):
            rows = numbers(rows, of="a moment")
            numbers(rows[:, [0, 2, 4]], of="a count or an even moment", low=0)
        count, mean, m2, m3, m4 = rows.reshape(-1, 5).T
        return MomentColumns(count=count.astype(np.int64), mean=mean, m2=m2, m3=m3, m4=m4)

    def power_sums(
        self, about: float | NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Sums of the second to fourth powers of (value - about) at each position."""
        gap = self.mean - about
        return (
            self.m2 + self.count * gap**2,
            self.m3 + 3 * gap * self.m2 + self.count * gap**3,
            self.m4 + 4 * gap * self.m3 + 6 * gap**2 * self.m2 + self.count * gap**4,
        )


def histogram_of(values: NDArray[np.floating], *, low: float, width: float, bins: int) -> Histogram:
    """Counts of the values of an array of any shape and float dtype between fixed edges.

    Raises:
        MeasurementError: A value is not finite.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if flat.size:
        numbers(flat, of="a histogram")
    edges = low + width * np.arange(bins + 1)
    counts = np.bincount(np.searchsorted(edges, flat, side="right"), minlength=bins + 2)
    return Histogram(
        low=low,
        width=width,
        counts=tuple(counts[1:-1].tolist()),
        below=int(counts[0]),
        above=int(counts[-1]),
    )


def decile_of(positions: int) -> NDArray[np.int64]:
    """Tenth of the answer that each of its positions lies in, `[positions]`, from 1 to 10.

    Position t of n, counted from 0, lies in decile floor(10 t / n) + 1. An answer of fewer than
    ten positions leaves some deciles empty.

    Raises:
        MeasurementError: The number of positions is none.
    """
    refuse_counts(0, positions, of="tenths of an answer", least=0)
    return np.arange(positions, dtype=np.int64) * DECILES // max(positions, 1) + 1
