"""What the samples of one arm under one setting come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.temperature_sweep import SweepPoint, SweepSetting
from emdiag.measure.answers import metrics, shares
from emdiag.measure.votes import votes_of
from emdiag.store.samples import Sample
from emdiag.studies.evaluate.score import reading_outcomes
from emdiag.studies.evaluate.task import EvalTask
from emdiag.studies.stored.outcomes import Outcomes

_COUNTED = ("distinct_answers", "entropy_nats", "mean_tokens")
"""Statistics that are no shares, so that nothing bounds them."""


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """One checkpoint under one setting on one benchmark, graded and, for entropies (nats), read."""

    reading: EvalTask
    grade_key: str
    entropies: Mapping[Sample, float] | None


@dataclass(frozen=True, kw_only=True)
class MeasuredPoint:
    """A point, and what it is the mean of.

    Attributes:
        accuracy: Share of right samples, `[seeds, problems]`.
        entropy: In nats, likewise; None where it was not read, 0 when greedy.
    """

    point: SweepPoint
    accuracy: NDArray[np.float64]
    entropy: NDArray[np.float64] | None

    @property
    def entropy_nats(self) -> float:
        """Mean over seeds and problems; 0 where it was not read."""
        return 0.0 if self.entropy is None else float(self.entropy.mean())


def measure_point(
    label: str, setting: SweepSetting, members: Sequence[SweepRun], *, is_control: bool = False
) -> MeasuredPoint:
    """The point of one arm, whose members are seeds on the same problems: statistics, intervals."""
    first = members[0].reading
    per_member = [_statistics(member) for member in members]
    names = [name for name in per_member[0] if all(name in of_seed for of_seed in per_member)]
    values = {name: np.stack([of_seed[name] for of_seed in per_member]) for name in names}
    by_name = metrics(values, counted=_COUNTED)
    if first.samples == 1:  # the same trials under another name
        by_name["pass@1"] = msgspec.structs.replace(by_name["avg@1"], name="pass@1")
    return MeasuredPoint(
        point=SweepPoint(
            checkpoint=label,
            benchmark=first.card.name,
            setting=setting,
            samples=first.samples,
            seeds=len(members),
            problems=len(first.problems),
            accuracy=by_name[f"avg@{first.samples}"],
            pass_at_k=tuple(by_name[f"pass@{k}"] for k in range(1, first.samples + 1)),
            majority=by_name.get(f"maj@{first.samples}"),
            agreement=by_name.get("agreement"),
            distinct_answers=by_name.get("distinct_answers"),
            entropy_nats=by_name.get("entropy_nats"),
            mean_tokens=by_name["mean_tokens"],
            truncated_frac=by_name["truncated_frac"],
            repeated_frac=by_name["repeated_frac"],
            no_box_frac=by_name["no_box_frac"],
            run_keys=tuple(member.reading.run.key for member in members),
            grade_keys=tuple(member.grade_key for member in members),
            is_control=is_control,
            no_answer_frac=by_name["no_answer_frac"],
            unfinished_frac=by_name.get("unfinished_frac"),
        ),
        accuracy=values[f"avg@{first.samples}"],
        entropy=values.get("entropy_nats"),
    )


def _statistics(member: SweepRun) -> dict[str, NDArray[np.float64]]:
    """Every statistic by name, one value for each problem."""
    outcomes = reading_outcomes(member.reading, member.grade_key)
    statistics = shares(outcomes.scores)
    votes = [votes_of(classes) for classes in outcomes.classes]
    if outcomes.samples > 1:
        statistics["agreement"] = np.array([of.agreement for of in votes], np.float64)
        statistics["distinct_answers"] = np.array([len(of.by_answer) for of in votes], np.float64)
    statistics["no_answer_frac"] = np.array([of.silent / of.samples for of in votes], np.float64)
    for name, values in (
        ("mean_tokens", outcomes.tokens),
        ("truncated_frac", outcomes.truncated),
        ("repeated_frac", outcomes.repeated),
        ("no_box_frac", ~outcomes.boxed),
    ):
        statistics[name] = outcomes.per_problem(values)
    if outcomes.unfinished is not None:
        statistics["unfinished_frac"] = outcomes.per_problem(outcomes.unfinished)
    entropy = _entropy(member, outcomes)
    return statistics if entropy is None else {**statistics, "entropy_nats": entropy}


def _entropy(member: SweepRun, outcomes: Outcomes) -> NDArray[np.float64] | None:
    """Mean over the samples of a problem that have a token; None where one problem has none."""
    if member.reading.run.spec.sampling.temperature == 0:
        return np.zeros(len(outcomes.problems))
    if member.entropies is None:
        return None
    of_problem: dict[str, list[float]] = {problem: [] for problem in outcomes.problems}
    for row in outcomes.rows.tolist():
        sample = outcomes.graded.sample(row)
        if sample in member.entropies:
            of_problem[sample[0]].append(member.entropies[sample])
    if not all(of_problem.values()):
        return None
    return np.array([sum(values) / len(values) for values in of_problem.values()], np.float64)
