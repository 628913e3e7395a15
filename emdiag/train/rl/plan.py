"""What the user asked reinforcement learning for, and what its first update must show."""

from __future__ import annotations

from math import inf

from emdiag.core.checks import broken_rule
from emdiag.core.errors import PlanError
from emdiag.core.records import Record
from emdiag.core.results import Interval
from emdiag.engines.options import DtypeName, EngineOptions
from emdiag.train.rl.recipe import RLRecipe, check_rl_recipe


class RLPlan(Record, frozen=True, kw_only=True):
    """One checkpoint, trained by reward on the problems of one benchmark.

    Attributes:
        ref: Checkpoint to start from.
        benchmark: Name of a card, or path of a problems file.
        recipe: Everything that shapes the weights, beside problems, seed and parent.
        seeds: One training each; several make one folder each.
        save_updates: Updates after which a checkpoint is kept; the last one always is.
        limit: Only the first so many problems; None for all.
        held_out: Problems kept out of training, to measure on.
        held_out_every: Updates between two measurements on them; the last is always measured.
        state_every: Updates between two states to continue from; 0 keeps none.
        check_samples: Samples of each problem of the first update that the engine of emdiag draws,
            beside which the first reward is judged.
        first_reward_check: Whether a first reward that does not agree ends the training.
        dtype: Of arithmetic; weights are kept in float32.
    """

    ref: str
    benchmark: str
    recipe: RLRecipe
    seeds: tuple[int, ...] = (0,)
    save_updates: tuple[int, ...] = ()
    limit: int | None = None
    held_out: int = 32
    held_out_every: int = 10
    state_every: int = 10
    check_samples: int = 16
    first_reward_check: bool = True
    dtype: DtypeName = "auto"
    device: str = "auto"
    trust_remote_code: bool = False
    grader_workers: int | None = None
    deadline_s: float = 10.0

    @property
    def saved_updates(self) -> tuple[int, ...]:
        """Updates after which a checkpoint is kept, the last one included, in order."""
        return tuple(sorted({*self.save_updates, self.recipe.updates}))

    def engine_options(self) -> EngineOptions:
        """How emdiag's own engine is set up for what it measures."""
        return EngineOptions(device=self.device, trust_remote_code=self.trust_remote_code)


class FirstReward(Record, frozen=True, kw_only=True):
    """Whether TRL's first samples are right as often as those of emdiag's own engine.

    Attributes:
        accuracy: Share of right samples in the first update, by TRL's sampling.
        base_accuracy: The same checkpoint on the same problems, drawn by emdiag's engine.
        expected: Where `accuracy` lies, problem by problem, if both draw alike.
        p_value: Chance of a figure at most as likely, if both draw alike.
        agrees: Whether `accuracy` lies in `expected`.
        reward: Mean reward of the first update; equal to `accuracy` where right answers earn it.
    """

    accuracy: float
    base_accuracy: float
    expected: Interval
    p_value: float
    agrees: bool
    reward: float
    problems: int
    samples: int
    base_samples: int

    def sentence(self) -> str:
        """One line for people."""
        low, high = self.expected.low, self.expected.high
        verdict = "agrees" if self.agrees else "DOES NOT AGREE"
        if low == high:
            verdict = "proves nothing, where all are right or all are wrong"
        return (
            f"first update: {self.accuracy:.3f} of {self.samples} samples right; the parent by "
            f"emdiag's engine {self.base_accuracy:.3f} of {self.base_samples} on the same "
            f"{self.problems} problems: {verdict} (expected {low:.3f} to {high:.3f}, "
            f"{self.expected.level:.1%} level, p = {self.p_value:.2g})"
        )


def check_rl_plan(plan: RLPlan) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        PlanError: A value lies outside its range, or two do not go together.
    """
    check_rl_recipe(plan.recipe)
    rules = (
        ("limit", plan.limit is None or plan.limit >= 1, ">= 1"),
        ("held_out", plan.held_out >= 0, ">= 0"),
        ("held_out_every", plan.held_out_every >= 1, ">= 1"),
        ("state_every", plan.state_every >= 0, ">= 0"),
        ("check_samples", plan.check_samples >= 1, ">= 1"),
        ("deadline_s", 0 < plan.deadline_s < inf, "> 0"),
        (
            "seeds",
            bool(plan.seeds) and min(plan.seeds, default=-1) >= 0,
            "one or more numbers >= 0",
        ),
        ("seeds", len(set(plan.seeds)) == len(plan.seeds), "different numbers"),
        ("dtype", plan.dtype != "float16", "auto, float32 or bfloat16"),
        (
            "save_updates",
            all(1 <= update <= plan.recipe.updates for update in plan.save_updates),
            f"between 1 and {plan.recipe.updates}, the last update",
        ),
    )
    if broken := broken_rule(plan, rules):
        raise PlanError(broken)
