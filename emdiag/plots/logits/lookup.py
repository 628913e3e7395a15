"""A study of logits as figures need it: its estimates by name, and how each checkpoint is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emdiag.core.logit_skew import OWN, LogitSkewResult
from emdiag.findings.logits.rows import LogitRows
from emdiag.findings.numbers import span
from emdiag.plots.plain_text import arm_names, plain_label
from emdiag.plots.style import Look, looks_by_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emdiag.core.logit_skew import LogitEstimate


@dataclass(frozen=True, kw_only=True)
class DrawnStudy:
    """A result, and how its checkpoints are shown.

    Attributes:
        looks: By label, in the order of the arms.
        names: By label: what may be written in a figure.
    """

    rows: LogitRows
    looks: Mapping[str, Look]
    names: Mapping[str, str]

    @property
    def result(self) -> LogitSkewResult:
        """The study that is drawn."""
        return self.rows.result

    @property
    def base_name(self) -> str:
        """The base as it may be written in a figure."""
        return self.names.get(self.result.base, "base")

    def text_name(self, text: str) -> str:
        """A text in the middle of a sentence, with what may be written in a figure."""
        if text == OWN:
            return "each checkpoint's own text"
        if text in self.names:
            return f"the text of {self.names[text]}"
        return f"the {plain_label(text)} text"


def drawn_study(result: LogitSkewResult) -> DrawnStudy:
    """The result with its estimates by name; arms are as many as it lists."""
    return DrawnStudy(
        rows=LogitRows(result),
        looks=looks_by_label({arm.label: arm.stage for arm in result.arms}),
        names=arm_names([arm.label for arm in result.arms]),
    )


def sample_sizes(rows: Iterable[LogitEstimate]) -> str:
    """Such as `n = 20 problems, 12,345 tokens, 5 seeds`; ranges where the rows differ."""
    rows = list(rows)
    parts = [
        span([getattr(row, f"{noun}s") for row in rows], noun)
        for noun in ("problem", "token", "seed")
    ]
    return f"n = {', '.join(parts)}" + (" for each checkpoint" if len(rows) > 1 else "")
