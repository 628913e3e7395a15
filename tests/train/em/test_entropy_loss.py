from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from emdiag.engines.hf import output_head
from emdiag.engines.hf.output_head import OutputHead
from emdiag.train.em.entropy_loss import LossTerms, weighted_loss, whole_loss

VOCAB, HIDDEN = 13, 5


def terms(count: int, *, seed: int, temperature: float, with_rewards: bool) -> LossTerms:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(2, count, generator=generator, dtype=torch.float64)
    return LossTerms(
        targets=torch.randint(VOCAB, (count,), generator=generator),
        entropy_weights=weights[0],
        log_prob_weights=weights[1] if with_rewards else torch.zeros(count, dtype=torch.float64),
        temperature=temperature,
        dtype=torch.float64,
    )


def parts(count: int, *, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, weight and bias of a random head, in float64."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(count, HIDDEN), (VOCAB, HIDDEN), (VOCAB,)]
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return tuple(part.requires_grad_() for part in made)  # type: ignore[return-value]  # three


def reference(logits: Tensor, asked: LossTerms) -> Tensor:
    """The definition, on whole probabilities."""
    p = torch.softmax(logits / asked.temperature, dim=-1)
    entropy = torch.distributions.Categorical(probs=p).entropy()
    drawn = p[torch.arange(len(p)), asked.targets].log()
    return (asked.entropy_weights * entropy + asked.log_prob_weights * drawn).sum()


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 9),
    chunk=st.integers(1, 9),
    temperature=st.sampled_from([0.3, 0.5, 1.0, 2.0]),
    shape=st.tuples(st.sampled_from([None, 3.0]), st.sampled_from([1.0, 0.25]), st.booleans()),
)
def test_chunks_give_the_gradient_of_the_whole_softmax(
    seed: int, count: int, chunk: int, temperature: float, shape: tuple[float | None, float, bool]
) -> None:
    cap, scale, with_rewards = shape
    asked = terms(count, seed=seed, temperature=temperature, with_rewards=with_rewards)
    hidden, weight, bias = parts(count, seed=seed)
    logits = (hidden @ weight.T + bias) * scale
    capped = logits if cap is None else cap * torch.tanh(logits / cap)
    expected = reference(capped, asked)
    by_autograd = torch.autograd.grad(expected, [hidden, weight, bias])
    head = OutputHead(weight=weight, bias=bias, scale=scale, soft_cap=cap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output_head, "CHUNK_NUMBERS", chunk * VOCAB)
        loss, entropies = weighted_loss(hidden, head, asked)
    ours = torch.autograd.grad(loss * 3, [hidden, weight, bias])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-9)
    for mine, theirs in zip(ours, by_autograd, strict=True):
        torch.testing.assert_close(mine, theirs * 3, rtol=1e-8, atol=1e-9)
    p = torch.softmax(capped / temperature, dim=-1)
    torch.testing.assert_close(entropies, torch.special.entr(p).sum(-1).detach())


def test_the_gradient_passes_finite_differences() -> None:
    asked = terms(4, seed=1, temperature=0.5, with_rewards=True)

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        head = OutputHead(weight=weight, bias=bias, soft_cap=5.0)
        return weighted_loss(hidden, head, asked)[0]

    assert torch.autograd.gradcheck(loss, parts(4, seed=1))


def test_the_whole_way_agrees_with_the_definition() -> None:
    asked = terms(6, seed=2, temperature=0.7, with_rewards=True)
    logits = torch.randn(6, VOCAB, dtype=torch.float64)
    loss, _ = whole_loss(logits, asked)
    assert loss.item() == pytest.approx(reference(logits, asked).item())


def test_entropy_is_log_vocab_for_equal_logits_and_zero_for_a_certain_token() -> None:
    asked = LossTerms(
        targets=torch.tensor([0]),
        entropy_weights=torch.ones(1),
        log_prob_weights=torch.zeros(1),
        temperature=0.5,
    )
    level = OutputHead(weight=torch.zeros(VOCAB, HIDDEN))
    certain = OutputHead(weight=torch.eye(VOCAB, HIDDEN) * 1e4)
    hidden = torch.eye(1, HIDDEN)
    assert weighted_loss(hidden, level, asked)[0].item() == pytest.approx(2.5649493575)  # ln 13
    assert weighted_loss(hidden, certain, asked)[0].item() == 0.0


def test_no_more_logits_are_held_than_a_chunk_has(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    whole = OutputHead.logits

    def watched(self: OutputHead, hidden: Tensor) -> Tensor:
        found = whole(self, hidden)
        held.append(found.numel())
        return found

    monkeypatch.setattr(OutputHead, "logits", watched)
    monkeypatch.setattr(output_head, "CHUNK_NUMBERS", 3 * VOCAB)
    hidden, weight, bias = parts(10, seed=3)
    asked = terms(10, seed=3, temperature=1.0, with_rewards=False)
    weighted_loss(hidden, OutputHead(weight=weight, bias=bias), asked)[0].backward()
    assert held == [3 * VOCAB] * 3 + [VOCAB]


def test_half_precision_weights_give_nearly_the_float32_gradient() -> None:
    hidden, weight, _ = parts(200, seed=4)
    asked = terms(200, seed=4, temperature=0.5, with_rewards=False)
    single = LossTerms(
        targets=asked.targets,
        entropy_weights=asked.entropy_weights.float() / 200,
        log_prob_weights=asked.log_prob_weights.float(),
        temperature=0.5,
    )
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        # Both see the rounded numbers, so that only the arithmetic differs.
        h = hidden.detach().bfloat16().to(dtype).requires_grad_()
        w = weight.detach().bfloat16().to(dtype).requires_grad_()
        weighted_loss(h, OutputHead(weight=w), single)[0].backward()
        found[dtype] = (h.grad, w.grad)
        assert w.grad is not None
        assert w.grad.dtype == dtype
    for half, full in zip(found[torch.bfloat16], found[torch.float32], strict=True):
        assert half is not None
        assert full is not None
        assert (half.float() - full).norm() < 0.02 * full.norm()


def test_softmax_in_half_precision_is_off_where_float32_is_not() -> None:
    """T14: the released code's later library versions do not upcast logits before the loss."""
    logits = torch.randn(400, VOCAB, dtype=torch.float64) * 4
    eye = torch.eye(VOCAB, dtype=torch.float32)
    exact = torch.special.entr(torch.softmax(logits, -1)).sum(-1)
    error = {}
    for dtype in (torch.float32, torch.bfloat16):
        asked = LossTerms(
            targets=torch.zeros(400, dtype=torch.long),
            entropy_weights=torch.ones(400),
            log_prob_weights=torch.zeros(400),
            temperature=1.0,
            dtype=dtype,
        )
        _, entropies = weighted_loss(logits.float(), OutputHead(weight=eye), asked)
        error[dtype] = float((entropies.double() - exact).abs().max())
    assert error[torch.float32] < 1e-5
    assert error[torch.bfloat16] > 1e-3
