"""What an update minimises: one function for each objective.

An objective says how much each distribution counts: the loss is the sum over counted positions of
`entropy_weight * H + log_prob_weight * log p(token that was drawn)`. That one form holds token
entropy and its opposite, entropy of a chosen part of the tokens (`entropy_of` reads them first),
sequence-level entropy and rewards (weights on log-probabilities), so another objective is one more
function here and one more name in `weigh`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emdiag.core.sampling import Completion
from emdiag.train.em.recipes import EMRecipe
from emdiag.train.em.rows import TrainRow


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
