"""Shares of right samples by seed and problem, paired between arms under equal settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.errors import JournalError, StoreError
from emdiag.ledger.fairness import remember, trained_on
from emdiag.stats.intervals import (
    bootstrap_of_means,
    of_differences,
    of_two_arms,
)
from emdiag.studies.stored.find_runs import graded, main_grading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Decision
    from emdiag.core.results import Interval
    from emdiag.core.sampling import SamplingParams
    from emdiag.ledger.evidence import Evidence
    from emdiag.store.run_store import Run

Rates = NDArray[np.float64]
"""Shares of right samples, `[seeds, problems]`."""
Outcomes = dict[str, list[bool]]
"""Problem to whether each of its samples is right."""


class Setting(NamedTuple):
    """What must be equal on both sides; seeds of the run and stop ids are left out."""

    benchmark: str
    template: str
    chat: bool
    sampling: SamplingParams
    golds_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms under one setting, on the problems that every checkpoint of both has.

    Attributes:
        problems: Without those that a checkpoint of either was trained on; `measured` with them.
        left, right: `[seeds, problems]`; in the order of the arm's checkpoints.
        left_digests, right_digests: Of the checkpoints that were measured.
        samples: Of each problem, the fewest of any side.
    """

    setting: Setting
    problems: tuple[str, ...]
    measured: tuple[str, ...]
    left: Rates
    right: Rates
    left_digests: tuple[str, ...]
    right_digests: tuple[str, ...]
    samples: int

    @property
    def difference(self) -> float:
        """Right minus left, in shares of 1."""
        return float(self.right.mean() - self.left.mean())

    @property
    def interval(self) -> Interval | None:
        """Of the difference, over problems and over seeds where a side has several."""
        return difference_interval(self.left, self.right)


def setting_of(run: Run) -> Setting:
    """Under what the run was drawn, and against which golds its main grader judged."""
    spec = run.spec
    sampling = msgspec.structs.replace(spec.sampling, seed=0, stop_token_ids=())
    grading = main_grading(run)
    golds = grading.golds_sha256 if grading else None
    return Setting(spec.benchmark, spec.template, spec.chat, sampling, golds)


def outcomes(evidence: Evidence, digests: Sequence[str]) -> dict[Setting, dict[str, Outcomes]]:
    """Setting to digest to outcomes; of a checkpoint's runs, the one with most samples."""
    found: dict[Setting, dict[str, Outcomes]] = {}
    for run in evidence.runs:
        digest = run.spec.checkpoint_digest
        if digest not in digests:
            continue
        right = _right(evidence, run)
        if not right:
            continue
        setting, engine = setting_of(run), run.spec.engine
        of_setting = found.setdefault(setting, {})
        if digest not in of_setting or _size(right) > _size(of_setting[digest]):
            of_setting[digest] = right
            evidence.engines[setting, digest] = f"{engine.name} in {engine.dtype}"
            evidence.prompts[setting, digest] = run.spec.prompts_sha256
    return found


def pairs(
    evidence: Evidence,
    left: Arm,
    right: Arm,
    *,
    decision: Decision,
    benchmark: str | None = None,
) -> list[Pair]:
    """One pair for each benchmark measured on both sides, by the benchmark's name.

    Of several settings, the one with as many samples as the rule asks for, then with most
    checkpoints, samples and problems.

    Args:
        evidence: What was gathered.
        left: The arm that is subtracted.
        right: The other one.
        decision: Which temperatures count.
        benchmark: Only this one.
    """
    sides = [outcomes(evidence, arm.digests) for arm in (left, right)]
    low, high = decision.temperatures
    best: dict[str, tuple[tuple[int, int, int, int, str], Pair]] = {}
    for setting in sides[0].keys() & sides[1].keys():
        if benchmark not in (None, setting.benchmark):
            continue
        if not low <= setting.sampling.temperature <= high:
            continue
        pair = _pair(
            evidence, setting, (left, right), sides=[side[setting] for side in sides], value=_share
        )
        if pair is None:
            continue
        seeds = len(pair.left) + len(pair.right)
        enough = min(pair.samples, decision.samples)
        worth = (enough, seeds, pair.samples, len(pair.problems), repr(setting))
        if setting.benchmark not in best or worth > best[setting.benchmark][0]:
            best[setting.benchmark] = (worth, pair)
    found = [best[name][1] for name in sorted(best)]
    for pair in found:
        remember(
            evidence, (left, right), settings=(pair.setting, pair.setting), problems=pair.measured
        )
    return found


def pair_under(
    evidence: Evidence,
    left: Arm,
    right: Arm,
    *,
    setting: Setting,
    value: Callable[[list[bool]], float],
) -> Pair:
    """Two arms that were both run under a setting, with any value of a problem's outcomes."""
    sides = [outcomes(evidence, arm.digests)[setting] for arm in (left, right)]
    pair = _pair(evidence, setting, (left, right), sides=sides, value=value)
    assert pair is not None, "a setting of a pair was given"
    return pair


def difference_interval(left: Rates, right: Rates) -> Interval | None:
    """Of the mean of `right` minus the mean of `left`, `[seeds, problems]` each."""
    if len(left) == len(right) == 1:
        return of_differences(right[0] - left[0])
    both = of_two_arms(right, left)
    return both or of_differences(right.mean(axis=0) - left.mean(axis=0))


def mean_difference(of_benchmarks: Sequence[Pair]) -> tuple[float, Interval | None]:
    """Mean over benchmarks of right minus left, each benchmark counted once.

    Several benchmarks count by the checkpoints measured on all of them. With several seeds,
    problems are resampled from all benchmarks together, each weighted so that the mean is the one
    over benchmarks; that counts how benchmarks differ as well, so it is rather too wide.
    """
    if len(of_benchmarks) == 1:
        return of_benchmarks[0].difference, of_benchmarks[0].interval
    left, right = _common(of_benchmarks, "left"), _common(of_benchmarks, "right")
    value = float(np.mean([r.mean() - b.mean() for b, r in zip(left, right, strict=True)]))
    if len(left[0]) == len(right[0]) == 1:
        gaps = [r[0] - b[0] for b, r in zip(left, right, strict=True)]
        return value, bootstrap_of_means(gaps) if all(gap.size > 1 for gap in gaps) else None
    return value, of_two_arms(_weighted(right), _weighted(left))


def of_checkpoint(pair: Pair, digest: str) -> Pair:
    """The pair with one checkpoint of the right side alone; the first one where it was not run."""
    place = pair.right_digests.index(digest) if digest in pair.right_digests else 0
    alone = slice(place, place + 1)
    return replace(pair, right=pair.right[alone], right_digests=pair.right_digests[alone])


def _pair(
    evidence: Evidence,
    setting: Setting,
    arms: tuple[Arm, Arm],
    *,
    sides: Sequence[dict[str, Outcomes]],
    value: Callable[[list[bool]], float],
) -> Pair | None:
    digests = [
        tuple(digest for digest in arm.digests if digest in side)
        for arm, side in zip(arms, sides, strict=True)
    ]
    every = [side[digest] for of, side in zip(digests, sides, strict=True) for digest in of]
    measured = set.intersection(*(set(one) for one in every))
    shared = sorted(measured - trained_on(evidence, arms))
    if len(shared) < 2:
        return None
    rates = [
        np.array([[value(side[digest][problem]) for problem in shared] for digest in of])
        for of, side in zip(digests, sides, strict=True)
    ]
    return Pair(
        setting=setting,
        problems=tuple(shared),
        measured=tuple(sorted(measured)),
        left=rates[0],
        right=rates[1],
        left_digests=digests[0],
        right_digests=digests[1],
        samples=min(len(next(iter(one.values()))) for one in every),
    )


def _share(right: list[bool]) -> float:
    return sum(right) / len(right)


def _common(of_benchmarks: Sequence[Pair], side: str) -> list[Rates]:
    """Rates of the checkpoints that all benchmarks have, in the order of the first one's."""
    of_side = [(getattr(p, f"{side}_digests"), getattr(p, side)) for p in of_benchmarks]
    shared = [d for d in of_side[0][0] if all(d in digests for digests, _ in of_side)]
    if not shared:  # no checkpoint was measured on all: each benchmark's mean stands for its side
        return [rates.mean(axis=0, keepdims=True) for _, rates in of_side]
    return [rates[[digests.index(d) for d in shared]] for digests, rates in of_side]


def _weighted(of_benchmarks: Sequence[Rates]) -> Rates:
    total = sum(rates.shape[1] for rates in of_benchmarks)
    weights = [total / (len(of_benchmarks) * rates.shape[1]) for rates in of_benchmarks]
    return np.concatenate([r * w for r, w in zip(of_benchmarks, weights, strict=True)], axis=1)


def _right(evidence: Evidence, run: Run) -> Outcomes:
    """The main grades of a run, read once; empty where it was drawn and not graded yet.

    Raises:
        JournalError: A grade cannot be read: a verdict without it would be of other samples.
    """
    if run.path not in evidence.read:
        try:
            evidence.read[run.path] = graded(run, label=run.short_key).correct
        except JournalError:
            raise
        except StoreError:
            evidence.read[run.path] = {}
    return evidence.read[run.path]


def _size(right: Outcomes) -> int:
    return sum(map(len, right.values()))
