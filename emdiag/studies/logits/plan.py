"""What the user asked to know about logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.logit_skew import OWN, Continuation, Quirk
from emdiag.core.option_groups import Sampling, Targets
from emdiag.core.options import Option, OptionGroup
from emdiag.core.sampling import LEAST_TEMPERATURE, MOST_TEMPERATURE
from emdiag.core.typed_lists import names, numbers
from emdiag.studies.evaluate.arms import (
    SEEDS,
    ArmPlan,
    SeedChoice,
    base_arm,
    parse_arms,
    several_checkpoints,
)
from emdiag.studies.evaluate.plan import (
    CHECKPOINTS,
    DrawingPlan,
    EvaluatePlan,
    NamedRef,
    parse_refs,
    typed_refs,
)

REFERENCE = "reference"
"""Name of the text that no checkpoint of the study wrote."""

SOLUTIONS = "solutions"
"""The reference that comes with a benchmark: its written solutions."""

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


class LogitSkewPlan(DrawingPlan, frozen=True, kw_only=True):
    """Checkpoints that read the same texts.

    At temperature 1 a text is drawn from the distribution whose statistics are read.
    """

    verb: ClassVar[str] = "logits-skew"
    old_names: ClassVar[Mapping[str, str]] = {"problems": "limit"}

    checkpoints: Annotated[tuple[NamedRef, ...], CHECKPOINTS]
    base: Annotated[str | None, Option("Label that differences are to; the first by default.")] = (
        None
    )
    seeds: Annotated[SeedChoice, SEEDS] = "registered"
    continuation: Annotated[
        Continuation,
        Option("shared: all read the same texts; own: each its own; or both.", panel=TEXTS),
    ] = "shared"
    texts: Annotated[
        tuple[str, ...] | None,
        Option(
            "Shared texts, by the labels of their writers or `reference`, separated by "
            "commas; all by default.",
            panel=TEXTS,
            read=names,
        ),
    ] = None
    reference: Annotated[
        str,
        Option(
            "solutions (the benchmark's own), none, or a checkpoint that only writes.", panel=TEXTS
        ),
    ] = SOLUTIONS
    from_runs: Annotated[
        tuple[NamedRef, ...],
        Option(
            "Read the texts of a stored run and draw none; repeatable.",
            flags=("--from-run",),
            metavar="[NAME=]RUN",
            panel=TEXTS,
            is_repeated=True,
            read=parse_runs,
            write=typed_refs,
        ),
    ] = ()
    entropy_temperatures: Annotated[
        tuple[float, ...],
        Option(
            "Temperatures other than 1, separated by commas.",
            flags=("--entropy-at",),
            at_least=LEAST_TEMPERATURE,
            at_most=MOST_TEMPERATURE,
            read=partial(numbers, option="--entropy-at"),
        ),
    ] = ()
    published: Annotated[
        bool,
        Option(
            "Also measure as the released script does: T 0.6, top 50, pooled, own text.",
            flags=("--published",),
            panel=FIGURE,
        ),
    ] = False
    undo: Annotated[
        tuple[Quirk, ...],
        Option(
            "Quirks left out, separated by commas: own-text, cut-to-shortest, top-k, "
            "zeros-dropped, temperature, pooled.",
            panel=FIGURE,
            read=names,
        ),
    ] = ()
    targets: Annotated[
        Targets,
        OptionGroup(
            help={
                "benchmarks": "A name, a .jsonl, .json or .parquet file, or a folder with a card.",
                "limit": "Use only the first N problems.",
            }
        ),
    ] = Targets(limit=PROBLEMS)
    sampling: Sampling = Sampling(temperature=1.0)

    def check(self) -> None:
        """As of every plan."""
        super().check()
        if len(self.targets.benchmarks) > 1:
            raise PlanError(
                f"{len(self.targets.benchmarks)} benchmarks are named, expected one",
                hint="give the command once for each",
            )


@dataclass(frozen=True, kw_only=True)
class LogitSkewDesign:
    """A plan with its arms written out.

    Attributes:
        plan: Texts of `from_runs` are called by a name of their own; one that is a label is that
            checkpoint's own text.
        arms: By label; the first member of each writes its text.
        how: The evaluation that draws the texts.
    """

    plan: LogitSkewPlan
    arms: tuple[ArmPlan, ...]
    base: ArmPlan
    how: EvaluatePlan


def logit_design(plan: LogitSkewPlan) -> LogitSkewDesign:
    """The arms of a plan, and what each reads.

    Raises:
        PlanError: A training folder cannot be read, or the plan contradicts itself.
    """
    arms = parse_arms(plan.checkpoints, seeds=plan.seeds)
    labels = [arm.label for arm in arms]
    for taken in (OWN, REFERENCE):
        if taken in labels:
            raise PlanError(
                f"{taken!r} is the name of a text and cannot be a label",
                hint="give the checkpoint another label: LABEL=REF",
            )
    base = base_arm(arms, plan.base)
    if len(base.members) > 1:
        raise several_checkpoints(
            base, hint="every difference is to one base; take another label for the others"
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
    if plan.from_runs and plan.asking.line:
        raise PlanError(
            "prompts of a stored run are asked as it asked them",
            found=plan.asking.line,
            hint="leave out --chat-option, --system and --prefix, or --from-run",
        )
    how = plan.drawing(member for arm in arms for member in arm.members)
    if plan.from_runs:  # nothing is drawn, so that no answer needs room
        how = msgspec.structs.replace(
            how, sampling=msgspec.structs.replace(how.sampling, max_tokens=1)
        )
    return LogitSkewDesign(plan=plan, arms=arms, base=base, how=how)


def _check_temperatures(temperatures: Sequence[float]) -> None:
    if len(set(temperatures)) < len(temperatures):
        raise PlanError("an entropy temperature was named twice")


def _check_texts(plan: LogitSkewPlan, labels: Sequence[str]) -> None:
    known = [*labels, *([] if plan.reference == "none" else [REFERENCE])]
    unknown = [name for name in plan.texts or () if name not in known]
    if unknown:
        raise PlanError(
            f"there is no text called {', '.join(map(repr, unknown))}",
            texts=", ".join(known),
            hint="a shared text is named by the label of its writer, or `reference`",
        )
