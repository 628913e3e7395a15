"""Claims on sampling temperature: slopes of accuracy, and entropy-matched baselines."""

from __future__ import annotations

from typing import Final

import msgspec

from emdiag.core.claims import (
    UNIT_OF_SLOPES,
    Claim,
    ClaimFigure,
    ClaimResult,
    ClaimVerdict,
    Decision,
    Role,
)
from emdiag.core.results import Amount, Direction, Remark, remark
from emdiag.core.temperature_sweep import (
    CoolingControl,
    Slope,
    SlopeDifference,
    TemperatureSweepResult,
)
from emdiag.findings.sweep.statements import baseline_remark, slope_remark, trend_remark
from emdiag.ledger.claims_file import (
    Verdicts,
    concluded,
    decide,
    figure_of,
    missing,
    more_needed,
    seeds_short,
    tested,
)
from emdiag.ledger.evidence import Evidence
from emdiag.ledger.rates import divided

_AXIS: Final = "temperature"
_REVERSED: Final[dict[Direction, Direction]] = {
    "higher": "lower",
    "lower": "higher",
    "undecided": "undecided",
}


def slopes(claim: Claim, evidence: Evidence) -> Verdicts:
    """Slope of `right` minus slope of `left`, with the sign of each; right falls, left rises."""
    results: dict[tuple[str, str, str], ClaimResult] = {}
    for sweep in evidence.sweeps:
        for pair in sweep.slope_differences:
            right_minus_left = _turned(pair, sweep, claim, evidence)
            if pair.axis == _AXIS and right_minus_left is not None:
                key = (pair.benchmark, right_minus_left.left, right_minus_left.right)
                results[key] = _slopes(claim, right_minus_left, sweep)
    return Verdicts(list(results.values()) or [missing(claim, remark("no-sweep-of-both"))])


def cooled_base(claim: Claim, evidence: Evidence) -> Verdicts:
    """An arm minus the base at the temperature where the base has the same entropy.

    The arm's temperature nearest to those of the rule stands first and decides if it is one of
    them. Sweeps whose baseline is an arm of another role are left out.
    """
    controls: dict[tuple[str, str], tuple[TemperatureSweepResult, list[CoolingControl]]] = {}
    for sweep in evidence.sweeps:
        if sweep.base not in _of_role(sweep, claim.left, evidence):
            continue
        arms = _of_role(sweep, claim.right, evidence)
        of_sweep: dict[tuple[str, str], list[CoolingControl]] = {}
        for control in sweep.controls:
            if control.checkpoint in arms:
                key = (control.benchmark, control.checkpoint)
                of_sweep.setdefault(key, []).append(control)
        controls |= {key: (sweep, of_arm) for key, of_arm in of_sweep.items()}
    results = [_baseline(claim, of_arm, sweep) for sweep, of_arm in controls.values()]
    return Verdicts(results or [missing(claim, remark("no-baseline"))])


def _slopes(claim: Claim, pair: SlopeDifference, sweep: TemperatureSweepResult) -> ClaimResult:
    """By the slope of the claim's right side minus that of its left side."""
    right, left = pair.left, pair.right
    name = remark("slopes-apart", right=right, left=left, benchmark=pair.benchmark)
    difference = figure_of(name, pair, UNIT_OF_SLOPES)
    sides = {label: _slope(sweep, label, pair.benchmark) for label in (right, left)}
    of_difference = tested(decide(pair.interval, claim.decision), pair.p_holm, claim.decision)
    own = [slope for slope in sides.values() if slope is not None]
    checkpoints = [
        remark("checkpoints-of", checkpoints=len(arm.digests), label=arm.label)
        for arm in sweep.arms
        if arm.label in sides
    ]
    return concluded(
        claim,
        _by_signs(of_difference, right=sides[right], left=sides[left]),
        why=[
            *(trend_remark(slope) for slope in own),
            slope_remark(pair),
            remark("measured-checkpoints", sides=tuple(checkpoints)),
        ],
        arms=(right, left),
        benchmarks=(pair.benchmark,),
        figures=[difference, *(_figure(slope) for slope in own)],
        lacks=[
            *_reach_short(claim, own),
            *_points_short(claim, sweep, (left, right), benchmark=pair.benchmark),
        ],
        would_decide=more_needed(difference, claim.decision, of="problems or samples"),
        deciding=3,  # the difference and the slope of either side
    )


def _reach_short(claim: Claim, slopes: list[Slope]) -> list[Remark]:
    """What a sweep lacks of the temperatures that the rule asks for."""
    low, high = claim.decision.reach
    if len(slopes) < 2:
        return [remark("slopes-short")]
    if max(slope.low for slope in slopes) > low or min(s.high for s in slopes) < high:
        return [remark("reach-short", low=low, high=high)]
    return []


def _points_short(
    claim: Claim, sweep: TemperatureSweepResult, labels: tuple[str, str], *, benchmark: str
) -> list[Remark]:
    """What the points of the left and the right arm lack of seeds, problems and samples."""
    wanted, lacks = claim.decision, []
    by_label = {
        label: [p for p in sweep.points if (p.checkpoint, p.benchmark) == (label, benchmark)]
        for label in labels
    }
    points = [point for of_label in by_label.values() for point in of_label]
    for role, label in zip((claim.left, claim.right), labels, strict=True):
        seeds = min((point.seeds for point in by_label[label]), default=0)
        lacks += seeds_short(claim, [(role, seeds)])
    problems = min((point.problems for point in points), default=0)
    if problems < wanted.problems:
        lacks.append(remark("problems-short", needed=wanted.problems, measured=problems))
    drawn = min((p.samples for p in points if p.setting.temperature > 0), default=0)
    if drawn < wanted.samples:
        lacks.append(remark("samples-short", needed=wanted.samples, drawn=drawn))
    return lacks


def _by_signs(
    of_difference: ClaimVerdict, *, right: Slope | None, left: Slope | None
) -> ClaimVerdict:
    """Holds if the slopes are apart as stated and each has its sign; fails if one contradicts."""
    trends = (right.trend if right else "undecided", left.trend if left else "undecided")
    if of_difference == "fails" or trends[0] == "rises" or trends[1] == "falls":
        return "fails"
    return "holds" if of_difference == "holds" and trends == ("falls", "rises") else "undecided"


def _baseline(
    claim: Claim, controls: list[CoolingControl], sweep: TemperatureSweepResult
) -> ClaimResult:
    """Three outcomes: more than cooling holds; cooling and less than cooling fail."""
    low, high = claim.decision.temperatures

    def outside(control: CoolingControl) -> float:
        """How far its temperature is from those of the rule."""
        return max(low - control.temperature, control.temperature - high, 0.0)

    ranked = sorted(controls, key=lambda control: (outside(control), control.temperature))
    first, *rest = ranked
    figures = [_baseline_figure(control) for control in ranked]
    verdict: ClaimVerdict = "undecided"
    lacks = [remark("temperature-short", temperatures=(low, high))] if outside(first) > 0 else []
    lacks += _points_short(claim, sweep, (first.base, first.checkpoint), benchmark=first.benchmark)
    if first.is_matched:
        helps = more_needed(figures[0], claim.decision, of="problems and seeds")
        if not lacks:
            verdict = _against_cooling(first, claim.decision)
    else:
        helps = remark("find-equal-entropy")
    different = sorted(
        control.temperature
        for control in rest
        if control.is_matched and _against_cooling(control, claim.decision) != verdict
    )
    why = [baseline_remark(first)]
    if different:
        why.append(remark("other-verdict-at", temperatures=tuple(different)))
    return concluded(
        claim,
        verdict,
        why=why,
        arms=(first.base, first.checkpoint),
        benchmarks=(first.benchmark,),
        figures=figures,
        lacks=lacks,
        would_decide=helps,
        outcome=None if first.verdict == "undecided" else first.verdict,
    )


def _against_cooling(control: CoolingControl, decision: Decision) -> ClaimVerdict:
    """More than cooling needs the corrected test as well; it is of no use where it is not more."""
    verdict = decide(control.interval, decision)
    return tested(verdict, control.p_holm, decision) if verdict == "holds" else verdict


def _baseline_figure(control: CoolingControl) -> ClaimFigure:
    name = remark(
        "equal-entropy", checkpoint=control.checkpoint, temperature=control.temperature,
        base=control.base, base_temperature=control.base_temperature,
        is_matched=control.is_matched,
    )  # fmt: skip
    return figure_of(name, Amount(control.difference, control.interval))


def _turned(
    pair: SlopeDifference, sweep: TemperatureSweepResult, claim: Claim, evidence: Evidence
) -> SlopeDifference | None:
    """The slope of the claim's right side minus that of its left; None if it is of other arms."""
    left, right = (_of_role(sweep, role, evidence) for role in (claim.left, claim.right))
    if pair.left in left and pair.right in right:
        return msgspec.structs.replace(
            pair,
            left=pair.right,
            right=pair.left,
            value=-pair.value,
            interval=divided(pair.interval, -1),
            direction=_REVERSED[pair.direction],
        )
    return pair if pair.right in left and pair.left in right else None


def _of_role(sweep: TemperatureSweepResult, role: Role, evidence: Evidence) -> set[str]:
    return {arm.label for arm in sweep.arms if evidence.role(arm) == role}


def _slope(sweep: TemperatureSweepResult, label: str, benchmark: str) -> Slope | None:
    key = (label, benchmark, _AXIS)
    slopes = (s for s in sweep.slopes if (s.checkpoint, s.benchmark, s.axis) == key)
    return next(slopes, None)


def _figure(slope: Slope) -> ClaimFigure:
    name = remark("slope", label=slope.checkpoint, low=slope.low, high=slope.high)
    return figure_of(name, slope, UNIT_OF_SLOPES)
