"""The rule of agreement, on engines that disagree by construction."""

from __future__ import annotations

from math import log, nan
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch

from emdiag.core.doctor import GreedyDifference, LogProbGap
from emdiag.core.sampling import Completion, TokenScore
from emdiag.measure.agreement import (
    BOUND,
    TIE,
    EngineTexts,
    ScoredText,
    against_reader,
    between,
    bound_of,
    log_prob_gap,
    verdict_of,
)
from emdiag.measure.logits import TracedText, trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Distort = Callable[[Tensor], Tensor]

POSITIONS, VOCAB, TEXTS = 64, 50, 8


class Table:
    """Logits that are all there; a `TextLogits`."""

    chunk_positions = POSITIONS

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.positions = len(values)

    def logits(self, start: int, stop: int) -> Tensor:
        return self.values[start:stop]


def drawn(number: int, distort: Distort, *, is_greedy: bool) -> ScoredText:
    """A text drawn of distorted logits, read by the true ones."""
    generator = torch.Generator().manual_seed(number)
    true = 3 * torch.randn(POSITIONS, VOCAB, generator=generator)
    log_p = distort(true).log_softmax(dim=-1)
    tokens = log_p.argmax(dim=-1)
    if not is_greedy:
        tokens = log_p.exp().multinomial(1, generator=generator)[:, 0]
    top = log_p.topk(2).values
    written = tuple(tokens.tolist())
    return ScoredText(
        completion=Completion(
            problem_id=f"p/{number}",
            sample_index=0,
            text="",
            token_ids=written,
            prompt_tokens=1,
            finish_reason="length",
            seed=0,
        ),
        scores=[
            TokenScore(float(row[token]), float(first - second))
            for row, token, (first, second) in zip(log_p, written, top, strict=True)
        ],
        trace=trace(
            Table(true),
            TracedText(
                name="m", problem_id=f"p/{number}", sample_index=0, written=written,
                vocab_size=VOCAB,
            ),
        ),
    )  # fmt: skip


def engine(distort: Distort, *, dtype: str = "float32", name: str = "e") -> EngineTexts:
    return EngineTexts(
        name=name,
        dtype=dtype,
        greedy=[drawn(n, distort, is_greedy=True) for n in range(TEXTS)],
        sampled=[drawn(n, distort, is_greedy=False) for n in range(TEXTS)],
    )


def shifted(logits: Tensor) -> Tensor:
    """One logit that is off by 1."""
    return logits + torch.nn.functional.one_hot(torch.tensor(7), VOCAB)


def rounded(logits: Tensor) -> Tensor:
    return logits.to(torch.bfloat16).float()


def same(logits: Tensor) -> Tensor:
    return logits


@pytest.mark.parametrize(
    ("distort", "dtype", "verdict"),
    [
        (same, "float32", "agree"),
        (lambda z: z + 4, "float32", "agree"),  # no difference to any probability
        (rounded, "bfloat16", "near-ties only"),
        (shifted, "float32", "disagree"),
        (lambda z: z / 1.1, "float32", "disagree"),
        (lambda z: z / 1.1, "float16", "disagree"),
        (lambda z: z / 2, "bfloat16", "disagree"),
        (lambda z: z.roll(1, dims=0), "bfloat16", "disagree"),  # read a token too early
        (lambda z: z + 0.5 * torch.randn(z.shape), "bfloat16", "disagree"),
    ],
)
def test_what_differs_by_construction_is_told(distort: Distort, dtype: str, verdict: str) -> None:
    torch.manual_seed(0)
    agreement = against_reader(engine(distort, dtype=dtype), reader_dtype="float32")
    assert agreement.verdict == verdict
    assert agreement.bound == BOUND[dtype]


def test_another_temperature_shows_in_the_gap_alone() -> None:
    agreement = against_reader(engine(lambda z: z / 1.3), reader_dtype="float32")
    assert (agreement.equal, agreement.tokens) == (TEXTS * POSITIONS, TEXTS * POSITIONS)
    assert agreement.first is None
    assert agreement.gap is not None
    assert agreement.gap.mean > agreement.bound
    assert 0 < agreement.gap.k3 < 1


def test_estimates_of_the_divergence_are_near_the_exact_one() -> None:
    def flatter(logits: Tensor) -> Tensor:
        return logits / 1.5

    texts = [drawn(n, flatter, is_greedy=False) for n in range(100)]
    exact = 0.0
    for number in range(100):
        true = 3 * torch.randn(POSITIONS, VOCAB, generator=torch.Generator().manual_seed(number))
        p, q = flatter(true).log_softmax(-1), true.log_softmax(-1)
        exact += float((p.exp() * (p - q)).sum(-1).mean()) / 100
    gap = log_prob_gap(texts)
    assert gap.tokens == 100 * POSITIONS
    assert gap.k1 == pytest.approx(exact, rel=0.15)
    assert gap.k3 == pytest.approx(exact, rel=0.15)


def test_surprise_is_of_how_tokens_are_drawn() -> None:
    excess = variance = 0.0
    texts = [drawn(n, lambda z: z / 1.5, is_greedy=False) for n in range(TEXTS)]
    for number, text in enumerate(texts):
        true = 3 * torch.randn(POSITIONS, VOCAB, generator=torch.Generator().manual_seed(number))
        log_p = true.double().log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum(-1)
        variance += float((log_p.exp() * log_p**2).sum() - (entropy**2).sum())
        tokens = torch.tensor(text.completion.token_ids)
        excess -= float(log_p.gather(1, tokens[:, None]).sum() + entropy.sum())
    gap = log_prob_gap(texts)
    assert gap.surprise == pytest.approx(excess / (TEXTS * POSITIONS), rel=1e-4)
    assert gap.surprise_z == pytest.approx(excess / variance**0.5, rel=1e-4)
    assert gap.surprise_z > 6
    calm = log_prob_gap([drawn(n, same, is_greedy=False) for n in range(100)])
    assert abs(calm.surprise_z) < 3


def test_two_engines_are_compared_up_to_where_they_part() -> None:
    left, right = engine(same, name="a"), engine(shifted, name="b")
    agreement = between(left, right, reader_dtype="float32")
    assert agreement.verdict == "disagree"
    assert agreement.gap is None
    first = agreement.first
    assert first is not None
    texts = zip(left.greedy, right.greedy, strict=True)
    pairs = [(a.completion.token_ids, b.completion.token_ids) for a, b in texts]
    places = [
        next((n for n, (x, y) in enumerate(zip(*pair, strict=True)) if x != y), POSITIONS)
        for pair in pairs
    ]
    assert first.position == min(places) + 1
    assert agreement.equal == sum(places)
    assert first.right_token == 7
    assert 0 < first.left_margin < 1
    assert first.reader_gap >= 0


def test_a_tie_is_told_from_a_disagreement_by_the_reader() -> None:
    def difference(gap: float) -> GreedyDifference:
        return GreedyDifference(
            problem_id="p", position=1, left_token=1, right_token=2, left_margin=0.0,
            right_margin=gap, reader_gap=gap,
        )  # fmt: skip

    bound = BOUND["bfloat16"]
    assert verdict_of([], None, bound) == "agree"
    assert verdict_of([difference(TIE * bound)], None, bound) == "near-ties only"
    assert verdict_of([difference(TIE * bound + 1e-6)], None, bound) == "disagree"

    def gap(k3: float, surprise_z: float) -> LogProbGap:
        return LogProbGap(
            tokens=1000, mean=0.02, largest=9.0, k1=0.0, k3=k3, surprise=0.0, surprise_z=surprise_z
        )  # fmt: skip

    assert verdict_of([], gap(bound**2, 6.0), bound) == "agree"
    assert verdict_of([], gap(2 * bound**2, 0.0), bound) == "disagree"  # a few are far off
    assert verdict_of([], gap(0.0, -6.1), bound) == "disagree"  # drawn too cold
    assert verdict_of([difference(nan)], None, bound) == "disagree"
    for unknown in (gap(nan, 0.0), gap(0.0, nan), msgspec.structs.replace(gap(0.0, 0.0), mean=nan)):
        assert verdict_of([], unknown, bound) == "disagree"  # what is no number is in no bound


def test_the_coarser_number_format_counts() -> None:
    assert bound_of("float32", "bfloat16") == bound_of("bfloat16") == 0.1
    assert bound_of("float32", "float16") == 0.0125
    assert bound_of("fp8") == bound_of("bfloat16")


def test_a_token_that_the_reader_holds_for_impossible_is_a_number() -> None:
    text = drawn(0, same, is_greedy=False)
    impossible = [TokenScore(-5000.0, 0.0) for _ in text.scores]
    far = ScoredText(completion=text.completion, scores=impossible, trace=text.trace)
    gap = log_prob_gap([far])
    assert gap.k3 < float("inf")
    assert gap.mean == pytest.approx(5000, abs=log(VOCAB) + 20)
