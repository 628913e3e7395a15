"""The first reward beside the parent's accuracy: do prompts, stop ids and reward agree?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emdiag.core.digest import derive_seed
from emdiag.core.errors import TrainingError
from emdiag.core.grades import Gold, Verdict
from emdiag.core.protocols import Grader, Sampler
from emdiag.core.sampling import Prompt, SampleRequest, SamplingParams
from emdiag.stats.comparisons import agreeing_rate
from emdiag.train.rl.plan import FirstReward

LEVEL = 0.999
"""One honest training in a thousand is stopped; the traps this finds are far further off."""

Counts = tuple[int, int]
"""Right samples, and samples."""


def base_counts(
    prompts: Sequence[Prompt],
    golds: Mapping[str, Gold],
    *,
    sampler: Sampler,
    grader: Grader,
    params: SamplingParams,
    samples: int,
) -> dict[str, Counts]:
    """How often the parent is right on each problem, by emdiag's own engine.

    Args:
        prompts: Of the first update; each problem is drawn once, however often it occurs.
        golds: By problem id.
        sampler: With the weights that training starts from.
        grader: The one that rewards.
        params: The sampling of the training.
        samples: Of each problem.
    """
    distinct = {prompt.problem_id: prompt for prompt in prompts}
    requests = [
        SampleRequest(
            problem_id=name,
            sample_index=index,
            token_ids=prompt.token_ids,
            seed=derive_seed(params.seed, "first-reward", name, index),
        )
        for name, prompt in distinct.items()
        for index in range(samples)
    ]
    drawn = list(sampler.sample(requests, params=params))
    judgements = grader.grade(
        (golds[completion.problem_id], completion.text) for completion in drawn
    )
    right = dict.fromkeys(distinct, 0)
    for completion, judgement in zip(drawn, judgements, strict=True):
        right[completion.problem_id] += judgement.verdict is Verdict.CORRECT
    return {name: (count, samples) for name, count in right.items()}


def compare_first(
    drawn: Mapping[str, Counts], base: Mapping[str, Counts], *, reward: float
) -> FirstReward:
    """TRL's first samples beside the parent's, problem by problem.

    Args:
        drawn: By problem id, of TRL's first update.
        base: As `base_counts` gave them.
        reward: Mean reward of the first update.
    """
    names = list(drawn)
    expected, p_value = agreeing_rate(
        [drawn[name] for name in names], [base[name] for name in names], level=LEVEL
    )
    accuracy = _rate(drawn)
    return FirstReward(
        accuracy=accuracy,
        base_accuracy=_rate({name: base[name] for name in names}),
        expected=expected,
        p_value=p_value,
        agrees=expected.low <= accuracy <= expected.high,
        reward=reward,
        problems=len(names),
        samples=sum(samples for _, samples in drawn.values()),
        base_samples=sum(base[name][1] for name in names),
    )


def refuse_disagreement(first: FirstReward) -> None:
    """Stop a training that would learn from something else than is evaluated.

    Raises:
        TrainingError: The two rates differ by more than chance.
    """
    if first.agrees:
        return
    raise TrainingError(
        "TRL's first samples are not right as often as the checkpoint is under evaluation",
        accuracy=f"{first.accuracy:.3f} of {first.samples} samples by TRL",
        base=f"{first.base_accuracy:.3f} of {first.base_samples} samples by emdiag's engine",
        expected=f"{first.expected.low:.3f} to {first.expected.high:.3f} (p = {first.p_value:.2g})",
        hint="nothing was trained; prompts, stop tokens or reward differ between the two. "
        "--no-first-reward-check trains anyway and says so in the checkpoint",
    )


def _rate(counts: Mapping[str, Counts]) -> float:
    return sum(right for right, _ in counts.values()) / sum(count for _, count in counts.values())
