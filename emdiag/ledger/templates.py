"""Claims that a gain is more than what another prompt template gives the base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings.numbers import points
from emdiag.ledger.claims_file import concluded, decide, missing, more_needed, points_figure
from emdiag.ledger.fairness import Verdicts, fairness_of
from emdiag.ledger.rates import difference_interval
from emdiag.studies.stored.outcomes import rates_by_seed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Claim, ClaimResult
    from emdiag.ledger.evidence import BySetting, Evidence
    from emdiag.ledger.fairness import Fairness
    from emdiag.studies.stored.outcomes import Outcomes


def best_template(claim: Claim, evidence: Evidence) -> Verdicts:
    """An arm minus the base under whichever template suits the base best, benchmark by benchmark.

    The best one is chosen by the scores that are compared, which favours the base: the claim
    holds too seldom rather than too often, and fails too often. Templates count under which the
    base was run on all problems that the arm was.
    """
    results, fairness = [], []
    for arm in evidence.of(claim.right):
        for base in evidence.opposite(claim.left, arm):
            of_arm, of_base = (_fitting(claim, side, evidence) for side in (arm, base))
            names = sorted({s.benchmark for s in of_arm} & {s.benchmark for s in of_base})
            for name in names:
                sides = [
                    {s: by for s, by in side.items() if s.benchmark == name}
                    for side in (of_base, of_arm)
                ]
                result, fair = _judge(
                    claim, (base, arm), evidence, of_base=sides[0], of_arm=sides[1]
                )
                results.append(result)
                fairness += fair
    what = "no greedy run of base and EM on one benchmark"
    return Verdicts(results or [missing(claim, what)], fairness)


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
    if len(templates) < wanted:
        lacks = missing(
            claim,
            f"the base was run under {len(templates)} of {wanted} templates on {benchmark} "
            f"({', '.join(templates) or 'none'}), counting those with equal golds on all "
            f"{len(measured)} problems of {arm.label}",
            arms=(base.label, arm.label),
        )
        return lacks, []
    shared = sorted(measured - evidence.trained_on((base, arm)))
    if len(shared) < 2:
        what = f"no two problems that {arm.label} was not trained on"
        return missing(claim, what, arms=(base.label, arm.label)), []
    rates = {setting: rates_by_seed(list(by.values()), shared) for setting, by in whole.items()}
    best = max(rates, key=lambda setting: (rates[setting].mean(), repr(setting)))
    right = rates_by_seed(list(of_arm[under].values()), shared)
    fairness = fairness_of(evidence, (base, arm), settings=(best, under), problems=measured)
    value = float(right.mean() - rates[best].mean())
    interval = difference_interval(rates[best], right)
    name = (
        f"{arm.label} ({under.template}) minus {base.label} under its best template "
        f"({best.template}) on {benchmark}"
    )
    figure = points_figure(name, value, interval)
    seeds = claim.decision.seeds
    is_enough = len(right) >= seeds
    helps = more_needed(figure, claim.decision, of="problems and seeds")
    result = concluded(
        claim,
        decide(interval, claim.decision) if is_enough else "undecided",
        why=f"{points(value, interval)} against {best.template}, the best of "
        f"{len(templates)}; {len(right)} of {len(arm.digests)} of {arm.label}",
        arms=(base.label, arm.label),
        benchmarks=(benchmark,),
        figures=[figure],
        would_decide=helps if is_enough else f"{seeds} training seeds ({len(right)} measured)",
    )
    return result, [fairness]


def _shared_by(all_outcomes: Iterable[Outcomes]) -> int:
    return len(set.intersection(*(set(outcomes.problems) for outcomes in all_outcomes)))
