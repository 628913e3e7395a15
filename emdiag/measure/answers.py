"""Completions and grades of one run to its scores, and how far a text repeats itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emdiag.core.grades import Grade, Verdict
from emdiag.core.problems import Problem
from emdiag.core.results import GroupScore, Interval, Metric, ProblemScore
from emdiag.core.sampling import Completion
from emdiag.measure.votes import majority_right
from emdiag.stats.intervals import intervals_of, intervals_of_shares
from emdiag.stats.samples import pass_at_k

REPEATED_ABOVE = 0.5
_GRAM = 4
_FEWEST_GRAMS = 20

Values = NDArray[np.float64]
"""One value for each problem, `[problems]`, or `[seeds, problems]`."""


def score_problem(completions: Sequence[Completion], grades: Sequence[Grade]) -> ProblemScore:
    """How one problem went; `grades` belong to `completions` one by one, at least one."""
    return score_samples(
        grades[0].problem_id,
        [grade.verdict for grade in grades],
        [grade.answer_class for grade in grades],
        truncated=sum(completion.finish_reason == "length" for completion in completions),
    )


def score_samples(
    problem_id: str,
    verdicts: Sequence[Verdict],
    classes: Sequence[str | None],
    *,
    truncated: int,
) -> ProblemScore:
    """The same of the verdict and the answer's class of each sample, and how many were cut off."""
    counts = Counter(verdicts)
    return ProblemScore(
        problem_id=problem_id,
        samples=len(verdicts),
        correct=counts[Verdict.CORRECT],
        by_verdict={verdict.value: counts[verdict] for verdict in Verdict},
        truncated=truncated,
        majority=majority_right(classes, [verdict is Verdict.CORRECT for verdict in verdicts]),
    )


def shares(scores: Sequence[ProblemScore]) -> dict[str, Values]:
    """avg@n, pass@k for every k up to the number of samples n, and maj@n of each problem.

    There is no maj@n for one sample of each problem.
    """
    samples = scores[0].samples
    values = {f"avg@{samples}": [score.rate for score in scores]}
    for k in range(1, samples + 1):
        values[f"pass@{k}"] = [pass_at_k(score.samples, score.correct, k) for score in scores]
    if samples > 1:
        values[f"maj@{samples}"] = [score.majority for score in scores]
    return {name: np.array(rates, np.float64) for name, rates in values.items()}


def metrics(values: Mapping[str, Values], *, counted: Collection[str] = ()) -> dict[str, Metric]:
    """Means with their intervals.

    Of shares see `intervals_of_shares`, of what is counted `intervals_of`.

    Args:
        values: By name, `[problems]` or `[seeds, problems]`, all of one shape.
        counted: Names of what is no share, so that nothing bounds it.
    """
    rows = {name: np.atleast_2d(of_problems) for name, of_problems in values.items()}
    intervals: dict[str, Interval | None] = {}
    for of_rows, names in (
        (intervals_of_shares, [name for name in rows if name not in counted]),
        (intervals_of, [name for name in rows if name in counted]),
    ):
        if names:
            row_intervals = of_rows(np.stack([rows[name] for name in names]))
            intervals |= dict(zip(names, row_intervals, strict=True))
    return {
        name: Metric(name=name, value=_mean(of_name), interval=intervals[name])
        for name, of_name in rows.items()
    }


def average(scores: Sequence[ProblemScore]) -> Metric:
    """avg@n: the mean over problems of the share of right samples."""
    name = f"avg@{scores[0].samples}"
    return metrics({name: np.array([score.rate for score in scores])})[name]


def by_group(
    scores: Sequence[ProblemScore], problems: Mapping[str, Problem]
) -> tuple[GroupScore, ...]:
    """The headline by level and by subject, where the benchmark has them."""
    groups: dict[str, list[ProblemScore]] = {}
    for score in scores:
        problem = problems[score.problem_id]
        if problem.level is not None:
            groups.setdefault(f"level {problem.level}", []).append(score)
        if problem.subject is not None:
            groups.setdefault(problem.subject, []).append(score)
    return tuple(
        GroupScore(group=name, problems=len(members), metric=average(members))
        for name, members in sorted(groups.items())
    )


def repeated_share(text: str) -> float:
    """Share of word 4-grams that occur earlier in the text, in [0, 1).

    0 for texts of fewer than 20 such 4-grams, where a repeat says nothing.

    Source: seq-rep-4 of Welleck et al. 2019, arXiv:1908.04319, on words instead of tokens.
    """
    words = text.split()
    grams = list(zip(*(words[start:] for start in range(_GRAM)), strict=False))
    if len(grams) < _FEWEST_GRAMS:
        return 0.0
    return 1 - len(set(grams)) / len(grams)


def _mean(rows: Values) -> float:
    if len(rows) == 1:
        return float(sum(rows[0].tolist())) / rows.size
    return float(rows.mean())
