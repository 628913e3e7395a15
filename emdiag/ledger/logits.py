"""Claims on logits: skewness of an arm against the base, and entropy of right answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.core.claims import ClaimFigure
from emdiag.core.logit_skew import OWN
from emdiag.findings.logits.rows import AUROC, SKEWNESS, LogitRows, amount
from emdiag.findings.logits.statements import difference_statement
from emdiag.findings.numbers import change, count
from emdiag.ledger.claims_file import concluded, decide, missing, more_needed
from emdiag.ledger.fairness import Verdicts

if TYPE_CHECKING:
    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Claim, ClaimResult, Role
    from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult
    from emdiag.ledger.evidence import Evidence


def skewness(claim: Claim, evidence: Evidence) -> Verdicts:
    """Per-token skewness of raw logits on the base's texts; and as published.

    Where the figure as published says something else, the sentence says so: the verdict never
    rests on it.
    """
    results = []
    for study, arm in _last(claim.right, evidence):
        bases = [base.label for base in study.arms if evidence.role(base) == claim.left]
        if study.base not in bases:
            continue
        estimate = LogitRows(study).find(arm.label, study.base, SKEWNESS)
        if estimate is not None and estimate.difference is not None:
            results.append(_skewness(claim, study, arm, estimate))
    what = "no study of logits read the base's texts with such an arm"
    return Verdicts(results or [missing(claim, what)])


def entropy_auroc(claim: Claim, evidence: Evidence) -> Verdicts:
    """Chance that a right answer has less mean entropy than a wrong one of its problem."""
    results = []
    for study, arm in _last(claim.right, evidence):
        estimate = LogitRows(study).find(arm.label, OWN, AUROC)
        if estimate is not None:
            results.append(_entropy(claim, study, arm, estimate))
    what = "no study of logits has right and wrong answers of a problem"
    return Verdicts(results or [missing(claim, what)])


def _skewness(
    claim: Claim, study: LogitSkewResult, arm: Arm, estimate: LogitEstimate
) -> ClaimResult:
    difference = estimate.difference
    statement = difference_statement(LogitRows(study), arm.label, study.base, SKEWNESS)
    assert difference is not None
    assert statement is not None
    figure = ClaimFigure(
        name=f"skewness of {arm.label} minus {study.base}, per token, raw, on the base's texts",
        value=difference.value, interval=difference.interval, unit="skewness",
    )  # fmt: skip
    published = _as_published(study, arm.label)
    verdict = decide(difference.interval, claim.decision)
    why = f"{statement.words} ({count(estimate.seeds, 'seed')})"
    if published is not None and published.value is not None:
        why += f"; as published {change(published.value, published.interval)}"
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
    why = (
        f"{amount(estimate)} over {count(estimate.problems, 'problem')} with a right and a wrong "
        "answer"
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
    helps = more_needed(figure, claim.decision, of="problems (`emdiag logits-skew --limit`)")
    if not is_enough:
        why += f"; the rule asks for {fewest} problems"
        helps = f"{fewest} problems instead of {estimate.problems}: {claim.to_measure}"
    return concluded(
        claim,
        verdict,
        why=why,
        arms=(study.base, arm.label),
        benchmarks=(study.benchmark,),
        figures=[figure for figure in figures if figure is not None],
        would_decide=helps,
    )


def _last(role: Role, evidence: Evidence) -> list[tuple[LogitSkewResult, Arm]]:
    """For each benchmark and label of this part, the last study that has it."""
    last = {
        (study.benchmark, arm.label): (study, arm)
        for study in evidence.studies
        for arm in study.arms
        if evidence.role(arm) == role
    }
    return list(last.values())


def _as_published(study: LogitSkewResult, label: str) -> ClaimFigure | None:
    """The change as the released script would find it."""
    if study.published is None:
        return None
    first = study.published.ladder[0]
    value = first.value_of(label)
    if value is None or value.change is None:
        return None
    return ClaimFigure(
        name=f"skewness of {label} minus {study.base}, {first.name}",
        value=value.change, interval=value.change_interval, unit="skewness",
    )  # fmt: skip
