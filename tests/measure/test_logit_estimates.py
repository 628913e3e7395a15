from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from emdiag.measure.logit_estimates import EstimateRow, EstimateTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emdiag.core.logit_skew import Direction, LogitEstimate


def estimate(spread: list[list[float]], base: list[float]) -> LogitEstimate:
    """One arm's statistic beside the base's, `[seeds, problems]` and `[problems]`."""
    values = np.array(spread)
    table = EstimateTable(base="base", problems=[str(n) for n in range(values.shape[1])], seed=0)
    table.rows.append(row_of(values, np.array(base)))
    (found,) = table.estimates()
    return found


def row_of(
    spread: NDArray[np.float64], base: NDArray[np.float64], *, part: str | None = None
) -> EstimateRow:
    return EstimateRow(
        checkpoint="em",
        text="base",
        statistic="skewness",
        kind="per_token",
        source="raw",
        part=part,
        spread=spread,
        base_spread=base,
        tokens=100,
        seeds=len(spread),
        problems=spread.shape[1],
    )


BASE = [5.9, 6.0, 6.1, 5.7, 6.3, 6.0, 5.8, 6.2, 6.1, 5.9]


@pytest.mark.parametrize(
    ("step", "direction"),
    [
        (1e-7, "undecided"),
        (-1e-7, "undecided"),
        (1e-6, "undecided"),
        (1e-4, "higher"),
        (-1e-4, "lower"),
    ],
)
def test_a_difference_as_small_as_rounding_has_no_direction(
    step: float, direction: Direction
) -> None:
    mine = [[x + step * (1 + n % 3) for n, x in enumerate(BASE)]]
    change = estimate(mine, BASE).difference
    assert change is not None
    assert change.interval is not None
    assert change.interval.low * change.interval.high > 0  # on one side of zero
    assert change.p_holm is not None
    assert change.p_holm < 0.05
    assert change.direction == direction


def test_a_problem_that_one_side_does_not_define_is_in_no_difference() -> None:
    mine = [[*BASE[:-2], float("nan"), 9.0]]
    base = [*BASE[:-2], 1.0, float("nan")]
    found = estimate(mine, base)
    assert found.value == pytest.approx(np.mean([*BASE[:-2], 9.0]))
    assert found.problems == 9
    assert found.difference is not None
    assert (found.difference.value, found.difference.direction) == (0, "undecided")


def test_nothing_defined_is_said_and_no_number() -> None:
    found = estimate([[float("nan")] * 3], [1.0, 2.0, 3.0])
    assert (found.value, found.interval, found.difference) == (None, None, None)
    assert found.note


def test_the_same_seed_gives_the_same_intervals_and_seeds_widen_them() -> None:
    random = np.random.default_rng(0)
    mine = [list(np.array(BASE) + random.normal(0, 0.1, len(BASE)) + shift) for shift in (0, 1)]
    one, again = estimate(mine, BASE), estimate(mine, BASE)
    assert one == again
    alone = estimate(mine[:1], BASE)
    assert one.interval is not None
    assert alone.interval is not None
    assert "seeds" in one.interval.method
    assert one.interval.high - one.interval.low > alone.interval.high - alone.interval.low


def test_parts_are_tested_and_both_families_together_are_wrong_in_five_of_a_hundred() -> None:
    """150 studies without any difference: how many say anything, and how many rows alone."""
    random, false, parts = np.random.default_rng(2), [0, 0], [None, None, *map(str, range(10))]
    for study in range(150):
        table = EstimateTable(base="base", problems=[str(n) for n in range(12)], seed=study)
        shared = random.standard_t(4, 12)
        for part in parts:
            spread = 0.7 * shared + random.standard_t(4, 12)
            table.rows.append(row_of(spread[None], np.zeros(12), part=part))
        gaps = [row.difference for row in table.estimates() if row.difference is not None]
        intervals = [gap.interval for gap in gaps if gap.interval is not None]
        assert len(intervals) == len([gap.p_value is not None for gap in gaps]) == len(parts)
        false[0] += any(gap.direction != "undecided" for gap in gaps)
        false[1] += any(interval.low * interval.high > 0 for interval in intervals)
    assert false[0] <= 13  # 5 % are 7.5, with a standard error of 2.7
    assert false[1] > 30  # what intervals alone had said
