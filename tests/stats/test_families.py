"""Tests of whole families, against slower code and under a null that is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from emdiag.stats.comparisons import holm, sign_flip
from emdiag.stats.families import FamilyTest, p_of_mean, step_down, two_way_t

Floats = NDArray[np.float64]


def _by_hand(rows: Floats) -> list[float]:
    """Westfall and Young's step-down maxT by all signs, row by row."""

    def deviates(values: Floats) -> Floats:
        t = stats.ttest_1samp(values, 0, axis=1).statistic
        return np.abs(np.asarray(t, np.float64))

    observed = deviates(rows)
    flipped = [deviates(rows * signs) for signs in product((-1.0, 1.0), repeat=rows.shape[1])]
    order, least = np.argsort(-observed), 0.0
    corrected = np.zeros(len(rows))
    for place, row in enumerate(order):
        rest = order[place:]
        rare = np.mean([t[rest].max() >= observed[row] * (1 - 1e-9) for t in flipped])
        corrected[row] = least = max(least, float(rare))
    return corrected.tolist()


def test_all_signs_of_a_few_problems_give_what_a_slower_code_gives() -> None:
    random = np.random.default_rng(3)
    shared = random.normal(size=9)
    rows = np.stack([shared * a + random.normal(0.3 * a, 1, 9) for a in range(5)])
    found = [test for test in step_down([row[None] for row in rows]) if test is not None]
    assert [test.corrected for test in found] == pytest.approx(_by_hand(rows))
    exact = [
        stats.permutation_test((row,), np.mean, permutation_type="samples", n_resamples=10**6)
        for row in rows
    ]
    assert [test.p_value for test in found] == pytest.approx([test.pvalue for test in exact])


def test_one_row_is_an_ordinary_sign_flip_and_nan_leaves_a_problem_out() -> None:
    random = np.random.default_rng(5)
    row = random.normal(0.3, 1, 40)
    (alone,) = step_down([row[None]])
    assert alone is not None
    assert alone.p_value == alone.corrected == pytest.approx(sign_flip(row), abs=0.015)
    wider = np.concatenate([row, [np.nan] * 3])
    (again,) = step_down([wider[None]], seed=1)
    assert again is not None
    assert again.p_value == pytest.approx(alone.p_value, abs=0.015)


def test_rows_that_say_the_same_cost_nothing_where_holm_charges_for_each() -> None:
    row = np.random.default_rng(1).normal(0.45, 1, 30)
    (alone,) = step_down([row[None]])
    many = step_down([scale * row[None] for scale in range(1, 41)])
    assert alone is not None
    assert {test.corrected for test in many if test} == {alone.corrected}
    assert alone.corrected < 0.05 < holm([alone.p_value] * 40)[0]


def test_too_few_problems_and_no_difference_say_nothing() -> None:
    seven, six = np.ones(7), np.arange(1.0, 7.0)
    assert step_down([np.array([[1.0, np.nan]]), np.full((1, 2), np.nan)]) == [None, None]
    assert step_down([]) == []
    assert step_down([np.zeros((1, 9))]) == [FamilyTest(1.0, 1.0)]
    assert step_down([six[None]]) == [FamilyTest(2 / 64, 2 / 64)]  # two families: 0.0625
    assert step_down([seven[None]]) == [FamilyTest(2 / 128, 2 / 128)]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_family_without_any_difference_has_a_finding_in_five_of_a_hundred(seeds: int) -> None:
    random, pages, false = np.random.default_rng(11), 300, 0
    mixed = random.normal(size=(60, 12))  # what is shown hangs together
    for _ in range(pages):
        of_problems = random.standard_t(4, (12, 12))
        of_seeds = random.normal(0, 0.3, (seeds, 12, 1)) * (seeds > 1)
        values = of_problems + of_seeds + random.normal(0, 0.5, (seeds, 12, 12))
        tests = step_down([(mixed[row] @ values) for row in range(60)])
        false += min(test.corrected for test in tests if test is not None) < 0.05
    assert false <= 25  # 5 % of 300 are 15, with a standard error of 3.8


def test_t_over_seeds_and_problems_by_hand() -> None:
    values = np.array([[1.0, 2.0, 6.0], [3.0, 2.0, 4.0]])
    seeds, problems = np.var([3.0, 3.0], ddof=1) / 2, np.var([2.0, 2.0, 5.0], ddof=1) / 3
    t, freedom = two_way_t(values)
    assert freedom == pytest.approx(2)  # seeds do not differ: what varies is over problems
    assert t == pytest.approx(3 / np.sqrt(seeds + problems))  # never less than either of them
    left, right = values, np.array([[0.0, 1.0, 1.0]])
    gap = left.mean(axis=0) - right[0]
    expected = stats.ttest_1samp(gap, 0)
    assert p_of_mean(left, right) == pytest.approx(float(expected.pvalue))


def test_the_mean_of_a_single_problem_has_no_test() -> None:
    assert p_of_mean(np.ones((3, 1))) is None
    assert p_of_mean(np.ones((1, 1)), np.zeros((2, 1))) is None
    assert p_of_mean(np.zeros((3, 4))) == 1.0
