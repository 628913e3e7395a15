"""Claims on sampling temperature: slopes of accuracy, and the base cooled to equal entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from emdiag.core.claims import ClaimFigure
from emdiag.ledger.claims_file import concluded, decide, in_points, missing, more_needed
from emdiag.ledger.fairness import Verdicts

if TYPE_CHECKING:
    from emdiag.core.claims import Claim, ClaimResult, ClaimVerdict, Role
    from emdiag.core.results import Interval
    from emdiag.core.temperature_sweep import (
        CoolingControl,
        Slope,
        SlopeDifference,
        TemperatureSweepResult,
    )
    from emdiag.ledger.evidence import Evidence

_AXIS = "temperature"


def slopes(claim: Claim, evidence: Evidence) -> Verdicts:
    """Slope of `right` minus slope of `left`, with the sign of each; right falls, left rises."""
    found: dict[tuple[str, str, str], ClaimResult] = {}
    for sweep in evidence.sweeps:
        for one in sweep.slope_differences:
            sides = _labels(one, sweep, claim, evidence)
            if one.axis == _AXIS and sides is not None:
                found[(one.benchmark, *sides)] = _slopes(claim, one, sides, sweep)
    what = "no sweep of the temperature has both sides"
    return Verdicts(list(found.values()) or [missing(claim, what)])


def cooled_base(claim: Claim, evidence: Evidence) -> Verdicts:
    """An arm minus the base at the temperature where the base has the same entropy.

    The arm's temperature nearest to those of the rule stands first and decides if it is one of
    them; the others stand beside it. Sweeps that cooled an arm of another role are left out.
    """
    found: dict[tuple[str, str], list[CoolingControl]] = {}
    for sweep in evidence.sweeps:
        if sweep.base not in _of_role(sweep, claim.left, evidence):
            continue
        mine = _of_role(sweep, claim.right, evidence)
        of_sweep: dict[tuple[str, str], list[CoolingControl]] = {}
        for one in sweep.controls:
            if one.checkpoint in mine:
                of_sweep.setdefault((one.benchmark, one.checkpoint), []).append(one)
        found |= of_sweep
    results = [_cooled(claim, controls) for controls in found.values()]
    return Verdicts(results or [missing(claim, "no sweep cooled the base to such an arm")])


def _slopes(
    claim: Claim, one: SlopeDifference, sides: tuple[str, str], sweep: TemperatureSweepResult
) -> ClaimResult:
    left, right = sides
    is_turned = one.left == left
    interval = _negative(one.interval) if is_turned else one.interval
    difference = ClaimFigure(
        name=f"slope of {right} minus slope of {left} on {one.benchmark}",
        value=-one.value if is_turned else one.value,
        interval=interval,
        unit="points per unit of T",
    )
    own = {label: _slope(sweep, label, one.benchmark) for label in (right, left)}
    of_difference = decide(interval, claim.decision)
    if one.p_holm >= claim.decision.p_value and claim.decision.p_value < 1:
        of_difference = "undecided"
    verdict = _by_signs(of_difference, right=own[right], left=own[left])
    lacks = _sweep_short(claim, [*own.values()], sweep)
    figures = [difference, *(_figure(slope) for slope in own.values() if slope is not None)]
    spoken = [
        f"{slope.checkpoint} {slope.trend if slope.trend != 'undecided' else 'goes neither way'}: "
        f"{in_points(slope.value, slope.interval)} per unit of T"
        for slope in own.values()
        if slope is not None
    ]
    assert difference.value is not None
    seeds = ", ".join(
        f"{len(arm.digests)} of {arm.label}" for arm in sweep.arms if arm.label in sides
    )
    apart = f"apart by {in_points(difference.value, interval)} per unit of T, "
    apart += f"corrected p {one.p_holm:.2g}; checkpoints: {seeds}"
    return concluded(
        claim,
        "undecided" if lacks else verdict,
        why="; ".join([*spoken, apart, *([f"the rule asks for {lacks}"] if lacks else [])]),
        arms=(right, left),
        benchmarks=(one.benchmark,),
        figures=figures,
        would_decide=f"{lacks}: {claim.to_measure}"
        if lacks
        else more_needed(difference, claim.decision, of="problems or samples"),
    )


def _sweep_short(
    claim: Claim, own: list[Slope | None], sweep: TemperatureSweepResult
) -> str | None:
    """What a sweep lacks of the temperatures and problems that the rule asks for."""
    slopes = [slope for slope in own if slope is not None]
    (low, high), lacks = claim.decision.reach, []
    if len(slopes) < len(own):
        lacks.append("a slope of either side")
    elif max(one.low for one in slopes) > low or min(one.high for one in slopes) < high:
        lacks.append(f"a sweep from T {low:g} or less to {high:g} or more")
    sides = {(one.checkpoint, one.benchmark) for one in slopes}
    points = [p for p in sweep.points if (p.checkpoint, p.benchmark) in sides and not p.is_control]
    problems = min((point.problems for point in points), default=0)
    if problems < claim.decision.problems:
        lacks.append(f"{claim.decision.problems} problems ({problems} measured)")
    return " and ".join(lacks) or None


def _by_signs(
    of_difference: ClaimVerdict, *, right: Slope | None, left: Slope | None
) -> ClaimVerdict:
    """Holds if the slopes are apart as stated and each has its sign; fails if one contradicts."""
    trends = (right.trend if right else "undecided", left.trend if left else "undecided")
    if of_difference == "fails" or trends[0] == "rises" or trends[1] == "falls":
        return "fails"
    return "holds" if of_difference == "holds" and trends == ("falls", "rises") else "undecided"


def _cooled(claim: Claim, controls: list[CoolingControl]) -> ClaimResult:
    low, high = claim.decision.temperatures
    far = {id(one): max(low - one.temperature, one.temperature - high, 0.0) for one in controls}
    first, *others = sorted(controls, key=lambda one: (far[id(one)], one.temperature))
    figures = [_cooled_figure(one) for one in (first, *others)]
    verdict: ClaimVerdict = "undecided"
    if first.is_matched:
        verdict = decide(first.interval, claim.decision)
        why = f"{in_points(first.difference, first.interval)} at T {first.temperature:g}, where "
        why += f"the base at T {first.base_temperature:g} has the same entropy: {first.verdict}"
        helps = more_needed(figures[0], claim.decision, of="problems")
    else:
        why = (
            f"no temperature tried gives the base the entropy of {first.checkpoint} at "
            f"T {first.temperature:g} ({first.entropy_nats:.3g} nats, the nearest has "
            f"{first.base_entropy_nats:.3g})"
        )
        helps = "a temperature of the base between those tried: `emdiag temp-sweep` looks for it"
    if far[id(first)] > 0:
        verdict, helps = "undecided", claim.to_measure
        why += f"; the rule asks for T {low:g}{'' if low == high else f' to {high:g}'}"
    different = sorted(
        one.temperature
        for one in others
        if one.is_matched and decide(one.interval, claim.decision) != verdict
    )
    if different:
        why += f"; another verdict at T {', '.join(f'{t:g}' for t in different)}"
    return concluded(
        claim,
        verdict,
        why=why,
        arms=(first.base, first.checkpoint),
        benchmarks=(first.benchmark,),
        figures=figures,
        would_decide=helps,
    )


def _cooled_figure(one: CoolingControl) -> ClaimFigure:
    return ClaimFigure(
        name=f"{one.checkpoint} at T {one.temperature:g} minus {one.base} at "
        f"T {one.base_temperature:g}{'' if one.is_matched else ', not of equal entropy'}",
        value=one.difference,
        interval=one.interval,
        unit="points",
    )


def _labels(
    one: SlopeDifference, sweep: TemperatureSweepResult, claim: Claim, evidence: Evidence
) -> tuple[str, str] | None:
    """Labels of the claim's left and right side, if the two slopes are those."""
    left, right = (_of_role(sweep, role, evidence) for role in (claim.left, claim.right))
    for a, b in ((one.left, one.right), (one.right, one.left)):
        if a in left and b in right:
            return a, b
    return None


def _of_role(sweep: TemperatureSweepResult, role: Role, evidence: Evidence) -> set[str]:
    return {arm.label for arm in sweep.arms if evidence.role(arm) == role}


def _slope(sweep: TemperatureSweepResult, label: str, benchmark: str) -> Slope | None:
    wanted = (label, benchmark, _AXIS)
    found = (s for s in sweep.slopes if (s.checkpoint, s.benchmark, s.axis) == wanted)
    return next(found, None)


def _figure(slope: Slope) -> ClaimFigure:
    return ClaimFigure(
        name=f"slope of {slope.checkpoint}, T {slope.low:g} to {slope.high:g}",
        value=slope.value,
        interval=slope.interval,
        unit="points per unit of T",
    )


def _negative(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    return msgspec.structs.replace(interval, low=-interval.high, high=-interval.low)
