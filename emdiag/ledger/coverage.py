"""Claims on what a checkpoint can still do in many tries."""

from __future__ import annotations

from collections.abc import Sequence

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimResult
from emdiag.core.results import remark
from emdiag.ledger.claims_file import concluded, decide, figure_of, more_needed
from emdiag.ledger.evidence import Evidence
from emdiag.ledger.fairness import Verdicts
from emdiag.ledger.gains import for_each_pair, short_of
from emdiag.ledger.rates import Pair, pair_under
from emdiag.stats.samples import pass_at_k


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
        figure_of(
            remark(
                "pass-at-k-difference", k=k, right=right.label, left=left.label,
                benchmark=pair.benchmark, temperature=pair.temperature,
            ),
            by_k[k].difference,
        )
        for k in sorted({ks[-1], 1}, reverse=True)
    ]  # fmt: skip
    lacks = short_of(claim, pair)
    if pair.samples < wanted:
        lacks = [remark("samples-short", needed=wanted, drawn=pair.samples)]
    why = [
        remark(
            "pass-at-k", k=ks[-1], gain=by_k[ks[-1]].difference, left=left.label,
            right=right.label, left_seeds=len(pair.left), right_seeds=len(pair.right),
        )
    ]  # fmt: skip
    crossing = _crossing(by_k)
    if crossing is not None:
        why.append(remark("base-passes", label=right.label, low=crossing[0], high=crossing[1]))
    return concluded(
        claim,
        decide(figures[0].interval, claim.decision),
        why=why,
        arms=(left.label, right.label),
        benchmarks=(pair.benchmark,),
        figures=figures,
        lacks=lacks,
        would_decide=more_needed(figures[0], claim.decision, of="problems"),
    )


def _crossing(by_k: dict[int, Pair]) -> tuple[int, int] | None:
    """The last k at which the arm leads and the next one, at which it does not, by both intervals.

    None where it never leads, always does, or noise could make the two.
    """
    ks = sorted(by_k)
    ends = [(by_k[k].difference.interval, k) for k in ks]
    leads = [k for interval, k in ends if interval is not None and interval.low > 0]
    trails = [k for interval, k in ends if interval is not None and interval.high < 0]
    if not leads or not trails or max(leads) > min(trails):
        return None
    last = max(k for k in ks if (by_k[k].difference.value or 0) > 0 and k < min(trails))
    return last, min(k for k in ks if k > last)
