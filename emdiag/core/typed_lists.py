"""Lists as a reader writes them in one line."""

from __future__ import annotations

from collections.abc import Sequence

from emdiag.core.errors import PlanError

_MOST_STEPS = 100


def names(value: object) -> list[str]:
    """Texts separated by commas, or a list of them."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    if not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise PlanError(f"a list of names is {value!r}", expected="texts, separated by commas")
    return list(value)


def texts(value: object) -> object:
    """A text alone, or a list of them, as a list."""
    return [value] if isinstance(value, str) else value


def stop_strings(value: object) -> object:
    """Texts that end a completion.

    Raises:
        PlanError: One is empty, and would end every completion before it begins.
    """
    given = texts(value)
    if isinstance(given, list | tuple) and "" in given:
        raise PlanError(
            "a stop string is empty: every completion would be cut to nothing",
            expected="text of a character or more",
            found="''",
        )
    return given


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
            values += _filled(values, parts[place + 1 :], option=option, text=value)
        else:
            values.append(_number(part, option=option))
    if not values:
        raise PlanError(f"{option} holds no number", expected="numbers separated by commas")
    return values


def _filled(before: list[float], after: list[str], *, option: str, text: str) -> list[float]:
    """The numbers that `...` stands for, the last one left out."""
    problem = PlanError(
        f"{option} is {text!r}, where ... does not fill a range",
        hint="give two numbers before it and the last one after it: 0,0.2,...,1.2",
    )
    if len(before) < 2 or not after:
        raise problem
    step = before[-1] - before[-2]
    count = (_number(after[0], option=option) - before[-1]) / step if step else 0.0
    if not 0.5 < count < _MOST_STEPS + 0.5 or abs(count - round(count)) > 1e-6:
        raise problem
    return [round(before[-1] + number * step, 10) for number in range(1, round(count))]


def _number(part: str, *, option: str) -> float:
    try:
        return float(part)
    except ValueError as error:
        raise PlanError(f"{option} holds {part!r}, expected numbers separated by commas") from error
