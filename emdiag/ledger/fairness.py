"""What makes two sides unlike, apart from what a claim is about: problems learned, and engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from emdiag.findings.numbers import count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import ClaimResult
    from emdiag.ledger.evidence import Evidence, Setting
    from emdiag.store.run_store import Run

_PROBLEM_IDS_KEPT = 100
"""Training problems that a manifest names at most."""


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """What a reader of one comparison should know.

    Attributes:
        left_out: Label, benchmark and id of every problem left out, since it was trained on.
        differences: On what the sides differ, in words.
    """

    left_out: frozenset[tuple[str, str, str]]
    differences: tuple[str, ...]


class Verdicts(NamedTuple):
    """What a statistic says of one claim: its results, and how fair the comparisons are."""

    results: Sequence[ClaimResult]
    fairness: Sequence[Fairness] = ()


def fairness_of(
    evidence: Evidence,
    arms: Sequence[Arm],
    *,
    settings: Sequence[Setting],
    problems: Collection[str],
) -> Fairness:
    """How fair it is to compare two arms on `problems`, those left out included."""
    benchmark, differences = settings[0].benchmark, []
    sides = [
        list(evidence.measured_of(arm)[setting].values())
        for arm, setting in zip(arms, settings, strict=True)
    ]
    engines = [" and ".join(sorted({_engine(outcomes.run) for outcomes in side})) for side in sides]
    prompts = [{outcomes.run.spec.prompts_sha256 for outcomes in side} for side in sides]
    where = f"{arms[0].label} and {arms[1].label} on {benchmark}"
    if engines[0] != engines[1]:
        differences.append(f"{where}: engine differs: {engines[0]} against {engines[1]}")
    if prompts[0] != prompts[1]:
        differences.append(f"{where}: prompts differ")
    return Fairness(
        left_out=frozenset(
            (arm.label, benchmark, problem)
            for arm in arms
            for problem in evidence.trained_on([arm]) & set(problems)
        ),
        differences=tuple(differences),
    )


def fairness_notes(evidence: Evidence, fairness: Iterable[Fairness]) -> list[str]:
    """Notes on problems that were left out and on sides that were run differently, sorted."""
    left_out: dict[tuple[str, str], set[str]] = {}
    differences: set[str] = set()
    for comparison in fairness:
        differences.update(comparison.differences)
        for label, benchmark, problem in comparison.left_out:
            left_out.setdefault((label, benchmark), set()).add(problem)
    notes = [
        f"{label} was trained on {count(len(problems), 'problem')} of {benchmark} "
        "that it was measured on: left out where scores are compared, kept in sweeps and studies "
        "of logits; a checkpoint names the first 100 problems it was trained on"
        for (label, benchmark), problems in sorted(left_out.items())
    ]
    labels = sorted(
        arm.label
        for arm in evidence.arms
        if any(
            len(evidence.manifests[d].problem_ids) >= _PROBLEM_IDS_KEPT
            for d in arm.digests
            if d in evidence.manifests
        )
    )
    if labels:
        notes.append(
            f"trained on {_PROBLEM_IDS_KEPT} problems or more, of which checkpoints name only the "
            f"first {_PROBLEM_IDS_KEPT}, so that others may be measured on: {', '.join(labels)}"
        )
    return [*notes, *sorted(differences)]


def _engine(run: Run) -> str:
    return f"{run.spec.engine.name} in {run.spec.engine.dtype}"
