"""The estimates of a study of logits by name, and what its texts are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from emdiag.core.logit_skew import (
    OWN,
    Decomposition,
    LogitEstimate,
    LogitSkewResult,
    LogitSource,
    StatisticKind,
    TopTokenFlow,
)
from emdiag.core.moments import KL_BUCKETS, RANK_BUCKETS, rank_part
from emdiag.core.results import Amount, Direction, Remark, remark
from emdiag.findings.numbers import change, statistic
from emdiag.findings.remarks import words_of


@dataclass(frozen=True)
class LogitStatistic:
    """Which statistic, of which values, of which part; see `LogitEstimate`."""

    statistic: str
    kind: StatisticKind = "per_token"
    source: LogitSource = "raw"
    part: str | None = None


SKEWNESS: Final = LogitStatistic("skewness")
POOLED_SKEWNESS: Final = LogitStatistic("skewness", "pooled")
ENTROPY: Final = LogitStatistic("entropy_nats")
KL: Final = LogitStatistic("kl_nats")
COOLING_TEMPERATURE: Final = LogitStatistic("cooling_temperature")
COOLING_SHARE: Final = LogitStatistic("cooling_share")
FLIPS: Final = LogitStatistic("top1_flips_frac")
AUROC: Final = LogitStatistic("entropy_auroc")

NAMES: Final[Mapping[LogitStatistic, tuple[str, str]]] = {
    SKEWNESS: ("skewness", "per-token skewness"),
    POOLED_SKEWNESS: ("pooled skewness", "pooled skewness"),
    ENTROPY: ("entropy", "entropy in nats"),
}
"""Statistics that a checkpoint and the base are compared by: kind of the statement, and name."""

SHIFTS: Final = (
    LogitStatistic("log_prob_shift_nats", source="log_prob"),
    LogitStatistic("centred_shift"),
)
"""By rank: of what a sampler sees, and of logits less the mean of their position."""

SHARPENING: Final = (
    *map(LogitStatistic, ("top1_prob", "top10_prob", "top50_prob", "tail_prob")),
    LogitStatistic("varentropy_nats2"),
)
"""What sees a distribution sharpen, which skewness does not."""

KL_BY_RANK: Final = tuple(
    LogitStatistic("kl_by_rank_nats", part=rank_part(*bucket)) for bucket in KL_BUCKETS
)
"""Where the KL lies, by the base's rank."""

SKEWNESS_SHARES: Final = (
    LogitStatistic("skewness_top1_share"),
    LogitStatistic("skewness_top10_share"),
)
"""What the most likely token and the ten most likely have of the third moment."""

TENTHS: Final = tuple(f"decile {number}" for number in range(1, 11))
"""Parts of a text by position."""

RANKS: Final = tuple(rank_part(*bucket) for bucket in RANK_BUCKETS)
"""Parts of the vocabulary by the base's rank, the most likely token first."""


def rank_range(part: str) -> str:
    """Ranks of a part, such as `65-128` or `1025+`."""
    ranks = part.removeprefix("rank ")
    return f"{ranks[:-1]}+" if ranks.endswith("-") else ranks


@dataclass(frozen=True)
class LogitRows:
    """A result whose estimates are looked up by checkpoint, text and statistic."""

    result: LogitSkewResult

    @cached_property
    def _by_name(self) -> dict[tuple[str, str, LogitStatistic], LogitEstimate]:
        return {(row.checkpoint, row.text, statistic_of(row)): row for row in self.result.estimates}

    @property
    def labels(self) -> list[str]:
        """All checkpoints, in the order of the arms."""
        return [arm.label for arm in self.result.arms]

    @property
    def compared(self) -> list[str]:
        """Those other than the base."""
        return [label for label in self.labels if label != self.result.base]

    def row(self, label: str, text: str, statistic: LogitStatistic) -> LogitEstimate | None:
        """The estimate, whether its value is defined or not; None where the result has none."""
        return self._by_name.get((label, text, statistic))

    def find(self, label: str, text: str, statistic: LogitStatistic) -> LogitEstimate | None:
        """The estimate; None where the result has none or its value is not defined."""
        row = self.row(label, text, statistic)
        return row if row is not None and row.value is not None else None

    @cached_property
    def decompositions(self) -> dict[tuple[str, str], Decomposition]:
        """Where the KL from the base comes from, by checkpoint and text, where both were read."""
        return {(parts.checkpoint, parts.text): parts for parts in self.result.decompositions}

    def flows(self, label: str, text: str) -> list[TopTokenFlow]:
        """Where the most likely token changed, the most frequent change first."""
        flows = (flow for flow in self.result.flows if flow.count > 0)
        of = [flow for flow in flows if (flow.checkpoint, flow.text) == (label, text)]
        return sorted(of, key=lambda flow: -flow.count)

    def by_part(
        self, label: str, text: str, statistic: LogitStatistic, parts: Iterable[str]
    ) -> list[LogitEstimate]:
        """Defined estimates of a statistic for each of these parts, in their order."""
        rows = (self.find(label, text, replace(statistic, part=part)) for part in parts)
        return [row for row in rows if row is not None]

    def of_all(self, text: str, statistic: LogitStatistic) -> list[LogitEstimate]:
        """Defined estimates of all checkpoints, in their order."""
        rows = (self.find(label, text, statistic) for label in self.labels)
        return [row for row in rows if row is not None]

    def statistics(self, text: str) -> list[LogitStatistic]:
        """All that were estimated on a text, in the order of the result."""
        return list(dict.fromkeys(name for _, on, name in self._by_name if on == text))

    @property
    def texts(self) -> list[str]:
        """All texts with estimates, the most important first; see `in_order`."""
        return self.in_order(row.text for row in self.result.estimates)

    @property
    def main_texts(self) -> list[str]:
        """The text of the base and own texts, which are shown in full; else the first text."""
        texts = self.texts
        return [text for text in (self.result.base, OWN) if text in texts] or texts[:1]

    def texts_with(self, *statistics: LogitStatistic) -> list[str]:
        """Texts on which any checkpoint has one of these."""
        return self.in_order(
            text
            for (_, text, statistic), row in self._by_name.items()
            if statistic in statistics and row.value is not None
        )

    def in_order(self, texts: Iterable[str]) -> list[str]:
        """Each text once: the base's own writing first, or else `own`; others as they were read."""
        present = list(texts)
        first = self.result.base if self.result.base in present else OWN
        read = (text.name for text in self.result.texts)
        shared = [text for text in (*read, *present) if text != OWN]
        return [text for text in dict.fromkeys((first, *shared, OWN)) if text in present]

    def subject(self, label: str, text: str) -> str:
        """Such as `em on the text of base`."""
        return f"{label} on {self.text_name(text)}"

    def text_name(self, text: str, shown: str | None = None) -> str:
        """A text in the middle of a sentence, such as `the text of base`; by a name to be shown."""
        if text == OWN:
            return "each checkpoint's own text"
        name = shown or text
        return f"the text of {name}" if text in self.labels else f"the {name} text"


def statistic_of(row: LogitEstimate) -> LogitStatistic:
    """Which statistic an estimate is of."""
    return LogitStatistic(row.statistic, row.kind, row.source, row.part)


def amount(row: LogitEstimate | None, *, signed: bool = False) -> str:
    """An estimate with its interval; `signed` for a difference."""
    if row is None:
        return "not defined"
    return (change if signed else statistic)(row.value, row.interval)


def difference_remark(rows: LogitRows, label: str, text: str, of: LogitStatistic) -> Remark | None:
    """The facts of this statement."""
    base = rows.result.base
    row, base_row = rows.find(label, text, of), rows.find(base, text, of)
    if row is None or (gap := row.difference) is None:
        return None
    before = None if base_row is None else base_row.value
    name, where = NAMES[of][1], rows.text_name(text)
    moved = Amount(gap.value, gap.interval)
    if gap.direction != "undecided":
        certain = "less certain" if gap.direction == "higher" else "more certain"
        how = certain if of == ENTROPY else _skewed(gap.direction, row, base_row)
        return remark(
            "differs", label=label, how=how, base=base, text=where, statistic=name, change=moved,
            before=before, after=row.value,
        )  # fmt: skip
    if gap.interval is None:
        return remark(
            "no-interval", label=label, base=base, text=where, statistic=name, change=moved,
            before=before, after=row.value,
        )  # fmt: skip
    return remark(
        "no-difference", label=label, base=base, text=where, statistic=name, change=moved,
        before=before, after=row.value,
    )  # fmt: skip


def skewness_sees(rows: LogitRows, text: str) -> Remark:
    """What skewness can and cannot see, with the share of the highest logits on this text."""
    labels = (rows.result.base, *rows.labels)
    for label in labels:
        top1, top10 = (rows.find(label, text, of) for of in SKEWNESS_SHARES)
        if top1 is not None and top10 is not None:
            return remark(
                "skewness-sees", label=label, text=rows.text_name(text), top1=top1.value,
                top10=top10.value, tokens=rows.result.vocab_size,
            )  # fmt: skip
    return remark("skewness-sees-not")


def sight(rows: LogitRows, text: str) -> str:
    """The same as a sentence, for a note or a caption."""
    words = words_of(skewness_sees(rows, text))
    return f"{words[0].upper()}{words[1:]}."


def _skewed(direction: Direction, *rows: LogitEstimate | None) -> str:
    """Such as `less right-skewed`; of skews on both sides of zero, the side it moved to."""
    values = [row.value for row in rows if row is not None and row.value is not None]
    if direction == "lower":
        return "less right-skewed" if min(values) > 0 else "more left-skewed"
    return "less left-skewed" if max(values) < 0 else "more right-skewed"
