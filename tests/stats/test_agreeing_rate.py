from __future__ import annotations

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emdiag.stats.comparisons import agreeing_rate

counts = st.integers(1, 6).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.just(n)),
)


@given(first=counts, second=counts)
def test_one_problem_gives_the_p_value_of_fishers_exact_test(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    table = [[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]]
    _, p_value = agreeing_rate([first], [second], level=0.95)
    assert p_value == pytest.approx(stats.fisher_exact(table).pvalue, abs=1e-12)


@given(problems=st.lists(st.tuples(counts, counts), min_size=1, max_size=3))
def test_several_problems_give_what_counting_every_split_gives(
    problems: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    ways: dict[int, int] = {}
    ranges = [range(n + 1) for (_, n), _ in problems]
    for split in product(*ranges):
        weight = 1
        for mine, ((right, n), (other, m)) in zip(split, problems, strict=True):
            rest = right + other - mine
            weight *= comb(n, mine) * comb(m, rest) if rest >= 0 else 0
        ways[sum(split)] = ways.get(sum(split), 0) + weight
    found = sum(right for (right, _), _ in problems)
    likely = sum(weight for weight in ways.values() if weight <= ways[found])
    _, p_value = agreeing_rate(
        [first for first, _ in problems], [second for _, second in problems], level=0.95
    )
    assert p_value == pytest.approx(likely / sum(ways.values()), abs=1e-9)


def test_the_interval_holds_the_promised_share_of_agreeing_samplers() -> None:
    base = [(8, 16), (15, 16), (1, 16)]
    outside = 0.0
    for split in product(range(9), repeat=3):
        # both draw with rates 0.5, 0.9 and 0.1; the base as above, which is close to them
        chance = 1.0
        for right, rate in zip(split, (0.5, 0.9, 0.1), strict=True):
            chance *= stats.binom.pmf(right, 8, rate)
        interval, _ = agreeing_rate([(right, 8) for right in split], base, level=0.95)
        if not interval.low <= sum(split) / 24 <= interval.high:
            outside += chance
    assert outside < 0.05


def test_a_sampler_that_stops_at_the_wrong_token_is_far_outside() -> None:
    base = [(9, 16)] * 8
    interval, p_value = agreeing_rate([(2, 8)] * 8, base, level=0.999)
    assert interval.low > 16 / 64
    assert p_value < 0.001
