"""Claims on the order of training: one chain gains, the other one loses."""

from __future__ import annotations

import msgspec

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimFigure, ClaimResult, ClaimVerdict, Decision, Role
from emdiag.core.results import as_given, remark
from emdiag.ledger.claims_file import (
    Verdicts,
    all_of,
    concluded,
    decide,
    figure_of,
    missing,
    more_needed,
)
from emdiag.ledger.evidence import Evidence
from emdiag.ledger.rates import Pair, mean_difference, pairs


def order(claim: Claim, evidence: Evidence) -> Verdicts:
    """`right` against `left` by the rule, and `also` against `left` by its mirror image.

    Every `left` arm gives one result, with the last arm of either chain; of those that went on
    from a `left` arm, the last that went on from this one.
    """
    alone, also = evidence.of(claim.left), claim.also
    assert also is not None, "the order of training needs a third side"
    absent = tuple(role for role in (claim.left, claim.right, also) if not evidence.of(role))
    if not alone or len(absent) > 1:
        return Verdicts([missing(claim, remark("no-checkpoint", roles=absent))])
    judged = [_judge(claim, arm, also, evidence) for arm in alone]
    return Verdicts(
        [result for result, _ in judged], [pair.fairness for _, of in judged for pair in of]
    )


def _judge(
    claim: Claim, alone: Arm, also: Role, evidence: Evidence
) -> tuple[ClaimResult, list[Pair]]:
    sides: tuple[tuple[Role, Decision], ...] = (
        (claim.right, claim.decision),
        (also, _mirrored(claim.decision)),
    )
    figures: list[ClaimFigure] = []
    verdicts: list[ClaimVerdict] = []
    why, helps, arms, all_pairs, deciding = [], [], [alone.label], [], 0
    for role, decision in sides:
        chain, measured = _chain(claim, alone, role, evidence)
        if chain is not None:
            arms.append(chain.label)
        if not measured:
            why.append(remark("order-not-measured", right=role, left=claim.left))
            verdicts.append("undecided")
            helps.append(as_given(claim.to_measure))
            continue
        gain = mean_difference(measured)
        figure = figure_of(remark("order-difference", right=role, left=claim.left), gain)
        verdict = decide(figure.interval, decision)
        seeds = [len(side) for pair in measured for side in (pair.right, pair.left)]
        deciding += min(seeds) >= decision.seeds
        if min(seeds) < decision.seeds:
            verdict = "undecided"
            helps.append(
                remark(
                    "order-seeds", right=role, left=claim.left, needed=decision.seeds,
                    measured=min(seeds), plan=claim.to_measure,
                )
            )  # fmt: skip
        elif verdict == "undecided":
            needed = more_needed(figure, decision, of="problems and seeds")
            helps.append(remark("order-needs", right=role, left=claim.left, needed=(needed,)))
        why.append(
            remark(
                "order-gain", right=role, left=claim.left, gain=gain, right_seeds=seeds[0],
                left_seeds=seeds[1],
            )
        )  # fmt: skip
        figures.append(figure)
        verdicts.append(verdict)
        all_pairs += measured
    result = concluded(
        claim,
        all_of(verdicts),
        why=why,
        arms=arms,
        benchmarks=[pair.benchmark for pair in all_pairs],
        figures=figures,
        would_decide=remark("all-of", parts=tuple(dict.fromkeys(helps))),
        deciding=deciding,
    )
    return result, all_pairs


def _chain(
    claim: Claim, alone: Arm, role: Role, evidence: Evidence
) -> tuple[Arm | None, list[Pair]]:
    chains = evidence.of(role)
    if role == claim.also:
        chains = [chain for chain in chains if _may_follow(chain, alone, evidence)]
    if not chains:
        return None, []
    return chains[-1], pairs(evidence, alone, chains[-1], decision=claim.decision)


def _may_follow(chain: Arm, alone: Arm, evidence: Evidence) -> bool:
    """Whether the chain went on from `alone`, or does not say from what."""
    parents = {
        evidence.manifests[d].parent_digest for d in chain.digests if d in evidence.manifests
    }
    return not parents or not parents.isdisjoint(alone.digests)


def _mirrored(decision: Decision) -> Decision:
    side = "below" if decision.side == "above" else "above"
    return msgspec.structs.replace(decision, side=side, bound=-decision.bound)
