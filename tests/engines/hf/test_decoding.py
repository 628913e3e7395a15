from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from transformers.generation.logits_process import MinPLogitsWarper

from emdiag.core.sampling import SamplingParams
from emdiag.engines.hf.decoding import TokenChooser


def params(**changes: float) -> SamplingParams:
    return SamplingParams(**{"temperature": 1.0, "max_tokens": 8, **changes})  # type: ignore[arg-type]


def draw(logits: list[float], count: int, **changes: float) -> np.ndarray:
    """Counts of `count` rows with equal logits, each row seeded with its own number."""
    rows = torch.tensor([logits] * count)
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    chosen = TokenChooser(params(**changes)).choose(rows, [[0]] * count, generators)
    return np.bincount(chosen, minlength=len(logits))


def expected(logits: list[float], **changes: float) -> np.ndarray:
    """Probabilities by plain definition: temperature, the k largest, the nucleus, then min-p."""
    scores = np.array(logits) / changes.get("temperature", 1.0)
    order = np.argsort(-scores, kind="stable")
    if changes.get("top_k"):
        scores[order[int(changes["top_k"]) :]] = -np.inf
    mass = np.cumsum(special.softmax(scores)[order])
    before = np.concatenate([[0.0], mass[:-1]])
    scores[order[before >= changes.get("top_p", 1.0)]] = -np.inf
    shares = special.softmax(scores)
    scores[shares < changes.get("min_p", 0.0) * shares.max()] = -np.inf
    return special.softmax(scores)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.6},
        {"temperature": 1.7},
        {"top_k": 3},
        {"top_p": 0.7},
        {"temperature": 0.8, "top_k": 5, "top_p": 0.9},
        {"min_p": 0.3},
        {"temperature": 1.7, "top_k": 6, "top_p": 0.95, "min_p": 0.4},
    ],
)
def test_tokens_are_drawn_with_the_probabilities_of_the_definition(
    changes: dict[str, float],
) -> None:
    logits = [2.0, 1.0, 0.5, 0.0, -1.0, 1.4, -0.3]
    probabilities = expected(logits, **changes)
    counts = draw(logits, 4000, **changes)
    kept = probabilities > 0
    assert counts[~kept].sum() == 0
    if kept.sum() > 1:
        p_value = stats.chisquare(counts[kept], 4000 * probabilities[kept]).pvalue
        assert p_value > 1e-3


@given(min_p=st.floats(0.01, 1.0), temperature=st.floats(0.1, 3.0), seed=st.integers(0, 9))
def test_min_p_keeps_what_the_warper_of_transformers_keeps(
    min_p: float, temperature: float, seed: int
) -> None:
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(seed))
    scores = TokenChooser(params(min_p=min_p, temperature=temperature)).scores(logits, [[0]] * 3)
    warped = MinPLogitsWarper(min_p)(torch.empty(3, 0, dtype=torch.long), logits / temperature)
    assert torch.equal(scores, warped)


def test_min_p_of_zero_changes_nothing() -> None:
    logits = torch.randn(2, 40, generator=torch.Generator().manual_seed(1))
    off = TokenChooser(params(min_p=0.0)).scores(logits, [[0]] * 2)
    assert torch.equal(off, TokenChooser(params()).scores(logits, [[0]] * 2))
    assert params(min_p=0.0) == params()


def test_successive_tokens_of_one_row_follow_the_same_law() -> None:
    logits = [1.0, 0.0, -1.0, 0.3]
    generator = torch.Generator().manual_seed(7)
    chooser = TokenChooser(params())
    chosen = [chooser.choose(torch.tensor([logits]), [[0]], [generator])[0] for _ in range(4000)]
    counts = np.bincount(chosen, minlength=4)
    assert stats.chisquare(counts, 4000 * special.softmax(logits)).pvalue > 1e-3
    # And they do not lean on the token before.
    pairs = np.zeros((4, 4))
    np.add.at(pairs, (chosen[:-1], chosen[1:]), 1)
    assert stats.chi2_contingency(pairs).pvalue > 1e-3


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 6), place=st.integers(0, 5))
def test_a_row_draws_the_same_token_in_any_company(seed: int, rows: int, place: int) -> None:
    place %= rows
    logits = torch.randn(rows, 50, generator=torch.Generator().manual_seed(seed))
    chooser = TokenChooser(params(top_p=0.95))
    together = chooser.choose(
        logits, [[0]] * rows, [torch.Generator().manual_seed(seed + n) for n in range(rows)]
    )
    alone = chooser.choose(
        logits[place : place + 1], [[0]], [torch.Generator().manual_seed(seed + place)]
    )
    assert together[place] == alone[0]


def test_greedy_takes_the_largest_and_touches_no_generator() -> None:
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    logits = torch.tensor([[0.0, 3.0, 1.0]])
    assert TokenChooser(params(temperature=0)).choose(logits, [[0]], [generator]) == [1]
    assert torch.equal(before, generator.get_state())


def test_the_penalty_sees_the_rows_own_tokens_and_no_padding() -> None:
    logits = torch.tensor([[2.0, 1.0, -1.0], [2.0, 1.0, -1.0]])
    scores = TokenChooser(params(repetition_penalty=2.0)).scores(logits, [[0, 0, 2], [1]])
    # Positive scores are divided, negative ones multiplied; token 0 is also a usual padding.
    assert scores.tolist() == [[1.0, 1.0, -2.0], [2.0, 0.5, -1.0]]


def test_greedy_heeds_the_penalty() -> None:
    chooser = TokenChooser(params(temperature=0, repetition_penalty=3.0))
    generators = [torch.Generator()]
    assert chooser.choose(torch.tensor([[2.0, 1.0]]), [[0]], generators) == [1]


def test_half_precision_logits_are_processed_in_single() -> None:
    scores = TokenChooser(params(temperature=0.7)).scores(torch.ones(1, 4).bfloat16(), [[0]])
    assert scores.dtype == torch.float32


def test_a_masked_token_is_never_drawn() -> None:
    assert draw([0.0, float("-inf"), 0.0], 500)[1] == 0
