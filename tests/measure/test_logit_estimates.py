from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from emdiag.measure.logit_estimates import EstimateRow, EstimateTable

if TYPE_CHECKING:
    from emdiag.core.logit_skew import Direction, LogitEstimate


def estimate(spread: list[list[float]], base: list[float]) -> LogitEstimate:
    """One arm's statistic beside the base's, `[seeds, problems]` and `[problems]`."""
    values = np.array(spread)
    table = EstimateTable(base="base", problems=[str(n) for n in range(values.shape[1])], seed=0)
    row = EstimateRow(
        checkpoint="em",
        text="base",
        statistic="skewness",
        kind="per_token",
        source="raw",
        spread=values,
        base_spread=np.array(base),
        tokens=100,
        seeds=len(values),
        problems=values.shape[1],
    )
    table.rows.append(row)
    (found,) = table.estimates()
    return found


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
