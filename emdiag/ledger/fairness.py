"""What makes two sides unlike beside what a claim is about: problems learned from, and engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.ledger.evidence import Evidence
    from emdiag.ledger.rates import Setting

_PROBLEM_IDS_KEPT = 100
"""Training problems that a manifest names at most."""


def trained_on(evidence: Evidence, arms: Sequence[Arm]) -> set[str]:
    """Problems that a checkpoint of the arms, or one it went on from, says it was trained on."""
    found: set[str] = set()
    ahead = [digest for arm in arms for digest in arm.digests]
    seen: set[str] = set()
    while ahead:
        digest = ahead.pop()
        manifest = evidence.manifests.get(digest)
        if manifest is not None and digest not in seen:
            found |= set(manifest.problem_ids)
            ahead.append(manifest.parent_digest)
        seen.add(digest)
    return found


def remember(
    evidence: Evidence,
    arms: Sequence[Arm],
    *,
    settings: Sequence[Setting],
    problems: Collection[str],
) -> None:
    """Keep what a reader of a comparison should know, for `fairness_notes`.

    Args:
        evidence: What was gathered; takes the notes.
        arms: The two sides.
        settings: Under which they were run, one for each side.
        problems: That both sides were measured on, those left out included.
    """
    for arm in arms:
        for problem in trained_on(evidence, [arm]) & set(problems):
            evidence.left_out.setdefault((arm.label, settings[0].benchmark), set()).add(problem)
    for name, kept in (("engine", evidence.engines), ("prompts", evidence.prompts)):
        sides = [
            " and ".join(sorted({kept[setting, d] for d in arm.digests if (setting, d) in kept}))
            for arm, setting in zip(arms, settings, strict=True)
        ]
        if sides[0] != sides[1]:
            where = f"{arms[0].label} and {arms[1].label} on {settings[0].benchmark}"
            spoken = f": {sides[0]} against {sides[1]}" if name == "engine" else ""
            evidence.differing[f"{where}: {name} differ{'s' * (name == 'engine')}{spoken}"] = None


def fairness_notes(evidence: Evidence) -> list[str]:
    """Notes on problems that were left out and on sides that were run differently."""
    notes = [
        f"{label} was trained on {len(problems)} problem{'s' * (len(problems) > 1)} of {benchmark} "
        "that it was measured on: left out where scores are compared, kept in sweeps and studies "
        "of logits; a checkpoint names the first 100 problems it was trained on"
        for (label, benchmark), problems in sorted(evidence.left_out.items())
    ]
    many = sorted(
        arm.label
        for arm in evidence.arms
        if any(
            len(evidence.manifests[d].problem_ids) >= _PROBLEM_IDS_KEPT
            for d in arm.digests
            if d in evidence.manifests
        )
    )
    if many:
        notes.append(
            f"trained on {_PROBLEM_IDS_KEPT} problems or more, of which checkpoints name only the "
            f"first {_PROBLEM_IDS_KEPT}, so that others may be measured on: {', '.join(many)}"
        )
    return [*notes, *evidence.differing]
