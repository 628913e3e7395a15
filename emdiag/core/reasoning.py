"""How a checkpoint marks its thinking, so that the answer can be told from it."""

from __future__ import annotations

from typing import Final, Literal

from emdiag.core.errors import PlanError
from emdiag.core.records import Record

HARMONY: Final = (
    "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>",
)  # fmt: skip
"""Tokens around messages in channels. `<|end|>` only ends a message; `<|return|>` and `<|call|>`
end a completion.

Source: openai/harmony, `docs/format.md`.
"""

THINK: Final = ("<think>", "</think>")
"""What `--reasoning think` stands for."""

_FORMS: Final = "auto, none, think, harmony, START,END or text:START,END"


class Reasoning(Record, frozen=True, kw_only=True):
    """Markers of thinking.

    Attributes:
        style: `tags`: a token begins thinking and another ends it; `harmony`: messages in channels,
            of which `final` is the answer; `text`: as `tags`, and the markers are ordinary text.
        markers: Start and end; those of `HARMONY` in their order.
        token_ids: Of each marker; empty for text.
    """

    style: Literal["tags", "harmony", "text"]
    markers: tuple[str, ...]
    token_ids: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """For a reader: `harmony`, or such as `<think> ... </think>`."""
        return "harmony" if self.style == "harmony" else " ... ".join(self.markers)

    def typed(self) -> str:
        """As `--reasoning` takes it."""
        if self.style == "harmony":
            return "harmony"
        if self.style == "tags" and self.markers == THINK:
            return "think"
        return f"{'text:' * (self.style == 'text')}{','.join(self.markers)}"


def typed_reasoning(value: object) -> str:
    """A style or a pair of markers, as typed.

    Raises:
        PlanError: It is neither.
    """
    if value in ("auto", "none", "think", "harmony"):
        return str(value)
    if isinstance(value, str) and typed_markers(value) is not None:
        return value
    raise PlanError(
        f"the reasoning style is {value!r}",
        expected=_FORMS,
        hint="START,END are the tokens around thinking, such as [THINK],[/THINK]; text:START,END "
        "where they are ordinary text",
    )


def typed_markers(value: str) -> tuple[str, str] | None:
    """The two markers of `START,END` or `text:START,END`; None where it names no pair."""
    start, _, end = value.removeprefix("text:").partition(",")
    is_pair = start.strip() and end.strip() and start != end and "," not in end
    return (start.strip(), end.strip()) if is_pair else None
