"""A result as figures look things up in it: estimates by name, and a look for each arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emdiag.core.logit_skew import OWN, LogitEstimate, LogitSkewResult, LogitSource, StatisticKind
from emdiag.plots.plain_text import arm_names, plain_label
from emdiag.plots.style import Look, arm_looks

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True)
class What:
    """Which statistic, of which values, of which part; see `LogitEstimate`."""

    statistic: str
    kind: StatisticKind = "per_token"
    source: LogitSource = "raw"
    part: str | None = None


SKEWNESS = What(statistic="skewness")
POOLED_SKEWNESS = What(statistic="skewness", kind="pooled")


@dataclass(frozen=True, kw_only=True)
class Book:
    """A result, its estimates by (label, text, what), and how its arms are shown.

    Attributes:
        looks: By label, in the order of the arms.
        names: By label: what may be written in a figure.
    """

    result: LogitSkewResult
    rows: Mapping[tuple[str, str, What], LogitEstimate]
    looks: Mapping[str, Look]
    names: Mapping[str, str]

    def find(self, label: str, text: str, what: What) -> LogitEstimate | None:
        """The estimate; None where the result has none or it is not defined."""
        row = self.rows.get((label, text, what))
        return row if row is not None and row.value is not None else None

    def found(self, text: str, what: What) -> list[LogitEstimate]:
        """Defined estimates of all arms, in their order."""
        rows = (self.find(label, text, what) for label in self.looks)
        return [row for row in rows if row is not None]

    def texts(self, *whats: What) -> list[str]:
        """Texts on which any arm has one of these, the default one first."""
        return self.in_order(
            row.text
            for (_, _, what), row in self.rows.items()
            if what in whats and row.value is not None
        )

    def in_order(self, texts: Iterable[str]) -> list[str]:
        """Each text once: the base's own writing first, or else `own`; others as they were read."""
        present = list(texts)
        first = self.result.base if self.result.base in present else OWN
        read = (text.name for text in self.result.texts)
        shared = [text for text in (*read, *present) if text != OWN]
        return [text for text in dict.fromkeys((first, *shared, OWN)) if text in present]

    def label_of(self, text: str) -> str:
        """How a text is spoken of in the middle of a sentence."""
        if text == OWN:
            return "each checkpoint's own text"
        if text in self.names:
            return f"the text of {self.names[text]}"
        return f"the {plain_label(text)} text"


def open_book(result: LogitSkewResult) -> Book:
    """The result with its estimates by name; arms are as many as it lists."""
    labels = [arm.label for arm in result.arms]
    looks = arm_looks([arm.stage for arm in result.arms])
    return Book(
        result=result,
        rows={
            (
                row.checkpoint,
                row.text,
                What(statistic=row.statistic, kind=row.kind, source=row.source, part=row.part),
            ): row
            for row in result.estimates
        },
        looks=dict(zip(labels, looks, strict=True)),
        names=arm_names(labels),
    )
