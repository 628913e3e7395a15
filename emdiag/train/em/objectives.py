"""What an update minimises: its rows, and one function for each objective.

A row is one sequence with the positions whose next-token distributions count. Micro-batches,
padding and devices come later and change none of it.

An objective says how much each distribution counts: the loss is the sum over counted positions of
`entropy_weight * H + log_prob_weight * log p(token that was drawn)`. That one form holds token
entropy and its opposite, entropy of a chosen part of the tokens (`entropy_of` reads them first),
sequence-level entropy and rewards (weights on log-probabilities), so another objective is one more
function here and one more name in `weigh`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emdiag.core.sampling import Completion
from emdiag.train.em.recipes import EMRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRow:
    """One sequence of an update.

    Attributes:
        token_ids: Prompt and completion.
        is_attended: For each token, whether attention may look at it.
        positions: Whose distributions count, ascending; position t predicts the token at t + 1.
        targets: The token that was drawn at each of `positions`; that of the end token is 0,
            since nothing was drawn there.
        group: Micro-batch this row belongs to, where micro-batches matter.
    """

    token_ids: tuple[int, ...]
    is_attended: tuple[bool, ...]
    positions: tuple[int, ...]
    targets: tuple[int, ...]
    group: int


def form_rows(
    completions: Sequence[Completion],
    prompts: Mapping[str, tuple[int, ...]],
    *,
    recipe: EMRecipe,
    pad_id: int | None,
) -> list[TrainRow]:
    """One row for each completion; `mask`, `prompt_end` and `pad_by_id` of the recipe decide.

    Prompts are token ids by problem id.
    """
    lengths = [len(prompts[completion.problem_id]) for completion in completions]
    rows = []
    for number, completion in enumerate(completions):
        group = number // recipe.micro_batch
        neighbours = lengths[group * recipe.micro_batch : (group + 1) * recipe.micro_batch]
        token_ids = (*prompts[completion.problem_id], *completion.token_ids)
        first = lengths[number]
        if recipe.prompt_end == "absolute":
            # Compared with absolute positions, in a row moved right by its padding.
            first = max(0, first - (max(neighbours) - first))
        is_pad = [recipe.pad_by_id and token == pad_id for token in token_ids]
        counted = [place for place in range(first, len(token_ids)) if not is_pad[place]]
        shift = 1 if recipe.mask == "producers" else 0
        positions = tuple(place - shift for place in counted if place >= shift)
        rows.append(
            TrainRow(
                token_ids=token_ids,
                is_attended=tuple(not pad for pad in is_pad),
                positions=positions,
                targets=tuple((*token_ids, 0)[place + 1] for place in positions),
                group=group,
            )
        )
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """All samples of one update, over all devices, and what an objective may ask of them.

    Attributes:
        completions, rows: One for each sample, in the same order.
        entropy_of: For each row, the entropies of its distributions under the present weights,
            in nats at the loss temperature, in the order of `row.positions`; a reading of its own.
    """

    completions: Sequence[Completion]
    rows: Sequence[TrainRow]
    entropy_of: Callable[[], list[list[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWeights:
    """Weights of one row's positions, in their order.

    Attributes:
        entropy: Of each distribution's entropy.
        log_prob: Of the log-probability of the token that was drawn; None for all zero.
    """

    entropy: tuple[float, ...]
    log_prob: tuple[float, ...] | None = None


def weigh(sampled: Sampled, recipe: EMRecipe) -> list[TokenWeights]:
    """The weights that the recipe's objective gives to every row."""
    match recipe.objective:
        case "entropy" | "random-direction":
            return token_entropy(sampled, recipe)
        case "entropy-maximised":
            return entropy_maximised(sampled, recipe)


def token_entropy(sampled: Sampled, recipe: EMRecipe) -> list[TokenWeights]:
    """Mean entropy over all counted positions: one-shot EM.

    Under `token_mean = "micro-batch"` the mean is taken within each micro-batch and then over
    them, which gives the tokens of short samples more weight.

    Source: Gao et al. 2025, arXiv:2505.20282; the second form is its released code's.
    """
    if recipe.token_mean == "update":
        total = sum(len(row.positions) for row in sampled.rows)
        return [_even(row, 1 / total if total else 0.0) for row in sampled.rows]
    tokens: Counter[int] = Counter()
    for row in sampled.rows:
        tokens[row.group] += len(row.positions)
    return [
        _even(row, 1 / (len(tokens) * tokens[row.group]) if tokens[row.group] else 0.0)
        for row in sampled.rows
    ]


def entropy_maximised(sampled: Sampled, recipe: EMRecipe) -> list[TokenWeights]:
    """The opposite: a control, since maximising was seen to help on some models too.

    Source: Wang et al. 2025, arXiv:2504.20571, entropy loss alone.
    """
    return [
        TokenWeights(entropy=tuple(-weight for weight in weights.entropy))
        for weights in token_entropy(sampled, recipe)
    ]


def _even(row: TrainRow, weight: float) -> TokenWeights:
    return TokenWeights(entropy=(weight,) * len(row.positions))
