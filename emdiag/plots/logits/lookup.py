"""A study of logits as figures need it: its estimates by name, and how each checkpoint is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from emdiag.core.logit_skew import LogitSkewResult
from emdiag.findings.logits.rows import LogitRows
from emdiag.plots.plain_text import arm_names, plain_label
from emdiag.plots.style import Look, arm_looks


@dataclass(frozen=True)
class DrawnStudy:
    """A result, and how its checkpoints are shown."""

    result: LogitSkewResult

    @cached_property
    def rows(self) -> LogitRows:
        """Its estimates by name."""
        return LogitRows(self.result)

    @cached_property
    def looks(self) -> dict[str, Look]:
        """By label, in the order of the arms."""
        return arm_looks({arm.label: arm.stage for arm in self.result.arms})

    @cached_property
    def names(self) -> dict[str, str]:
        """By label: what may be written in a figure."""
        return arm_names(self.rows.labels)

    @property
    def base_name(self) -> str:
        """The base as it may be written in a figure."""
        return self.names.get(self.result.base, "base")

    def text_name(self, text: str) -> str:
        """A text in the middle of a sentence, with what may be written in a figure."""
        return self.rows.text_name(text, self.names.get(text) or plain_label(text))

    def panel_title(self, text: str) -> str:
        """The same above a panel."""
        name = self.text_name(text)
        return name[0].upper() + name[1:]
