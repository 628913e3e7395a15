"""What makes two sides unlike, apart from what a claim is about: problems learned, and engines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from emdiag.core.checkpoints import Arm
from emdiag.core.results import Remark, remark
from emdiag.ledger.claims_file import Fairness
from emdiag.ledger.evidence import Evidence, Setting
from emdiag.store.run_store import Run

_PROBLEM_IDS_KEPT = 100
"""Training problems that a manifest names at most."""


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
    engines = [tuple(sorted({_engine(outcomes.run) for outcomes in side})) for side in sides]
    prompts = [{outcomes.run.spec.prompts_sha256 for outcomes in side} for side in sides]
    left, right = (arm.label for arm in arms)
    if engines[0] != engines[1]:
        differences.append(
            remark(
                "other-engine", left=left, right=right, benchmark=benchmark,
                left_engines=engines[0], right_engines=engines[1],
            )
        )  # fmt: skip
    if prompts[0] != prompts[1]:
        differences.append(remark("other-prompts", left=left, right=right, benchmark=benchmark))
    return Fairness(
        left_out=frozenset(
            (arm.label, benchmark, problem)
            for arm in arms
            for problem in evidence.trained_on([arm]) & set(problems)
        ),
        differences=tuple(differences),
    )


def fairness_notes(evidence: Evidence, fairness: Iterable[Fairness]) -> list[Remark]:
    """Notes on problems that were left out and on sides that were run differently, sorted."""
    left_out: dict[tuple[str, str], set[str]] = {}
    differences: set[Remark] = set()
    for comparison in fairness:
        differences.update(comparison.differences)
        for label, benchmark, problem in comparison.left_out:
            left_out.setdefault((label, benchmark), set()).add(problem)
    notes = [
        remark(
            "trained-on-measured", label=label, problems=len(problems), benchmark=benchmark,
            named=_PROBLEM_IDS_KEPT,
        )
        for (label, benchmark), problems in sorted(left_out.items())
    ]  # fmt: skip
    manifests = evidence.manifests
    labels = sorted(
        arm.label
        for arm in evidence.arms
        if any(
            len(manifests[digest].problem_ids) >= _PROBLEM_IDS_KEPT
            for digest in arm.digests
            if digest in manifests
        )
    )
    if labels:
        notes.append(remark("trained-on-more", named=_PROBLEM_IDS_KEPT, labels=tuple(labels)))
    return [*notes, *sorted(differences, key=str)]


def _engine(run: Run) -> str:
    return f"{run.spec.engine.name} in {run.spec.engine.dtype}"
