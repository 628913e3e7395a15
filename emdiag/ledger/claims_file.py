"""`claims.toml` to claims, and what a claim becomes once it is measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from emdiag import resources
from emdiag.core.claims import Claim, ClaimFigure, ClaimResult, ClaimVerdict, Decision, Role, Unit
from emdiag.core.errors import PlanError
from emdiag.core.paths import expanded
from emdiag.core.reading import InputFile
from emdiag.core.records import Record
from emdiag.core.results import Interval, Remark, as_given, remark
from emdiag.findings.page import Estimate

_MOST = 1_000
ONE_SIDE = 0.025
"""What a 95 % interval leaves outside on either side: how often it decides wrongly at most."""


class Ledger(Record, frozen=True, kw_only=True):
    """The whole file."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """What a reader of one comparison should know.

    Attributes:
        left_out: Label, benchmark and id of every problem left out, since it was trained on.
    """

    left_out: frozenset[tuple[str, str, str]]
    differences: tuple[Remark, ...]


class Verdicts(NamedTuple):
    """What a statistic says of one claim: its results, and how fair the comparisons are."""

    results: Sequence[ClaimResult]
    fairness: Sequence[Fairness] = ()


def ledger_file() -> Path:
    """The shipped ledger."""
    return resources.data_dir("reports") / "claims.toml"


def read_ledger(file: Path, *, statistics: Collection[str]) -> tuple[Claim, ...]:
    """The claims of a file, in its order.

    Raises:
        PlanError: The file cannot be read, or a claim names a statistic that does not exist.
    """
    source = InputFile(
        path=expanded(file),
        what="the file of claims",
        error=PlanError,
        hint="write TOML with [[claims]], as in reports/claims.toml",
    )
    try:
        claims = msgspec.convert(source.toml(), Ledger).claims
    except msgspec.ValidationError as error:
        raise source.refused(str(error)) from error
    for claim in claims:
        if claim.statistic not in statistics:
            raise PlanError(
                f"{claim.id} asks for the statistic {claim.statistic!r}, which does not exist",
                file=file, known=", ".join(sorted(statistics)),
            )  # fmt: skip
    ids = [claim.id for claim in claims]
    twice = {name for name in ids if ids.count(name) > 1}
    if twice:
        raise PlanError(f"{', '.join(sorted(twice))} is there twice", file=file)
    return claims


def decide(interval: Interval | None, decision: Decision) -> ClaimVerdict:
    """What an interval says by a claim's rule; nothing without an interval."""
    if interval is None:
        return "undecided"
    low, high, bound = interval.low, interval.high, decision.bound
    match decision.side:
        case "above":
            holds, fails = low > bound, high < bound
        case "below":
            holds, fails = high < bound, low > bound
        case "within":
            holds, fails = -bound < low and high < bound, low > bound or high < -bound
    return "holds" if holds else "fails" if fails else "undecided"


def tested(verdict: ClaimVerdict, p_holm: float | None, decision: Decision) -> ClaimVerdict:
    """The verdict, if the corrected test that the rule asks for says so too."""
    if decision.p_value < 1 and (p_holm is None or p_holm >= decision.p_value):
        return "undecided"
    return verdict


def seeds_short(claim: Claim, seeds: Sequence[tuple[Role, int]]) -> list[Remark]:
    """What the sides lack of the fewest training seeds; a base has none."""
    needed = claim.decision.seeds
    return [
        remark("seeds-of-role", needed=needed, role=role, measured=measured)
        for role, measured in seeds
        if role != "base" and measured < needed
    ]


def all_of(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    """Holds if every part does, fails if one fails."""
    if "fails" in verdicts:
        return "fails"
    return "holds" if verdicts and set(verdicts) == {"holds"} else "undecided"


def concluded(  # noqa: PLR0913 - a result has as many sides; each has a name and a default
    claim: Claim,
    verdict: ClaimVerdict,
    *,
    why: Sequence[Remark],
    arms: Sequence[str] = (),
    benchmarks: Sequence[str] = (),
    figures: Sequence[ClaimFigure] = (),
    lacks: Sequence[Remark] = (),
    would_decide: Remark | None = None,
    outcome: str | None = None,
    deciding: int = 1,
) -> ClaimResult:
    """The claim with its verdict.

    Nothing is decided where the rule asks for more than was measured, which `lacks` names.
    `would_decide` is kept only where nothing is decided. `deciding` intervals can decide it.
    """
    if lacks:
        verdict, why = "undecided", [*why, remark("rule-asks", lacks=tuple(lacks))]
        would_decide = remark("lacking", lacks=tuple(lacks), plan=claim.to_measure)
    open_until = (would_decide or as_given(claim.to_measure)) if verdict == "undecided" else None
    return ClaimResult(
        id=claim.id,
        statement=claim.statement,
        arms=tuple(dict.fromkeys(arms)),
        benchmarks=tuple(dict.fromkeys(benchmarks)),
        verdict=verdict,
        figures=tuple(figures),
        published=claim.published,
        rule=claim.rule,
        why=tuple(why),
        would_decide=open_until,
        outcome=outcome if verdict != "undecided" else None,
        alpha=0.0 if lacks or not figures else ONE_SIDE * deciding,
    )


def missing(claim: Claim, what: Remark, *, arms: Sequence[str] = ()) -> ClaimResult:
    """A claim whose evidence is not stored: undecided, without figures."""
    return concluded(claim, "undecided", why=[what], arms=arms)


def figure_of(name: Remark, of: Estimate, unit: Unit = "points") -> ClaimFigure:
    """A number under its name; a difference of shares unless the unit says otherwise."""
    return ClaimFigure(name=name, value=of.value, interval=of.interval, unit=unit)


def more_needed(figure: ClaimFigure, decision: Decision, *, of: str) -> Remark:
    """How much more would bring the interval off the bound, if the value stays where it is.

    Half-widths shrink with the square root of what they are over.
    """
    interval, value = figure.interval, figure.value
    if interval is None or value is None:
        return remark("more-to-vary", of=of)
    ends = (-decision.bound, decision.bound) if decision.side == "within" else (decision.bound,)
    end = min(ends, key=lambda end: abs(value - end))
    gap = abs(value - end)
    reach = interval.high - value if value < end else value - interval.low
    factor = (reach / gap) ** 2 if gap else _MOST
    if factor >= _MOST:
        return remark("far-more", of=of)
    return remark("times-as-many", times=max(factor, 1.1), of=of)
