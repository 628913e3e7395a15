"""What the user asked to vary."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, get_args

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.records import Record
from emdiag.core.temperature_sweep import Axis, SweepSetting
from emdiag.studies.evaluate.arms import ArmPlan, parse_arms
from emdiag.studies.evaluate.plan import EvaluatePlan, check_plan, evaluate_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
SAMPLES = 8
MARGIN = 0.02
"""Two points: beyond that, a checkpoint is better, or worse, than its entropy-matched baseline."""

_MOST_AXES = 2


class TemperatureSweepPlan(Record, frozen=True, kw_only=True):
    """Checkpoints under several ways of sampling.

    Attributes:
        arms: By label.
        how: Benchmarks, and everything about sampling that is not varied.
        axes: What is varied, by two or more values each, the axis of the plots first.
        settings: All of them, in order.
        base: Label of the arm that is cooled to the others' entropy; None for no control.
        reads_entropy: Whether completions are read again for their entropy, which the control
            needs.
        control_at: Temperatures of the others at which the base is matched; None for all that are
            swept, but 0.
        control_rounds: How often new temperatures of the base are tried.
    """

    arms: tuple[ArmPlan, ...]
    how: EvaluatePlan
    axes: tuple[Axis, ...]
    settings: tuple[SweepSetting, ...]
    base: str | None
    reads_entropy: bool = True
    control_at: tuple[float, ...] | None = None
    control_rounds: int = 4


SWEEP_OPTIONS = ("base", "control", "control_at", "entropy")
"""Options of the study; all others are of `EvaluatePlan`."""


def temperature_sweep_plan(
    checkpoints: Sequence[str],
    benchmarks: Sequence[str],
    *,
    sweep: Mapping[str, Sequence[float]],
    seeds: str = "registered",
    options: Mapping[str, object],
) -> TemperatureSweepPlan:
    """The plan with these options.

    Args:
        checkpoints: `[LABEL=]REF` each; a label given several times is one arm with several seeds.
        benchmarks: Names, or paths of problem files.
        sweep: Values of each axis; temperatures are `TEMPERATURES` where no axis is named, and 1
            where another one is.
        seeds: What a training folder stands for.
        options: Fields of `EvaluatePlan`; and `base` (a label, the first by default), `control`
            and `entropy` (on by default), `control_at`.

    Raises:
        PlanError: A checkpoint cannot be parsed, or an option is unknown, of another type or out
            of range.
    """
    arms = parse_arms(checkpoints, seeds=seeds)
    others = {name: value for name, value in options.items() if name not in SWEEP_OPTIONS}
    for name in get_args(Axis):
        if name in others:
            raise PlanError(f"{name} is what a sweep varies", hint=f"--sweep {name}=VALUE,VALUE")
    members = [f"{member.label}={member.ref}" for arm in arms for member in arm.members]
    how = evaluate_plan(members, benchmarks, {"samples": SAMPLES, **others, "temperature": 1.0})
    axes, settings = _settings(sweep)
    for setting in settings:
        check_plan(plan_at(how, setting))
    has_entropy = bool(options.get("entropy", True))
    at = options.get("control_at")
    fields = {
        "arms": msgspec.to_builtins(arms),
        "how": msgspec.to_builtins(how),
        "axes": axes,
        "settings": [msgspec.to_builtins(setting) for setting in settings],
        "base": _base(arms, options) if has_entropy else None,
        "reads_entropy": has_entropy,
        "control_at": at,
    }
    try:
        plan = msgspec.convert(fields, TemperatureSweepPlan)
    except msgspec.ValidationError as error:
        raise PlanError(f"an option has the wrong value: {error}") from error
    _check_control(plan)
    return plan


def plan_at(how: EvaluatePlan, setting: SweepSetting) -> EvaluatePlan:
    """The evaluation of one setting; greedy decoding is one sample, and keeps all tokens."""
    is_greedy = setting.temperature == 0
    return msgspec.structs.replace(
        how,
        temperature=setting.temperature,
        top_p=1.0 if is_greedy else setting.top_p,
        top_k=0 if is_greedy else setting.top_k,
        samples=1 if is_greedy else how.samples,
    )


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


def _base(arms: Sequence[ArmPlan], options: Mapping[str, object]) -> str | None:
    """Label of the arm that is cooled; None where there is nothing to compare it with."""
    named = options.get("base")
    labels = [arm.label for arm in arms]
    if named is not None and named not in labels:
        raise PlanError(f"no checkpoint is called {named!r}", labels=", ".join(labels))
    if not options.get("control", True) or len(arms) < 2:
        return None
    base = next(arm for arm in arms if arm.label == (named or arms[0].label))
    if len(base.members) > 1:
        raise PlanError(
            f"the base {base.label!r} has {len(base.members)} checkpoints, expected one",
            hint="name another one with --base, or leave the control out with --no-control",
        )
    return base.label


def _check_control(plan: TemperatureSweepPlan) -> None:
    swept = sorted({setting.temperature for setting in plan.settings})
    for temperature in plan.control_at or ():
        if temperature not in swept or temperature == 0:
            raise PlanError(
                f"the control is asked for at temperature {temperature:g}, which is not swept"
                if temperature
                else "greedy decoding has no entropy to match",
                swept=", ".join(f"{value:g}" for value in swept),
            )
