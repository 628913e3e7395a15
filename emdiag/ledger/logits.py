"""Claims on logits: skewness of an arm against the base, and entropy of right answers."""

from __future__ import annotations

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimFigure, ClaimResult, ClaimVerdict, Role
from emdiag.core.logit_skew import OWN, LogitEstimate, LogitSkewResult
from emdiag.core.results import Amount, Remark, remark
from emdiag.findings.logits.rows import (
    AUROC,
    SKEWNESS,
    TENTHS,
    LogitRows,
    difference_remark,
    skewness_sees,
)
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
    return Verdicts(results or [missing(claim, remark("no-readings"))])


def entropy_auroc(claim: Claim, evidence: Evidence) -> Verdicts:
    """Chance that a right answer has less mean entropy than a wrong one of its problem."""
    results = []
    for study, arm in _last(claim.right, evidence):
        estimate = LogitRows(study).find(arm.label, OWN, AUROC)
        if estimate is not None:
            results.append(_entropy(claim, study, arm, estimate))
    return Verdicts(results or [missing(claim, remark("no-right-and-wrong"))])


def _skewness(
    claim: Claim, study: LogitSkewResult, arm: Arm, estimate: LogitEstimate
) -> ClaimResult:
    difference = estimate.difference
    reason = difference_remark(LogitRows(study), arm.label, study.base, SKEWNESS)
    assert difference is not None
    assert reason is not None
    verdict = tested(decide(difference.interval, claim.decision), difference.p_holm, claim.decision)
    name = remark("skewness-difference", label=arm.label, base=study.base)
    figures = [figure_of(name, difference, "skewness")]
    why = [
        reason,
        remark("seeds", seeds=estimate.seeds),
        remark("vocabulary", tokens=study.vocab_size),
        skewness_sees(LogitRows(study), study.base),
    ]
    published = _as_published(study, arm.label)
    if published is not None and published.value is not None:
        amount = Amount(published.value, published.interval)
        differs = decide(published.interval, claim.decision) != verdict
        why.append(remark("as-published", change=amount, differs=differs))
        figures.append(published)
    return _judged(claim, study, (arm, estimate), verdict=verdict, figures=figures, why=why)


def _entropy(
    claim: Claim, study: LogitSkewResult, arm: Arm, estimate: LogitEstimate
) -> ClaimResult:
    """By the mean over whole texts; each tenth of the texts stands beside it."""
    figure = figure_of(remark("auroc-of", label=arm.label), estimate, "AUROC")
    tenths = [
        figure_of(remark("auroc-of-part", label=arm.label, part=row.part), row, "AUROC")
        for row in LogitRows(study).by_part(arm.label, OWN, AUROC, TENTHS)
    ]
    value = Amount(estimate.value, estimate.interval)
    why = remark("auroc", value=value, problems=estimate.problems)
    verdict = decide(figure.interval, claim.decision)
    figures = [figure, *tenths]
    return _judged(claim, study, (arm, estimate), verdict=verdict, figures=figures, why=[why])


def _judged(
    claim: Claim,
    study: LogitSkewResult,
    measured: tuple[Arm, LogitEstimate],
    *,
    verdict: ClaimVerdict,
    figures: list[ClaimFigure],
    why: list[Remark],
) -> ClaimResult:
    """The verdict of the first figure, if enough seeds, problems and samples bear it."""
    (arm, estimate), wanted = measured, claim.decision
    lacks = seeds_short(claim, [(claim.right, estimate.seeds)])
    if estimate.problems < wanted.problems:
        short = remark("problems-short", needed=wanted.problems, measured=estimate.problems)
        lacks.append(short)
    if study.samples < wanted.samples:
        lacks.append(remark("samples-short", needed=wanted.samples, drawn=study.samples))
    return concluded(
        claim,
        verdict,
        why=why,
        arms=(study.base, arm.label),
        benchmarks=(study.benchmark,),
        figures=figures,
        lacks=lacks,
        would_decide=more_needed(
            figures[0], claim.decision, of="problems (`emdiag logits-skew --limit`)"
        ),
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
    name = remark("published-difference", label=label, base=study.base, step=first.name)
    return figure_of(name, Amount(value.change, value.change_interval), "skewness")
