"""Claims of a paper: which hold here, which fail, and what would decide the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from emdiag.core.claims import ClaimFigure, ClaimResult, ClaimsResult, ClaimVerdict
from emdiag.findings.cautions import as_sentence, distinct, note_sentences
from emdiag.findings.numbers import (
    NOTHING,
    change,
    count,
    listed,
    percent_cell,
    points_cell,
    quantity,
    statistic,
    true_minus,
)
from emdiag.findings.page import Cell, Findings, Statement, Table, Tone, statement, table_of
from emdiag.findings.remarks import all_words, words_of

TITLE: Final = "Claims of the paper, measured"
QUESTION: Final = "Which claims about entropy minimisation hold on these checkpoints?"
_TONES: Final[Mapping[ClaimVerdict, Tone]] = {
    "holds": "better",
    "fails": "worse",
    "undecided": "undecided",
}
_VERBS: Final[Mapping[ClaimVerdict, tuple[str, str]]] = {
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "undecided": ("is undecided", "are undecided"),
}


def claims_findings(result: ClaimsResult) -> Findings:
    """Every claim with its verdict, and the reason for each."""
    return Findings(
        tables=(claims_table(result, has_plans=False),) if result.claims else (),
        statements=verdict_statements(result),
        cautions=claims_cautions(result),
        next=(f"looked at {result.store}; the rules are in reports/claims.toml",),
    )


def verdict_statements(result: ClaimsResult) -> tuple[Statement, ...]:
    """How many claims hold and fail, then each with its reason, undecided ones last."""
    if not result.claims:
        return (Statement(words="No claim could be measured with these runs", kind="verdicts"),)
    return (
        verdicts_statement(result),
        *(
            _verdict(claim)
            for verdict in _VERBS
            for claim in result.claims
            if claim.verdict == verdict
        ),
    )


def verdicts_statement(result: ClaimsResult) -> Statement:
    """Such as `Of 12 claims 5 hold, 4 fail and 3 are undecided on these checkpoints`."""
    numbers = {
        verdict: sum(claim.verdict == verdict for claim in result.claims) for verdict in _VERBS
    }
    parts = listed([f"{n} {_VERBS[verdict][n != 1]}" for verdict, n in numbers.items() if n])
    claims = len({claim.id for claim in result.claims})
    if claims < len(result.claims):
        verdicts = count(len(result.claims), "verdict")
        words = f"{verdicts} on {count(claims, 'claim')}: {parts} on these checkpoints"
    else:
        words = f"Of {count(claims, 'claim')} {parts} on these checkpoints"
    return Statement(words=words, kind="verdicts")


def _verdict(claim: ClaimResult) -> Statement:
    verb = _VERBS[claim.verdict][0]
    outcome = f" ({claim.outcome})" if claim.outcome else ""
    sentence = f"{claim_name(claim)} {verb}{outcome}: {all_words(claim.why)}"
    first = claim.figures[0] if claim.figures else None
    return statement(sentence, claim.verdict, claim.id, of=first, tone=_TONES[claim.verdict])


def claims_table(result: ClaimsResult, *, has_plans: bool = True) -> Table:
    """A row for each claim and set of checkpoints; with what would decide open ones."""
    return table_of(
        result.claims,
        "Claims with their verdict and the number that decides, 95 % intervals",
        (
            ("id", lambda claim: Cell(text=claim.id, hint=claim.rule)),
            (
                "claim",
                lambda claim: Cell(
                    text=claim.statement, below=_would_decide(claim) if has_plans else None
                ),
            ),
            ("checkpoints", lambda claim: listed(claim.arms) or NOTHING),
            ("verdict", _verdict_cell),
            ("measured", _decisive),
            (
                "published",
                lambda claim: true_minus(claim.published) if claim.published else NOTHING,
            ),
        ),
        note="A claim holds or fails only where its whole interval is on the stated side of its "
        "bound.",
        secondary=("published",),
        is_prose=True,
    )


def _verdict_cell(claim: ClaimResult) -> Cell:
    return Cell(
        text=claim.verdict,
        below=claim.outcome,
        tone=_TONES[claim.verdict],
        hint=all_words(claim.why),
    )


def _decisive(claim: ClaimResult) -> Cell:
    """The number that decides."""
    if not claim.figures:
        return Cell(text=NOTHING)
    return Cell(text=measured(claim.figures[0]), hint=words_of(claim.figures[0].name))


def _would_decide(claim: ClaimResult) -> str | None:
    if claim.verdict != "undecided" or not claim.would_decide:
        return None
    return f"What would decide it: {words_of(claim.would_decide)}"


def claims_detail_tables(result: ClaimsResult) -> tuple[Table, ...]:
    """Rules, reasons and every number; empty without claims."""
    if not result.claims:
        return ()
    return (
        table_of(
            result.claims,
            "Why each verdict",
            (
                ("claim", claim_name),
                ("verdict", lambda claim: replace(_verdict_cell(claim), hint=None)),
                ("rule", lambda claim: claim.rule),
                ("why", lambda claim: all_words(claim.why)),
            ),
            is_prose=True,
        ),
        table_of(
            [(claim, figure) for claim in result.claims for figure in claim.figures],
            "Numbers behind the verdicts",
            (
                ("claim", lambda row: claim_name(row[0])),
                ("statistic", lambda row: words_of(row[1].name)),
                ("value", lambda row: measured(row[1])),
                ("unit", lambda row: row[1].unit),
                ("interval by", lambda row: row[1].interval.method if row[1].interval else NOTHING),
            ),
        ),
    )


def measured(figure: ClaimFigure) -> str:
    """The value in its unit with its interval; shares in percent, their differences in points."""
    value, interval, unit = figure.value, figure.interval, figure.unit
    if value is None:
        return "not measured"
    match unit:
        case "points" | "points per unit of T":
            number = f"{points_cell(value, interval)} {unit}"
        case "share":
            number = f"{percent_cell(value, interval)} %"
        case "nats" | "times" | "standard errors":
            number = f"{statistic(value, interval)} {unit}"
        case "skewness":
            number = change(value, interval)
        case "count":
            number = quantity(value, interval)
        case "AUROC" | "rank correlation":
            number = f"{unit} {statistic(value, interval)}"
    return number


def claim_name(claim: ClaimResult) -> str:
    """The id; with the checkpoints where there are any."""
    return f"{claim.id} ({listed(claim.arms)})" if claim.arms else claim.id


def claims_cautions(result: ClaimsResult) -> tuple[str, ...]:
    """The notes, and what would settle the open verdicts."""
    undecided = [
        f"{claim_name(claim)} is undecided; it would take: {words_of(claim.would_decide)}"
        for claim in result.claims
        if claim.verdict == "undecided" and claim.would_decide
    ]
    return distinct([*note_sentences(result.notes), *map(as_sentence, undecided)])
