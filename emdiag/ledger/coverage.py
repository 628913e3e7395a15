"""Claims on what a checkpoint can still do in many tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings.numbers import points
from emdiag.ledger.claims_file import concluded, decide, more_needed
from emdiag.ledger.gains import difference_figure, for_each_pair, measured_on, short_of
from emdiag.ledger.rates import pair_under
from emdiag.stats.samples import pass_at_k

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Claim, ClaimResult
    from emdiag.ledger.evidence import Evidence
    from emdiag.ledger.fairness import Verdicts
    from emdiag.ledger.rates import Pair


def coverage(claim: Claim, evidence: Evidence) -> Verdicts:
    """Unbiased pass@k of an arm minus the base's at the k of the rule, or the largest k there is.

    Of several temperatures and benchmarks, the one with most seeds, then most samples.
    """

    def judge(claim: Claim, left: Arm, right: Arm, measured: Sequence[Pair]) -> ClaimResult:
        best = max(measured, key=lambda pair: (pair.samples, len(pair.problems)))
        return _judge(claim, left, right, best, evidence)

    return for_each_pair(claim, evidence, judge=judge)


def _judge(claim: Claim, left: Arm, right: Arm, pair: Pair, evidence: Evidence) -> ClaimResult:
    wanted = claim.decision.samples
    ks = [k for k in (2**power for power in range(20)) if k < min(wanted, pair.samples)]
    ks.append(min(wanted, pair.samples))
    by_k = {
        k: pair_under(
            evidence,
            left,
            right,
            setting=pair.setting,
            value=lambda right, k=k: pass_at_k(len(right), sum(right), k),  # type: ignore[misc]
        )
        for k in ks
    }
    figures = [
        difference_figure(
            by_k[k], f"pass@{k}, {right.label} minus {left.label} on {measured_on(pair)}"
        )
        for k in sorted({ks[-1], 1}, reverse=True)
    ]
    lacks = short_of(claim, pair)
    if pair.samples < wanted:
        lacks = f"{wanted} samples of each problem ({pair.samples} drawn)"
    at_most, figure = ks[-1], figures[0]
    why = f"pass@{at_most} {points(by_k[at_most].difference, by_k[at_most].interval)}"
    why += f", checkpoints: {len(pair.left)} of {left.label}, {len(pair.right)} of {right.label}"
    crossing = _crossing(by_k)
    if crossing is not None:
        why += f"; the base passes {right.label} between k = {crossing[0]} and {crossing[1]}"
    return concluded(
        claim,
        decide(figure.interval, claim.decision),
        why=why,
        arms=(left.label, right.label),
        benchmarks=(pair.setting.benchmark,),
        figures=figures,
        lacks=lacks,
        would_decide=more_needed(figure, claim.decision, of="problems"),
    )


def _crossing(by_k: dict[int, Pair]) -> tuple[int, int] | None:
    """The last k at which the arm leads and the next one, at which it does not, by both intervals.

    None where it never leads, always does, or noise could make the two.
    """
    ks = sorted(by_k)
    ends = [(by_k[k].interval, k) for k in ks]
    leads = [k for interval, k in ends if interval is not None and interval.low > 0]
    trails = [k for interval, k in ends if interval is not None and interval.high < 0]
    if not leads or not trails or max(leads) > min(trails):
        return None
    last = max(k for k in ks if by_k[k].difference > 0 and k < min(trails))
    return last, min(k for k in ks if k > last)
