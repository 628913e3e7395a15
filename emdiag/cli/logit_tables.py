"""A study of logits as tables of the terminal; every number stands beside its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from emdiag.cli.console import Out
    from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult, QuirkStep, QuirkValue
    from emdiag.core.results import Interval

Key = tuple[str, str, str, str | None]
"""Statistic, kind, source and part."""

SHAPE: tuple[tuple[str, Key], ...] = (
    ("per-token skewness", ("skewness", "per_token", "raw", None)),
    ("per-token excess kurtosis", ("excess_kurtosis", "per_token", "raw", None)),
    ("per-token sigma", ("sigma", "per_token", "raw", None)),
    ("pooled mean", ("mean", "pooled", "raw", None)),
    ("pooled sigma", ("sigma", "pooled", "raw", None)),
    ("pooled skewness", ("skewness", "pooled", "raw", None)),
    ("pooled skewness, log-probs", ("skewness", "pooled", "log_prob", None)),
    ("pooled excess kurtosis", ("excess_kurtosis", "pooled", "raw", None)),
    ("entropy, nats", ("entropy_nats", "per_token", "raw", None)),
    ("  reasoning", ("entropy_nats", "per_token", "raw", "reasoning")),
    ("  answer", ("entropy_nats", "per_token", "raw", "answer")),
    ("  forking tokens", ("entropy_nats", "per_token", "raw", "forking")),
    ("  filler", ("entropy_nats", "per_token", "raw", "filler")),
    ("effective vocabulary", ("effective_vocabulary", "per_token", "raw", None)),
    ("top-1 probability", ("top1_prob", "per_token", "raw", None)),
    ("top-1 margin, nats", ("top1_margin_nats", "per_token", "raw", None)),
    ("nucleus size, p 0.9", ("nucleus_size", "per_token", "raw", None)),
    ("rank of written token", ("written_rank", "per_token", "raw", None)),
    ("log-prob of written token", ("written_log_prob", "per_token", "raw", None)),
    ("self-certainty, nats", ("self_certainty_nats", "per_token", "raw", None)),
    ("AUROC, right has less entropy", ("entropy_auroc", "per_token", "raw", None)),
)
BESIDE: tuple[tuple[str, Key], ...] = (
    ("KL, nats", ("kl_nats", "per_token", "raw", None)),
    ("reverse KL, nats", ("reverse_kl_nats", "per_token", "raw", None)),
    ("Jensen-Shannon, nats", ("js_nats", "per_token", "raw", None)),
    ("top-1 flips", ("top1_flips_frac", "per_token", "raw", None)),
    ("overlap of top 10", ("overlap_frac", "per_token", "raw", None)),
    ("Kendall's tau, top 100", ("kendall_tau", "per_token", "raw", None)),
    ("log-prob shift, rank 1", ("log_prob_shift_nats", "per_token", "log_prob", "rank 1")),
    ("best temperature", ("cooling_temperature", "per_token", "raw", None)),
    ("KL share it explains", ("cooling_share", "per_token", "raw", None)),
    ("KL left after it", ("kl_after_cooling_nats", "per_token", "raw", None)),
    ("T by position, geometric mean", ("own_temperature", "per_token", "raw", None)),
    ("KL left, T by position", ("kl_after_own_temperatures_nats", "per_token", "raw", None)),
    ("re-ranking at least", ("reranking_nats", "per_token", "raw", None)),
)
_VALUES_UP_TO = 3
"""Checkpoints whose values stand beside their changes; with more, only the base's values do."""

_MARKS = {"higher": " ↑", "lower": " ↓", "undecided": ""}


def show_logits(result: LogitSkewResult, out: Out) -> None:
    """The base's text and own texts in full, the others in short, then what may be said."""
    found: dict[tuple[str, str, Key], LogitEstimate] = {
        (row.checkpoint, row.text, (row.statistic, row.kind, row.source, row.part)): row
        for row in result.estimates
    }
    names = list(dict.fromkeys(row.text for row in result.estimates))
    whole = [name for name in (result.base, "own") if name in names] or names[:1]
    for name in whole:
        _show_text(result, found, name, out)
    if len(names) > 1 and len(result.arms) > 1:
        _show_choice(result, found, names, out)
    if result.published is not None:
        _show_published(result, out)
    spoken = [f"On {'its own text' if name == 'own' else f'the text of {name}'}," for name in whole]
    for sentence in result.statements:
        if any(sentence.startswith(start) for start in spoken):
            out.line(sentence)
    for note in result.notes:
        out.line(f"note: {note}")
    for figure in result.figures:
        out.line(f"figure: {figure}.svg")
    out.say(f"runs and traces lie in {result.store}; the same command continues them")


def _show_text(
    result: LogitSkewResult,
    found: dict[tuple[str, str, Key], LogitEstimate],
    name: str,
    out: Out,
) -> None:
    tokens = sum(text.tokens for text in result.texts if text.name == name)
    where = "each on its own text" if name == "own" else f"on the text of {name}"
    seeds = max(len(arm.checkpoints) for arm in result.arms)
    over = "seeds and problems" if seeds > 1 else "problems"
    table = Table(
        title=f"logits {where}: {result.problems} problems, {tokens:,} tokens, 95 % intervals over "
        f"{over}",
        caption=f"change against {result.base}; an arrow where interval and corrected test allow "
        "to claim it"
        if len(result.arms) > 1
        else None,
    )
    labels = [arm.label for arm in result.arms]
    is_wide = len(labels) <= _VALUES_UP_TO
    table.add_column("")
    for label in labels:
        if label == result.base or is_wide:
            table.add_column(label, justify="right")
        if label != result.base:
            title = "change" if is_wide else f"{label}, change"
            table.add_column(title, justify="right")
    for title, key in (*SHAPE, *_other_entropies(result)):
        rows = {label: found.get((label, name, key)) for label in labels}
        if any(row is not None and row.value is not None for row in rows.values()):
            table.add_row(title, *_cells(rows, result, is_wide=is_wide))
    others = [label for label in labels if label != result.base]
    if any((label, name, BESIDE[0][1]) in found for label in others):
        table.add_section()
        for title, key in BESIDE:
            rows = {label: found.get((label, name, key)) for label in labels}
            table.add_row(title, *_cells(rows, result, is_wide=is_wide))
    out.table(table)


def _other_entropies(result: LogitSkewResult) -> list[tuple[str, Key]]:
    prefix = "entropy_nats_at_"
    names = dict.fromkeys(
        row.statistic for row in result.estimates if row.statistic.startswith(prefix)
    )
    return [
        (f"entropy at T {name.removeprefix(prefix)}, nats", (name, "per_token", "raw", None))
        for name in names
    ]


def _cells(
    rows: dict[str, LogitEstimate | None], result: LogitSkewResult, *, is_wide: bool
) -> list[str]:
    """One row's cells; where there is no room, a change stands without its value."""
    cells = []
    for label, row in rows.items():
        value = (
            "" if row is None else number(row.value, row.interval) + _of_fewer(row, result.problems)
        )
        change = None if row is None else row.difference
        moved = "" if change is None else number(change.value, change.interval)
        moved += "" if change is None else _MARKS[change.direction]
        if label == result.base:
            cells.append(value)
        elif is_wide:
            cells += [value, moved]
        else:
            cells.append(moved or value)
    return cells


def _of_fewer(row: LogitEstimate, problems: int) -> str:
    """How many problems define a figure, where it is not all of them."""
    return f" n={row.problems}" if row.value is not None and row.problems < problems else ""


def _show_choice(
    result: LogitSkewResult,
    found: dict[tuple[str, str, Key], LogitEstimate],
    names: list[str],
    out: Out,
) -> None:
    """The same differences on every text: what depends on who wrote it."""
    table = Table(title="the same change on every text")
    for name in ("text", "checkpoint"):
        table.add_column(name)
    columns = (SHAPE[0], SHAPE[5], SHAPE[8], BESIDE[0], BESIDE[8])
    for title, _ in columns:
        table.add_column(title, justify="right")
    table.add_column("finding")
    findings = {(one.checkpoint, one.text): one.finding for one in result.decompositions}
    for name in names:
        for arm in result.arms:
            if arm.label == result.base:
                continue
            cells = []
            for _, key in columns:
                row = found.get((arm.label, name, key))
                change = row.difference if row is not None else None
                if change is not None:
                    cells.append(number(change.value, change.interval) + _MARKS[change.direction])
                else:
                    cells.append("" if row is None else number(row.value, row.interval))
            table.add_row(name, arm.label, *cells, findings.get((arm.label, name), ""))
    out.table(table)


def _show_published(result: LogitSkewResult, out: Out) -> None:
    """The released script's figure, quirk by quirk."""
    figure = result.published
    assert figure is not None
    table = Table(
        title=f"skewness as the released script measures it (T {figure.temperature:g}, top "
        f"{figure.top_k}, pooled, own text, first {figure.positions} tokens), and without its "
        "quirks",
        caption="a measurement of its own: not to be compared with the tables above",
    )
    table.add_column("")
    for value in figure.shown.values:
        title = (
            value.checkpoint if value.checkpoint == result.base else f"{value.checkpoint}, change"
        )
        table.add_column(title, justify="right")

    def rows(steps: tuple[QuirkStep, ...]) -> None:
        for step in steps:
            table.add_row(step.name, *map(_quirk_cell, step.values))

    if figure.undone:
        rows((figure.shown,))
        table.add_section()
    rows(figure.ladder)
    table.add_section()
    rows(figure.alone)
    out.table(table)


def _quirk_cell(value: QuirkValue) -> str:
    """The base's skewness; of another checkpoint the skewness and its change, paired."""
    if value.change is None:
        return number(value.skewness, value.interval)
    return f"{number(value.skewness, None)}: {number(value.change, value.change_interval)}"


def number(value: float | None, interval: Interval | None) -> str:
    """A figure with its interval, such as `2.24 [2.19, 2.30]`; a dash where it is not defined."""
    if value is None:
        return "-"
    if interval is None:
        return short(value)
    return f"{short(value)} [{short(interval.low)}, {short(interval.high)}]"


def short(value: float) -> str:
    """Three digits, or more before the point."""
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.0095 or size == 0 else f"{value:.2g}"
