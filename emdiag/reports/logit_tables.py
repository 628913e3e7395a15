"""Tables of a study of logits: what matters first, then every statistic on every text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.core.logit_skew import OWN
from emdiag.findings.page import Cell, table
from emdiag.reports.pieces import NOTHING, count, number, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult, QuirkValue
    from emdiag.core.results import Direction
    from emdiag.findings.page import Row, Table

Key = tuple[str, str, str, str | None]
"""Statistic, kind, source and part."""

_MAIN: Final[Mapping[Key, tuple[str, str]]] = {
    ("skewness", "per_token", "raw", None): (
        "skewness, per token",
        "third standardised moment of the logits at a position, averaged over positions",
    ),
    ("skewness", "pooled", "raw", None): (
        "skewness, pooled",
        "the same of all logits of all positions together",
    ),
    ("entropy_nats", "per_token", "raw", None): ("entropy, nats", "of the next-token distribution"),
    ("top1_prob", "per_token", "raw", None): (
        "top-1 probability",
        "of the most likely token, averaged over positions",
    ),
    ("kl_nats", "per_token", "raw", None): (
        "KL from the base, nats",
        "how far the distribution is from the base's, per token",
    ),
    ("top1_flips_frac", "per_token", "raw", None): (
        "top-1 flips",
        "share of positions at which another token is the most likely",
    ),
    ("cooling_temperature", "per_token", "raw", None): (
        "best temperature",
        "of the base, at which it comes closest to the checkpoint",
    ),
    ("cooling_share", "per_token", "raw", None): (
        "KL share it explains",
        "1: the change is cooling; 0: no part of it is",
    ),
    ("reranking_nats", "per_token", "raw", None): (
        "re-ranking at least, nats",
        "part of the KL that no distribution in the base's order can take away",
    ),
}
_ARROWS: Final[Mapping[Direction, str]] = {
    "higher": " \N{UPWARDS ARROW}",
    "lower": " \N{DOWNWARDS ARROW}",
    "undecided": "",
}


def main_table(result: LogitSkewResult) -> Table:
    """The figures that answer the question, on the base's text or else on own texts."""
    texts = list(dict.fromkeys(row.text for row in result.estimates))
    text = next((name for name in (result.base, OWN) if name in texts), texts[0] if texts else OWN)
    found = _found(result, text)
    rows = []
    for key, (name, hint) in _MAIN.items():
        cells = [_cell(found.get((arm.label, key))) for arm in result.arms]
        if any(cell.text != NOTHING for cell in cells):
            rows.append([Cell(text=name, hint=hint), *cells])
    return table(
        f"{_on(text)}: {count(result.problems, 'problem')}, 95 % intervals",
        ["", *(arm.label for arm in result.arms)],
        rows=rows,
        note=f"An arrow: higher or lower than {result.base}, by the interval of the paired "
        "difference and the corrected test. The difference stands behind each cell.",
    )


def detail_tables(result: LogitSkewResult) -> tuple[Table, ...]:
    """Every estimate: a table for each text, a row for each statistic."""
    texts = list(dict.fromkeys(row.text for row in result.estimates))
    tables = []
    for text in texts:
        found = _found(result, text)
        keys = list(dict.fromkeys(key for _, key in found))
        rows = [
            [Cell(text=_key_name(key)), *(_cell(found.get((a.label, key))) for a in result.arms)]
            for key in keys
        ]
        columns = ["", *(arm.label for arm in result.arms)]
        tables.append(table(f"{_on(text)}, every statistic", columns, rows=rows))
    return tuple(tables)


def published_table(result: LogitSkewResult) -> Table:
    """Skewness as the released script measures it, quirk by quirk."""
    published = result.published
    assert published is not None
    steps = [*published.ladder, *published.alone] or [published.shown]
    rows: list[Row] = [[step.name, *map(_quirk_cell, step.values)] for step in steps]
    labels = [value.checkpoint for value in published.shown.values]
    return table(
        f"Skewness as the released script measures it (T {published.temperature:g}, top "
        f"{published.top_k}), and without its shortcuts",
        ["", *labels],
        rows=rows,
    )


def _quirk_cell(value: QuirkValue) -> Cell:
    hint = None
    if value.change is not None:
        hint = f"against the base: {number(value.change, value.change_interval)}"
    return Cell(text=number(value.skewness, value.interval), hint=hint)


def _found(result: LogitSkewResult, text: str) -> dict[tuple[str, Key], LogitEstimate]:
    return {
        (row.checkpoint, (row.statistic, row.kind, row.source, row.part)): row
        for row in result.estimates
        if row.text == text
    }


def _cell(row: LogitEstimate | None) -> Cell:
    """Value with interval and direction; the difference to the base as a hint."""
    if row is None or row.value is None:
        return Cell(text=NOTHING, hint=row.note if row is not None else None)
    gap = row.difference
    text = number(row.value, row.interval)
    if gap is None:
        return Cell(text=text)
    p = "" if gap.p_holm is None else f", corrected p {short(gap.p_holm)}"
    hint = f"minus {gap.base}: {number(gap.value, gap.interval)}{p}"
    return Cell(
        text=text + _ARROWS[gap.direction],
        tone="undecided" if gap.direction == "undecided" else "plain",
        hint=hint,
    )


def _key_name(key: Key) -> str:
    statistic, kind, source, part = key
    name = statistic.replace("_nats", ", nats").replace("_frac", "").replace("_", " ")
    extra = [kind.replace("_", " ")] if kind == "pooled" else []
    extra += [source.replace("_", "-")] if source != "raw" else []
    extra += [part] if part else []
    return f"{name} ({', '.join(extra)})" if extra else name


def _on(text: str) -> str:
    return "Each on its own text" if text == OWN else f"On the text of {text}"
