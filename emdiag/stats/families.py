"""Tests of a whole family of paired differences: what on a page may be called higher or lower.

A page that tests three hundred rows at 5 % finds fifteen where there is nothing. Here the chance
of one false finding or more in a whole family is at most 5 %, whatever of it is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emdiag.stats.checks import numbers, refuse_counts, same_problems
from emdiag.stats.comparisons import PERMUTATIONS, sign_flip
from emdiag.stats.intervals import SPREAD_FRAC

_EXACT_PROBLEMS = 14  # all of so many problems' signs are fewer than `PERMUTATIONS`
_BATCH_VALUES = 4_000_000
_ROUNDING = 1e-9
_LEAST_REST = 1e-15  # of a mean whose problems agree, the share of the squares that is left

FamilyValues = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FamilyTest:
    """p-value of one row, alone and corrected over its family."""

    p_value: float
    corrected: float


def step_down(rows: Sequence[FamilyValues], *, seed: int = 0) -> list[FamilyTest | None]:
    """Two-sided tests that the mean of each row of differences is zero, corrected over all rows.

    Rows are `[seeds, problems]` over the same problems, nan where a problem has no value; the
    number of seeds may differ. Under the null either checkpoint could have produced either value
    of a problem, so the signs of whole problems are flipped, the same ones in all rows: rows that
    say the same thing then count about once, and not as often as they stand there, as for Holm.
    Each row is measured by Student's t of its mean, as the normal deviate that is as rare. The
    largest row is held against the largest of all rows under flipped signs, the next against the
    largest of the rest, and so on. With one seed this is exact.

    With several seeds the row's own t is over seeds and problems, whose variance flips of problems
    do not show; the flips then stand for how rows of a family hang together.

    Up to 14 problems all signs are tried, so that below seven nothing is ever significant at 5 %
    of two families. None for a row of fewer than two problems.

    Raises:
        MeasurementError: A row has no value or an infinite one, or rows differ in their problems.

    Source: Westfall and Young 1993, "Resampling-Based Multiple Testing", algorithm 2.8 (step-down
    maxT); Wallace 1959, Annals of Mathematical Statistics 30(4) (Student's t to a normal deviate).
    """
    rows = [numbers(row, of="a family of tests", nan=True) for row in rows]
    same_problems(*rows)
    known = [~np.isnan(row).any(axis=0) for row in rows]
    kept = [number for number, is_known in enumerate(known) if is_known.sum() > 1]
    results: list[FamilyTest | None] = [None] * len(rows)
    if not kept:
        return results
    means = np.stack([np.where(known[n], rows[n].mean(axis=0), 0.0) for n in kept])
    problems = np.array([known[n].sum() for n in kept])
    observed = _deviates(means.sum(axis=1), means, problems)
    alone = np.array([len(rows[n]) == 1 for n in kept])
    for place in np.flatnonzero(~alone):
        number = kept[place]
        observed[place] = _of_seeds(rows[number][:, known[number]])
    order = np.argsort(-observed)
    least = observed * (1 - _ROUNDING)
    own, of_rest, draws = np.zeros(len(kept)), np.zeros(len(kept)), 0
    for signs in _signs(means.shape[1], rows=len(kept), seed=seed):
        flipped = _deviates(signs @ means.T, means, problems)
        own += (flipped >= least).sum(axis=0)
        largest = np.maximum.accumulate(flipped[:, order[::-1]], axis=1)[:, ::-1]
        of_rest[order] += (largest >= least[order]).sum(axis=0)
        draws += len(signs)
    corrected = of_rest / draws
    corrected[order] = np.maximum.accumulate(corrected[order])
    p_values = np.where(alone, own / draws, 2 * stats.norm.sf(observed))
    for place, number in enumerate(kept):
        results[number] = FamilyTest(float(p_values[place]), float(corrected[place]))
    return results


def p_of_mean(left: FamilyValues, right: FamilyValues | None = None) -> float | None:
    """Two-sided p-value that the mean of `left`, less that of `right`, is zero.

    Both are `[seeds, problems]`, with any number of seeds, on the same problems. With one seed on
    either side signs of problems are flipped, and nothing is said of other seeds; otherwise it is
    Student's t over seeds and problems. None below two problems, and where problems and seeds all
    differ by one and the same number, about which Student's t says nothing.

    Raises:
        MeasurementError: There is no value, one is not finite, or the sides differ in problems.
    """
    sides = [
        numbers(side, of="a test of means")
        for side in ((left,) if right is None else (left, right))
    ]
    same_problems(*sides)
    left = sides[0]
    if left.shape[1] < 2:
        return None
    if all(len(side) == 1 for side in sides):
        return sign_flip(left[0] if right is None else left[0] - sides[1][0])
    t, freedom = two_way_t(*sides)
    return float(2 * stats.t.sf(t, freedom)) if np.isfinite(t) else None


def two_way_t(*sides: FamilyValues) -> tuple[float, float]:
    """|t| and degrees of freedom of the mean of `[seeds, problems]`, less that of a second side.

    The variance of the mean is that of the means of seeds plus that of the means of problems,
    less that of the cells, which both of them count. Problems are shared between sides, seeds are
    not; a side of one seed is taken as it is. Two problems or more. |t| is infinite where nothing
    varies by more than rounding but the mean is not 0.

    Raises:
        MeasurementError: As `p_of_mean`.

    Source: Owen 2007, Annals of Applied Statistics 1(2), section 3; Satterthwaite 1946.
    """
    sides = tuple(numbers(side, of="a test of means") for side in sides)
    same_problems(*sides)
    refuse_counts(2, sides[0].shape[1], of="Student's t", least=2)
    gap = sides[0].mean(axis=0) - (sides[1].mean(axis=0) if len(sides) > 1 else 0.0)
    parts = [(float(gap.var(ddof=1)) / gap.size, gap.size - 1)]
    cells = 0.0
    for side in (side for side in sides if len(side) > 1):
        of_seeds = side.mean(axis=1, keepdims=True)
        parts.append((float(of_seeds.var(ddof=1)) / len(side), len(side) - 1))
        rest = side - side.mean(axis=0) - of_seeds + side.mean()
        cells += float((rest**2).sum()) / ((len(side) - 1) * (gap.size - 1)) / side.size
    total = sum(variance for variance, _ in parts)
    mean = abs(float(gap.mean()))
    rounding = SPREAD_FRAC * max(np.abs(side).max() for side in sides)
    if total <= rounding**2:
        return (float("inf") if mean > rounding else 0.0), float(
            min(freedom for _, freedom in parts)
        )
    variance = max(total - cells, *(part for part, _ in parts))
    freedom = total**2 / sum(part**2 / freedom for part, freedom in parts)
    return mean / float(np.sqrt(variance)), freedom


def _of_seeds(values: FamilyValues) -> float:
    """The normal deviate that is as rare as t over seeds and problems."""
    t, freedom = two_way_t(values)
    return float(stats.norm.isf(stats.t.sf(min(t, 1e9), freedom)))


def _deviates(sums: FamilyValues, means: FamilyValues, problems: NDArray[np.int64]) -> FamilyValues:
    """From sums over problems, `[..., rows]`, to normal deviates as rare as Student's t, >= 0."""
    squares = (means**2).sum(axis=1)
    explained = np.divide(
        sums**2, problems * squares, out=np.zeros_like(sums), where=squares > 0
    )  # t^2 = (n - 1) explained / (1 - explained)
    freedom = problems - 1
    scale = (8 * freedom + 1) / (8 * freedom + 3)
    rest = np.log(np.maximum(1 - explained, _LEAST_REST))
    deviates: FamilyValues = scale * np.sqrt(-freedom * np.minimum(rest, 0.0))
    return deviates


def _signs(problems: int, *, rows: int, seed: int) -> Iterator[FamilyValues]:
    """Signs of problems in batches, `[draws, problems]`, the signs as they are among them."""
    if problems <= _EXACT_PROBLEMS:
        numbers = np.arange(2 ** (problems - 1))  # all signs turned say the same
        yield 1.0 - 2.0 * ((numbers[:, None] >> np.arange(problems)) & 1)
        return
    yield np.ones((1, problems))
    random = np.random.default_rng(seed)
    for start in range(0, PERMUTATIONS, batch := max(1, _BATCH_VALUES // max(problems, rows))):
        size = min(batch, PERMUTATIONS - start)
        yield 2.0 * random.integers(0, 2, (size, problems)).astype(np.float64) - 1.0
