"""What a study of logits says; nothing is called higher or lower that is undecided."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from emdiag.findings.cautions import arm_cautions, as_sentence, distinct, few_problems, truncation
from emdiag.findings.logits.rows import (
    COOLING_SHARE,
    COOLING_TEMPERATURE,
    ENTROPY,
    KL,
    POOLED_SKEWNESS,
    SKEWNESS,
    LogitRows,
    amount,
    statement_on,
)
from emdiag.findings.logits.tables import study_tables
from emdiag.findings.numbers import listed, moved, percent, short
from emdiag.findings.page import Findings, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.logit_skew import Decomposition, Finding, LogitEstimate, LogitSkewResult
    from emdiag.core.results import Direction
    from emdiag.findings.logits.rows import LogitStatistic

_NAMES: Final[Mapping[LogitStatistic, str]] = {
    SKEWNESS: "per-token skewness",
    POOLED_SKEWNESS: "pooled skewness",
    ENTROPY: "entropy in nats",
}
_KINDS: Final[Mapping[LogitStatistic, str]] = {
    SKEWNESS: "skewness",
    POOLED_SKEWNESS: "pooled skewness",
    ENTROPY: "entropy",
}
"""Statistics that a checkpoint and the base are compared by in words, and the statements' kinds."""

_HEADLINE: Final = frozenset({"skewness", "cooling"})
_COOLING: Final[Mapping[Finding, str]] = {
    "cooling": "is cooling",
    "partly cooling": "is partly cooling",
    "not cooling": "is not cooling",
    "undecided": "may or may not be cooling",
}


def logit_findings(
    result: LogitSkewResult, *, all_texts: bool = False, all_statistics: bool = True
) -> Findings:
    """Tables, statements and cautions of a study.

    Args:
        result: Of the study.
        all_texts: Whether to speak of every text, not of the base's and own texts alone.
        all_statistics: Whether tables hold every statistic, not the main ones alone.
    """
    rows = LogitRows(result)
    return Findings(
        tables=study_tables(rows, all_statistics=all_statistics),
        statements=tuple(text_statements(rows, rows.texts if all_texts else rows.main_texts)),
        cautions=logit_cautions(result),
        files=tuple(f"figure: {figure}.svg" for figure in result.figures),
        next=(
            *(() if all_statistics else ("every statistic: --wide, --json or --report FILE.html",)),
            f"runs and traces are in {result.store}; the same command continues them",
        ),
    )


def logit_cautions(result: LogitSkewResult) -> tuple[str, ...]:
    """The notes of a study, and what else a reader should know before trusting its numbers."""
    sampled = {
        f"{text.writer}'s text ({text.name})": text.truncated_frac
        for text in result.texts
        if text.temperature is not None
    }
    undefined = sorted({row.statistic for row in result.estimates if row.value is None})
    return distinct(
        [
            *(as_sentence(note) for note in result.notes),
            *few_problems({result.benchmark: result.problems}),
            *truncation(sampled),
            *([f"Not defined for some checkpoints: {listed(undefined)}."] if undefined else []),
            *arm_cautions(result.arms),
        ]
    )


def text_statements(rows: LogitRows, texts: Sequence[str]) -> list[Statement]:
    """What is said of each checkpoint against the base on these texts, the most important first."""
    return [
        statement
        for text in texts
        for label in rows.compared
        for statement in (
            difference_statement(rows, label, text, SKEWNESS),
            cooling_statement(rows, label, text),
            difference_statement(rows, label, text, ENTROPY),
            difference_statement(rows, label, text, POOLED_SKEWNESS),
            _opposite_statement(rows, label, text),
        )
        if statement is not None
    ]


def headline_statements(rows: LogitRows) -> list[Statement]:
    """Of each checkpoint its skewness and whether the change is cooling, on one text.

    On the base's own text or, where nothing was compared there, on the first text where it was.
    """
    for text in rows.texts:
        statements = text_statements(rows, [text])
        if statements:
            return [each for each in statements if each.kind in _HEADLINE] or statements
    return skewness_statements(rows, rows.texts[0], SKEWNESS) if rows.texts else []


def difference_statement(
    rows: LogitRows, label: str, text: str, of: LogitStatistic
) -> Statement | None:
    """A checkpoint against the base by one statistic; None where the two are not compared."""
    base = rows.result.base
    row, base_row = rows.find(label, text, of), rows.find(base, text, of)
    if row is None or row.difference is None:
        return None
    gap, where = row.difference, f"on {rows.text_name(text)}"
    before = None if base_row is None else base_row.value
    difference = f"{_NAMES[of]} {moved(before, row.value, gap.value, gap.interval)}"
    if gap.direction != "undecided":
        word = _certain(gap.direction) if of == ENTROPY else _skewed(gap.direction, row, base_row)
        words = f"{label} is {word} than {base} {where}: {difference}"
    elif gap.interval is None:
        words = f"{label} against {base} {where}: {difference}, without an interval"
    else:
        words = f"No significant difference between {label} and {base} {where}: {difference}"
    subject = rows.subject(label, text)
    return statement_on(subject, words, kind=_KINDS[of], of=gap, direction=gap.direction)


def _certain(direction: Direction) -> str:
    return "less certain" if direction == "higher" else "more certain"


def _skewed(direction: Direction, *rows: LogitEstimate | None) -> str:
    """Such as `less right-skewed`; of skews on both sides of zero, the side it moved to."""
    values = [row.value for row in rows if row is not None and row.value is not None]
    if direction == "lower":
        return "less right-skewed" if min(values) > 0 else "more left-skewed"
    return "less left-skewed" if max(values) < 0 else "more right-skewed"


def skewness_statements(rows: LogitRows, text: str, of: LogitStatistic) -> list[Statement]:
    """Of each checkpoint against the base; where the two are not compared, what was measured."""
    base = rows.result.base
    statements = [
        difference_statement(rows, label, text, of) or _values_statement(rows, label, text, of)
        for label in rows.compared
        if rows.find(label, text, of) is not None
    ]
    return statements or [_values_statement(rows, base, text, of)]


def _values_statement(rows: LogitRows, label: str, text: str, of: LogitStatistic) -> Statement:
    base, subject = rows.result.base, rows.subject(label, text)
    row = rows.find(label, text, of)
    words = f"{subject}: {_NAMES[of]} {amount(row)}"
    if label != base:
        words += f", {base} {amount(rows.find(base, text, of))}; unpaired, so not compared"
    return statement_on(subject, words, kind=_KINDS[of], of=row)


def _opposite_statement(rows: LogitRows, label: str, text: str) -> Statement | None:
    """Where pooled and per-token skewness moved to different sides, both significantly."""
    directions: list[Direction] = [
        row.difference.direction
        for of in (SKEWNESS, POOLED_SKEWNESS)
        if (row := rows.find(label, text, of)) is not None and row.difference is not None
    ]
    if sorted(directions) != ["higher", "lower"]:
        return None
    per_token, pooled = directions
    subject = rows.subject(label, text)
    words = (
        f"The skewness of {subject} is {per_token} per token and {pooled} pooled: the pooled value "
        "also counts offsets between positions, which change no probability"
    )
    return statement_on(subject, words, kind="opposite skewness", direction=per_token)


def cooling_statement(rows: LogitRows, label: str, text: str) -> Statement | None:
    """How much of the change one temperature explains; None where nothing was decomposed."""
    parts = rows.decomposition(label, text)
    if parts is None:
        return None
    base, where = rows.result.base, f"on {rows.text_name(text)}"
    kl, share = rows.find(label, text, KL), rows.find(label, text, COOLING_SHARE)
    nats = f"KL of {amount(kl) if kl else short(parts.kl_nats)} nats per token"
    if parts.finding == "unchanged":
        words = f"{label} is as good as unchanged from {base} {where}: {nats}"
    else:
        verdict = f"The change from {base} to {label} {_COOLING[parts.finding]} {where}"
        explained = ""
        if share is not None:
            part = percent(share.value, share.interval)
            explained = f"{_best_temperature(rows, parts)} explains {part} of the "
        words = f"{verdict}: {explained}{nats}"
    statement = statement_on(rows.subject(label, text), words, kind="cooling", of=share)
    return replace(statement, tone="undecided") if parts.finding == "undecided" else statement


def cooling_statements(rows: LogitRows, text: str) -> list[Statement]:
    """Of all checkpoints that were compared with the base on a text."""
    spoken = (cooling_statement(rows, label, text) for label in rows.labels)
    return [statement for statement in spoken if statement is not None]


def _best_temperature(rows: LogitRows, parts: Decomposition) -> str:
    if parts.temperature is None:
        return "no temperature from 1/8 to 4 is best, and the better end"
    row = rows.find(parts.checkpoint, parts.text, COOLING_TEMPERATURE)
    return f"one temperature (T = {amount(row) if row else short(parts.temperature)})"
