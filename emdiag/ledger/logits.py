"""Claims on logits: skewness of an arm against the base, and entropy of right answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.core.claims import ClaimFigure
from emdiag.core.logit_skew import OWN
from emdiag.ledger.claims_file import concluded, decide, missing, more_needed, plain_number
from emdiag.ledger.fairness import Verdicts

if TYPE_CHECKING:
    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Claim, ClaimResult, Role
    from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult
    from emdiag.ledger.evidence import Evidence


def skewness(claim: Claim, evidence: Evidence) -> Verdicts:
    """Per-token skewness of raw logits on the base's texts; as published beside it.

    Where the figure as published says something else, the sentence says so: the verdict never
    rests on it.
    """
    found = []
    for study, arm in _last(claim.right, evidence):
        bases = {one.label for one in study.arms if evidence.role(one) == claim.left}
        if study.base not in bases:
            continue
        estimate = _estimate(study, arm.label, statistic="skewness", text=study.base)
        if estimate is not None and estimate.difference is not None:
            found.append(_skewness(claim, study, arm, estimate))
    what = "no study of logits read the base's texts with such an arm"
    return Verdicts(found or [missing(claim, what)])


def entropy_auroc(claim: Claim, evidence: Evidence) -> Verdicts:
    """Chance that a right answer has less mean entropy than a wrong one of its problem."""
    found = []
    for study, arm in _last(claim.right, evidence):
        estimate = _estimate(study, arm.label, statistic="entropy_auroc", text=OWN)
        if estimate is not None and estimate.value is not None:
            found.append(_entropy(claim, study, arm, estimate))
    what = "no study of logits has right and wrong answers of a problem"
    return Verdicts(found or [missing(claim, what)])


def _skewness(
    claim: Claim, study: LogitSkewResult, arm: Arm, estimate: LogitEstimate
) -> ClaimResult:
    change = estimate.difference
    assert change is not None
    figure = ClaimFigure(
        name=f"skewness of {arm.label} minus {study.base}, per token, raw, on the base's texts",
        value=change.value, interval=change.interval, unit="skewness",
    )  # fmt: skip
    published = _as_published(study, arm.label)
    verdict = decide(change.interval, claim.decision)
    why = f"{plain_number(change.value, change.interval)} per token ({estimate.seeds} seeds)"
    if published is not None and published.value is not None:
        why += f"; as published {plain_number(published.value, published.interval)}"
        if decide(published.interval, claim.decision) != verdict:
            why += ", which would say something else"
    return _judged(claim, study, arm, estimate, figures=[figure, published], why=why)


def _entropy(
    claim: Claim, study: LogitSkewResult, arm: Arm, estimate: LogitEstimate
) -> ClaimResult:
    figure = ClaimFigure(
        name=f"AUROC of entropy within problems, {arm.label}",
        value=estimate.value, interval=estimate.interval, unit="share",
    )  # fmt: skip
    assert estimate.value is not None
    why = (
        f"{plain_number(estimate.value, estimate.interval)} over {estimate.problems} problems "
        "with a right and a wrong answer"
    )
    return _judged(claim, study, arm, estimate, figures=[figure], why=why)


def _judged(
    claim: Claim,
    study: LogitSkewResult,
    arm: Arm,
    estimate: LogitEstimate,
    *,
    figures: list[ClaimFigure | None],
    why: str,
) -> ClaimResult:
    """The verdict of the first figure, if enough problems bear it."""
    figure, fewest = figures[0], claim.decision.problems
    assert figure is not None
    is_enough = estimate.problems >= fewest
    verdict = decide(figure.interval, claim.decision) if is_enough else "undecided"
    helps = more_needed(figure, claim.decision, of="problems (`emdiag logits-skew --problems`)")
    if not is_enough:
        why += f"; the rule asks for {fewest} problems"
        helps = f"{fewest} problems instead of {estimate.problems}: {claim.to_measure}"
    return concluded(
        claim,
        verdict,
        why=why,
        arms=(study.base, arm.label),
        benchmarks=(study.benchmark,),
        figures=[one for one in figures if one is not None],
        would_decide=helps,
    )


def _last(role: Role, evidence: Evidence) -> list[tuple[LogitSkewResult, Arm]]:
    """For each benchmark and label of this part, the last study that has it."""
    found = {
        (study.benchmark, arm.label): (study, arm)
        for study in evidence.studies
        for arm in study.arms
        if evidence.role(arm) == role
    }
    return list(found.values())


def _estimate(
    study: LogitSkewResult, label: str, *, statistic: str, text: str
) -> LogitEstimate | None:
    wanted = (label, text, statistic, "per_token", "raw", None)
    for one in study.estimates:
        if (
            one.checkpoint, one.text, one.statistic, one.kind, one.source, one.part
        ) == wanted:  # fmt: skip
            return one
    return None


def _as_published(study: LogitSkewResult, label: str) -> ClaimFigure | None:
    """The change as the released script would find it."""
    if study.published is None:
        return None
    for value in study.published.ladder[0].values:
        if value.checkpoint == label and value.change is not None:
            return ClaimFigure(
                name=f"skewness of {label} minus {study.base}, {study.published.ladder[0].name}",
                value=value.change, interval=value.change_interval, unit="skewness",
            )  # fmt: skip
    return None
