"""What the user asked to know about logits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Annotated, ClassVar

from emdiag.core.errors import PlanError
from emdiag.core.logit_skew import OWN, Continuation, Quirk
from emdiag.core.option_groups import Grading, Sampling, Targets
from emdiag.core.option_types import Option, OptionGroup, names
from emdiag.core.options import check_ranges
from emdiag.core.plans import Plan
from emdiag.core.ranges import numbers
from emdiag.engines.options import EngineOptions
from emdiag.studies.evaluate.arms import SEEDS, ArmPlan, SeedChoice, parse_arms
from emdiag.studies.evaluate.plan import (
    EvaluatePlan,
    NamedRef,
    check_drawing,
    parse_refs,
    typed_refs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE = "reference"
"""Name of the text that no checkpoint of the study wrote."""

SOLUTIONS = "solutions"
"""The reference that comes with a benchmark: its written solutions."""

MOST_ENTROPY_TEMPERATURE = 100.0
PROBLEMS = 20

TEXTS, FIGURE = "Texts", "Published figure"
"""Panels of the help page."""


def parse_runs(value: Sequence[str]) -> tuple[NamedRef, ...]:
    """`[NAME=]RUN...` as typed, each with a name of its own.

    Raises:
        PlanError: One is no text, or two have one name.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(x, str) for x in value):
        raise PlanError("from_runs must be a list of [NAME=]RUN", hint="RUN is a key or a folder")
    runs = parse_refs(value) if value else ()
    labels = [run.label for run in runs]
    for label in labels:
        if labels.count(label) > 1:
            raise PlanError(f"two runs are called {label!r}", hint="name them: NAME=RUN")
    return runs


class LogitSkewPlan(Plan, frozen=True, kw_only=True):
    """Checkpoints that read the same texts.

    At temperature 1 a text is drawn from the distribution whose statistics are read.
    """

    verb: ClassVar[str] = "logits-skew"

    checkpoints: Annotated[
        tuple[NamedRef, ...],
        Option(
            metavar="[LABEL=]REF...",
            help="The base first. A label given several times is one arm with several seeds.",
            is_argument=True,
            read=parse_refs,
            write=typed_refs,
        ),
    ]
    targets: Annotated[
        Targets,
        OptionGroup(
            changed={
                "benchmarks": Option(help="A name, or a .jsonl, .json or .parquet file."),
                "limit": Option(help="Use only the first N problems.", old=("--problems",)),
            }
        ),
    ] = Targets(limit=PROBLEMS)
    base: Annotated[
        str | None, Option(help="Label that differences are to; the first by default.")
    ] = None
    seeds: Annotated[SeedChoice, SEEDS] = "registered"
    continuation: Annotated[
        Continuation,
        Option(help="shared: all read the same texts; own: each its own; or both.", panel=TEXTS),
    ] = "shared"
    texts: Annotated[
        tuple[str, ...] | None,
        Option(
            help="Shared texts, by the labels of their writers or `reference`, separated by "
            "commas; all by default.",
            panel=TEXTS,
            read=names,
        ),
    ] = None
    reference: Annotated[
        str,
        Option(
            help="solutions (the benchmark's own), none, or a checkpoint that only writes.",
            panel=TEXTS,
        ),
    ] = SOLUTIONS
    from_runs: Annotated[
        tuple[NamedRef, ...],
        Option(
            flags=("--from-run",),
            metavar="[NAME=]RUN",
            help="Read the texts of a stored run and draw none; repeatable.",
            panel=TEXTS,
            is_repeated=True,
            read=parse_runs,
            write=typed_refs,
        ),
    ] = ()
    entropy_temperatures: Annotated[
        tuple[float, ...],
        Option(
            flags=("--entropy-at",),
            help="Temperatures beside 1, separated by commas.",
            read=partial(numbers, option="--entropy-at"),
        ),
    ] = ()
    published: Annotated[
        bool,
        Option(
            flags=("--published",),
            help="Also measure as the released script does: T 0.6, top 50, pooled, own text.",
            panel=FIGURE,
        ),
    ] = False
    undo: Annotated[
        tuple[Quirk, ...],
        Option(
            help="Quirks left out, separated by commas: own-text, cut-to-shortest, top-k, "
            "zeros-dropped, temperature, pooled.",
            panel=FIGURE,
            read=names,
        ),
    ] = ()
    sampling: Sampling = Sampling(temperature=1.0)
    engine: EngineOptions = EngineOptions()
    grading: Grading = Grading()

    def check(self) -> None:
        """Refuse a request that contradicts itself.

        Raises:
            PlanError: A value lies outside its range, or two do not go together.
        """
        check_ranges(self)
        check_drawing(self.targets, self.sampling)
        if len(self.targets.benchmarks) > 1:
            raise PlanError(
                f"{len(self.targets.benchmarks)} benchmarks are named, expected one",
                hint="give the command once for each",
            )
        logit_design(self)


@dataclass(frozen=True, kw_only=True)
class LogitSkewDesign:
    """A plan with its arms written out.

    Attributes:
        arms: By label; the first member of each writes its text.
        how: Benchmark and sampling of the texts; `limit` is the number of problems.
        base: Label that differences are to.
        continuation: Which texts are read.
        texts: Names of the shared texts: labels, `reference`, or names of runs; None for all.
        reference: `solutions`, `none`, or a checkpoint that writes and is not measured.
        from_runs: Runs to read in place of drawing; a name that is a label is that one's own text.
        entropy_temperatures: At which entropy is read, beside 1.
        published: Whether the released script's measurement is made as well.
        undo: Quirks of it that are left out.
        seed: Of bootstraps and permutations.
    """

    arms: tuple[ArmPlan, ...]
    how: EvaluatePlan
    base: str
    continuation: Continuation
    texts: tuple[str, ...] | None
    reference: str
    from_runs: tuple[NamedRef, ...]
    entropy_temperatures: tuple[float, ...]
    published: bool
    undo: tuple[Quirk, ...]
    seed: int


def logit_design(plan: LogitSkewPlan) -> LogitSkewDesign:
    """The arms of a plan, and what each reads.

    Raises:
        PlanError: A training folder cannot be read, or the plan contradicts itself.
    """
    arms = parse_arms(plan.checkpoints, seeds=plan.seeds)
    design = LogitSkewDesign(
        arms=arms,
        how=EvaluatePlan(
            checkpoints=tuple(member for arm in arms for member in arm.members),
            targets=plan.targets,
            sampling=plan.sampling,
            engine=plan.engine,
            grading=plan.grading,
        ),
        base=plan.base or arms[0].label,
        continuation=plan.continuation,
        texts=plan.texts,
        reference=plan.reference,
        from_runs=plan.from_runs,
        entropy_temperatures=plan.entropy_temperatures,
        published=plan.published,
        undo=plan.undo,
        seed=plan.sampling.seed,
    )
    _check_design(design)
    return design


def _check_design(plan: LogitSkewDesign) -> None:
    """Refuse a request that contradicts itself."""
    labels = [arm.label for arm in plan.arms]
    for taken in (OWN, REFERENCE):
        if taken in labels:
            raise PlanError(
                f"{taken!r} is the name of a text and cannot be a label",
                hint="give the checkpoint another label: LABEL=REF",
            )
    if plan.base not in labels:
        raise PlanError(f"no checkpoint is called {plan.base!r}", labels=", ".join(labels))
    base = next(arm for arm in plan.arms if arm.label == plan.base)
    if len(base.members) > 1:
        raise PlanError(
            f"the base {base.label!r} has {len(base.members)} checkpoints, expected one",
            hint="every difference is to one base; take another label for the others",
        )
    _check_temperatures(plan.entropy_temperatures)
    if not plan.from_runs:
        _check_texts(plan, labels)
    if plan.undo and not plan.published:
        raise PlanError(
            f"{', '.join(plan.undo)} can be undone in the published figure only",
            hint="add --published",
        )
    if plan.published and plan.from_runs:
        raise PlanError(
            "the published figure draws texts of its own, and --from-run draws nothing",
            hint="leave out one of the two",
        )


def _check_temperatures(temperatures: Sequence[float]) -> None:
    for temperature in temperatures:
        if not (isfinite(temperature) and 0 < temperature <= MOST_ENTROPY_TEMPERATURE):
            raise PlanError(
                f"an entropy temperature is {temperature}, expected above 0 and at most "
                f"{MOST_ENTROPY_TEMPERATURE:g}"
            )
    if len(set(temperatures)) < len(temperatures):
        raise PlanError("an entropy temperature was named twice")


def _check_texts(plan: LogitSkewDesign, labels: Sequence[str]) -> None:
    known = [*labels, *([] if plan.reference == "none" else [REFERENCE])]
    unknown = [name for name in plan.texts or () if name not in known]
    if unknown:
        raise PlanError(
            f"there is no text called {', '.join(map(repr, unknown))}",
            texts=", ".join(known),
            hint="a shared text is named by the label of its writer, or `reference`",
        )
