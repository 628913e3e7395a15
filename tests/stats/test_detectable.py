from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.stats.comparisons import exact_mcnemar
from emdiag.stats.detectable import (
    gain_by_flips,
    gain_by_spread,
    planned_gains,
    power_of_mcnemar,
)

PLANNED = {40: (None, 0.195, 0.282), 272: (0.056, 0.078, 0.110), 500: (0.041, 0.057, 0.081)}
"""By the share of problems that change: 10, 20 and 40 %."""


@pytest.mark.parametrize("problems", PLANNED)
def test_what_a_comparison_is_planned_for_is_the_exact_power_of_mcnemar(problems: int) -> None:
    planned = planned_gains(problems, score=0.5)
    assert [found.changing for found in planned] == [0.1, 0.2, 0.4]
    gains = [None if found.gain is None else round(found.gain, 3) for found in planned]
    assert gains == list(PLANNED[problems])
    assert all((found.note is None) == (found.gain is not None) for found in planned)


def test_the_power_is_the_sum_over_every_outcome() -> None:
    problems, changing, gain = 12, 0.7, 0.45
    better, worse = (changing + gain) / 2, (changing - gain) / 2
    expected = sum(
        comb(problems, up)
        * comb(problems - up, down)
        * better**up
        * worse**down
        * (1 - changing) ** (problems - up - down)
        for up in range(problems + 1)
        for down in range(problems + 1 - up)
        if up > down and exact_mcnemar(wrong_to_right=up, right_to_wrong=down) < 0.05
    )
    assert power_of_mcnemar(problems, changing, gain, alpha=0.05) == pytest.approx(expected)


def rates(
    random: np.random.Generator, problems: int, samples: int, *, correlation: float, gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of right samples of two checkpoints, on problems half of which are hard."""
    hard = random.random(problems) < 0.5
    other = np.where(random.random(problems) < correlation, hard, random.random(problems) < 0.5)
    before = random.binomial(samples, np.where(hard, 0.1, 0.8)) / samples
    after = random.binomial(samples, np.where(other, 0.1, 0.8) + gain) / samples
    return before, after


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("samples", [1, 8])
def test_the_gain_is_found_with_the_power_it_states(samples: int, correlation: float) -> None:
    random, problems, gain = np.random.default_rng(5), 200, 0.1
    for _ in range(4):  # the gain of pairs that differ by it
        before, after = rates(random, 100_000, samples, correlation=correlation, gain=gain)
        changing, spread = float((before != after).mean()), (after - before).std()
        alike = np.tile([-spread, spread], problems // 2)
        stated = (
            gain_by_flips(problems, changing, score=0.45)
            if samples == 1
            else gain_by_spread(alike, score=0.45)
        )
        assert stated.gain is not None
        gain = min(stated.gain, 0.2)
    assert gain < 0.2
    found = 0
    for _ in range(400):
        before, after = rates(random, problems, samples, correlation=correlation, gain=gain)
        up, down = int((after > before).sum()), int((after < before).sum())
        found += (
            exact_mcnemar(wrong_to_right=up, right_to_wrong=down)
            if samples == 1
            else float(stats.ttest_rel(after, before).pvalue)
        ) < 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.06)  # three standard errors


def test_corrected_for_several_benchmarks_more_is_needed() -> None:
    differences = np.random.default_rng(1).choice([-0.5, 0, 0.25, 0.5], 200)
    single = gain_by_spread(differences, score=0.3).gain
    of_four = gain_by_spread(differences, score=0.3, alpha=0.05 / 4).gain
    error = differences.std(ddof=1) / np.sqrt(200)
    half_a_step = 0.25 / 200  # of the sum under sign flips
    assert single == pytest.approx(2.8016 * error + half_a_step, rel=0.01)
    assert of_four == pytest.approx((2.4977 + 0.8416) * error + half_a_step, rel=0.012)


@pytest.mark.parametrize(
    ("problems", "changing", "score", "code"),
    [
        (0, 0.4, 0.5, "too-few-to-find"),
        (2, 0.4, 0.5, "too-few-to-find"),
        (5, 1.0, 0.5, "too-few-to-find"),
        (40, 0.1, 0.5, "too-few-change"),
        (40, 0.0, 0.5, "nothing-changes"),
        (272, 0.1, 0.99, "not-left-to-gain"),
        (272, 0.4, 0.02, "not-left-to-gain"),
    ],
)
def test_no_gain_is_stated_that_would_mean_nothing(
    problems: int, changing: float, score: float, code: str
) -> None:
    found = gain_by_flips(problems, changing, score=score)
    assert found.gain is None
    assert found.note is not None
    assert found.note.code == code


def test_the_spread_of_pairs_states_no_gain_either_where_it_means_nothing() -> None:
    wide = np.tile([-1.0, 1.0], 10)
    for differences, score, code in (
        (np.array([]), 0.5, "too-few-to-find"),
        (np.array([0.0, 1.0]), 0.5, "too-few-to-find"),
        (np.full(50, 0.25), 0.5, "nothing-changes"),
        (wide, 0.5, "not-left-to-gain"),
    ):
        found = gain_by_spread(differences, score=score)
        assert found.gain is None
        assert found.note is not None
        assert found.note.code == code


def test_what_is_no_share_or_no_number_is_refused() -> None:
    for problems, changing, score in ((-1, 0.1, 0.5), (40, 1.1, 0.5), (40, 0.1, float("nan"))):
        with pytest.raises(MeasurementError):
            gain_by_flips(problems, changing, score=score)
    for value in (float("nan"), float("inf")):
        with pytest.raises(MeasurementError):
            gain_by_spread(np.array([0.0, 0.1, value]), score=0.5)
