"""Claims on the instrument: two graders on one output, and one run drawn twice."""

from __future__ import annotations

import numpy as np

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimResult
from emdiag.core.digest import digest
from emdiag.core.grades import is_second_grader
from emdiag.core.results import Amount, direction_of, remark
from emdiag.ledger.claims_file import (
    Verdicts,
    all_of,
    concluded,
    decide,
    figure_of,
    missing,
    more_needed,
)
from emdiag.ledger.evidence import Evidence, Setting, setting_of
from emdiag.ledger.rates import difference_of, divided
from emdiag.stats.families import p_of_mean
from emdiag.stats.intervals import of_differences, wilson
from emdiag.store.run_store import Run
from emdiag.studies.stored.find_runs import graded, main_grading
from emdiag.studies.stored.outcomes import Outcomes, on_shared_samples, outcomes_of

Gaps = dict[str, float]
"""Problem to the main grader's share of right samples minus the second one's."""


def two_graders(claim: Claim, evidence: Evidence) -> Verdicts:
    """What the main grader gives more than the second one, on the same outputs of either side."""
    results = []
    for base, arm in evidence.sides(claim):
        of_base, of_arm = (_twice_graded(claim, side, evidence) for side in (base, arm))
        both = [
            (of_base[setting], of_arm[setting])
            for setting in sorted(of_base.keys() & of_arm.keys(), key=repr)
        ]
        results += [
            _two_graders(claim, base, arm, sides=sides, shared=shared)
            for sides in both
            if len(shared := _shared(sides)) > 1
        ]
    what = remark("none-graded-twice", benchmark=claim.benchmark)
    return Verdicts(results or [missing(claim, what)])


def repeats(claim: Claim, evidence: Evidence) -> Verdicts:
    """Every run that lies in two of the stores, drawn in each: how far its score moved.

    A run that shares a session with another one was copied, not drawn again.
    """
    low, high = claim.decision.temperatures
    drawn: dict[str, list[Run]] = {}
    for run in evidence.runs:
        if low <= run.spec.sampling.temperature <= high and main_grading(run) is not None:
            drawn.setdefault(run.key, []).append(run)
    again = [
        (runs[0], second) for runs in drawn.values() if (second := _drawn_again(runs)) is not None
    ]
    drawn_twice = [_repeated(claim, first, second, evidence) for first, second in again]
    results = [result for result in drawn_twice if result is not None]
    return Verdicts(results or [missing(claim, remark("none-drawn-twice"))])


def _drawn_again(runs: list[Run]) -> Run | None:
    """The last of several runs that has no session of the first one."""
    first = _sessions(runs[0])
    return next((run for run in runs[:0:-1] if not first & _sessions(run)), None)


def _sessions(run: Run) -> set[tuple[str, tuple[str, ...]]]:
    return {(session.started, session.command) for session in run.provenance()}


def _shared(sides: tuple[list[Gaps], list[Gaps]]) -> list[str]:
    return sorted(set.intersection(*(set(gaps) for side in sides for gaps in side)))


def _two_graders(
    claim: Claim, base: Arm, arm: Arm, *, sides: tuple[list[Gaps], list[Gaps]], shared: list[str]
) -> ClaimResult:
    of_base, of_arm = (
        np.array([[gaps[problem] for problem in shared] for gaps in side]) for side in sides
    )
    gains = [
        Amount(value=float(gaps.mean()), interval=of_differences(gaps.mean(axis=0)))
        for gaps in (of_base, of_arm)
    ]
    figures = [
        figure_of(remark("main-minus-second", label=side.label), gain)
        for side, gain in zip((base, arm), gains, strict=True)
    ]
    shift = difference_of(of_base, of_arm)
    apart = direction_of(shift.interval, p_of_mean(of_arm, of_base))
    name = remark("graders-shift", right=arm.label, left=base.label)
    changed = [int((gaps != 0).any(axis=0).sum()) for gaps in (of_base, of_arm)]
    why = [
        remark("gains", label=side.label, gain=gain)
        for side, gain in zip((base, arm), gains, strict=True)
    ]
    why += [
        remark("problems-changed", left=changed[0], right=changed[1], problems=len(shared)),
        remark("gains-apart", direction=apart, shift=shift),
    ]
    return concluded(
        claim,
        all_of([decide(figure.interval, claim.decision) for figure in figures]),
        why=why,
        arms=(base.label, arm.label),
        benchmarks=[claim.benchmark] if claim.benchmark else [],
        figures=[*figures, figure_of(name, shift)],
        deciding=len(figures),
        would_decide=more_needed(figures[0], claim.decision, of="problems or samples"),
    )


def _twice_graded(claim: Claim, arm: Arm, evidence: Evidence) -> dict[Setting, list[Gaps]]:
    """Setting to gaps of every checkpoint of the arm that both graders judged there."""
    by_setting: dict[Setting, dict[str, Gaps]] = {}
    for run in evidence.runs:
        if run.spec.checkpoint_digest not in arm.digests:
            continue
        second = [spec for spec in run.gradings() if is_second_grader(spec.grader)]
        if run.spec.benchmark != (claim.benchmark or run.spec.benchmark) or not second:
            continue
        of_main, of_second = (
            graded(run, label=arm.label, grade_key=key) for key in (None, digest(second[-1]))
        )
        shared = sorted(set(of_main.problems) & set(of_second.problems))
        gaps = (of_main.rates_on(shared) - of_second.rates_on(shared)).tolist()
        of_setting = by_setting.setdefault(setting_of(run), {})
        of_setting[run.spec.checkpoint_digest] = dict(zip(shared, gaps, strict=True))
    return {setting: list(by.values()) for setting, by in by_setting.items()}


def _repeated(claim: Claim, run: Run, again: Run, evidence: Evidence) -> ClaimResult | None:
    label = _label(run, evidence)
    first, second = on_shared_samples(_main_outcomes(run, label), _main_outcomes(again, label))
    if len(first.problems) < 2:
        return None
    gaps = second.rates - first.rates
    error = float(first.rates.std(ddof=1) / np.sqrt(gaps.size))
    interval = of_differences(gaps)
    answers = zip(first.extracted, second.extracted, strict=True)
    flips, samples = sum(before != after for before, after in answers), len(first)
    shift = Amount(value=float(gaps.mean()), interval=interval)
    share = Amount(flips / samples, wilson(flips, samples))
    figures = [
        figure_of(remark("drawn-again", label=label), shift),
        figure_of(remark("answers-differ"), share, "share"),
    ]
    why = [remark("repeated", change=shift, flips=flips, samples=samples)]
    verdict, helps = decide(None, claim.decision), remark("mixed-problems-needed")
    if error > 0:
        scaled = Amount(value=float(gaps.mean()) / error, interval=divided(interval, error))
        figures.insert(0, figure_of(remark("change-over-error"), scaled, "standard errors"))
        why.insert(0, remark("standard-errors", change=scaled))
        verdict = decide(scaled.interval, claim.decision)
        helps = more_needed(figures[0], claim.decision, of="problems")
    return concluded(
        claim,
        verdict,
        why=why,
        arms=(label,),
        benchmarks=(run.spec.benchmark,),
        figures=figures,
        would_decide=helps,
    )


def _main_outcomes(run: Run, label: str) -> Outcomes:
    grading = main_grading(run)
    return outcomes_of(run, digest(grading) if grading else "", label=label)


def _label(run: Run, evidence: Evidence) -> str:
    weights = run.spec.checkpoint_digest
    return next((arm.label for arm in evidence.arms if weights in arm.digests), run.short_key)
