"""How reinforcement learning is done, as data; every field goes to TRL's GRPO as it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from emdiag.core.options import FieldRule, Option
from emdiag.core.recipes import Preset, Recipe
from emdiag.core.sampling import LEAST_TEMPERATURE, MOST_SAMPLES, MOST_TEMPERATURE
from emdiag.train.recipe_fields import (
    LEAST_RATE,
    MOST_RATE,
    MOST_UPDATES,
    MOST_WEIGHT,
    NOT_GREEDY,
    AtLeastZero,
    Chat,
    MaxTokens,
    Template,
)

RewardName = Literal["correct", "format", "random", "majority"]
"""What a sample is rewarded for; all but `correct` are controls that the literature asks for."""


class RLRecipe(Recipe, frozen=True, kw_only=True):
    """Everything that shapes the weights, beside the problems, the seed and the parent.

    Sampling keeps the whole distribution: no top-k, no top-p, no repetition penalty.

    Attributes:
        updates: Optimiser updates; each learns once from samples of its own.
        micro_batch: Samples whose gradient is taken at a time; None for all of an update. It
            changes memory and speed only, up to rounding and the `grpo` loss.
        learning_rate, weight_decay: Of AdamW.
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
        RewardName, Option("correct; or as a control format, random or majority.")
    ] = "correct"
    updates: Annotated[
        int, Option("Optimiser updates [grpo: 100].", at_least=1, at_most=MOST_UPDATES)
    ] = 100
    completions: Annotated[
        int, Option("Samples of one update [grpo: 64].", at_least=2, at_most=MOST_SAMPLES)
    ] = 64
    group_size: Annotated[
        int,
        Option(
            "Samples of one problem [grpo: 8].",
            at_least=2,
            at_most=MOST_SAMPLES,
            expected=">= 2 (a reward is compared with its group's mean)",
        ),
    ] = 8
    temperature: Annotated[
        float,
        Option(
            "Sampling and loss temperature [grpo: 1].",
            at_least=LEAST_TEMPERATURE,
            at_most=MOST_TEMPERATURE,
            expected=NOT_GREEDY,
        ),
    ] = 1.0
    learning_rate: Annotated[
        float,
        Option(
            "Learning rate, constant [grpo: 1e-6].",
            flags=("--lr",),
            above=0,
            at_least=LEAST_RATE,
            at_most=MOST_RATE,
        ),
    ] = 1e-6
    max_tokens: MaxTokens = None
    weight_decay: AtLeastZero = 0.0
    gradient_clip: AtLeastZero = 1.0
    beta: AtLeastZero = 0.0
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    epsilon: Annotated[
        float, Option(at_least=1e-6, at_most=0.999999, expected="between 0 and 1")
    ] = 0.2
    epsilon_high: Annotated[float | None, Option(at_least=1e-6, at_most=MOST_WEIGHT)] = None
    mask_truncated: bool = False
    gradient_checkpointing: bool = False
    template: Template = None
    chat: Chat = None
    micro_batch: Annotated[
        int | None,
        Option("Samples whose gradient is taken at a time.", at_least=1, at_most=MOST_SAMPLES),
    ] = 8

    def rules(self) -> tuple[FieldRule, ...]:
        """Samples make whole groups and whole micro-batches."""
        rows, group, completions = self.rows_at_once, self.group_size, self.completions
        return (
            (
                "completions",
                completions >= group and completions % group == 0,
                f"a multiple of group_size ({group}, by --group-size)",
            ),
            (
                "completions",
                completions % rows == 0,
                f"a multiple of micro_batch ({rows}, by --micro-batch)",
            ),
        )

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

RLVR = RLRecipe(
    name="rlvr",
    updates=460,
    completions=1024,
    temperature=0.6,
    max_tokens=3072,
    weight_decay=0.01,
    beta=0.001,
)
"""The run of 1-shot RLVR on 1209 problems, whose checkpoint at step 460 is RL in one-shot EM.

Read in its script for the 1.5B model and the defaults of the verl beside it, both in a public fork:
128 prompts x 8 samples make one update, KL 0.001 (the low-variance estimate, as TRL's), T 0.6, rate
1e-6 without warm-up, decay 0.01, gradient clip 1.0, ratio clip 0.2, at most 3072 new tokens. Token
losses are averaged over a micro-batch there, over the update here. Not imitated: its bonus of 0.001
x entropy, which TRL's GRPO does not have. Not verified: the script of the 7B run, whose checkpoint
it was.

Source: Wang et al. 2025, arXiv:2504.20571, `scripts/train/training_1.5b_dsr_sub.sh`.
"""

RL_PRESETS = Preset(help="grpo, rlvr or lab.", presets={"grpo": GRPO, "rlvr": RLVR, "lab": LAB})
