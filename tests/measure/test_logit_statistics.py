from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import log_softmax, rel_entr, softmax

from emdiag.core.moments import RANK_BUCKETS
from emdiag.engines.hf.logit_reader import ReadText
from emdiag.measure.logit_pairs import pair_traces
from emdiag.measure.logit_statistics import (
    forking,
    pair_statistics,
    positions_of,
    texts_to_problems,
)
from emdiag.measure.logits import TracedText, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emdiag.core.moments import LogitTrace, PairTrace
    from emdiag.measure.logit_statistics import PairStatistics, Positions

VOCAB = 80
TEXTS = (("a", 0, 7), ("c", 0, 1), ("a", 1, 12), ("b", 0, 23))
"""Problem, sample and positions of each text."""
PROBLEMS = ("a", "b", "c", "d")
"""The last has no text."""


def tables(seed: int) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return [
        (random.gumbel(size=(size, VOCAB)) * 2 + random.normal(size=(size, 1)) * 3).astype("f4")
        for _, _, size in TEXTS
    ]


def reads() -> list[TracedText]:
    return [
        TracedText(
            name="em", problem_id=problem, sample_index=sample, written=tuple(range(size)),
            vocab_size=VOCAB, entropy_temperatures=(0.5, 2.0),
        )
        for problem, sample, size in TEXTS
    ]  # fmt: skip


def traces(seed: int) -> list[LogitTrace]:
    return [
        trace(ReadText(states=torch.tensor(z), head=None), read)
        for z, read in zip(tables(seed), reads(), strict=True)
    ]


def positions(seed: int) -> Positions:
    return positions_of(traces(seed), problems=PROBLEMS, temperatures=(0.5, 2.0))


def beside() -> PairStatistics:
    pairs: list[PairTrace] = []
    for base, mine, read in zip(tables(1), tables(2), reads(), strict=True):
        args = (
            ReadText(states=torch.tensor(base), head=None),
            ReadText(states=torch.tensor(mine), head=None),
        )
        pairs.append(pair_traces(*args, base_read=read, read=read)[1])
    return pair_statistics(pairs, own=positions(2), base=positions(1))


@pytest.fixture(scope="module")
def found() -> Positions:
    return positions(1)


@pytest.fixture(scope="module")
def whole() -> NDArray[np.float64]:
    return np.concatenate(tables(1)).astype(np.float64)


def test_every_position_stands_in_order_with_its_problem_text_and_place(found: Positions) -> None:
    assert len(found) == 43
    assert found.problem.tolist() == [0] * 7 + [2] + [0] * 12 + [1] * 23
    assert found.text.tolist() == [0] * 7 + [1] + [2] * 12 + [3] * 23
    assert found.offset.tolist() == [*range(7), 0, *range(12), *range(23)]
    assert (found.decile[20:].min(), found.decile[20:].max()) == (1, 10)
    assert np.all(np.diff(found.decile[20:]) >= 0)


def test_figures_of_positions_are_those_of_scipy(
    found: Positions, whole: NDArray[np.float64]
) -> None:
    entropy = stats.entropy(softmax(whole, axis=1), axis=1)
    log_probs = log_softmax(whole, axis=1)
    uniform = np.full_like(whole, 1 / VOCAB)
    for name, expected in (
        ("mean", whole.mean(axis=1)),
        ("sigma", whole.std(axis=1)),
        ("skewness", stats.skew(whole, axis=1)),
        ("excess_kurtosis", stats.kurtosis(whole, axis=1)),
        ("log_prob_mean", log_probs.mean(axis=1)),
        ("entropy_nats", entropy),
        ("effective_vocabulary", np.exp(entropy)),
        ("self_certainty_nats", rel_entr(uniform, softmax(whole, axis=1)).sum(axis=1)),
        ("entropy_nats_at_0.5", stats.entropy(softmax(whole / 0.5, axis=1), axis=1)),
        ("entropy_nats_at_2", stats.entropy(softmax(whole / 2, axis=1), axis=1)),
        ("top1_prob", softmax(whole, axis=1).max(axis=1)),
    ):
        assert found.statistics[name] == pytest.approx(expected, rel=1e-5, abs=2e-6), name
    assert found.top1.tolist() == whole.argmax(axis=1).tolist()
    assert found.histogram.total == found.centred.total == whole.size


def test_a_problem_is_the_mean_of_its_positions_and_undefined_without_any(
    found: Positions, whole: NDArray[np.float64]
) -> None:
    values = found.statistics["sigma"]
    of_a = np.r_[0:7, 8:20]
    expected = [values[of_a].mean(), values[20:].mean(), values[7], np.nan]
    assert found.by_problem(values) == pytest.approx(expected, nan_ok=True)
    only = found.offset == 8
    assert found.by_problem(values, only=only) == pytest.approx(
        [values[16], values[28], np.nan, np.nan], nan_ok=True
    )
    holes = values.copy()
    holes[[0, 7]] = np.nan
    expected = [holes[of_a[1:]].mean(), values[20:].mean(), np.nan, np.nan]
    assert found.by_problem(holes) == pytest.approx(expected, nan_ok=True)
    assert found.by_text(values) == pytest.approx(
        [values[:7].mean(), values[7], values[8:20].mean(), values[20:].mean()]
    )
    for part, rows in zip(found.pooled(found.moments), (of_a, np.r_[20:43], [7]), strict=False):
        assert part.count == len(rows) * VOCAB
        assert part.skewness == pytest.approx(stats.skew(whole[rows], axis=None), rel=1e-9)
    assert found.pooled(found.moments)[3].count == 0


def test_the_highest_logits_have_moments_of_their_own(
    found: Positions, whole: NDArray[np.float64]
) -> None:
    top = np.sort(whole, axis=1)[:, -50:]
    assert found.top.skewness() == pytest.approx(stats.skew(top, axis=1), rel=1e-9)
    assert found.top.mean == pytest.approx(top.mean(axis=1))
    assert found.zeros.sum() == found.top_zeros.sum() == 0


def test_forking_tokens_are_a_fifth_of_all_where_checkpoints_are_least_sure(
    found: Positions,
) -> None:
    entropy, chosen = found.statistics["entropy_nats"], forking([found])
    assert chosen.sum() == 9  # of 43
    assert entropy[chosen].min() > entropy[~chosen].max()


def test_forking_tokens_are_chosen_by_both_sides_of_a_comparison(found: Positions) -> None:
    random = np.random.default_rng(0)
    gaps = []
    for _ in range(300):
        shared = random.normal(size=43)
        sides = [
            replace(found, statistics={"entropy_nats": shared + random.normal(size=43)})
            for _ in range(2)
        ]
        chosen = forking(sides)
        base, other = (side.statistics["entropy_nats"][chosen].mean() for side in sides)
        gaps.append(other - base)
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(300)  # chosen by one alone: 0.9 lower


def test_pairs_are_kept_by_position_and_shifts_do_not_count_offsets() -> None:
    base, mine = (np.concatenate(tables(seed)).astype(np.float64) for seed in (1, 2))
    pairs = beside()
    p, q = softmax(mine, axis=1), softmax(base, axis=1)
    assert pairs.statistics["kl_nats"] == pytest.approx(
        rel_entr(p, q).sum(axis=1), rel=1e-5, abs=1e-5
    )
    flips = mine.argmax(axis=1) != base.argmax(axis=1)
    assert pairs.statistics["top1_flips_frac"].tolist() == flips.tolist()
    order = np.argsort(-base, axis=1)
    log_probs = log_softmax(mine, axis=1) - log_softmax(base, axis=1)
    centred = (mine - mine.mean(axis=1, keepdims=True)) - (base - base.mean(axis=1, keepdims=True))
    ends = np.cumsum([size for _, _, size in TEXTS])
    for expected, shown in (
        (log_probs, pairs.log_prob_shift),
        (centred, pairs.centred_shift),
    ):
        by_rank = np.take_along_axis(expected, order, axis=1)
        for bucket, (first, last) in enumerate(RANK_BUCKETS):
            if first > VOCAB:
                assert np.isnan(shown[:, bucket]).all()
                continue
            parts = np.split(by_rank[:, first - 1 : last], ends[:-1])
            assert shown[:, bucket] == pytest.approx([x.mean() for x in parts], abs=1e-5)


@given(seed=st.integers(0, 2**32 - 1))
def test_figures_of_texts_weigh_by_their_positions(seed: int) -> None:
    found = positions(1)
    values = np.random.default_rng(seed).normal(size=(4, 3))
    by_position = values[found.text]
    shown = texts_to_problems(values, found)
    for column in range(3):
        expected = found.by_problem(by_position[:, column])
        assert shown[:, column] == pytest.approx(expected, nan_ok=True)
    assert texts_to_problems(values[:, 0], found) == pytest.approx(shown[:, 0], nan_ok=True)
