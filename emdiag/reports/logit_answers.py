"""What a study of logits says of each checkpoint, in one sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.core.logit_skew import OWN
from emdiag.findings.page import Statement
from emdiag.reports.pieces import number, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emdiag.core.logit_skew import Finding, LogitEstimate, LogitSkewResult

_FINDINGS: Final[Mapping[Finding, str]] = {
    "cooling": "The change is cooling",
    "partly cooling": "The change is cooling in part",
    "not cooling": "The change is not cooling",
    "unchanged": "The distribution has hardly changed",
    "undecided": "Undecided whether the change is cooling",
}


def arm_statements(result: LogitSkewResult) -> list[Statement]:
    """For each checkpoint its per-token skewness against the base's, and whether it is cooling.

    Read on the base's own text or, where that was not read, on another text that both read; empty
    where nothing can be compared.
    """
    shared = [text.name for text in result.texts if text.name != OWN]
    order = [result.base, *(name for name in shared if name != result.base)]
    for text in order:
        said = [
            statement
            for arm in result.arms
            if arm.label != result.base
            and (statement := _statement(result, arm.label, text=text)) is not None
        ]
        if said:
            return said
    return []


def _statement(result: LogitSkewResult, label: str, *, text: str) -> Statement | None:
    row, base = (
        _find(result, name, text=text, statistic="skewness") for name in (label, result.base)
    )
    if row is None or base is None or row.difference is None:
        return None
    gap = row.difference
    amount = f"per-token skewness {_signed(gap.value)}{number(gap.value, gap.interval)}"
    where = f"On the text of {text}"
    if gap.direction == "undecided":
        said = f"{where}, undecided whether {label} is more or less skewed than {result.base}"
    else:
        said = f"{where}, {label} is {_word(row, base)} than {result.base}"
    cooled = _cooling(result, label, text=text)
    return Statement(
        words=f"{said}: {amount}. {cooled}".strip(),
        tone="undecided" if gap.direction == "undecided" else "plain",
    )


def _signed(value: float) -> str:
    return "+" if value > 0 else ""


def _word(row: LogitEstimate, base: LogitEstimate) -> str:
    """Such as `less right-skewed`; of skews on both sides of zero, the side it moved to."""
    values = [value for value in (row.value, base.value) if value is not None]
    if row.difference is not None and row.difference.direction == "lower":
        return "less right-skewed" if min(values) > 0 else "more left-skewed"
    return "less left-skewed" if max(values) < 0 else "more right-skewed"


def _cooling(result: LogitSkewResult, label: str, *, text: str) -> str:
    found = [one for one in result.decompositions if (one.checkpoint, one.text) == (label, text)]
    if not found:
        return ""
    said = _FINDINGS[found[0].finding]
    share = _find(result, label, text=text, statistic="cooling_share")
    if share is None or share.value is None or found[0].finding == "unchanged":
        return f"{said} ({found[0].kl_nats:.2g} nats of KL per token)"
    return f"{said}: one temperature explains {percent(share.value, share.interval)} of the KL"


def _find(
    result: LogitSkewResult, label: str, *, text: str, statistic: str
) -> LogitEstimate | None:
    wanted = (label, text, statistic, "per_token", "raw", None)
    for row in result.estimates:
        if (row.checkpoint, row.text, row.statistic, row.kind, row.source, row.part) == wanted:
            return row
    return None
