"""What a sample is rewarded for: one function each, from judged samples to one number a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emdiag.core.digest import derive_seed
from emdiag.core.grades import Gold, Judgement, Verdict
from emdiag.core.protocols import Grader
from emdiag.measure.votes import votes_of
from emdiag.train.rl.recipe import RewardName


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSamples:
    """The samples of one update, in groups of one problem each.

    Attributes:
        update: Counted from 1.
        group_size: Samples of one problem stand side by side.
        classes: For each sample, the first answer of its group that is equal to its own, found
            without a gold; None without an answer.
    """

    update: int
    group_size: int
    judgements: tuple[Judgement, ...]
    classes: tuple[str | None, ...]
    seed: int


def judge(
    texts: Sequence[str],
    golds: Sequence[Gold],
    *,
    grader: Grader,
    group_size: int,
    update: int,
    seed: int,
) -> JudgedSamples:
    """Samples with verdicts and classes of equal answers; a deadline bounds each comparison."""
    judgements = tuple(grader.grade(zip(golds, texts, strict=True)))
    answers = [judgement.extracted for judgement in judgements]
    groups = [answers[start : start + group_size] for start in range(0, len(answers), group_size)]
    given = [[answer for answer in group if answer is not None] for group in groups]
    named = [iter(names) for names in grader.classes(given)]
    classes = tuple(
        None if answer is None else next(names)
        for group, names in zip(groups, named, strict=True)
        for answer in group
    )
    return JudgedSamples(
        update=update, group_size=group_size, judgements=judgements, classes=classes, seed=seed
    )


def reward_of(name: RewardName, samples: JudgedSamples) -> list[float]:
    """The rewards of one update by the name of what is rewarded."""
    match name:
        case "correct":
            return correct(samples)
        case "format":
            return boxed(samples)
        case "random":
            return coin(samples)
        case "majority":
            return majority(samples)


def correct(samples: JudgedSamples) -> list[float]:
    """1 for a right answer; a comparison that stays undecided earns nothing."""
    return [float(judgement.verdict is Verdict.CORRECT) for judgement in samples.judgements]


def boxed(samples: JudgedSamples) -> list[float]:
    r"""1 for an answer in a closed `\boxed{}`, right or wrong.

    Source: the format reward of Shao et al. 2025, arXiv:2506.10947.
    """
    return [float(judgement.boxed) for judgement in samples.judgements]


def coin(samples: JudgedSamples) -> list[float]:
    """1 for one half of all samples, whatever they say.

    Source: the random reward of Shao et al. 2025, arXiv:2506.10947.
    """
    return [
        float(derive_seed(samples.seed, "random-reward", samples.update, place) % 2)
        for place in range(len(samples.judgements))
    ]


def majority(samples: JudgedSamples) -> list[float]:
    """1 for the most frequent answer of a group, right or wrong; all of a tie earn it.

    Source: TTRL, Zuo et al. 2025, arXiv:2504.16084.
    """
    rewards = []
    size, classes = samples.group_size, samples.classes
    for start in range(0, len(classes), size):
        group = classes[start : start + size]
        winners = votes_of(group).winners
        rewards += [float(name in winners) for name in group]
    return rewards
