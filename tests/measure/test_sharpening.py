"""Statistics that see a distribution sharpen, found again in float64 from logits that are kept.

Exponentials are taken in float32: probabilities and nats are right to 2e-6, and to 1e-5 of theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from transformers import AutoModelForCausalLM, AutoTokenizer

from emdiag.core.moments import KL_BUCKETS, rank_part
from emdiag.engines.hf.logit_reader import ReadText
from emdiag.measure.logit_estimates import EstimateTable
from emdiag.measure.logit_pairs import pair_traces
from emdiag.measure.logit_rows import ArmReadings, add_rows
from emdiag.measure.logit_statistics import pair_statistics, positions_of
from emdiag.measure.logits import TracedText
from emdiag.resources import lab_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emdiag.core.logit_skew import LogitEstimate

    Logits = NDArray[np.float32]


def of_the_lab() -> Logits:
    """Of every position of a text as the embedded checkpoint reads it, 98 tokens."""
    folder = str(lab_weights())
    text = "Compute ((7+9)*6)-4 mod 10. 7+9=6. 6*6=6. 6-4=2. \\boxed{2}"
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    with torch.inference_mode():
        found = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(tokens).logits[0]
    return np.asarray(found.numpy(), dtype=np.float32)


def random_logits(vocab: int, seed: int = 0) -> Logits:
    random = np.random.default_rng(seed)
    return (random.gumbel(size=(12, vocab)) * 2 + random.normal(size=(12, 1)) * 5).astype("f4")


def study(base: Logits, own: Logits) -> dict[tuple[str, str, str | None], LogitEstimate]:
    """All estimates of two checkpoints on two problems, by checkpoint, statistic and part."""
    half, size = len(base) // 2, base.shape[1]
    readings, pairs = [], []
    for problem, rows in (("a", slice(0, half)), ("b", slice(half, len(base)))):
        count = len(base[rows])
        read = TracedText(
            name="x", problem_id=problem, sample_index=0, written=(0,) * count, vocab_size=size
        )
        sides = [ReadText(states=torch.tensor(z[rows]), head=None) for z in (base, own)]
        of_base, _ = pair_traces(sides[0], sides[0], base_read=read, read=read)
        of_own, pair = pair_traces(*sides, base_read=read, read=read)
        readings.append((of_base, of_own))
        pairs.append(pair)
    problems = ["a", "b"]
    first, second = (
        positions_of([each[side] for each in readings], problems=problems) for side in (0, 1)
    )
    beside = pair_statistics(pairs, own=second, base=first)
    table = EstimateTable(base="base", problems=problems, seed=0)
    for label, member, other, of in (("base", first, None, ()), ("em", second, first, (beside,))):
        arm = ArmReadings(label=label, text="t", members=(member,), base=other, pairs=of, spans=())
        add_rows(table, arm, None)
    rows = table.estimates()
    return {(r.checkpoint, r.statistic, r.part): r for r in rows if r.kind == "per_token"}


def halves(values: NDArray[np.float64]) -> float:
    """The mean over two problems of the mean over their positions."""
    half = len(values) // 2
    return float((values[:half].mean() + values[half:].mean()) / 2)


@pytest.mark.parametrize("case", ["lab", "98", "40", "3000"])
def test_masses_varentropy_and_third_moments_are_those_of_float64(case: str) -> None:
    base = of_the_lab() if case == "lab" else random_logits(int(case))
    found, z = study(base, base / np.float32(0.5)), base.astype(np.float64)
    for label, values in (("base", z), ("em", (base / np.float32(0.5)).astype(np.float64))):
        p, log_p = softmax(values, axis=1), log_softmax(values, axis=1)
        mass = np.sort(p, axis=1)[:, ::-1].cumsum(axis=1)
        entropy = -(p * log_p).sum(axis=1, keepdims=True)
        size = p.shape[1]
        away = np.sort(values, axis=1)[:, ::-1] - values.mean(axis=1, keepdims=True)
        cubes = away**3 / (size * values.std(axis=1, keepdims=True) ** 3)
        whole = halves(cubes.sum(axis=1))
        for name, expected in (
            ("top1_prob", halves(mass[:, 0])),
            ("top10_prob", halves(mass[:, 9])),
            ("top50_prob", halves(mass[:, min(50, size) - 1])),
            ("tail_prob", halves(np.sort(p, axis=1)[:, ::-1][:, 50:].sum(axis=1))),
            ("varentropy_nats2", halves((p * (log_p + entropy) ** 2).sum(axis=1))),
            ("skewness", whole),
            ("skewness_top1_share", halves(cubes[:, 0]) / whole),
            ("skewness_top10_share", halves(cubes[:, :10].sum(axis=1)) / whole),
        ):
            assert found[label, name, None].value == pytest.approx(expected, rel=1e-5, abs=2e-6), (
                name
            )


@pytest.mark.parametrize("case", ["lab", "98", "3000"])
def test_parts_of_the_kl_by_rank_are_those_of_float64_and_add_up(case: str) -> None:
    base = of_the_lab() if case == "lab" else random_logits(int(case))
    noise = np.random.default_rng(3).normal(size=base.shape)
    own = (base * 1.3 + 0.3 * noise).astype("f4")
    found, (z, w) = study(base, own), (base.astype(np.float64), own.astype(np.float64))
    log_p, log_q = log_softmax(w, axis=1), log_softmax(z, axis=1)
    p, q = np.exp(log_p), np.exp(log_q)
    order = np.argsort(-z, axis=1, kind="stable")
    parts = np.take_along_axis(p * (log_p - log_q) - p + q, order, axis=1)
    total = 0.0
    for first, last in KL_BUCKETS:
        row = found.get(("em", "kl_by_rank_nats", rank_part(first, last)))
        if first > base.shape[1]:
            assert row is None
            continue
        assert row is not None
        assert row.value is not None
        expected = halves(parts[:, first - 1 : last].sum(axis=1))
        assert row.value == pytest.approx(expected, rel=1e-4, abs=2e-6)
        assert row.interval is not None
        assert row.value >= 0
        total += row.value
    assert total == pytest.approx(found["em", "kl_nats", None].value, abs=2e-6)


def test_skewness_does_not_see_cooling_and_what_stands_beside_it_does() -> None:
    base = of_the_lab()
    found = study(base, base * np.float32(2))
    skewness = found["em", "skewness", None].difference
    assert skewness is not None
    assert skewness.value == pytest.approx(0, abs=1e-6)
    assert found["em", "skewness_top1_share", None].value == pytest.approx(
        found["base", "skewness_top1_share", None].value, abs=1e-6
    )
    for name, is_more in (
        ("top1_prob", True), ("top10_prob", True), ("tail_prob", False), ("entropy_nats", False),
    ):  # fmt: skip
        difference = found["em", name, None].difference
        assert difference is not None
        assert (difference.value > 0) == is_more


def test_a_vocabulary_of_fifty_has_no_tail_and_equal_logits_no_third_moment() -> None:
    found = study(random_logits(40), random_logits(40, seed=1))
    assert found["em", "tail_prob", None].value == 0
    assert found["em", "top50_prob", None].value == pytest.approx(1, abs=1e-12)
    flat = study(np.full((4, 60), 1.5, dtype="f4"), random_logits(60)[:4])
    share = flat["base", "skewness_top1_share", None]
    assert share.value is None
    assert share.note is not None
    assert flat["base", "varentropy_nats2", None].value == pytest.approx(0, abs=1e-12)
