"""What a study of logits says of parts: tenths of a text, ranks, flips, the published figure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from emdiag.core.results import direction_of
from emdiag.findings.logits.rows import (
    ENTROPY,
    FLIPS,
    RANKS,
    SHIFTS,
    SKEWNESS,
    TENTHS,
    amount,
    rank_range,
    statement_on,
)
from emdiag.findings.numbers import ARROW, count, moved, percent, statistic
from emdiag.findings.page import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult, QuirkStep
    from emdiag.core.results import Direction
    from emdiag.findings.logits.rows import LogitRows, LogitStatistic

_TENTHS_OF: Final[Mapping[LogitStatistic, str]] = {SKEWNESS: "skewness", ENTROPY: "entropy"}
_SHIFTED: Final[Mapping[Direction, str]] = {
    "higher": "raised",
    "lower": "lowered",
    "undecided": "undecided",
}
_TOKEN_CHARACTERS: Final = 24


def tenth_statements(rows: LogitRows, text: str) -> list[Statement]:
    """In how many tenths of a text skewness and entropy differ from the base's.

    Where nothing is compared, the first and the last tenth of each checkpoint.
    """
    compared = [_tenths_compared(rows, label, text) for label in rows.compared]
    return [statement for statement in compared if statement is not None] or [
        statement
        for label in rows.labels
        if (statement := _first_and_last(rows, label, text)) is not None
    ]


def _tenths(rows: LogitRows, label: str, text: str, of: LogitStatistic) -> list[LogitEstimate]:
    tenths = (rows.find(label, text, replace(of, part=part)) for part in TENTHS)
    return [row for row in tenths if row is not None]


def _tenths_compared(rows: LogitRows, label: str, text: str) -> Statement | None:
    counted = []
    for of, name in _TENTHS_OF.items():
        directions = [
            row.difference.direction
            for row in _tenths(rows, label, text, of)
            if row.difference is not None
        ]
        if directions:
            counted.append(f"{name} {_in_tenths(directions)}")
    words = f"{label} against {rows.result.base} along {rows.text_name(text)}: {', '.join(counted)}"
    statement = statement_on(rows.subject(label, text), words, kind="along the text")
    return statement if counted else None


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
        f"{name} {amount(tenths[0])} {ARROW} {amount(tenths[-1])}"
        for of, name in _TENTHS_OF.items()
        if (tenths := _tenths(rows, label, text, of))
    ]
    words = f"{label}, first to last tenth of {rows.text_name(text)}: {', '.join(ends)}"
    statement = statement_on(rows.subject(label, text), words, kind="along the text")
    return statement if ends else None


def shift_statements(rows: LogitRows, text: str) -> list[Statement]:
    """What became of the base's most likely token and of its least likely ones."""
    of = next((of for of in SHIFTS if rows.of_all(text, replace(of, part=RANKS[0]))), SHIFTS[0])
    name = "log-probability" if of.source == "log_prob" else "centred logit"
    statements = []
    for label in rows.labels:
        shifts = [rows.find(label, text, replace(of, part=part)) for part in RANKS]
        defined = [row for row in shifts if row is not None]
        if len(defined) > 1:
            head, tail = defined[0], defined[-1]
            words = (
                f"{label} against {rows.result.base} on {rows.text_name(text)}: {name} "
                f"{amount(head, signed=True)} at rank {rank_range(head.part or '')}, "
                f"{amount(tail, signed=True)} at {rank_range(tail.part or '')}: "
                f"{_head_and_tail(head, tail)}"
            )
            subject, direction = rows.subject(label, text), direction_of(head.interval)
            statements.append(
                statement_on(subject, words, kind="shift by rank", of=head, direction=direction)
            )
    return statements


def _head_and_tail(head: LogitEstimate, tail: LogitEstimate) -> str:
    first, last = direction_of(head.interval), direction_of(tail.interval)
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
    ladder = published.ladder or (published.shown,)
    labels = [arm.label for arm in result.arms if arm.label != result.base]
    return [_published_statement(result.base, label, ladder) for label in labels or [result.base]]


def _published_statement(base: str, label: str, ladder: Sequence[QuirkStep]) -> Statement:
    first, last = ladder[0], ladder[-1]
    value = first.value_of(label)
    name = label if label == base else f"from {base} to {label}"
    words = f"Skewness {first.name}, {name}: {_quirk_amount(first, label, base)}"
    if last is not first:
        words += f"; with every quirk undone {_quirk_amount(last, label, base)}"
    return Statement(
        words=words,
        kind="published",
        subject=label,
        direction=None if value is None else direction_of(value.change_interval),
        value=None if value is None else value.change,
        interval=None if value is None else value.change_interval,
    )


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
    spoken = (_flip_statement(rows, label, text) for label in labels)
    return [statement for statement in spoken if statement is not None]


def _flip_statement(rows: LogitRows, label: str, text: str) -> Statement | None:
    flows = [
        flow
        for flow in rows.result.flows
        if (flow.checkpoint, flow.text) == (label, text) and flow.count > 0
    ]
    if not flows:
        return None
    row, top = rows.find(label, text, FLIPS), max(flows, key=lambda flow: flow.count)
    share = "" if row is None else f" at {percent(row.value, row.interval)} of positions"
    words = (
        f"{label} and {rows.result.base} differ in the most likely token{share} on "
        f"{rows.text_name(text)}, most often {_token(top.from_token)} {ARROW} "
        f"{_token(top.to_token)} ({count(top.count, 'time')})"
    )
    return statement_on(rows.subject(label, text), words, kind="flips", of=row)


def _token(text: str) -> str:
    """As a Python string is written, cut where it is long."""
    is_long = len(text) > _TOKEN_CHARACTERS
    return repr(text[:_TOKEN_CHARACTERS] + "\N{HORIZONTAL ELLIPSIS}" * is_long)
