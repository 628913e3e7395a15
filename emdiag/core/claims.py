"""What a paper says, what was measured of it, and what follows."""

from __future__ import annotations

from typing import Final, Literal

from emdiag.core.records import Record, Result
from emdiag.core.results import Interval, Remark

ClaimVerdict = Literal["holds", "fails", "undecided"]
"""By the claim's own rule; `undecided` also where it was not measured."""

Unit = Literal[
    "points", "points per unit of T", "nats", "share", "skewness", "count", "times", "AUROC",
    "rank correlation", "standard errors",
]  # fmt: skip
"""`points` are hundredths of a share; figures of shares are stored between 0 and 1 all the same."""

UNIT_OF_SLOPES: Final = "points per unit of T"

Role = Literal["base", "em", "rl", "em_rl", "rl_em", "em_maximised"]
"""What part a checkpoint plays: its stage, or the control that was trained to maximise entropy."""

Side = Literal["above", "below", "within"]
"""Where the whole interval must lie for a claim to hold: above its bound, below it, or no farther
from zero than it either way. Where it lies wholly elsewhere the claim fails; where it crosses the
bound nothing is decided."""


class Decision(Record, frozen=True, kw_only=True):
    """When a claim holds, as data; numbers that a claim's statistic does not use stay as they are.

    Attributes:
        side: Where the interval of the deciding figure must lie.
        bound: In the figure's own unit: shares of 1 for points.
        temperatures: Lowest and highest sampling temperature of the runs that count.
        seeds: Fewest training seeds of each trained arm.
        problems: Fewest problems both sides share.
        samples: Fewest samples of each problem; of pass@k, its k.
        benchmarks: On how many benchmarks it is stated.
        benchmarks_share: Share of the benchmarks measured on which it must hold.
        prompts: Fewest training prompts.
        templates: Fewest prompt templates.
        pass_rate_bins: Fewest fifths of the pass rate, 0 to 1, that training prompts come from.
        reach: Temperatures that a sweep must reach down to and up to, or past.
        p_value: Below which a corrected test must lie; 1 asks for none.
        step_norm_ratio: Largest ratio of the two sides' mean step norms; None asks for none.
    """

    side: Side
    bound: float
    temperatures: tuple[float, float] = (0.0, 0.0)
    seeds: int = 1
    problems: int = 2
    samples: int = 1
    benchmarks: int = 1
    benchmarks_share: float = 1.0
    prompts: int = 1
    templates: int = 1
    pass_rate_bins: int = 1
    reach: tuple[float, float] = (1.0, 0.0)
    p_value: float = 1.0
    step_norm_ratio: float | None = None


class Claim(Record, frozen=True, kw_only=True):
    """One entry of `claims.toml`.

    Attributes:
        left, right: The sides compared; figures are right minus left. Equal where one side alone
            is measured.
        statistic: Name of the function that measures it.
        published: What the paper says; None where it gives no figure.
        benchmark: The only benchmark it is about; None for all that were measured.
        also: A third side, where a claim compares two sides with it.
        to_measure: What to run where nothing is stored.
    """

    id: str
    statement: str
    left: Role
    right: Role
    statistic: str
    decision: Decision
    rule: str
    to_measure: str
    published: str | None = None
    benchmark: str | None = None
    also: Role | None = None


class ClaimFigure(Record, frozen=True, kw_only=True):
    """One number that a verdict rests on, in shares of 1 where the unit is points."""

    name: Remark
    value: float | None
    interval: Interval | None
    unit: Unit


class ClaimResult(Record, frozen=True, kw_only=True):
    """One claim on one set of arms.

    Attributes:
        arms: Labels that played a part, such as `em` and `rl`; two EM arms are two results.
        figures: The one that decides first.
        why: Reasons for the verdict, the figure first.
        would_decide: What to run for a verdict; None where there is one.
        outcome: Which of several outcomes it is, where a claim has more than two; None where that
            is open, and for all other claims.
        alpha: Chance at most that the verdict is wrong by the draw of problems and seeds: half of
            what each interval that can decide it leaves outside, summed. 0 where nothing could be
            decided, and in results of earlier versions.
    """

    id: str
    statement: str
    arms: tuple[str, ...]
    benchmarks: tuple[str, ...]
    verdict: ClaimVerdict
    figures: tuple[ClaimFigure, ...]
    published: str | None
    rule: str
    why: tuple[Remark, ...]
    would_decide: Remark | None
    outcome: str | None = None
    alpha: float = 0.0


class ClaimsResult(Result, frozen=True, kw_only=True, tag="claims"):
    """Every claim of the ledger, in its order; one looked at on two EM arms is there twice."""

    claims: tuple[ClaimResult, ...]
    notes: tuple[Remark, ...]
    store: str
