"""A look at a machine or a checkpoint, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from emdiag.core.doctor import Check, DoctorResult, EngineAgreement, GreedyDifference
from emdiag.findings.numbers import NOTHING, count, listed, percent_cell, short
from emdiag.findings.page import (
    Cell,
    Findings,
    Statement,
    Table,
    Tone,
    statement,
    table,
    table_of,
)
from emdiag.findings.remarks import words_of

_NOTE: Final = (
    "Greedy tokens that are equal; the reader is an uncached pass of transformers over the text of "
    "the engine beside it, two engines are compared up to where they part. Gap: of "
    "log-probabilities of tokens drawn at T 1, the engine's own minus the reader's, in nats. "
    "KL: of the sampler from the reader, by the estimators k1 and k3. Surprise: -log p of these "
    "tokens minus entropy, by the reader, in standard errors; up to 6 is chance."
)


def doctor_findings(result: DoctorResult) -> Findings:
    """Every line, whether engines agree, and what is wrong."""
    title = "This machine" if result.label is None else f"The checkpoint {result.label}"
    tables = [table(title, ("what", "state"), rows=[_row(c) for c in result.checks], is_prose=True)]
    if result.agreements:
        tables.append(_agreement_table(result))
    statements = [_agreement_statement(agreement) for agreement in result.agreements]
    if result.wrong:
        statements.append(statement(f"Wrong: {listed(result.wrong)}", "wrong", "", tone="worse"))
    elif result.error is None:
        statements.append(statement("Nothing that is needed is wrong", "wrong", ""))
    return Findings(tables=tuple(tables), statements=tuple(statements))


def _agreement_table(result: DoctorResult) -> Table:
    def of_gap(name: str) -> Callable[[EngineAgreement], str]:
        return lambda pair: short(getattr(pair.gap, name, None))

    prompts = count(result.agreements[0].prompts, "prompt")
    return table_of(
        result.agreements,
        f"Engines on {prompts} of {result.benchmark}",
        (
            ("pair", lambda a: f"{a.left} ({a.left_dtype}), {a.right} ({a.right_dtype})"),
            ("verdict", lambda a: a.verdict),
            ("equal greedy", lambda a: f"{percent_cell(a.equal / a.tokens)} % of {a.tokens:,}"),
            ("first difference", lambda a: _difference(a.first)),
            ("widest difference", lambda a: _difference(a.widest)),
            ("mean gap", of_gap("mean")),
            ("largest gap", of_gap("largest")),
            ("KL k1", of_gap("k1")),
            ("KL k3", of_gap("k3")),
            ("surprise, z", of_gap("surprise_z")),
        ),
        note=_NOTE,
    )


def _row(check: Check) -> tuple[str, Cell]:
    words = f"wrong: {words_of(check.state)}" if check.is_wrong else words_of(check.state)
    below = f"remedy: {words_of(check.remedy)}" if check.remedy else None
    return check.name, Cell(text=words, below=below)


def _difference(difference: GreedyDifference | None) -> str:
    if difference is None:
        return NOTHING
    return (
        f"token {difference.position} of {difference.problem_id}: {difference.left_token} or "
        f"{difference.right_token}, margins {short(difference.left_margin)} and "
        f"{short(difference.right_margin)}, {short(difference.reader_gap)} apart for the reader"
    )


def _agreement_statement(agreement: EngineAgreement) -> Statement:
    pair, gap = f"{agreement.left} and {agreement.right}", agreement.gap
    how = agreement.verdict.replace("near-ties", "differ at near-ties")
    equal = percent_cell(agreement.equal / agreement.tokens)
    words = f"{pair} {how} ({equal} % of greedy tokens equal"
    if gap is not None:
        words += f", mean gap {short(gap.mean)} nats, bound {short(agreement.bound)}"
        words += f", surprise {short(gap.surprise_z)} standard errors"
    tone: Tone = "worse" if agreement.verdict == "disagree" else "plain"
    return statement(f"{words})", "engine agreement", pair, tone=tone)
