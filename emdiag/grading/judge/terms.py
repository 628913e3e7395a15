"""What a comparison is made under: the gold's terms, algebra to ask, and where reasons are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from emdiag.core.grades import Tolerance
from emdiag.grading.parse.shapes import Shape

if TYPE_CHECKING:
    from fractions import Fraction

RelationParts = tuple[str, str, str]
"""Left side, sign and right side of a relation."""


class NeedsWorkerError(Exception):
    """The pair cannot be decided without algebra."""


class UndecidedError(Exception):
    """The pair cannot be decided at all; the message says why."""


class Symbolic(Protocol):
    """Algebra on LaTeX; may raise `UndecidedError`.

    Attributes:
        unread: Whether an answer that it was asked about could not be read as mathematics.
    """

    unread: bool

    def value(self, text: str) -> Fraction | None:
        """The real constant that `text` is, to 60 digits; None for anything else."""
        ...

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal for all values of their variables."""
        ...

    def same_relation(self, gold: RelationParts, answer: RelationParts) -> bool:
        """Whether two equations or inequalities say the same."""
        ...

    def same_set(self, gold: str, answer: str) -> bool:
        """Whether two sets of real numbers are equal."""
        ...


@dataclass(frozen=True)
class LeafComparison:
    """One comparison: both sides as read, the rule that decided, and what it said."""

    gold: Shape
    answer: Shape
    rule: str
    holds: bool


@dataclass(frozen=True)
class Terms:
    """What holds for a whole gold answer.

    Attributes:
        unit: Stated beside the gold, in `units.unit_name` form.
        percent: Whether that unit is percent.
        steps: Every comparison made, parts before the whole.
    """

    symbolic: Symbolic
    tolerance: Tolerance = "exact"
    error: str | None = None
    unit: str | None = None
    percent: bool = False
    steps: list[LeafComparison] = field(default_factory=list)

    def reason(self, gold: Shape, answer: Shape, *, rule: str, holds: bool) -> bool:
        """`holds`, written down with its rule."""
        self.steps.append(LeafComparison(gold=gold, answer=answer, rule=rule, holds=holds))
        return holds
