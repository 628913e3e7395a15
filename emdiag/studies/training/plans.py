"""What the user asked for around training: which prompt to train on, and scores of all seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, get_args

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.option_groups import Sampling, Targets
from emdiag.core.options import Option, OptionGroup
from emdiag.core.selection import Criterion
from emdiag.studies.evaluate.plan import CHECKPOINT, DrawingPlan, EvaluatePlan, NamedRef

Updates = Literal["last", "all"]
"""Which checkpoints of a training run: after its last update, or all that were saved."""


class SeedScoresPlan(DrawingPlan, frozen=True, kw_only=True):
    """Every cell of a training folder under one way of sampling."""

    verb: ClassVar[str] = "train score"

    out: Annotated[
        str,
        Option(
            "Folder that `emdiag train` was told to write.",
            metavar="OUT",
            is_argument=True,
            read=str,
        ),
    ]
    base: Annotated[
        NamedRef | None,
        replace(CHECKPOINT, help="Compare with it, such as the parent.", is_argument=False),
    ] = None
    updates: Annotated[Updates, Option("last, or all whose checkpoint was saved.")] = "last"
    sampling: Annotated[
        Sampling, OptionGroup(help={"seed": "Seed of the run, not of training."})
    ] = Sampling()


def parse_criterion(value: object) -> object:
    """A criterion as typed.

    Raises:
        PlanError: There is no such criterion.
    """
    known = get_args(Criterion)
    if value not in known:
        raise PlanError(f"there is no criterion {value!r}", hint=f"one of {', '.join(known)}")
    return value


class SelectPlan(DrawingPlan, frozen=True, kw_only=True):
    """One checkpoint on one pool, and what its prompts are ranked by.

    Samples are drawn at temperature 1 unless said otherwise: that is the distribution whose
    entropy minimisation lowers. Any other temperature measures a sharper or flatter model; 0.5 is
    the one that the paper trains at.
    """

    verb: ClassVar[str] = "select"

    checkpoint: Annotated[NamedRef, CHECKPOINT]
    pool: Annotated[
        str, Option("A benchmark, or a .jsonl, .json or .parquet file, answers or not.", read=str)
    ] = "chain"
    by: Annotated[
        Criterion | None,
        Option(
            "outcome-variance (uses labels), answer-entropy, agreement, token-entropy or "
            "majority; the first where most problems have an answer, else the second.",
            read=parse_criterion,
        ),
    ] = None
    token_entropy: Annotated[
        bool, Option("Load the weights once more and read the entropy of every token.")
    ] = True
    out: Annotated[
        str | None,
        Option(
            "Ranked problems, for `train --prompt-file`; in STORE/select by default.",
            flags=("--out", "-o"),
            metavar="FILE.jsonl",
            read=str,
        ),
    ] = None
    targets: Annotated[
        Targets,
        OptionGroup(
            without=("benchmarks",), help={"limit": "Use only the first N problems of the pool."}
        ),
    ] = Targets()
    sampling: Annotated[
        Sampling,
        OptionGroup(
            help={
                "samples": "Samples of each prompt.",
                "temperature": "1 is the model's own distribution; the paper trains at 0.5.",
            }
        ),
    ] = Sampling(samples=16, temperature=1.0)

    @property
    def evaluation(self) -> EvaluatePlan:
        """The evaluation that draws the samples."""
        targets = msgspec.structs.replace(self.targets, benchmarks=(self.pool,))
        return msgspec.structs.replace(self.drawing([self.checkpoint]), targets=targets)

    def check(self) -> None:
        """As of every plan."""
        if self.sampling.samples < 2 or self.sampling.temperature == 0:
            raise PlanError(
                "prompts are ranked by how their samples differ",
                samples=self.sampling.samples,
                temperature=self.sampling.temperature,
                hint="two samples or more at a temperature above 0",
            )
        super().check()
        if self.by == "token-entropy" and not self.token_entropy:
            raise PlanError("ranking by token entropy needs token entropies to be read")
