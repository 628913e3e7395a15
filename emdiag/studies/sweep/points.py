"""What the samples of one arm under one setting come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.results import Metric, ProblemScore
from emdiag.core.temperature_sweep import SweepPoint, SweepSetting
from emdiag.measure.answers import score_problem
from emdiag.measure.texts import REPEATED_ABOVE, repeated_share
from emdiag.stats.agreement import agreement
from emdiag.stats.intervals import intervals_of, shares_over_problems, wilson
from emdiag.stats.pass_at_k import pass_at_k
from emdiag.store.run_store import Sample
from emdiag.studies.evaluate.task import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.grades import Grade
    from emdiag.core.results import Interval
    from emdiag.core.sampling import Completion

_COUNTED = ("distinct_answers", "entropy_nats", "mean_tokens")
"""Figures that are no shares, so that nothing bounds them."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One checkpoint under one setting on one benchmark, graded and read.

    Attributes:
        entropies: Of each completion, in nats; None where they were not read.
    """

    reading: Reading
    grade_key: str
    entropies: Mapping[Sample, float] | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A point, and what it is the mean of.

    Attributes:
        accuracy: Share of right samples, `[seeds, problems]`.
        entropy: In nats, likewise; None where it was not read, 0 when greedy.
    """

    point: SweepPoint
    accuracy: NDArray[np.float64]
    entropy: NDArray[np.float64] | None


def measure_point(
    label: str, setting: SweepSetting, members: Sequence[Member], *, is_control: bool = False
) -> Found:
    """The point of one arm: every figure of its samples with its interval.

    Args:
        label: Of the arm.
        setting: As asked for.
        members: One for each seed, on the same problems; at least one.
        is_control: Whether it is the cooled base.
    """
    first = members[0].reading
    per_member = [_figures(member) for member in members]
    names = [name for name in per_member[0] if all(name in found for found in per_member)]
    values = {name: np.stack([found[name] for found in per_member]) for name in names}
    metrics = _metrics(values, samples=first.samples)
    return Found(
        point=SweepPoint(
            checkpoint=label,
            benchmark=first.card.name,
            setting=setting,
            samples=first.samples,
            seeds=len(members),
            problems=len(first.problems),
            accuracy=metrics[f"avg@{first.samples}"],
            pass_at_k=tuple(metrics[f"pass@{k}"] for k in range(1, first.samples + 1)),
            majority=metrics.get(f"maj@{first.samples}"),
            agreement=metrics.get("agreement"),
            distinct_answers=metrics.get("distinct_answers"),
            entropy_nats=metrics.get("entropy_nats"),
            mean_tokens=metrics["mean_tokens"],
            truncated_frac=metrics["truncated_frac"],
            repeated_frac=metrics["repeated_frac"],
            no_box_frac=metrics["no_box_frac"],
            run_keys=tuple(member.reading.run.key for member in members),
            grade_keys=tuple(member.grade_key for member in members),
            is_control=is_control,
        ),
        accuracy=values[f"avg@{first.samples}"],
        entropy=values.get("entropy_nats"),
    )


def _figures(member: Member) -> dict[str, NDArray[np.float64]]:
    """Every figure by name, one value for each problem."""
    reading = member.reading
    drawn, graded = reading.run.completions(), reading.run.grades(member.grade_key)
    rows: dict[str, list[float]] = {}
    for problem in reading.problems:
        samples = [(problem.id, index) for index in range(reading.samples)]
        completions = [drawn[sample] for sample in samples]
        grades = [graded[sample] for sample in samples]
        figures = _of_problem(completions, grades)
        if (entropy := _entropy(member, samples)) is not None:
            figures["entropy_nats"] = entropy
        for name, value in figures.items():
            rows.setdefault(name, []).append(value)
    return {
        name: np.array(values, np.float64)
        for name, values in rows.items()
        if len(values) == len(reading.problems)
    }


def _of_problem(completions: Sequence[Completion], grades: Sequence[Grade]) -> dict[str, float]:
    score = score_problem(completions, grades)
    count = score.samples
    classes = Counter(grade.answer_class for grade in grades)
    same = agreement(list(classes.values()))
    figures = _shares_right(score)
    if same is not None:
        figures[f"maj@{count}"] = score.majority
        figures["agreement"] = same
        figures["distinct_answers"] = float(len(classes.keys() - {None}))
    repeated = sum(repeated_share(one.text) > REPEATED_ABOVE for one in completions)
    return {
        **figures,
        "mean_tokens": sum(len(one.token_ids) for one in completions) / count,
        "truncated_frac": score.truncated / count,
        "repeated_frac": repeated / count,
        "no_box_frac": sum(not grade.boxed for grade in grades) / count,
    }


def _shares_right(score: ProblemScore) -> dict[str, float]:
    found = {f"avg@{score.samples}": score.correct / score.samples}
    for k in range(1, score.samples + 1):
        found[f"pass@{k}"] = pass_at_k(score.samples, score.correct, k)
    return found


def _entropy(member: Member, samples: Sequence[Sample]) -> float | None:
    """Mean over the samples of a problem that have a token; None where none was read."""
    if member.reading.run.spec.sampling.temperature == 0:
        return 0.0
    if member.entropies is None:
        return None
    found = [member.entropies[sample] for sample in samples if sample in member.entropies]
    return sum(found) / len(found) if found else None


def _metrics(values: Mapping[str, NDArray[np.float64]], *, samples: int) -> dict[str, Metric]:
    """Means with intervals; `values` are `[seeds, problems]` each."""
    names = list(values)
    stacked = np.stack([values[name] for name in names])
    intervals = dict(zip(names, _intervals(names, stacked), strict=True))
    headline = f"avg@{samples}"
    if samples == 1 and stacked.shape[1] == 1:  # independent trials, as `eval` counts them
        right = values[headline][0]
        intervals[headline] = intervals["pass@1"] = wilson(round(right.sum()), right.size)
    return {
        name: Metric(name=name, value=float(values[name].mean()), interval=intervals[name])
        for name in names
    }


def _intervals(names: Sequence[str], stacked: NDArray[np.float64]) -> list[Interval | None]:
    seeds, problems = stacked.shape[1:]
    is_share = [name not in _COUNTED for name in names]
    found = intervals_of(stacked)
    if seeds == 1:
        rows = iter(shares_over_problems(stacked[is_share, 0]))
        found = [next(rows) if share else one for share, one in zip(is_share, found, strict=True)]
    for number, row in enumerate(stacked):
        if is_share[number] and problems > 1 and np.ptp(row) == 0 and row[0, 0] in (0.0, 1.0):
            found[number] = wilson(round(row[0].sum()), problems)
    return [
        _within_bounds(one) if share and one is not None else one
        for share, one in zip(is_share, found, strict=True)
    ]


def _within_bounds(interval: Interval) -> Interval:
    """A share's interval without what rounding adds beyond 0 and 1."""
    return msgspec.structs.replace(
        interval, low=max(interval.low, 0.0), high=min(interval.high, 1.0)
    )
