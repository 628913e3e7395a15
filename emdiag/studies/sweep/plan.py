"""What the user asked to vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Annotated, ClassVar, Self, get_args

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.option_groups import OWN_TEMPERATURE, Sampling
from emdiag.core.options import Option, OptionGroup
from emdiag.core.records import Record
from emdiag.core.sampling import LEAST_TEMPERATURE, MOST_TEMPERATURE
from emdiag.core.temperature_sweep import Axis, SweepSetting
from emdiag.core.typed_lists import numbers, texts
from emdiag.studies.evaluate.arms import (
    SEEDS,
    ArmPlan,
    SeedChoice,
    base_arm,
    parse_arms,
    several_checkpoints,
)
from emdiag.studies.evaluate.plan import CHECKPOINTS, DrawingPlan, EvaluatePlan, NamedRef

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
SAMPLES = 8
MARGIN = 0.02
"""Two points: beyond that, a checkpoint is better, or worse, than its entropy-matched baseline."""

CONTROL = "Entropy-matched baseline"
"""Panel of the help page."""

_MOST_AXES = 2


class AxisValues(Record, frozen=True, kw_only=True):
    """One axis that is swept."""

    axis: str
    values: tuple[float, ...]


def parse_axes(value: object) -> object:
    """Axes as typed, `top_p=0.8,0.9,1` each, or values by axis."""
    if isinstance(value, Mapping):
        return [{"axis": axis, "values": list(values)} for axis, values in value.items()]
    given = texts(value)
    return [_axis(item) for item in given] if isinstance(given, list | tuple) else given


class TemperatureSweepPlan(DrawingPlan, frozen=True, kw_only=True):
    """Checkpoints under several ways of sampling."""

    verb: ClassVar[str] = "temp-sweep"

    checkpoints: Annotated[tuple[NamedRef, ...], CHECKPOINTS]
    temperatures: Annotated[
        tuple[float, ...] | None,
        Option(
            "Separated by commas; 0,0.2,...,1.2 fills in the steps. 0 is greedy, one sample.",
            shown_default="0,0.2,...,1.2; 1 where another axis is swept",
            at_least=LEAST_TEMPERATURE,
            at_most=MOST_TEMPERATURE,
            also=0,
            expected=OWN_TEMPERATURE,
            read=partial(numbers, option="--temperatures"),
        ),
    ] = None
    sweep: Annotated[
        tuple[AxisValues, ...],
        Option(
            "Another axis: top_p=0.8,0.9,1 or top_k=20,50,0; two axes give a heat map.",
            metavar="AXIS=VALUE,VALUE",
            is_repeated=True,
            read=parse_axes,
            write=lambda axes: [
                f"{item.axis}={','.join(f'{value!r}' for value in item.values)}" for item in axes
            ],
        ),
    ] = ()
    seeds: Annotated[SeedChoice, SEEDS] = "registered"
    base: Annotated[
        str | None, Option("Label of the base; the first checkpoint by default.", panel=CONTROL)
    ] = None
    control: Annotated[
        bool,
        Option(
            "Compare each checkpoint with the base at the temperature of equal entropy.",
            panel=CONTROL,
        ),
    ] = True
    control_at: Annotated[
        tuple[float, ...] | None,
        Option(
            "Temperatures of the others at which the base is matched; all but 0 by default.",
            panel=CONTROL,
            at_least=LEAST_TEMPERATURE,
            at_most=MOST_TEMPERATURE,
            also=0,
            read=partial(numbers, option="--control-at"),
        ),
    ] = None
    entropy: Annotated[
        bool,
        Option("Read completions again for their entropy, which the control needs.", panel=CONTROL),
    ] = True
    sampling: Annotated[Sampling, OptionGroup(without=get_args(Axis))] = Sampling(
        samples=SAMPLES, temperature=1.0
    )

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """As of every plan; an axis that is fixed is a `PlanError` too."""
        for name in get_args(Axis):
            if name in options:
                raise PlanError(
                    f"{name} is what a sweep varies", hint=f"--sweep {name}=VALUE,VALUE"
                )
        return super().of(options)


@dataclass(frozen=True, kw_only=True)
class SweepDesign:
    """A plan with its arms and settings written out.

    Attributes:
        how: Benchmarks, and everything about sampling that is not varied.
        axes: What is varied, by two or more values each, the axis of the plots first.
        base: Label of the arm that is cooled to the others' entropy; None for no control.
    """

    plan: TemperatureSweepPlan
    arms: tuple[ArmPlan, ...]
    how: EvaluatePlan
    axes: tuple[Axis, ...]
    settings: tuple[SweepSetting, ...]
    base: str | None


def sweep_design(plan: TemperatureSweepPlan) -> SweepDesign:
    """The arms and settings of a plan.

    Raises:
        PlanError: A training folder cannot be read, or the plan contradicts itself.
    """
    arms = parse_arms(plan.checkpoints, seeds=plan.seeds)
    how = plan.drawing(member for arm in arms for member in arm.members)
    axes, settings = _settings(_swept(plan))
    for setting in settings:
        plan_at(how, setting)  # one that is out of range is refused before anything is drawn
    base = _base(arms, plan) if plan.entropy else None
    _check_control(plan.control_at or (), sorted({setting.temperature for setting in settings}))
    return SweepDesign(plan=plan, arms=arms, how=how, axes=axes, settings=settings, base=base)


def plan_at(how: EvaluatePlan, setting: SweepSetting) -> EvaluatePlan:
    """The evaluation of one setting; greedy decoding is one sample, and keeps all tokens."""
    is_greedy = setting.temperature == 0
    sampling = msgspec.structs.replace(
        how.sampling,
        temperature=setting.temperature,
        top_p=1.0 if is_greedy else setting.top_p,
        top_k=0 if is_greedy else setting.top_k,
        min_p=0.0 if is_greedy else how.sampling.min_p,
        samples=1 if is_greedy else how.sampling.samples,
    )
    return msgspec.structs.replace(how, sampling=sampling)


def _axis(argument: object) -> object:
    if not isinstance(argument, str):
        return argument
    name, equals, values = argument.partition("=")
    if not equals or not name.strip():
        raise PlanError(
            f"--sweep is {argument!r}, expected AXIS=VALUE,VALUE",
            hint="such as --sweep top_p=0.8,0.9,1",
        )
    return {"axis": name.strip(), "values": numbers(values, option=f"--sweep {name.strip()}")}


def _swept(plan: TemperatureSweepPlan) -> dict[str, Sequence[float]]:
    """Values of each axis, each axis named once."""
    named = [(item.axis, item.values) for item in plan.sweep]
    if plan.temperatures is not None:
        named.insert(0, ("temperature", plan.temperatures))
    swept: dict[str, Sequence[float]] = {}
    for axis, values in named:
        if axis in swept:
            raise PlanError(f"the axis {axis!r} was named twice")
        swept[axis] = values
    return swept


def _settings(
    sweep: Mapping[str, Sequence[float]],
) -> tuple[tuple[Axis, ...], tuple[SweepSetting, ...]]:
    values: dict[Axis, tuple[float, ...]] = {}
    unknown = sorted(set(sweep) - set(get_args(Axis)))
    if unknown:
        raise PlanError(f"there is no axis {unknown[0]!r}", known=", ".join(get_args(Axis)))
    for name in (axis for axis in get_args(Axis) if axis in sweep):
        given = sweep[name]
        if not given:
            raise PlanError(f"the axis {name} has no value")
        if len(set(given)) < len(given):
            raise PlanError(f"a value of {name} was named twice")
        values[name] = tuple(sorted(float(value) for value in given))
    if not any(len(given) > 1 for given in values.values()) and "temperature" not in values:
        values["temperature"] = TEMPERATURES
    axes = tuple(axis for axis in get_args(Axis) if len(values.get(axis, ())) > 1)
    if len(axes) > _MOST_AXES:
        raise PlanError(f"{len(axes)} axes are swept, expected at most two")
    if len(axes) > 1 and 0.0 in values.get("temperature", ()):
        raise PlanError(
            "temperature 0 has no second axis: greedy decoding takes the first token always",
            hint="start --temperatures above 0, or sweep one axis",
        )
    top_k = values.get("top_k", (0.0,))
    if any(value != int(value) for value in top_k):
        raise PlanError(f"top_k is {', '.join(f'{k:g}' for k in top_k)}, expected whole numbers")
    grid = product(values.get("temperature", (1.0,)), values.get("top_p", (1.0,)), top_k)
    return axes, tuple(SweepSetting(temperature=t, top_p=p, top_k=int(k)) for t, p, k in grid)


def _base(arms: Sequence[ArmPlan], plan: TemperatureSweepPlan) -> str | None:
    """Label of the arm that is cooled; None where there is nothing to compare it with."""
    base = base_arm(arms, plan.base)
    if not plan.control or len(arms) < 2:
        return None
    if len(base.members) > 1:
        raise several_checkpoints(
            base, hint="name another one with --base, or leave the control out with --no-control"
        )
    return base.label


def _check_control(temperatures: Sequence[float], swept: Sequence[float]) -> None:
    for temperature in temperatures:
        if temperature not in swept or temperature == 0:
            raise PlanError(
                f"the control is asked for at temperature {temperature:g}, which is not swept"
                if temperature
                else "greedy decoding has no entropy to match",
                swept=", ".join(f"{value:g}" for value in swept),
            )
