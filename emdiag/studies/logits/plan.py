"""What the user asked to know about logits."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, get_args

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.logit_skew import OWN, Continuation, Quirk
from emdiag.core.records import Record
from emdiag.studies.evaluate.arms import ArmPlan, parse_arms
from emdiag.studies.evaluate.plan import (
    EvaluatePlan,
    NamedRef,
    check_plan,
    evaluate_plan,
    parse_refs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REFERENCE = "reference"
"""Name of the text that no checkpoint of the study wrote."""

SOLUTIONS = "solutions"
"""The reference that comes with a benchmark: its written solutions."""

MOST_ENTROPY_TEMPERATURE = 100.0

_DEFAULTS = {"temperature": 1.0, "limit": 20}
"""At temperature 1 a text is drawn from the distribution whose figures are read."""


class LogitSkewPlan(Record, frozen=True, kw_only=True):
    """Checkpoints that read the same texts.

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
    continuation: Continuation = "shared"
    texts: tuple[str, ...] | None = None
    reference: str = SOLUTIONS
    from_runs: tuple[NamedRef, ...] = ()
    entropy_temperatures: tuple[float, ...] = ()
    published: bool = False
    undo: tuple[Quirk, ...] = ()
    seed: int = 0


LOGIT_OPTIONS = (
    *("base", "continuation", "texts", "reference", "from_runs", "entropy_temperatures"),
    *("published", "undo"),
)
"""Options of the study; all others are of `EvaluatePlan`."""


def logit_skew_plan(
    checkpoints: Sequence[str],
    benchmark: str,
    *,
    seeds: str = "registered",
    options: Mapping[str, object],
) -> LogitSkewPlan:
    """The plan with these options.

    Args:
        checkpoints: `[LABEL=]REF` each; a label given several times is one arm with several seeds.
        benchmark: Name, or path of a problem file.
        seeds: What a training folder stands for.
        options: Fields of `LogitSkewPlan` and of `EvaluatePlan`; `problems` is another word for
            its `limit`.

    Raises:
        PlanError: A checkpoint cannot be parsed, or an option is unknown, of another type or out
            of range.
    """
    arms = parse_arms(checkpoints, seeds=seeds)
    mine = {name: options[name] for name in LOGIT_OPTIONS if options.get(name) is not None}
    _check_words("continuation", [mine.get("continuation", "shared")], get_args(Continuation))
    _check_words("undo", mine.get("undo", ()), get_args(Quirk))
    others = {name: value for name, value in options.items() if name not in LOGIT_OPTIONS}
    if "problems" in others:
        others["limit"] = others.pop("problems")
    members = [f"{member.label}={member.ref}" for arm in arms for member in arm.members]
    how = evaluate_plan(members, [benchmark], {**_DEFAULTS, **others})
    fields = {
        "base": arms[0].label,
        **mine,
        "arms": msgspec.to_builtins(arms),
        "from_runs": [msgspec.to_builtins(ref) for ref in _runs(mine.get("from_runs", ()))],
        "how": msgspec.to_builtins(how),
        "seed": how.seed,
    }
    try:
        plan = msgspec.convert(fields, LogitSkewPlan)
    except msgspec.ValidationError as error:
        raise PlanError(f"an option has the wrong value: {error}") from error
    check_logit_plan(plan)
    return plan


def check_logit_plan(plan: LogitSkewPlan) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        PlanError: A value lies outside its range, or two do not go together.
    """
    check_plan(plan.how)
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


def _check_texts(plan: LogitSkewPlan, labels: Sequence[str]) -> None:
    known = [*labels, *([] if plan.reference == "none" else [REFERENCE])]
    unknown = [name for name in plan.texts or () if name not in known]
    if unknown:
        raise PlanError(
            f"there is no text called {', '.join(map(repr, unknown))}",
            texts=", ".join(known),
            hint="a shared text is named by the label of its writer, or `reference`",
        )


def _check_words(option: str, found: object, known: Sequence[str]) -> None:
    for word in found if isinstance(found, list | tuple) else [found]:
        if word not in known:
            raise PlanError(f"{option} is {word!r}", expected=", ".join(known))


def _runs(arguments: object) -> tuple[NamedRef, ...]:
    if not isinstance(arguments, list | tuple) or not all(isinstance(x, str) for x in arguments):
        raise PlanError("from_runs must be a list of [NAME=]RUN", hint="RUN is a key or a folder")
    runs = parse_refs(arguments) if arguments else ()
    names = [run.label for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"two runs are called {name!r}", hint="name them: NAME=RUN")
    return runs
