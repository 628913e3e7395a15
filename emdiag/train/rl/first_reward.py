"""The first reward beside the parent's accuracy: do prompts, stop ids and reward agree?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from emdiag.core.digest import derive_seed
from emdiag.core.errors import TrainingError
from emdiag.core.grades import Gold, Judgement, Verdict
from emdiag.core.protocols import Grader, Sampler
from emdiag.core.records import Record
from emdiag.core.results import Interval
from emdiag.core.sampling import Completion, Prompt, SampleRequest, SamplingParams
from emdiag.stats.comparisons import agreeing_rate

LEVEL = 0.999
"""One honest training in a thousand is stopped; the traps this finds are far further off."""

Counts = tuple[int, int]
"""Right samples, and samples."""


class FirstReward(Record, frozen=True, kw_only=True):
    """Whether TRL's first samples are right as often as those of emdiag's own engine.

    Attributes:
        accuracy: Share of right samples in the first update, by TRL's sampling.
        base_accuracy: The same checkpoint on the same problems, drawn by emdiag's engine.
        expected: Where `accuracy` lies, problem by problem, if both draw alike.
        p_value: Chance of a figure at most as likely, if both draw alike.
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


def base_counts(
    prompts: Sequence[Prompt],
    golds: Mapping[str, Gold],
    *,
    sampler: Sampler,
    grader: Grader,
    params: SamplingParams,
    samples: int,
) -> dict[str, Counts]:
    """How often the parent is right on each problem of the first update, by emdiag's own engine.

    Each problem is drawn so many times, however often it occurs; golds are by problem id.
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
    return count_right(drawn, grader.grade((golds[c.problem_id], c.text) for c in drawn))


def count_right(
    completions: Sequence[Completion], judgements: Iterable[Judgement]
) -> dict[str, Counts]:
    """By problem id; judgements belong to completions one by one."""
    right: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for completion, judgement in zip(completions, judgements, strict=True):
        drawn[completion.problem_id] += 1
        right[completion.problem_id] += judgement.verdict is Verdict.CORRECT
    return {name: (right[name], count) for name, count in drawn.items()}


def compare_first(
    drawn: Mapping[str, Counts], base: Mapping[str, Counts], *, reward: float
) -> FirstReward:
    """TRL's first samples and their mean reward beside the parent's, problem by problem."""
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
