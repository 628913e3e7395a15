from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.special import logsumexp, rel_entr, softmax

from emdiag.core.errors import MeasurementError
from emdiag.core.moments import COOLING_TEMPERATURES, RANK_BUCKETS, Moments
from emdiag.measure import logits as logits_module
from emdiag.measure.cooling import Cooling
from emdiag.measure.logit_pairs import pair_traces
from emdiag.measure.logits import TracedText, trace
from emdiag.measure.ranking import kendall_tau, reranking_kl
from emdiag.stats.moments import MomentColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emdiag.core.moments import LogitTrace, PairTrace


@dataclass(frozen=True)
class Table:
    """Logits that are all there; a `TextLogits`."""

    values: torch.Tensor
    chunk_positions: int = 3

    @property
    def positions(self) -> int:
        return len(self.values)

    @property
    def vocab_size(self) -> int:
        return self.values.shape[1]

    def logits(self, start: int, stop: int) -> torch.Tensor:
        return self.values[start:stop]


def table(positions: int, vocab: int, *, seed: int = 0, chunk: int = 3) -> Table:
    """Logits like a model's: a bulk, a few that stand out, and an offset for each position."""
    random = np.random.default_rng(seed)
    values = random.gumbel(size=(positions, vocab)) * 2 + random.normal(size=(positions, 1)) * 5
    values[np.arange(positions), random.integers(vocab, size=positions)] += random.gamma(
        2, 3, positions
    )
    return Table(torch.tensor(values, dtype=torch.float32), chunk)


def reading(one: Table, **changes: Any) -> TracedText:
    written = tuple((7 * i) % one.vocab_size for i in range(one.positions))
    return replace(
        TracedText(
            name="em",
            problem_id="p/0",
            sample_index=0,
            written=written,
            vocab_size=one.vocab_size,
        ),
        **changes,
    )


def traced(one: Table, **changes: Any) -> LogitTrace:
    return trace(one, reading(one, **changes))


def paired(base: Table, one: Table) -> PairTrace:
    return pair_traces(base, one, base_read=reading(base, name="base"), read=reading(one))[1]


def exact(one: Table) -> NDArray[np.float64]:
    return one.values.double().numpy()


@pytest.mark.parametrize(("positions", "vocab"), [(1, 5), (20, 40), (7, 3000)])
def test_every_statistic_is_that_of_scipy_on_logits_that_are_all_there(
    positions: int, vocab: int
) -> None:
    one = table(positions, vocab)
    z, found = exact(one), traced(one, entropy_temperatures=(0.5, 3.0))
    p = softmax(z, axis=1)
    count = vocab
    assert found.mean == pytest.approx(z.mean(axis=1), rel=1e-13)
    for name, order in (("m2", 2), ("m3", 3), ("m4", 4)):
        expected = stats.moment(z, order=order, axis=1) * count
        assert getattr(found, name) == pytest.approx(expected, rel=1e-11, abs=1e-9)
    assert found.log_sum_exp == pytest.approx(logsumexp(z, axis=1), rel=1e-7)
    assert found.entropy_nats == pytest.approx(stats.entropy(p, axis=1), abs=1e-6)
    for temperature, values in zip((0.5, 3.0), found.entropies_nats, strict=True):
        expected = stats.entropy(softmax(z / temperature, axis=1), axis=1)
        assert values == pytest.approx(expected, abs=1e-6)
    ordered = np.sort(z, axis=1)[:, ::-1]
    assert found.top1_token == tuple(z.argmax(axis=1))
    assert found.top1_prob == pytest.approx(p.max(axis=1), abs=1e-6)
    assert found.top1_margin_nats == pytest.approx(ordered[:, 0] - ordered[:, 1], abs=1e-12)
    mass = np.sort(p, axis=1)[:, ::-1].cumsum(axis=1)
    assert found.nucleus_size == tuple((mass < 0.9).sum(axis=1) + 1)
    written = np.array(reading(one).written)
    rows = np.arange(positions)
    expected_rank = stats.rankdata(-z, method="min", axis=1)[rows, written]
    assert found.written_rank == tuple(expected_rank.astype(int))
    assert found.written_log_prob == pytest.approx(np.log(p[rows, written]), abs=1e-5)
    top = ordered[:, :50]
    assert found.top_mean == pytest.approx(top.mean(axis=1), rel=1e-12)
    for name, order in (("top_m2", 2), ("top_m3", 3), ("top_m4", 4)):
        expected = stats.moment(top, order=order, axis=1) * top.shape[1]
        assert getattr(found, name) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_histograms_count_every_value_between_fixed_edges_and_outside_of_them() -> None:
    one = Table(torch.cat([table(6, 500).values, torch.full((1, 500), 60.0)]))
    one.values[0, 0] = -70
    found = traced(one)
    z = exact(one)
    edges = -50 + 0.25 * np.arange(401)
    expected, _ = np.histogram(z, bins=edges)
    assert found.histogram.counts == tuple(expected)
    assert (found.histogram.below, found.histogram.above) == (1, 500)
    centred, _ = np.histogram(z - z.mean(axis=1, keepdims=True), bins=edges)
    assert np.abs(np.array(found.centred_histogram.counts) - centred).sum() <= 4  # at the edges
    assert found.centred_histogram.total == found.histogram.total == z.size


@settings(deadline=None, max_examples=15)
@given(chunk=st.integers(1, 12), block=st.integers(1, 4000), seed=st.integers(0, 99))
def test_sizes_of_chunks_and_blocks_do_not_matter(chunk: int, block: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole, base = table(12, 200, seed=seed, chunk=12), table(12, 200, seed=seed + 1, chunk=12)
        expected, pair = traced(whole), paired(base, whole)
        patch.setattr(logits_module, "CPU_BLOCK", block)
        parts = Table(whole.values, chunk)
        found = traced(parts)
        assert found.histogram == expected.histogram
        for name in ("mean", "m2", "m3", "m4", "entropy_nats", "nucleus_size", "written_rank"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)
        again = paired(Table(base.values, chunk), parts)
        for name in ("kl_nats", "js_nats", "cooled_kl_nats", "reranking_kl_nats", "kendall_tau"):
            assert getattr(again, name) == pytest.approx(getattr(pair, name), rel=1e-5, abs=1e-7)
        assert again.cooling_curve_nats == pytest.approx(pair.cooling_curve_nats, rel=1e-5)
        shifts = [[x for x in one.shift_by_rank if x is not None] for one in (again, pair)]
        assert shifts[0] == pytest.approx(shifts[1], rel=1e-9, abs=1e-9)


def test_logits_in_double_precision_are_read_exactly_and_left_as_they_were() -> None:
    one, base = (Table(table(5, 60, seed=seed).values.double()) for seed in (1, 2))
    before = one.values.clone(), base.values.clone()
    found, pair = traced(one), paired(base, one)
    assert torch.equal(one.values, before[0])
    assert torch.equal(base.values, before[1])
    z = exact(one)
    assert [moments(found, i).skewness for i in range(5)] == pytest.approx(stats.skew(z, axis=1))
    kl = rel_entr(softmax(z, axis=1), softmax(exact(base), axis=1)).sum(axis=1)
    assert pair.kl_nats == pytest.approx(kl, rel=1e-9)


def moments(found: LogitTrace, position: int) -> Moments:
    return Moments(
        count=found.vocab_size,
        mean=found.mean[position],
        m2=found.m2[position],
        m3=found.m3[position],
        m4=found.m4[position],
    )


def test_a_constant_for_each_position_moves_pooled_figures_and_no_per_token_ones() -> None:
    one = table(8, 300)
    moved = Table(one.values + torch.arange(8.0)[:, None] * 4)
    before, after = traced(one), traced(moved)
    for i in range(8):
        for name in ("sigma", "skewness", "excess_kurtosis"):
            found, expected = (getattr(moments(x, i), name) for x in (after, before))
            assert found == pytest.approx(expected, rel=1e-5)
    for name in ("entropy_nats", "top1_prob", "top1_margin_nats", "written_log_prob"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-4)
    assert after.nucleus_size == before.nucleus_size
    assert paired(one, moved).kl_nats == pytest.approx([0.0] * 8, abs=1e-5)

    def pooled(found: LogitTrace) -> Moments:
        return MomentColumns.of([moments(found, i) for i in range(8)]).pooled()

    assert pooled(before).skewness == pytest.approx(stats.skew(exact(one), axis=None), rel=1e-9)
    assert abs((pooled(after).skewness or 0) - (pooled(before).skewness or 0)) > 0.1
    assert (pooled(after).sigma or 0) > (pooled(before).sigma or 0) + 1


def test_all_logits_equal_is_a_uniform_distribution_without_a_shape() -> None:
    found = traced(Table(torch.full((2, 64), 1.7)))
    assert moments(found, 0).skewness is None
    assert moments(found, 0).excess_kurtosis is None
    assert found.entropy_nats == pytest.approx([log(64)] * 2)
    assert found.written_rank == (1, 1)
    assert found.nucleus_size == (58, 58)  # 57/64 is below 0.9
    pair = paired(Table(torch.full((2, 64), 1.7)), Table(torch.full((2, 64), -3.0)))
    assert pair.kl_nats == pytest.approx([0, 0], abs=1e-6)
    assert pair.kendall_tau == (None, None)
    assert pair.cooling_temperature == (None, None)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_logit_that_is_no_number_is_refused_with_its_place(wrong: float) -> None:
    one = table(9, 50)
    one.values[5, 7] = wrong
    with pytest.raises(MeasurementError) as caught:
        traced(one)
    assert "em: 1 of 50 logits" in caught.value.message
    assert caught.value.facts["position"] == "token 6 of the completion"
    assert caught.value.facts["found"] == str(wrong)
    good = table(9, 50, seed=3)
    with pytest.raises(MeasurementError, match="base: 1 of 50"):
        paired(one, good)


def test_a_head_that_is_smaller_than_its_configuration_is_refused() -> None:
    with pytest.raises(MeasurementError, match="has 50 logits at each position"):
        traced(table(2, 50), vocab_size=64)


def test_a_padded_head_is_read_as_far_as_asked() -> None:
    wide = table(4, 80)
    narrow = Table(wide.values[:, :50].clone())
    read = reading(narrow)
    assert trace(wide, read) == trace(narrow, read)


def test_divergences_are_those_of_scipy() -> None:
    base, one = table(10, 150, seed=1), table(10, 150, seed=2)
    found = paired(base, one)
    p, q = softmax(exact(one), axis=1), softmax(exact(base), axis=1)
    middle = (p + q) / 2
    assert found.kl_nats == pytest.approx(rel_entr(p, q).sum(axis=1), abs=1e-5)
    assert found.reverse_kl_nats == pytest.approx(rel_entr(q, p).sum(axis=1), abs=1e-5)
    expected = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=1) / 2
    assert found.js_nats == pytest.approx(expected, abs=1e-5)
    for i in range(10):
        first = np.argsort(-exact(base)[i])[:100]
        tau = stats.kendalltau(exact(base)[i, first], exact(one)[i, first]).statistic
        assert found.kendall_tau[i] == pytest.approx(tau)
        ten = [set(np.argsort(-exact(x)[i])[:10].tolist()) for x in (base, one)]
        assert found.overlap_frac[i] == pytest.approx(len(ten[0] & ten[1]) / 10)


def test_a_checkpoint_equal_to_the_base_has_no_divergence_of_any_kind() -> None:
    one = table(6, 400)
    found = paired(one, Table(one.values.clone()))
    for name in ("kl_nats", "reverse_kl_nats", "js_nats", "reranking_kl_nats"):
        assert getattr(found, name) == pytest.approx([0.0] * 6, abs=1e-9)
    assert found.cooling_temperature == pytest.approx([1.0] * 6, abs=1e-3)
    assert found.cooled_kl_nats == pytest.approx([0.0] * 6, abs=2e-6)
    assert found.kendall_tau == pytest.approx([1.0] * 6)
    assert set(found.shift_by_rank) <= {0.0, None}


def test_shifts_are_averaged_over_the_bases_ranks() -> None:
    base, one = table(5, 3000, seed=4), table(5, 3000, seed=5)
    found = paired(base, one).shift_by_rank
    z, w = exact(base), exact(one)
    order = np.argsort(-z, axis=1)
    shifts = np.take_along_axis(w - z, order, axis=1)
    for (first, last), value in zip(RANK_BUCKETS, found, strict=True):
        assert value == pytest.approx(shifts[:, first - 1 : last].mean(), rel=1e-6, abs=1e-9)
    small = paired(table(3, 20), table(3, 20, seed=9)).shift_by_rank
    assert small[5] is not None  # ranks 17 to 32, of which there are four
    assert small[6:] == (None,) * 6


def kl_at(base: NDArray[np.float64], p: NDArray[np.float64], temperature: float) -> float:
    return float(rel_entr(p, softmax(base / temperature)).sum())


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), heat=st.floats(0.2, 3.0), noise=st.floats(0, 1.5))
def test_the_best_temperature_of_a_position_is_that_of_a_direct_search(
    seed: int, heat: float, noise: float
) -> None:
    random = np.random.default_rng(seed)
    base = random.gumbel(size=60) * 2
    p = softmax(base / heat + noise * random.normal(size=60))
    z = torch.tensor(base)[None]
    weight = torch.tensor(p)[None]
    cooling = Cooling.of(
        z, highest=z.amax(dim=1), weight=weight, entropy=torch.tensor([stats.entropy(p)])
    )
    values, slopes = cooling.curve()
    for temperature, value in zip(COOLING_TEMPERATURES, values[0].tolist(), strict=True):
        assert value == pytest.approx(kl_at(base, p, temperature), abs=1e-9)
    found, left = (x.item() for x in cooling.best(values, slopes))
    search = optimize.minimize_scalar(
        lambda beta: kl_at(base, p, 1 / beta), bounds=(1e-4, 50), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    if not 1 / 8 < 1 / search.x < 4:
        assert np.isnan(found)  # outside of what was tried
        return
    assert left == pytest.approx(search.fun, abs=1e-5)
    if min(kl_at(base, p, side / search.x) for side in (0.99, 1.01)) > search.fun + 1e-9:
        # A nearly certain position is as near at any temperature.
        assert found == pytest.approx(1 / search.x, rel=5e-3)


def test_pure_cooling_leaves_nothing_and_needs_no_other_order() -> None:
    base = table(7, 500)
    found = paired(base, Table(base.values / 0.6))
    assert found.cooling_temperature == pytest.approx([0.6] * 7, rel=1e-3)
    assert found.cooled_kl_nats == pytest.approx([0.0] * 7, abs=1e-5)
    assert found.reranking_kl_nats == pytest.approx([0.0] * 7, abs=1e-9)
    assert min(found.kl_nats) > 1e-4


def test_a_temperature_beyond_those_tried_is_not_defined() -> None:
    base = table(3, 100)
    for heat in (0.05, 9.0):
        found = paired(base, Table(base.values / heat))
        assert found.cooling_temperature == (None,) * 3
        end = COOLING_TEMPERATURES[0] if heat < 1 else COOLING_TEMPERATURES[-1]
        p = softmax(exact(base) / heat, axis=1)
        expected = [kl_at(z, row, end) for z, row in zip(exact(base), p, strict=True)]
        assert found.cooled_kl_nats == pytest.approx(expected, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), tokens=st.integers(2, 9), others=st.integers(0, 5))
def test_reranking_is_the_least_divergence_to_anything_in_the_bases_order(
    seed: int, tokens: int, others: int
) -> None:
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.full(tokens + bool(others), 0.7))
    mass = p[:tokens]
    found = reranking_kl(torch.tensor(mass)[None], remaining=others).item()
    sizes = np.ones(len(p))
    if others:
        sizes[-1] = others
    fit = optimize.isotonic_regression(p / sizes, weights=sizes, increasing=False).x * sizes
    assert found == pytest.approx(rel_entr(p, fit).sum(), abs=1e-12)
    if np.all(np.diff(p / sizes) <= 0):
        assert found == pytest.approx(0, abs=1e-12)


def test_what_cooling_leaves_is_never_less_than_what_another_order_costs() -> None:
    base, one = table(30, 400, seed=7), table(30, 400, seed=8)
    found = paired(base, one)
    for kl, left, order in zip(
        found.kl_nats, found.cooled_kl_nats, found.reranking_kl_nats, strict=True
    ):
        assert -1e-6 <= order - 1e-6 <= left <= kl + 1e-6


def test_tokens_that_the_base_ties_may_come_in_any_order() -> None:
    base = Table(torch.tensor([[2.0, 2.0, 2.0, 0.0]]))
    one = Table(torch.tensor([[1.0, 3.0, 2.0, 0.0]]))
    assert paired(base, one).reranking_kl_nats == pytest.approx([0.0], abs=1e-12)


def test_kendalls_tau_counts_ties_as_scipy_does() -> None:
    random = np.random.default_rng(0)
    before, after = random.integers(0, 5, size=(2, 6, 40)).astype(float)
    found = kendall_tau(torch.tensor(before), torch.tensor(after)).tolist()
    for row, tau in enumerate(found):
        assert tau == pytest.approx(stats.kendalltau(before[row], after[row]).statistic)
