"""What a paper says, what was measured of it, and what follows."""

from __future__ import annotations

from typing import Literal

from emdiag.core.records import Record
from emdiag.core.results import Interval

ClaimVerdict = Literal["holds", "fails", "undecided"]
"""By the claim's own rule; `undecided` also where it was not measured."""

Unit = Literal["points", "points per unit of T", "nats", "share", "ratio", "skewness", "count"]
"""`points` are hundredths of a share; figures of shares are stored between 0 and 1 all the same."""


class ClaimFigure(Record, frozen=True, kw_only=True):
    """One number that a verdict rests on.

    Attributes:
        name: What it is, such as `EM minus base on chain, greedy`.
        value: In shares of 1 where the unit is points; None where it could not be measured.
    """

    name: str
    value: float | None
    interval: Interval | None
    unit: Unit


class ClaimResult(Record, frozen=True, kw_only=True):
    """One claim on one set of arms.

    Attributes:
        id: Such as `C07`.
        arms: Labels that played a part, such as `em` and `rl`; two EM arms are two results.
        figures: The one that decides first.
        published: What the paper says, in its own figures; None where it gives none.
        rule: When it holds, in words.
        why: The verdict in one sentence, with its figure.
        would_decide: What to run for a verdict; None where there is one.
    """

    id: str
    statement: str
    arms: tuple[str, ...]
    benchmarks: tuple[str, ...]
    verdict: ClaimVerdict
    figures: tuple[ClaimFigure, ...]
    published: str | None
    rule: str
    why: str
    would_decide: str | None


class ClaimsResult(Record, frozen=True, kw_only=True):
    """The claims that could be looked at, in the order of their ids.

    Attributes:
        notes: What changes how the verdicts should be read.
    """

    claims: tuple[ClaimResult, ...]
    notes: tuple[str, ...]
    store: str
