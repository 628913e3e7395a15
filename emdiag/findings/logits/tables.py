"""Tables of a study of logits: values, differences from the base, and where those come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from emdiag.core.logit_skew import OWN, Decomposition, LogitEstimate, QuirkStep
from emdiag.core.results import Direction
from emdiag.findings.logits.rows import (
    AUROC,
    COOLING_SHARE,
    COOLING_TEMPERATURE,
    ENTROPY,
    FLIPS,
    KL,
    KL_BY_RANK,
    POOLED_SKEWNESS,
    SHARPENING,
    SHIFTS,
    SKEWNESS,
    SKEWNESS_SHARES,
    LogitRows,
    LogitStatistic,
    rank_range,
    sight,
)
from emdiag.findings.numbers import NOTHING, change, count, p_value, short, statistic
from emdiag.findings.page import Cell, Row, Table, table, table_of
from emdiag.findings.remarks import words_of


def _parts(name: str) -> LogitStatistic:
    return LogitStatistic("entropy_nats", part=name)


_RERANKING: Final = LogitStatistic("reranking_nats")
_TOP1: Final = SHARPENING[0]
_NAMES: Final[Mapping[LogitStatistic, tuple[str, str | None]]] = {
    SKEWNESS: ("skewness, per token", "of the logits at a position, averaged over positions"),
    LogitStatistic("excess_kurtosis"): ("excess kurtosis", "per token"),
    LogitStatistic("sigma"): ("sigma", "per token"),
    LogitStatistic("mean", "pooled"): ("mean, pooled", None),
    LogitStatistic("sigma", "pooled"): ("sigma, pooled", None),
    SKEWNESS_SHARES[0]: ("third moment, top 1", "share that the most likely token makes of it"),
    SKEWNESS_SHARES[1]: ("third moment, top 10", "share that the ten most likely make of it"),
    POOLED_SKEWNESS: ("skewness, pooled", "of all logits of all positions together"),
    LogitStatistic("skewness", "pooled", "log_prob"): ("skewness of log-probs", "pooled"),
    LogitStatistic("excess_kurtosis", "pooled"): ("excess kurtosis, pooled", None),
    ENTROPY: ("entropy, nats", "of the next-token distribution"),
    _parts("reasoning"): ("entropy, reasoning", "in nats, before the answer"),
    _parts("answer"): ("entropy, answer", "in nats"),
    _parts("forking"): ("entropy, forking tokens", "in nats"),
    _parts("filler"): ("entropy, filler", "in nats"),
    LogitStatistic("effective_vocabulary"): ("effective vocabulary", None),
    _TOP1: ("top-1 probability", "of the most likely token, averaged over positions"),
    SHARPENING[1]: ("top-10 probability", "of the ten most likely tokens together"),
    SHARPENING[2]: ("top-50 probability", None),
    SHARPENING[3]: ("tail probability", "of all tokens but the 50 most likely"),
    SHARPENING[4]: ("varentropy, nats\N{SUPERSCRIPT TWO}", "variance of -log p under p"),
    LogitStatistic("top1_margin_nats"): ("top-1 margin, nats", None),
    LogitStatistic("nucleus_size"): ("nucleus size, p 0.9", None),
    LogitStatistic("written_rank"): ("rank of written token", None),
    LogitStatistic("written_log_prob"): ("log-prob, written token", None),
    LogitStatistic("self_certainty_nats"): ("self-certainty, nats", None),
    AUROC: ("AUROC of entropy", "chance that a right answer has less entropy than a wrong one"),
    KL: ("KL from the base, nats", "per token"),
    **{
        of: (
            f"KL, nats, rank {rank_range(str(of.part))}",
            "part of the base's tokens of these ranks",
        )
        for of in KL_BY_RANK
    },
    LogitStatistic("reverse_kl_nats"): ("reverse KL, nats", None),
    LogitStatistic("js_nats"): ("Jensen-Shannon, nats", None),
    FLIPS: ("top-1 flips", "share of positions at which another token is the most likely"),
    LogitStatistic("overlap_frac"): ("overlap of top 10", None),
    LogitStatistic("kendall_tau"): ("Kendall's tau, top 100", None),
    replace(SHIFTS[0], part="rank 1"): ("log-prob shift, rank 1", None),
    COOLING_TEMPERATURE: ("best temperature", "of the base, where it is closest"),
    COOLING_SHARE: ("KL share explained", "by the best temperature; 1: the change is cooling"),
    LogitStatistic("kl_after_cooling_nats"): ("KL left, nats", "at the best temperature"),
    LogitStatistic("own_temperature"): ("temperature by position", "geometric mean of the best"),
    LogitStatistic("kl_after_own_temperatures_nats"): ("KL left, T by position", "in nats"),
    _RERANKING: ("re-ranking, nats", "KL that no distribution in the base's order explains"),
}
"""By statistic its name in a table and what it is, in the order of rows."""

_MAIN: Final = (
    *(SKEWNESS, *SKEWNESS_SHARES, POOLED_SKEWNESS, ENTROPY, *SHARPENING, KL, *KL_BY_RANK, FLIPS),
    *(COOLING_TEMPERATURE, COOLING_SHARE, _RERANKING),
)
_ARROWS: Final[Mapping[Direction, str]] = {
    "higher": " \N{UPWARDS ARROW}",
    "lower": " \N{DOWNWARDS ARROW}",
    "undecided": "",
}
_ENTROPY_AT: Final = "entropy_nats_at_"


def study_tables(rows: LogitRows, *, all_statistics: bool) -> tuple[Table, ...]:
    """The text of the base and own texts, by all or the main statistics; all texts in short."""
    tables = [
        shown
        for text in rows.main_texts
        for shown in text_tables(
            rows, text, [*_NAMES, *_other_entropies(rows, text)] if all_statistics else _MAIN
        )
    ]
    quirks = quirk_tables(rows)[: None if all_statistics else 1]
    return (*tables, text_choice_table(rows), decomposition_table(rows), *quirks)


def main_tables(rows: LogitRows) -> tuple[Table, ...]:
    """The statistics that answer the question, on the base's text or else on own texts."""
    return tuple(text_tables(rows, rows.main_texts[0], _MAIN)) if rows.main_texts else ()


def detail_tables(rows: LogitRows) -> tuple[Table, ...]:
    """Every estimate on every text."""
    return tuple(
        shown for text in rows.texts for shown in text_tables(rows, text, rows.statistics(text))
    )


def text_tables(
    rows: LogitRows, text: str, statistics: Sequence[LogitStatistic]
) -> tuple[Table, ...]:
    """Values of all checkpoints on a text, and how they compare with the base."""
    defined = [of for of in statistics if rows.of_all(text, of)]
    paired = [of for of in defined if rows.compared and not rows.row(rows.result.base, text, of)]
    values = [of for of in defined if of not in paired]
    compared = [
        of
        for of in defined
        if of in paired or any(row.difference is not None for row in rows.of_all(text, of))
    ]
    tables = [_value_table(rows, text, values)] if values else []
    return (*tables, _difference_table(rows, text, compared)) if compared else tuple(tables)


def _value_table(rows: LogitRows, text: str, statistics: Sequence[LogitStatistic]) -> Table:
    result = rows.result
    tokens = sum(info.tokens for info in result.texts if info.name == text)
    seeds = max((len(arm.checkpoints) for arm in result.arms), default=1)
    over = "seeds and problems" if seeds > 1 else "problems"
    cells: list[Row] = [
        [_named(of), *(_value(rows.row(label, text, of), result.problems) for label in rows.labels)]
        for of in statistics
    ]
    return table(
        f"{_on(rows, text)}: {count(result.problems, 'problem')}, {count(tokens, 'token')}, "
        f"95 % intervals over {over}",
        ["statistic", *rows.labels],
        rows=cells,
        note=sight(rows, text) if SKEWNESS in statistics else None,
    )


def _difference_table(rows: LogitRows, text: str, statistics: Iterable[LogitStatistic]) -> Table:
    cells: list[Row] = [
        [_named(of), *(_difference(rows.row(label, text, of)) for label in rows.compared)]
        for of in statistics
    ]
    return table(
        f"{_on(rows, text)}, compared with {rows.result.base}, paired by problem",
        ["difference or distance", *rows.compared],
        rows=cells,
        note="\N{UPWARDS ARROW} \N{DOWNWARDS ARROW}: significant by interval and test, corrected "
        "over all statistics, texts and checkpoints of the study; parts (tenths, ranks, forking, "
        "filler, reasoning, answer) are corrected among themselves",
    )


def _named(of: LogitStatistic) -> Cell:
    name, hint = _name(of)
    return Cell(text=name, hint=hint)


def _value(row: LogitEstimate | None, problems: int) -> Cell:
    """A value with its interval; how many problems define it, where it is not all of them."""
    if row is None or row.value is None:
        note = None if row is None else row.note
        return Cell(text=NOTHING, hint=None if note is None else words_of(note))
    fewer = f"n = {row.problems}" if row.problems < problems else None
    return Cell(text=statistic(row.value, row.interval), below=fewer)


def _difference(row: LogitEstimate | None) -> Cell:
    """A difference with its direction; of a measure between the two its value."""
    gap = None if row is None else row.difference
    if gap is None:
        return _value(row, 0)
    return Cell(
        text=change(gap.value, gap.interval) + _ARROWS[gap.direction],
        tone="undecided" if gap.direction == "undecided" else "plain",
        hint=None if gap.p_holm is None else f"corrected {p_value(gap.p_holm)}",
    )


def text_choice_table(rows: LogitRows) -> Table:
    """The same differences on every text, of several: what depends on who wrote it."""
    statistics = (SKEWNESS, POOLED_SKEWNESS, ENTROPY)
    names = [_name(of)[0] for of in statistics]
    cells: list[Row] = [
        [text, label, *(_difference(rows.row(label, text, of)) for of in statistics)]
        for text in rows.texts
        for label in rows.compared
    ]
    return table(
        f"Differences from {rows.result.base} on every text",
        ["text", "checkpoint", *names],
        rows=cells if len(rows.texts) > 1 else [],
        note=sight(rows, rows.main_texts[0]) if rows.main_texts else None,
        secondary=names[:0:-1],
    )


def decomposition_table(rows: LogitRows) -> Table:
    """Where the KL of each checkpoint from the base comes from, on every text."""

    def value(of: LogitStatistic) -> Callable[[Decomposition], Cell]:
        return lambda parts: _value(rows.row(parts.checkpoint, parts.text, of), 0)

    return table_of(
        rows.result.decompositions,
        f"KL from {rows.result.base} in nats per token: cooling, re-ranking and the rest",
        (
            ("text", lambda parts: parts.text),
            ("checkpoint", lambda parts: parts.checkpoint),
            ("KL", value(KL)),
            ("best temperature", value(COOLING_TEMPERATURE)),
            ("share explained", value(COOLING_SHARE)),
            ("cooling", lambda parts: short(parts.cooling_nats)),
            ("re-ranking", lambda parts: short(parts.reranking_nats)),
            ("rest", lambda parts: short(parts.rest_nats)),
            ("finding", lambda parts: parts.finding),
        ),
        secondary=("rest", "cooling", "re-ranking", "best temperature", "KL"),
    )


def quirk_tables(rows: LogitRows) -> tuple[Table, ...]:
    """Skewness as the released script measures it, quirk by quirk; none without `--published`."""
    published = rows.result.published
    if published is None:
        return ()
    steps = {
        "as asked for": (published.shown,) if published.undone else (),
        "one quirk undone after the other": published.ladder,
        "each quirk undone alone": published.alone,
    }
    measure = (
        f"T {published.temperature:g}, top {published.top_k}, pooled, own text, first "
        f"{count(published.positions, 'token')}"
    )
    return tuple(
        _quirk_table(
            rows, f"Skewness as the released script measures it ({measure}), {name}", shown
        )
        for name, shown in steps.items()
        if shown
    )


def _quirk_table(rows: LogitRows, title: str, steps: Sequence[QuirkStep]) -> Table:
    base = rows.result.base
    labels = [value.checkpoint for value in steps[0].values]
    compared = [label for label in labels if label != base]
    cells: list[Row] = []
    for step in steps:
        values = (step.value_of(label) for label in labels)
        changes = (step.value_of(label) for label in compared)
        cells.append(
            [
                step.name,
                *(statistic(v.skewness, v.interval) if v else NOTHING for v in values),
                *(change(v.change, v.change_interval) if v else NOTHING for v in changes),
            ]
        )
    return table(
        title,
        ["quirks", *labels, *(f"{label} minus {base}" for label in compared)],
        rows=cells,
        note="a separate measurement, not comparable with the tables above; skewness is the same "
        "for a z + b, so it does not see cooling",
        secondary=compared,
    )


def _other_entropies(rows: LogitRows, text: str) -> list[LogitStatistic]:
    return [of for of in rows.statistics(text) if of.statistic.startswith(_ENTROPY_AT)]


def _name(of: LogitStatistic) -> tuple[str, str | None]:
    """What a row is called, and what it is; of statistics without an entry, made from the name."""
    if of in _NAMES:
        return _NAMES[of]
    if of.statistic.startswith(_ENTROPY_AT) and of.part is None:
        return f"entropy at T {of.statistic.removeprefix(_ENTROPY_AT)}, nats", None
    name = of.statistic.replace("_nats", ", nats").replace("_frac", "").replace("_", " ")
    extra = ["pooled"] * (of.kind == "pooled")
    extra += [of.source.replace("_", "-")] if of.source != "raw" else []
    extra += [of.part] if of.part else []
    return (f"{name} ({', '.join(extra)})" if extra else name), None


def _on(rows: LogitRows, text: str) -> str:
    return "Each on its own text" if text == OWN else f"On {rows.text_name(text)}"
