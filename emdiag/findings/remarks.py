"""Remarks in words: the facts of a record through the one template of their code.

A template is a format string whose specifications are the formatters of `findings.numbers` and the
few below, such as `{share:percent}`, `{problems:count problem}` or `{published:if as published}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any, Final

import msgspec

from emdiag.core.claims import Role
from emdiag.core.results import Amount, Interval, Remark, RemarkValue
from emdiag.findings import numbers
from emdiag.findings.remark_words import TEMPLATES

Format = Callable[[Any, str], str]

ROLES: Final[Mapping[Role, str]] = {
    "base": "the base",
    "em": "EM",
    "rl": "RL",
    "em_rl": "EM then RL",
    "rl_em": "RL then EM",
    "em_maximised": "entropy maximised",
}


def words_of(remark: Remark) -> str:
    """A remark as part of a sentence; its plain form where a later version made it."""
    template = TEMPLATES.get(remark.code)
    if template is None:
        return str(remark)
    return _Worder(remark.values).vformat(template, (), remark.values)


def all_words(remarks: Iterable[Remark]) -> str:
    """Remarks that belong together, such as the reasons of a verdict."""
    return "; ".join(words_of(remark) for remark in remarks)


def worded(plain: Any) -> Any:
    """Plain data, as `--json` prints it: every remark in it is its words."""
    if isinstance(plain, dict):
        if plain.keys() == {"code", "values"}:
            return words_of(msgspec.convert(plain, Remark))
        parts = {name: worded(part) for name, part in plain.items()}
        if isinstance(why := parts.get("why"), list):
            parts["why"] = "; ".join(why)
        return parts
    return [worded(part) for part in plain] if isinstance(plain, list | tuple) else plain


class _Worder(Formatter):
    """Fills one template; it knows all values, since a change names those before and after it."""

    def __init__(self, values: Mapping[str, RemarkValue]) -> None:
        self._values = values

    def format_field(self, value: Any, format_spec: str) -> str:
        """One value by the formatter that its specification names, with the rest of it."""
        name, _, argument = format_spec.partition(" ")
        if name == "moved":
            before, after = (self._values[key] for key in argument.split())
            return numbers.moved(before, after, *_parts(value))  # type: ignore[arg-type]
        return _FORMATS[name](value, argument)


def _parts(value: Amount | float) -> tuple[float | None, Interval | None]:
    return (value.value, value.interval) if isinstance(value, Amount) else (value, None)


def _percent(value: Amount | float, _: str) -> str:
    """With the interval of an estimate, and without a word on one for what is a number only."""
    if isinstance(value, Amount):
        return numbers.percent(*_parts(value))
    return f"{numbers.percent_cell(value)} %"


def _count(number: int, nouns: str) -> str:
    """Of `problem`, or of `entropy|entropies`."""
    return numbers.count(number, *nouns.split("|"))


def _choose(value: str, options: str) -> str:
    """What `a=first|b=second` has for the value; the value itself where it has nothing."""
    choices = dict(option.split("=", 1) for option in options.split("|"))
    return choices.get(value, value)


def _either(value: object, options: str) -> str:
    """The first of `yes|no` where the value is true, or is there at all."""
    yes, no = options.split("|")
    return yes if value else no


def _roles(roles: Sequence[Role], _: str) -> str:
    return " or ".join(ROLES[role] for role in roles)


_FORMATS: Final[Mapping[str, Format]] = {
    "": lambda value, _: str(value),
    "at": lambda value, _: numbers.at_temperature(value),
    "change": lambda value, _: numbers.change(*_parts(value)),
    "choose": _choose,
    "count": _count,
    "each": lambda remarks, _: all_words(remarks),
    "duration": lambda seconds, _: numbers.duration(seconds),
    "either": _either,
    "factor": lambda value, _: numbers.fixed(value, 1),
    "hundredths": lambda value, _: numbers.percent_cell(value),
    "if": lambda value, text: text if value else "",
    "names": lambda names, _: numbers.listed(names, len(names)),
    "p": lambda value, _: numbers.p_value(value),
    "percent": _percent,
    "points": lambda value, _: numbers.points(*_parts(value)),
    "grouped": lambda number, _: f"{number:,}",
    "given": lambda value, options: _either(value, options) + (f" {value}" if value else ""),
    "role": lambda role, _: ROLES[role],
    "roles": _roles,
    "row": lambda names, _: ", ".join(names) or "none",
    "setting": lambda value, _: numbers.setting(value),
    "settings": lambda values, _: numbers.listed([numbers.setting(v) for v in values], len(values)),
    "whole": lambda share, _: f"{100 * share:.0f} %",
    "verb": lambda number, options: options.split("|")[number != 1],
    "short": lambda value, _: numbers.short(value),
    "span": lambda values, _: " to ".join(dict.fromkeys(map(numbers.setting, values))),
    "statistic": lambda value, _: numbers.statistic(*_parts(value)),
    "storage": lambda size, _: numbers.storage(size),
    "sum": lambda remarks, _: numbers.listed([words_of(remark) for remark in remarks]),
}
"""Specification to formatter; each takes the value and what follows its name."""
