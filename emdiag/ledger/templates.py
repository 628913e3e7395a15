"""Claims that a gain is more than what another prompt template gives the base."""

from __future__ import annotations

from collections.abc import Iterable

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimResult
from emdiag.core.results import remark
from emdiag.ledger.claims_file import (
    Fairness,
    Verdicts,
    concluded,
    decide,
    figure_of,
    missing,
    more_needed,
    seeds_short,
)
from emdiag.ledger.evidence import BySetting, Evidence
from emdiag.ledger.fairness import fairness_of
from emdiag.ledger.rates import difference_of
from emdiag.studies.stored.outcomes import Outcomes, rates_by_seed


def best_template(claim: Claim, evidence: Evidence) -> Verdicts:
    """An arm minus the base under whichever template suits the base best, benchmark by benchmark.

    The best one is chosen by the scores that are compared, which favours the base: the claim
    holds too seldom rather than too often, and fails too often. Templates count under which the
    base was run on all problems that the arm was.
    """
    results, fairness = [], []
    for base, arm in evidence.sides(claim):
        of_arm, of_base = (_fitting(claim, side, evidence) for side in (arm, base))
        for name in sorted({s.benchmark for s in of_arm} & {s.benchmark for s in of_base}):
            sides = [
                {s: by for s, by in side.items() if s.benchmark == name}
                for side in (of_base, of_arm)
            ]
            result, fair = _judge(claim, (base, arm), evidence, of_base=sides[0], of_arm=sides[1])
            results.append(result)
            fairness += fair
    return Verdicts(results or [missing(claim, remark("no-greedy-run-of-both"))], fairness)


def _fitting(claim: Claim, arm: Arm, evidence: Evidence) -> BySetting:
    low, high = claim.decision.temperatures
    measured = evidence.measured_of(arm)
    return {s: by for s, by in measured.items() if low <= s.sampling.temperature <= high}


def _judge(
    claim: Claim,
    arms: tuple[Arm, Arm],
    evidence: Evidence,
    *,
    of_base: BySetting,
    of_arm: BySetting,
) -> tuple[ClaimResult, list[Fairness]]:
    base, arm = arms
    (benchmark,) = {setting.benchmark for setting in of_arm}
    under = max(of_arm, key=lambda s: (len(of_arm[s]), _shared_by(of_arm[s].values()), repr(s)))
    measured = set.intersection(*(set(outcomes.problems) for outcomes in of_arm[under].values()))
    whole = {
        setting: by
        for setting, by in of_base.items()
        if setting.golds_sha256 == under.golds_sha256
        and all(measured <= set(outcomes.problems) for outcomes in by.values())
    }
    templates = sorted({setting.template for setting in whole})
    wanted = claim.decision.templates
    labels = (base.label, arm.label)
    if len(templates) < wanted:
        lacks = remark(
            "templates-short", measured=len(templates), needed=wanted, benchmark=benchmark,
            templates=tuple(templates), problems=len(measured), label=arm.label,
        )  # fmt: skip
        return missing(claim, lacks, arms=labels), []
    shared = sorted(measured - evidence.trained_on((base, arm)))
    if len(shared) < 2:
        return missing(claim, remark("no-untrained-problems", label=arm.label), arms=labels), []
    rates = {setting: rates_by_seed(list(by.values()), shared) for setting, by in whole.items()}
    best = max(rates, key=lambda setting: (rates[setting].mean(), repr(setting)))
    right = rates_by_seed(list(of_arm[under].values()), shared)
    difference = difference_of(rates[best], right)
    name = remark(
        "best-template-difference", right=arm.label, right_template=under.template,
        left=base.label, left_template=best.template, benchmark=benchmark,
    )  # fmt: skip
    figure = figure_of(name, difference)
    why = remark(
        "best-template", gain=difference, template=best.template, templates=len(templates),
        seeds=len(right), checkpoints=len(arm.digests), label=arm.label,
    )  # fmt: skip
    result = concluded(
        claim,
        decide(figure.interval, claim.decision),
        why=[why],
        arms=labels,
        benchmarks=(benchmark,),
        figures=[figure],
        lacks=seeds_short(claim, [(claim.right, len(right))]),
        would_decide=more_needed(figure, claim.decision, of="problems and seeds"),
    )
    return result, [fairness_of(evidence, (base, arm), settings=(best, under), problems=measured)]


def _shared_by(all_outcomes: Iterable[Outcomes]) -> int:
    return len(set.intersection(*(set(outcomes.problems) for outcomes in all_outcomes)))
