"""Which positions count; the faults of the released code are one field of the recipe each."""

from __future__ import annotations

from emdiag.core.sampling import Completion
from emdiag.train.em.objectives import Sampled, TrainRow, form_rows, token_entropy
from emdiag.train.em.recipes import EMRecipe

PAD = 9
LONG, SHORT = (1, 2, 3, 4, 5), (6, 7)
PROMPTS = {"p/long": LONG, "p/short": SHORT}


def rows(recipe: EMRecipe, *texts: tuple[str, tuple[int, ...]]) -> list[TrainRow]:
    completions = [
        Completion(
            problem_id=name,
            sample_index=index,
            text="",
            token_ids=tokens,
            prompt_tokens=len(PROMPTS[name]),
            finish_reason="stop",
            seed=index,
        )
        for index, (name, tokens) in enumerate(texts)
    ]
    return form_rows(completions, PROMPTS, recipe=recipe, pad_id=PAD)


def test_every_completion_token_counts_once_the_end_token_included() -> None:
    (row,) = rows(EMRecipe(), ("p/short", (10, 11, PAD)))
    assert row.token_ids == (6, 7, 10, 11, PAD)
    assert row.positions == (1, 2, 3)  # those that 10, 11 and the end token were drawn from
    assert row.targets == (10, 11, PAD)
    assert all(row.is_attended)


def test_a_mask_on_the_tokens_own_positions_leaves_out_the_first_choice() -> None:
    """T2: the distribution after the last token, from which nothing was drawn, is in."""
    (row,) = rows(EMRecipe(mask="positions"), ("p/short", (10, 11, PAD)))
    assert row.positions == (2, 3, 4)
    assert row.targets == (11, PAD, 0)


def test_padding_on_the_left_makes_prompt_tokens_count_beside_a_longer_prompt() -> None:
    """T3: only where prompts of unlike length share a micro-batch."""
    texts = ("p/long", (10, PAD)), ("p/short", (11, PAD))
    recipe = EMRecipe(prompt_end="absolute", micro_batch=2)
    assert [row.positions for row in rows(recipe, *texts)] == [(4, 5), (0, 1, 2)]
    alone = EMRecipe(prompt_end="absolute", micro_batch=1)
    assert [row.positions for row in rows(alone, *texts)] == [(4, 5), (1, 2)]
    same = ("p/short", (10, PAD)), ("p/short", (11, PAD))
    assert [row.positions for row in rows(recipe, *same)] == [(1, 2), (1, 2)]


def test_padding_known_by_its_id_takes_the_end_token_out_of_attention_and_loss() -> None:
    """T4: where the pad token is the end token, ending is never trained."""
    (row,) = rows(EMRecipe(pad_by_id=True), ("p/short", (10, 11, PAD)))
    assert row.positions == (1, 2)
    assert row.is_attended == (True, True, True, True, False)


def test_a_mean_over_micro_batches_gives_the_tokens_of_short_samples_more_weight() -> None:
    """T9."""
    texts = ("p/short", (10, PAD)), ("p/short", tuple(range(20, 28)))
    weights = {}
    for mean in ("update", "micro-batch"):
        recipe = EMRecipe(token_mean=mean, micro_batch=1)
        made = rows(recipe, *texts)
        found = token_entropy(Sampled(completions=[], rows=made, entropy_of=list), recipe)
        assert abs(sum(w for each in found for w in each.entropy) - 1) < 1e-12
        weights[mean] = [each.entropy[0] for each in found]
    assert weights["update"] == [0.1, 0.1]
    assert weights["micro-batch"] == [0.25, 0.0625]
