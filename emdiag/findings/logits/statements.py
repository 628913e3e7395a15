"""What a study of logits says; nothing is called higher or lower that is undecided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from emdiag.core.logit_skew import Decomposition, Finding, LogitEstimate, LogitSkewResult, QuirkStep
from emdiag.core.results import Amount, Direction
from emdiag.findings.cautions import (
    arm_cautions,
    distinct,
    few_problems,
    note_sentences,
    truncation,
    unfinished,
    untested,
)
from emdiag.findings.logits.rows import (
    COOLING_SHARE,
    COOLING_TEMPERATURE,
    ENTROPY,
    FLIPS,
    KL,
    NAMES,
    POOLED_SKEWNESS,
    RANKS,
    SHIFTS,
    SKEWNESS,
    TENTHS,
    LogitRows,
    LogitStatistic,
    amount,
    difference_remark,
    rank_range,
)
from emdiag.findings.logits.tables import study_tables
from emdiag.findings.numbers import ARROW, count, listed, moved, percent, short, statistic
from emdiag.findings.page import Findings, Statement, Tone, statement
from emdiag.findings.remarks import words_of

_HEADLINE: Final = frozenset({"skewness", "cooling"})
_COOLING: Final[Mapping[Finding, str]] = {
    "cooling": "is cooling",
    "partly cooling": "is partly cooling",
    "not cooling": "is not cooling",
    "undecided": "may or may not be cooling",
}
_SHIFTED: Final[Mapping[Direction, str]] = {
    "higher": "raised",
    "lower": "lowered",
    "undecided": "undecided",
}
_TOKEN_CHARACTERS: Final = 24


def logit_findings(
    result: LogitSkewResult, *, all_texts: bool = False, all_statistics: bool = True
) -> Findings:
    """Tables, statements and cautions of a study.

    By default they speak of the base's and own texts alone, and tables hold every statistic.
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
    thinking = {
        f"{text.writer}'s text ({text.name})": text.unfinished_frac for text in result.texts
    }
    undefined = sorted({row.statistic for row in result.estimates if row.value is None})
    return distinct(
        [
            *untested(
                (gap.direction != "undecided", gap.p_holm)
                for row in result.estimates
                if (gap := row.difference) is not None
            ),
            *note_sentences(result.notes),
            *few_problems({result.benchmark: result.problems}),
            *truncation(sampled),
            *unfinished(thinking),
            *([f"Not defined for some checkpoints: {listed(undefined)}."] if undefined else []),
            *arm_cautions(result.arms),
        ]
    )


def text_statements(rows: LogitRows, texts: Sequence[str]) -> list[Statement]:
    """What is said of each checkpoint against the base on these texts, the most important first."""
    return _defined(
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
    )


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
    row, facts = rows.find(label, text, of), difference_remark(rows, label, text, of)
    if facts is None or row is None or (gap := row.difference) is None:
        return None
    subject = rows.subject(label, text)
    return statement(words_of(facts), NAMES[of][0], subject, of=gap, direction=gap.direction)


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
    words = f"{subject}: {NAMES[of][1]} {amount(row)}"
    if label != base:
        words += f", {base} {amount(rows.find(base, text, of))}; unpaired, so not compared"
    return statement(words, NAMES[of][0], subject, of=row)


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
    return statement(words, "opposite skewness", subject, direction=per_token)


def cooling_statement(rows: LogitRows, label: str, text: str) -> Statement | None:
    """How much of the change one temperature explains; None where nothing was decomposed."""
    parts = rows.decompositions.get((label, text))
    if parts is None:
        return None
    base, where = rows.result.base, f"on {rows.text_name(text)}"
    kl, share = rows.find(label, text, KL), rows.find(label, text, COOLING_SHARE)
    nats = f"KL of {amount(kl) if kl else short(parts.kl_nats)} nats per token"
    if parts.finding == "unchanged":
        words = f"{label} is as good as unchanged from {base} {where}: {nats}"
    else:
        if share is not None:
            part = percent(share.value, share.interval)
            nats = f"{_best_temperature(rows, parts)} explains {part} of the {nats}"
        words = f"The change from {base} to {label} {_COOLING[parts.finding]} {where}: {nats}"
    tone: Tone = "undecided" if parts.finding == "undecided" else "plain"
    return statement(words, "cooling", rows.subject(label, text), of=share, tone=tone)


def cooling_statements(rows: LogitRows, text: str) -> list[Statement]:
    """Of all checkpoints that were compared with the base on a text."""
    return _defined(cooling_statement(rows, label, text) for label in rows.labels)


def _best_temperature(rows: LogitRows, parts: Decomposition) -> str:
    if parts.temperature is None:
        return "no temperature from 1/8 to 4 is best, and the better end"
    row = rows.find(parts.checkpoint, parts.text, COOLING_TEMPERATURE)
    return f"one temperature (T = {amount(row) if row else short(parts.temperature)})"


def tenth_statements(rows: LogitRows, text: str) -> list[Statement]:
    """In how many tenths of a text skewness and entropy differ from the base's.

    Where nothing is compared, the first and the last tenth of each checkpoint.
    """
    return _defined(_tenths_compared(rows, label, text) for label in rows.compared) or _defined(
        _first_and_last(rows, label, text) for label in rows.labels
    )


def _defined(statements: Iterable[Statement | None]) -> list[Statement]:
    return [statement for statement in statements if statement is not None]


def _tenths_compared(rows: LogitRows, label: str, text: str) -> Statement | None:
    counted = []
    for of in (SKEWNESS, ENTROPY):
        directions = [
            row.difference.direction
            for row in rows.by_part(label, text, of, TENTHS)
            if row.difference is not None
        ]
        if directions:
            counted.append(f"{NAMES[of][0]} {_in_tenths(directions)}")
    words = f"{label} against {rows.result.base} along {rows.text_name(text)}: {', '.join(counted)}"
    return statement(words, "along the text", rows.subject(label, text)) if counted else None


def _in_tenths(directions: Sequence[Direction]) -> str:
    """Such as `lower in 8 and higher in 1 of 10 tenths`."""
    words = [
        f"{direction} in {directions.count(direction)}"
        for direction in ("lower", "higher")
        if direction in directions
    ]
    if not words:
        return f"without a significant difference in {len(directions)} tenths"
    return f"{' and '.join(words)} of {len(directions)} tenths"


def _first_and_last(rows: LogitRows, label: str, text: str) -> Statement | None:
    ends = [
        f"{NAMES[of][0]} {amount(tenths[0])} {ARROW} {amount(tenths[-1])}"
        for of in (SKEWNESS, ENTROPY)
        if (tenths := rows.by_part(label, text, of, TENTHS))
    ]
    words = f"{label}, first to last tenth of {rows.text_name(text)}: {', '.join(ends)}"
    return statement(words, "along the text", rows.subject(label, text)) if ends else None


def shift_statements(rows: LogitRows, text: str) -> list[Statement]:
    """What became of the base's most likely token and of its least likely ones."""
    of = next((of for of in SHIFTS if rows.of_all(text, replace(of, part=RANKS[0]))), SHIFTS[0])
    name = "log-probability" if of.source == "log_prob" else "centred logit"
    statements = []
    for label in rows.labels:
        shifts = rows.by_part(label, text, of, RANKS)
        if len(shifts) > 1:
            head, tail = shifts[0], shifts[-1]
            words = (
                f"{label} against {rows.result.base} on {rows.text_name(text)}: {name} "
                f"{amount(head, signed=True)} at rank {rank_range(head.part or '')}, "
                f"{amount(tail, signed=True)} at {rank_range(tail.part or '')}: "
                f"{_head_and_tail(head, tail)}"
            )
            subject, to = (
                rows.subject(label, text),
                head.difference.direction if head.difference else None,
            )
            statements.append(statement(words, "shift by rank", subject, of=head, direction=to))
    return statements


def _head_and_tail(head: LogitEstimate, tail: LogitEstimate) -> str:
    if head.difference is None or tail.difference is None:  # stored before shifts had tests
        return "without a test"
    first, last = head.difference.direction, tail.difference.direction
    if first != last:
        return f"head {_SHIFTED[first]}, tail {_SHIFTED[last]}"
    if first != "undecided":
        return f"head and tail {_SHIFTED[first]}"
    return "no significant shift" if head.interval and tail.interval else "without an interval"


def published_statements(result: LogitSkewResult) -> list[Statement]:
    """Skewness as the released script measures it, and with every quirk undone."""
    published = result.published
    if published is None:
        return []
    labels = [arm.label for arm in result.arms if arm.label != result.base] or [result.base]
    return [_published_statement(result.base, label, published.steps) for label in labels]


def _published_statement(base: str, label: str, ladder: Sequence[QuirkStep]) -> Statement:
    first, last = ladder[0], ladder[-1]
    value = first.value_of(label)
    name = label if label == base else f"from {base} to {label}"
    words = f"Skewness {first.name}, {name}: {_quirk_amount(first, label, base)}"
    if last is not first:
        words += f"; with every quirk undone {_quirk_amount(last, label, base)}"
    if value is None:
        return statement(words, "published", label)
    return statement(words, "published", label, of=Amount(value.change, value.change_interval))


def _quirk_amount(step: QuirkStep, label: str, base: str) -> str:
    """Such as `0.02 -> 1.52 (+1.50 [1.38, 1.62])`, from the base to the checkpoint."""
    value, base_value = step.value_of(label), step.value_of(base)
    if value is None or value.skewness is None:
        return "not defined"
    if value.change is None or base_value is None:
        return statistic(value.skewness, value.interval)
    return moved(base_value.skewness, value.skewness, value.change, value.change_interval)


def flip_statements(rows: LogitRows, text: str, labels: Sequence[str]) -> list[Statement]:
    """Where the most likely token of these checkpoints is not the base's, if anywhere."""
    return _defined(_flip_statement(rows, label, text) for label in labels)


def _flip_statement(rows: LogitRows, label: str, text: str) -> Statement | None:
    flows = rows.flows(label, text)
    if not flows:
        return None
    row, top = rows.find(label, text, FLIPS), flows[0]
    share = "" if row is None else f" at {percent(row.value, row.interval)} of positions"
    words = (
        f"{label} and {rows.result.base} differ in the most likely token{share} on "
        f"{rows.text_name(text)}, most often {_token(top.from_token)} {ARROW} "
        f"{_token(top.to_token)} ({count(top.count, 'time')})"
    )
    return statement(words, "flips", rows.subject(label, text), of=row)


def _token(text: str) -> str:
    """As a Python string is written, cut where it is long."""
    is_long = len(text) > _TOKEN_CHARACTERS
    return repr(text[:_TOKEN_CHARACTERS] + "\N{HORIZONTAL ELLIPSIS}" * is_long)
