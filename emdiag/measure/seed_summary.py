"""Scores of trained checkpoints on one benchmark, put together seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.errors import MeasurementError
from emdiag.core.results import BenchmarkScore, Metric, Remark, direction_of, remark
from emdiag.core.seed_scores import BenchmarkSeeds, SeedDifference, SeedGroup, SeedsAbove, SeedScore
from emdiag.stats.comparisons import holm
from emdiag.stats.families import p_of_mean
from emdiag.stats.intervals import LEVEL, intervals_of_shares, least_share, of_share_arms
from emdiag.stats.resampled import seeds_apart

_SEED = "seed-"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A saved checkpoint of a training folder, scored; `is_registered` before training."""

    cell: str
    update: int
    is_registered: bool
    score: BenchmarkScore

    @property
    def group(self) -> str:
        """The cell's name without its seed; empty where there is no grid."""
        parts = [part for part in PurePosixPath(self.cell).parts if not part.startswith(_SEED)]
        return "/".join(parts)


def summarise_seeds(trained: Sequence[Trained], *, base: BenchmarkScore | None) -> BenchmarkSeeds:
    """One benchmark, all scored on the same problems: registered, groups of seeds, the oracle.

    Raises:
        MeasurementError: They were scored on different problems.
    """
    _refuse_different_problems([*(member.score for member in trained), *([base] if base else [])])
    by_group: dict[tuple[str, int], list[Trained]] = {}
    for member in trained:
        by_group.setdefault((member.group, member.update), []).append(member)
    first = trained[0].score
    groups = tuple(
        _group(name, update, members, base) for (name, update), members in by_group.items()
    )
    return BenchmarkSeeds(
        benchmark=first.benchmark,
        metric=first.metric,
        temperature=first.temperature,
        samples=first.samples,
        problems=first.problems,
        partial=first.partial,
        registered=next((_seed_score(member) for member in trained if member.is_registered), None),
        groups=groups,
        oracle=_seed_score(max(trained, key=lambda member: member.score.value)),
        candidates=len(trained),
        base=None if base is None else _metric(base),
        notes=_notes(trained, groups, base),
    )


def with_directions(benchmarks: Sequence[BenchmarkSeeds]) -> tuple[BenchmarkSeeds, ...]:
    """The same, with directions by tests that are corrected over all their differences (Holm)."""
    gaps = [group.difference for of in benchmarks for group in of.groups]
    p_values = [gap.p_value for gap in gaps if gap is not None and gap.p_value is not None]
    corrected = iter(holm(p_values))

    def directed(gap: SeedDifference | None) -> SeedDifference | None:
        if gap is None or gap.p_value is None:
            return gap
        p_holm = next(corrected)
        direction = direction_of(gap.interval, p_holm)
        return msgspec.structs.replace(gap, p_holm=p_holm, direction=direction)

    def summary(of: BenchmarkSeeds) -> BenchmarkSeeds:
        groups = tuple(
            msgspec.structs.replace(group, difference=directed(group.difference))
            for group in of.groups
        )
        return msgspec.structs.replace(of, groups=groups)

    return tuple(map(summary, benchmarks))


_ROUNDING = 1e-9
"""Gains of seeds whose samples are right equally often differ by no more."""


def count_above(gains: NDArray[np.float64]) -> SeedsAbove:
    """How many gains of seeds, `[seeds]`, are above 0, and the share of all seeds that are."""
    above, seeds = int((gains > _ROUNDING).sum()), len(gains)
    return SeedsAbove(
        above=above, seeds=seeds, at_least=least_share(above, seeds, level=LEVEL), level=LEVEL
    )


def _group(
    name: str, update: int, members: Sequence[Trained], base: BenchmarkScore | None
) -> SeedGroup:
    weights = {member.score.checkpoint.digest: member for member in reversed(members)}
    members = list(weights.values())[::-1]  # equal weights are no other seed
    rates = np.stack([_rates(member.score) for member in members])
    per_seed = rates.mean(axis=1)
    return SeedGroup(
        name=name,
        update=update,
        seeds=tuple(_seed_score(member) for member in members),
        mean=float(rates.mean()),
        interval=intervals_of_shares(rates[None])[0] if len(members) > 1 else None,
        deviation=float(per_seed.std(ddof=1)) if len(members) > 1 else None,
        lowest=float(per_seed.min()),
        highest=float(per_seed.max()),
        lower_seeds=seeds_apart(rates),
        difference=None if base is None else _difference(rates, base),
    )


def _refuse_different_problems(scores: Sequence[BenchmarkScore]) -> None:
    first, *rest = (tuple(row.problem_id for row in score.per_problem) for score in scores)
    for score, problems in zip(scores[1:], rest, strict=True):
        if not first or problems != first:
            raise MeasurementError(
                "seeds are put together on the same problems, one or more",
                found=f"{scores[0].label} has {len(first)} and {score.label} {len(problems)}, "
                f"{len({*first} & {*problems})} of them in common",
                hint="score all seeds, and the base, with the same --limit",
            )


def _rates(score: BenchmarkScore) -> NDArray[np.float64]:
    """Share of right samples of each problem, `[problems]`."""
    return np.array([problem.rate for problem in score.per_problem])


def _difference(rates: NDArray[np.float64], base: BenchmarkScore) -> SeedDifference:
    """Of seeds on problems, `[seeds, problems]`, to the base on the same problems.

    Its direction waits for all differences of a result; see `with_directions`.
    """
    of_base = _rates(base)[None]
    interval = of_share_arms([rates], [of_base])
    return SeedDifference(
        base=base.label,
        difference=float((rates - of_base).mean()),
        interval=interval,
        direction="undecided",
        p_value=p_of_mean(rates - of_base),
        seeds_above=count_above(rates.mean(axis=1) - of_base.mean()),
    )


def _metric(score: BenchmarkScore) -> Metric:
    return Metric(name=score.label, value=score.value, interval=score.interval)


def _seed_score(trained: Trained) -> SeedScore:
    score = trained.score
    return SeedScore(
        cell=trained.cell,
        seed=score.checkpoint.train_seed,
        update=trained.update,
        checkpoint=score.checkpoint.path,
        value=score.value,
        interval=score.interval,
        truncated_frac=score.rates.truncated_frac,
        run_key=score.run_key,
        unfinished_frac=score.rates.unfinished_frac,
    )


def _notes(
    trained: Sequence[Trained], groups: Sequence[SeedGroup], base: BenchmarkScore | None
) -> tuple[Remark, ...]:
    scores = [member.score for member in trained] + ([base] if base else [])
    fewest, notes = min(len(group.seeds) for group in groups), []
    if fewest == 1:
        notes.append(remark("one-seed"))
    elif fewest == 2:
        notes.append(remark("two-seeds"))
    if base is not None and len(groups) > 1:
        notes.append(remark("differences-not-corrected", differences=len(groups)))
    if len({score.checkpoint.digest for score in scores}) < len(scores):
        notes.append(remark("some-same-weights"))
    return (*notes, *dict.fromkeys(note for score in scores for note in score.notes))
