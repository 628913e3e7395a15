"""Claims on the order of training: one chain gains, the other one loses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from emdiag.findings.numbers import points
from emdiag.ledger.claims_file import (
    ROLE_WORDS,
    all_of,
    concluded,
    decide,
    missing,
    more_needed,
    points_figure,
)
from emdiag.ledger.fairness import Verdicts
from emdiag.ledger.rates import mean_difference, pairs

if TYPE_CHECKING:
    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Claim, ClaimFigure, ClaimResult, ClaimVerdict, Decision, Role
    from emdiag.ledger.evidence import Evidence
    from emdiag.ledger.rates import Pair


def order(claim: Claim, evidence: Evidence) -> Verdicts:
    """`right` against `left` by the rule, and `also` against `left` by its mirror image.

    Every `left` arm gives one result, with the last arm of either chain; of those that went on
    from a `left` arm, the last that went on from this one.
    """
    alone, also = evidence.of(claim.left), claim.also
    assert also is not None, "the order of training needs a third side"
    absent = [ROLE_WORDS[role] for role in (claim.left, claim.right, also) if not evidence.of(role)]
    if not alone or len(absent) > 1:
        what = f"no checkpoint of {' or '.join(absent)} was named in a result"
        return Verdicts([missing(claim, what)])
    judged = [_judge(claim, arm, also, evidence) for arm in alone]
    return Verdicts(
        [result for result, _ in judged], [pair.fairness for _, of in judged for pair in of]
    )


def _judge(
    claim: Claim, alone: Arm, also: Role, evidence: Evidence
) -> tuple[ClaimResult, list[Pair]]:
    """The verdict, and the pairs that it rests on."""
    sides: tuple[tuple[Role, Decision], ...] = (
        (claim.right, claim.decision),
        (also, _mirrored(claim.decision)),
    )
    figures: list[ClaimFigure] = []
    verdicts: list[ClaimVerdict] = []
    arms, all_pairs, helps, seeds = [alone.label], [], [], []
    for role, decision in sides:
        chain, measured = _chain(claim, alone, role, evidence)
        name = f"{ROLE_WORDS[role]} minus {ROLE_WORDS[claim.left]}"
        value, interval = mean_difference(measured) if measured else (None, None)
        figure = points_figure(name, value, interval)
        verdict = decide(interval, decision)
        lacks = _seeds_short(measured, decision)
        if lacks:
            verdict = "undecided"
        if chain is not None:
            arms.append(chain.label)
        if not measured:
            helps.append(claim.to_measure)
        elif lacks:
            helps.append(f"{name}: {lacks}; {claim.to_measure}")
        elif verdict == "undecided":
            helps.append(f"{name}: {more_needed(figure, decision, of='problems and seeds')}")
        seeds.append(_seeds(measured))
        all_pairs += measured
        figures.append(figure)
        verdicts.append(verdict)
    result = concluded(
        claim,
        all_of(verdicts),
        why="; ".join(_spoken(part) + of for part, of in zip(figures, seeds, strict=True)),
        arms=arms,
        benchmarks=[pair.setting.benchmark for pair in all_pairs],
        figures=[figure for figure in figures if figure.value is not None],
        would_decide="; ".join(dict.fromkeys(helps)),
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


def _seeds_short(measured: list[Pair], decision: Decision) -> str | None:
    fewest = min((len(side) for pair in measured for side in (pair.left, pair.right)), default=0)
    if not measured or fewest >= decision.seeds:
        return None
    return f"{decision.seeds} training seeds on either side ({fewest} measured)"


def _seeds(measured: list[Pair]) -> str:
    """How many seeds of the chain and of the other side were measured, in words."""
    if not measured:
        return ""
    return f" ({len(measured[0].right)} and {len(measured[0].left)} seeds)"


def _mirrored(decision: Decision) -> Decision:
    side = "below" if decision.side == "above" else "above"
    return msgspec.structs.replace(decision, side=side, bound=-decision.bound)


def _spoken(figure: ClaimFigure) -> str:
    if figure.value is None:
        return f"{figure.name} is not measured"
    return f"{figure.name} {points(figure.value, figure.interval)}"
