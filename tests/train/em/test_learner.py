from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
)

from emdiag.core.errors import PlanError, TrainingError
from emdiag.core.sampling import Completion
from emdiag.train.em.learner import Learner
from emdiag.train.em.objectives import (
    Sampled,
    TokenWeights,
    TrainRow,
    form_rows,
    token_entropy,
    weigh,
)
from emdiag.train.em.recipes import EMRecipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.engines.options import PaddingSide

PROMPT = (72, 101, 108, 108, 111)
COMPLETIONS = ((1, 2, 3, 256), (4, 256), (5, 6, 7, 8, 9, 10), (11, 12, 256))


def completions(texts: Sequence[tuple[int, ...]] = COMPLETIONS) -> list[Completion]:
    return [
        Completion(
            problem_id="p/0",
            sample_index=index,
            text="",
            token_ids=tokens,
            prompt_tokens=len(PROMPT),
            finish_reason="stop" if tokens[-1] == 256 else "length",
            seed=index,
        )
        for index, tokens in enumerate(texts)
    ]


def sampled(recipe: EMRecipe, learner: Learner | None = None) -> Sampled:
    drawn = completions()
    rows = form_rows(drawn, {"p/0": PROMPT}, recipe=recipe, pad_id=257)
    entropies = (lambda: learner.entropies(rows)) if learner else list
    return Sampled(completions=drawn, rows=rows, entropy_of=entropies)


def learner(
    model: Any,
    recipe: EMRecipe | None = None,
    *,
    micro_batch: int = 8,
    padding: PaddingSide = "right",
) -> Learner:
    return Learner(
        model,
        recipe=recipe or EMRecipe(),
        accelerator=Accelerator(cpu=True),
        micro_batch=micro_batch,
        padding=padding,
    )


def gradient(made: Learner, recipe: EMRecipe) -> Tensor:
    """The gradient of one update, all weights in one vector."""
    batch = sampled(recipe, made)
    made._accumulate(batch.rows, weigh(batch, recipe))
    return torch.cat([weight.grad.flatten() for weight in made.weights if weight.grad is not None])


def by_hand(model: Any, *, temperature: float) -> tuple[float, Tensor]:
    """Loss and gradient by the definition: one row at a time, whole softmax, no padding."""
    model.zero_grad()
    values = []
    for tokens in COMPLETIONS:
        logits = model(input_ids=torch.tensor([[*PROMPT, *tokens]])).logits[0]
        producing = logits[len(PROMPT) - 1 : -1] / temperature
        values.append(torch.distributions.Categorical(logits=producing).entropy())
    loss = torch.cat(values).mean()
    loss.backward()
    grads = [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
    return loss.item(), torch.cat(grads)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("micro_batch", [1, 2, 3, 4])
def test_any_micro_batch_and_padding_gives_the_gradient_of_the_definition(
    new_model: Callable[..., Any],
    tied: bool,  # noqa: FBT001
    padding: PaddingSide,
    micro_batch: int,
) -> None:
    model = new_model(tie_word_embeddings=tied)
    expected_loss, expected = by_hand(model, temperature=0.5)
    model.zero_grad()
    recipe = EMRecipe(temperature=0.5)
    made = learner(model, recipe, micro_batch=micro_batch, padding=padding)
    batch = sampled(recipe)
    loss = made._accumulate(batch.rows, weigh(batch, recipe))
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    found = torch.cat([w.grad.flatten() for w in made.weights if w.grad is not None])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


OLD = {"vocab_size": 259, "eos_token_id": None, "bos_token_id": None, "initializer_range": 0.3}
OTHER_MODELS = {
    "learned positions, dropout off": lambda: GPT2LMHeadModel(
        GPT2Config(n_embd=16, n_layer=2, n_head=2, **OLD)
    ),
    "alibi": lambda: BloomForCausalLM(BloomConfig(hidden_size=16, n_layer=2, n_head=2, **OLD)),
    "soft-capped": lambda: Gemma2ForCausalLM(
        Gemma2Config(
            **OLD,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            final_logit_softcapping=2.0,
        )
    ),
}


@pytest.mark.parametrize("name", OTHER_MODELS)
@pytest.mark.parametrize("padding", ["left", "right"])
def test_other_kinds_of_model_learn_by_the_definition_too(name: str, padding: PaddingSide) -> None:
    torch.manual_seed(0)
    model = OTHER_MODELS[name]().eval()
    expected_loss, expected = by_hand(model, temperature=0.5)
    model.zero_grad()
    made = learner(model, micro_batch=3, padding=padding)
    assert made.head is not None
    assert gradient(made, EMRecipe()).shape == expected.shape
    torch.testing.assert_close(
        torch.cat([w.grad.flatten() for w in made.weights if w.grad is not None]),
        expected,
        rtol=1e-3,
        atol=1e-5,
    )
    assert expected_loss > 0


def test_a_model_without_a_plain_head_learns_the_same_and_says_what_it_costs(
    new_model: Callable[..., Any],
) -> None:
    model = new_model()
    _, expected = by_hand(model, temperature=0.5)
    model.zero_grad()
    whole = type(model).forward

    def forward(*arguments: Any, **named: Any) -> Any:
        found = whole(model, *arguments, **named)
        found.logits = found.logits + torch.arange(found.logits.shape[-1]) * 0.0 + 1.0
        return found

    model.forward = forward  # adds 1 to every logit: no probability changes, the parts do not fit
    made = learner(model)
    assert made.head is None
    assert made.notes
    assert "no plain linear head" in made.notes[0]
    torch.testing.assert_close(gradient(made, EMRecipe()), expected, rtol=1e-3, atol=1e-6)


def test_gradient_checkpointing_changes_memory_and_not_the_gradient(
    new_model: Callable[..., Any],
) -> None:
    plain = gradient(learner(new_model()), EMRecipe())
    model = new_model()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    torch.testing.assert_close(gradient(learner(model), EMRecipe()), plain, rtol=1e-5, atol=1e-8)


def test_the_loss_temperature_changes_the_loss(new_model: Callable[..., Any]) -> None:
    """T6: at 0.5 the loss is no entropy of the model's own distribution."""
    losses = {}
    for temperature in (0.5, 1.0):
        recipe = EMRecipe(temperature=0.5, loss_temperature=temperature)
        batch = sampled(recipe)
        made = learner(new_model(), recipe)
        losses[temperature] = made._accumulate(batch.rows, weigh(batch, recipe))
        assert losses[temperature] == pytest.approx(
            by_hand(new_model(), temperature=temperature)[0], rel=1e-5
        )
    assert losses[0.5] < losses[1.0]


def test_maximising_is_the_opposite_gradient(new_model: Callable[..., Any]) -> None:
    down = gradient(learner(new_model()), EMRecipe())
    up = gradient(learner(new_model()), EMRecipe(objective="entropy-maximised"))
    torch.testing.assert_close(up, -down)


def test_a_random_direction_is_as_long_as_the_step_it_replaces_and_points_elsewhere(
    new_model: Callable[..., Any],
) -> None:
    recipe = EMRecipe(learning_rate=1e-3)
    other = EMRecipe(learning_rate=1e-3, objective="random-direction")
    moves, norms = [], []
    for asked in (recipe, other):
        model = new_model()
        before = [weight.detach().clone() for weight in model.parameters()]
        made = learner(model, asked)
        batch = sampled(asked)
        norms.append(made.learn(batch.rows, weigh(batch, asked), seed=5).step_norm)
        moves.append([now.detach() - old for now, old in zip(made.weights, before, strict=True)])
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    for straight, turned in zip(*moves, strict=True):
        assert float(turned.norm()) == pytest.approx(float(straight.norm()), rel=1e-3, abs=1e-9)
    flat = [torch.cat([part.flatten() for part in move]) for move in moves]
    assert abs(float(torch.cosine_similarity(flat[0], flat[1], dim=0))) < 0.2


def test_an_objective_of_ones_own_is_one_function(new_model: Callable[..., Any]) -> None:
    """Forking tokens (arXiv:2506.01939) and sequence-level entropy fit the same seam."""
    model = new_model()
    made = learner(model)

    def forking(batch: Sampled) -> list[TokenWeights]:
        entropies = batch.entropy_of()
        every = sorted((v for values in entropies for v in values), reverse=True)
        bar = every[max(0, math.ceil(0.2 * len(every)) - 1)]
        chosen = sum(value >= bar for value in every)
        return [
            TokenWeights(entropy=tuple((v >= bar) / chosen for v in values)) for values in entropies
        ]

    def sequence_entropy(batch: Sampled) -> list[TokenWeights]:
        # The score-function gradient with log p of each sample as its cost.
        costs = [0.5, -1.0, 2.0, 0.25]
        return [
            TokenWeights(entropy=(0.0,) * len(row.positions), log_prob=(c,) * len(row.positions))
            for row, c in zip(batch.rows, costs, strict=True)
        ]

    batch = sampled(EMRecipe(), made)
    flat = []
    for row in batch.rows:
        logits = model(input_ids=torch.tensor([row.token_ids])).logits[0, list(row.positions)] / 0.5
        flat.append(torch.distributions.Categorical(logits=logits))
    entropies = torch.cat([part.entropy() for part in flat])
    top = entropies.topk(math.ceil(0.2 * len(entropies))).values.mean()
    assert made._accumulate(batch.rows, forking(batch)) == pytest.approx(top.item(), rel=1e-5)
    logs = [p.log_prob(torch.tensor(row.targets)) for p, row in zip(flat, batch.rows, strict=True)]
    cost = sum(c * part.sum() for c, part in zip([0.5, -1.0, 2.0, 0.25], logs, strict=True))
    assert isinstance(cost, Tensor)
    made.optimizer.zero_grad()
    found = made._accumulate(batch.rows, sequence_entropy(batch))
    assert found == pytest.approx(cost.item(), rel=1e-5)
    ours = torch.cat([w.grad.flatten() for w in made.weights if w.grad is not None])
    theirs = torch.autograd.grad(cost, made.weights, allow_unused=True)
    expected = torch.cat([g.flatten() for g in theirs if g is not None])
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)


def test_a_loss_that_is_no_number_stops_and_leaves_the_weights(
    new_model: Callable[..., Any],
) -> None:
    model = new_model()
    made = learner(model)
    rows = sampled(EMRecipe()).rows
    broken = [TokenWeights(entropy=(math.nan,) * len(row.positions)) for row in rows]
    before = [weight.detach().clone() for weight in made.weights]
    with pytest.raises(TrainingError, match="not numbers"):
        made.learn(rows, broken, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(made.weights, before, strict=True))


def test_the_clip_bounds_the_gradient_and_not_the_norm_that_is_reported(
    new_model: Callable[..., Any],
) -> None:
    recipe = EMRecipe(gradient_clip=1e-3)
    made = learner(new_model(), recipe)
    batch = sampled(recipe)
    weights = token_entropy(batch, recipe)
    full = gradient(learner(new_model()), EMRecipe()).norm()
    left: list[float] = []

    def look(*_: object) -> None:
        grads = [w.grad.flatten() for w in made.weights if w.grad is not None]
        left.append(float(torch.cat(grads).norm()))

    made.optimizer.register_step_pre_hook(look)
    step = made.learn(batch.rows, weights, seed=0)
    assert step.gradient_norm == pytest.approx(float(full), rel=1e-4)
    assert left[0] == pytest.approx(1e-3, rel=1e-3)


def test_small_steps_are_not_lost_in_half_precision(new_model: Callable[..., Any]) -> None:
    """A rate of 1e-6 is far below the gaps between bfloat16 numbers; sums of it are not."""
    moved = {}
    for dtype in (torch.float32, torch.bfloat16):
        recipe = EMRecipe(learning_rate=1e-6, weight_decay=0)
        made = learner(new_model(dtype=dtype), recipe)
        start = [master.detach().clone() for master in made.optimizer.masters]
        batch = sampled(recipe)
        for _ in range(3):
            made.learn(batch.rows, weigh(batch, recipe), seed=0)
        masters = [master.detach() for master in made.optimizer.masters]
        gaps = [(m - s).abs().mean() for m, s in zip(masters, start, strict=True)]
        moved[dtype] = float(sum(gaps))
    assert moved[torch.bfloat16] == pytest.approx(moved[torch.float32], rel=0.3)


def test_rows_without_a_counted_position_are_no_error(new_model: Callable[..., Any]) -> None:
    made = learner(new_model(), micro_batch=1)
    rows: list[TrainRow] = list(sampled(EMRecipe()).rows)
    rows[1] = TrainRow(
        token_ids=rows[1].token_ids,
        is_attended=rows[1].is_attended,
        positions=(),
        targets=(),
        group=0,
    )
    batch = Sampled(completions=completions(), rows=rows, entropy_of=list)
    weights = token_entropy(batch, EMRecipe())
    assert math.isfinite(made.learn(rows, weights, seed=0).loss)


def test_entropies_are_of_the_counted_positions_in_order(new_model: Callable[..., Any]) -> None:
    model = new_model()
    made = learner(model, micro_batch=2)
    batch = sampled(EMRecipe())
    found = made.entropies(batch.rows)
    for row, values in zip(batch.rows, found, strict=True):
        logits = model(input_ids=torch.tensor([row.token_ids])).logits[0, list(row.positions)]
        expected = torch.distributions.Categorical(logits=logits / 0.5).entropy()
        assert values == pytest.approx(expected.tolist(), rel=1e-4)


def test_a_random_direction_over_weights_in_parts_is_refused(
    new_model: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emdiag.train.em.learner.is_sharded", lambda _accelerator: True)
    with pytest.raises(PlanError, match="needs whole weights"):
        learner(new_model(), EMRecipe(objective="random-direction"))


def test_an_update_needs_little_more_than_weights_gradient_and_moments(
    new_model: Callable[..., Any],
) -> None:
    """Of what is allocated by the second update, the highest sum; moments are there by then."""
    model = new_model(hidden_size=256, vocab_size=4096, tie_word_embeddings=True)
    weights = sum(weight.nbytes for weight in model.parameters())
    made = learner(model)
    recipe = EMRecipe()
    batch = sampled(recipe)
    made.learn(batch.rows, weigh(batch, recipe), seed=0)
    with torch.profiler.profile(profile_memory=True) as profile:
        made.learn(batch.rows, weigh(batch, recipe), seed=0)
    taken = [event.nbytes() for event in profile.profiler.kineto_results.events() if event.nbytes()]
    highest = max(itertools.accumulate(taken))
    assert weights < highest < 1.7 * weights, (weights, highest)


def test_nothing_of_an_update_is_held_after_it(new_model: Callable[..., Any]) -> None:
    made = learner(new_model())
    recipe = EMRecipe()
    batch = sampled(recipe)
    made.learn(batch.rows, weigh(batch, recipe), seed=0)
    assert all(weight.grad is None for weight in made.weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_distances_are_those_of_whole_copies(
    new_model: Callable[..., Any], dtype: torch.dtype
) -> None:
    """The weights that training starts from are on the disk, and steps are measured one by one."""
    model = new_model().to(dtype)
    recipe = EMRecipe(learning_rate=1e-2)
    made = learner(model, recipe)
    start = [weight.detach().clone() for weight in model.parameters()]
    for seed in range(2):
        before = [weight.detach().clone() for weight in model.parameters()]
        batch = sampled(recipe)
        step = made.learn(batch.rows, weigh(batch, recipe), seed=seed)
        assert step.step_norm == pytest.approx(length(model, before), rel=1e-6)
        assert made.distance() == pytest.approx(length(model, start), rel=1e-6)


def length(model: Any, old: Sequence[Tensor]) -> float:
    pairs = zip(model.parameters(), old, strict=True)
    return math.sqrt(
        sum(float((w.detach().double() - o.double()).square().sum()) for w, o in pairs)
    )
