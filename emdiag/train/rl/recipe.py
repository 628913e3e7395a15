"""How reinforcement learning is done, as data; every field goes to TRL's GRPO as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from emdiag.core.checks import broken_rule
from emdiag.core.errors import PlanError
from emdiag.core.option_types import Option
from emdiag.core.records import Record
from emdiag.train.recipe_fields import CHAT, MAX_TOKENS, TEMPLATE, changed

if TYPE_CHECKING:
    from collections.abc import Mapping

RewardName = Literal["correct", "format", "random", "majority"]
"""What a sample is rewarded for; all but `correct` are controls that the literature asks for."""


class RLRecipe(Record, frozen=True, kw_only=True):
    """Everything that shapes the weights, beside the problems, the seed and the parent.

    Sampling keeps the whole distribution: no top-k, no top-p, no repetition penalty.

    Attributes:
        updates: Optimiser updates; each learns once from samples of its own.
        completions: Samples an update learns from.
        group_size: Samples of one problem, beside whose mean each reward counts; at least 2.
        micro_batch: Samples whose gradient is taken at a time; None for all of an update. It
            changes memory and speed only, up to rounding and the `grpo` loss.
        temperature: Of sampling, and divides the logits in the loss.
        max_tokens: New tokens at most; None for what the benchmark's card says.
        reward: What a sample is rewarded for.
        learning_rate: Of AdamW, constant.
        weight_decay: Of AdamW.
        gradient_clip: Largest L2 norm of the gradient; 0 does not clip.
        beta: Weight of the divergence from the parent (KL) in the loss; 0 loads no second model.
        loss_type: How token losses are averaged. `dapo`: over all tokens of an update; `grpo`:
            within each sample first; `dr_grpo`: by the constant max_tokens; `bnpo`: over the
            tokens of a micro-batch.
        scale_rewards: Whether advantages are divided by the standard deviation of the rewards,
            within a group or over the update.
        epsilon: Clips the probability ratio below at 1 - epsilon.
        epsilon_high: Clips it above at 1 + epsilon_high; None for epsilon.
        mask_truncated: Leave samples that were cut off out of the loss.
        gradient_checkpointing: Compute activations twice instead of keeping them.
        template, chat: Of the prompt; None for the benchmark's template and what it says.

    Source: Shao et al. 2024, arXiv:2402.03300 (GRPO); Yu et al. 2025, arXiv:2503.14476 (DAPO);
    Liu et al. 2025, arXiv:2503.20783 (Dr. GRPO).
    """

    name: str = "grpo"
    reward: Annotated[
        RewardName, Option(help="correct; or as a control format, random or majority.")
    ] = "correct"
    updates: Annotated[int, Option(help="Optimiser updates [grpo: 100].")] = 100
    completions: Annotated[int, Option(help="Samples of one update [grpo: 64].")] = 64
    group_size: Annotated[int, Option(help="Samples of one problem [grpo: 8].")] = 8
    temperature: Annotated[float, Option(help="Sampling and loss temperature [grpo: 1].")] = 1.0
    learning_rate: Annotated[
        float, Option(flags=("--lr",), help="Learning rate, constant [grpo: 1e-6].")
    ] = 1e-6
    max_tokens: Annotated[int | None, MAX_TOKENS] = None
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    beta: float = 0.0
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    epsilon: float = 0.2
    epsilon_high: float | None = None
    mask_truncated: bool = False
    gradient_checkpointing: bool = False
    template: Annotated[str | None, TEMPLATE] = None
    chat: Annotated[bool | None, CHAT] = None
    micro_batch: Annotated[
        int | None, Option(help="Samples whose gradient is taken at a time.")
    ] = 8

    @property
    def groups(self) -> int:
        """Problems of one update."""
        return self.completions // self.group_size

    @property
    def rows_at_once(self) -> int:
        """Samples of one micro-batch."""
        return self.micro_batch or self.completions


GRPO = RLRecipe()
"""For real models: TRL's own rate."""

LAB = RLRecipe(name="lab-rl", learning_rate=5e-5, micro_batch=None)
"""For the shipped model, which changes within a hundred updates."""

PRESETS = {"grpo": GRPO, "lab": LAB}


def load_rl_recipe(name: str, changes: Mapping[str, object] | None = None) -> RLRecipe:
    """A preset with some fields changed; its name then says which.

    Args:
        name: `grpo` or `lab`.
        changes: Field to value; texts are read as the field needs, `none` as None.

    Raises:
        PlanError: There is no such preset or field, or a value does not fit its field.
    """
    if name not in PRESETS:
        raise PlanError(f"there is no RL recipe {name!r}", known=", ".join(PRESETS))
    recipe = changed(PRESETS[name], changes or {})
    check_rl_recipe(recipe)
    return recipe


def check_rl_recipe(recipe: RLRecipe) -> None:
    """Refuse a recipe with a value out of range.

    Raises:
        PlanError: A value is out of range, or two do not go together.
    """
    rows = recipe.rows_at_once
    group, completions = recipe.group_size, recipe.completions
    rules = (
        ("updates", recipe.updates >= 1, ">= 1"),
        ("group_size", group >= 2, ">= 2 (a reward is compared with its group's mean)"),
        (
            "completions",
            completions >= group >= 1 and completions % group == 0,
            f"a multiple of group_size ({group})",
        ),
        (
            "completions",
            rows >= 1 and completions % rows == 0,
            f"a multiple of micro_batch ({rows})",
        ),
        ("temperature", recipe.temperature > 0, "> 0 (greedy samples are all the same)"),
        ("max_tokens", recipe.max_tokens is None or recipe.max_tokens >= 1, ">= 1"),
        ("learning_rate", recipe.learning_rate > 0, "> 0"),
        ("weight_decay", recipe.weight_decay >= 0, ">= 0"),
        ("gradient_clip", recipe.gradient_clip >= 0, ">= 0"),
        ("beta", recipe.beta >= 0, ">= 0"),
        ("epsilon", 0 < recipe.epsilon < 1, "between 0 and 1"),
        ("epsilon_high", recipe.epsilon_high is None or recipe.epsilon_high > 0, "> 0"),
    )
    if broken := broken_rule(recipe, rules):
        raise PlanError(broken, recipe=recipe.name)
