"""Metrics of the user's own: functions of outcomes, named `package.module:name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import cast
from unicodedata import category

import msgspec

from emdiag.core.errors import MeasurementError
from emdiag.core.outside import load_object, outside_code
from emdiag.core.results import Interval, Metric
from emdiag.studies.stored.outcomes import Outcomes

MetricFunction = Callable[[Outcomes], Metric]
"""One number of a checkpoint on a benchmark."""

_MAX_NAME = 80
_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories: control characters, lone surrogates and separators of lines."""


def load_metrics(names: Sequence[str]) -> dict[str, MetricFunction]:
    """The functions of these names, each once.

    Raises:
        PlanError: One cannot be imported, or is not callable.
    """
    return {name: cast("MetricFunction", load_object(name, kind="metric")) for name in names}


def name_of(metric: str | MetricFunction) -> str:
    """What a function is named by; a name stays as it is."""
    if isinstance(metric, str):
        return metric
    owner = metric if hasattr(metric, "__qualname__") else type(metric)
    return f"{owner.__module__}:{owner.__qualname__}"


def measure_outside(
    functions: Mapping[str, MetricFunction], outcomes: Outcomes
) -> tuple[Metric, ...]:
    """What each function says of these outcomes.

    Raises:
        MeasurementError: One fails, does not return a `Metric` of finite numbers under a name
            of one short line, or returns the name of another one.
    """
    measured: dict[str, Metric] = {}
    for name, function in functions.items():
        where = f"the metric {name} on {outcomes.label}, {outcomes.run.spec.benchmark}"
        refusal = MeasurementError(
            f"{where}, failed",
            hint="the samples are kept: correct the function and run the same command again",
        )
        with outside_code(refusal):
            value = function(outcomes)
        metric = _checked(value, where)
        if metric.name in measured:
            raise MeasurementError(
                f"{where}, returned the name {metric.name!r}, which another metric has",
                hint="give each metric a name of its own",
            )
        measured[metric.name] = metric
    return tuple(measured.values())


def _checked(value: object, where: str) -> Metric:
    """The metric in plain numbers, those of numpy among them."""
    hint = "return emdiag.Metric(name=..., value=..., interval=None)"
    if not isinstance(value, Metric):
        kind = type(value).__name__
        raise MeasurementError(f"{where}: expected an emdiag.Metric, found {kind}", hint=hint)
    interval = value.interval
    try:
        if isinstance(interval, Interval):
            interval = msgspec.structs.replace(
                interval, low=float(interval.low), high=float(interval.high)
            )
        plain = {"name": value.name, "value": float(value.value), "interval": interval}
        metric = msgspec.convert(plain, Metric)
    except (TypeError, ValueError) as error:  # msgspec's are ValueErrors
        raise MeasurementError(f"{where}: {error}", found=value, hint=hint) from error
    _check_name(metric.name, where)
    ends = (interval.low, interval.high) if interval else ()
    if not all(map(isfinite, (metric.value, *ends))):
        raise MeasurementError(
            f"{where}: expected finite numbers, found {value}",
            hint="a value that is not defined on these outcomes is an error to raise, with words",
        )
    return metric


def _check_name(name: str, where: str) -> None:
    """A name stands in a table and in messages: one short line of text."""
    is_line = name.strip() and not any(category(character) in _NOT_IN_NAMES for character in name)
    if not is_line or len(name) > _MAX_NAME:
        raise MeasurementError(
            f"{where}: expected a name of one line, 1 to {_MAX_NAME} characters long",
            found=f"{name[:_MAX_NAME]!r}, {len(name)} characters",
            hint="give the metric a short name without control characters",
        )
