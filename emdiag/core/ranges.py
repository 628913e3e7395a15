"""Numbers as a reader writes them in one line."""

from __future__ import annotations

from emdiag.core.errors import PlanError

_MOST_STEPS = 100


def numbers(value: object, *, option: str = "a list of numbers") -> object:
    """Numbers separated by commas; `0,0.2,...,1.2` fills in the steps, as a reader would.

    Anything but a text comes back as it is.

    Raises:
        PlanError: Something between the commas is no number, or `...` does not stand between two
            numbers that give a step and the last one, which the steps must meet.
    """
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    values: list[float] = []
    for place, part in enumerate(parts):
        if part == "...":
            last = parts[place + 1] if place + 1 < len(parts) else ""
            values += _filled(values, last, text=value, option=option)
        else:
            values.append(_number(part, option=option))
    return values


def _filled(before: list[float], last: str, *, text: str, option: str) -> list[float]:
    """The numbers that `...` stands for, the last one left out."""
    problem = PlanError(
        f"{option} is {text!r}, where ... does not fill a range",
        hint="give two numbers before it and the last one after it: 0,0.2,...,1.2",
    )
    if len(before) < 2 or not last:
        raise problem
    step, end = before[-1] - before[-2], _number(last, option=option)
    count = (end - before[-1]) / step if step else 0.0
    if not 1 <= round(count) <= _MOST_STEPS or abs(count - round(count)) > 1e-6:
        raise problem
    return [round(before[-1] + number * step, 10) for number in range(1, round(count))]


def _number(part: str, *, option: str) -> float:
    try:
        return float(part)
    except ValueError as error:
        raise PlanError(f"{option} holds {part!r}, expected numbers separated by commas") from error
