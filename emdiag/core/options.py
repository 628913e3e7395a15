"""Options, each declared once: as a field of a record, with its help and its range.

From the declaration come the plan that Python builds, the options of a command and the keys of a
plan's file (`core.plans`).
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cache
from math import isfinite
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.records import Record

if TYPE_CHECKING:
    from emdiag.core.recipes import Preset

R = TypeVar("R", bound=Record)

REQUIRED: Final = msgspec.NODEFAULT
"""The default of an option that has to be given."""

NONE: Final = "none"
"""How None is said where it is not the default."""

FieldRule = tuple[str, bool, str]
"""A field, whether its value is allowed, and what it must be: `("samples", n >= 1, ">= 1")`."""

_BOUNDS: Final = (
    ("above", ">", operator.gt),
    ("at_least", ">=", operator.ge),
    ("at_most", "<=", operator.le),
)
_WHOLE: Final = range(-(2**63), 2**63)
_WORDS: Final = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


@dataclass(frozen=True)
class Option:
    """What a field says of itself, in `Annotated[type, Option(...)]`.

    Attributes:
        help: One line; None for a field that only Python and files set.
        flags: As typed, where they are not the field's name; `--on/--off` for a switch.
        panel: Heading of the help page that it stands under; that of its group by default.
        metavar: How its value is shown; an argument, which has no flag, always has one.
        is_argument: Whether it is given by its place.
        is_repeated: Whether the flag is repeated for several values; else commas separate them.
        above, at_least, at_most: Range of a number, or of each in a list.
        also: A value outside it that is allowed all the same.
        expected: The range in words, where those of the bounds do not say what the ends mean.
        shown_default: In place of the default on the help page.
        read: From what was typed, or stands in a file, to plain values of the field's type.
        write: The other way round; the plain value itself by default.
    """

    help: str | None = None
    _: KW_ONLY
    flags: tuple[str, ...] = ()
    panel: str | None = None
    metavar: str | None = None
    is_argument: bool = False
    is_repeated: bool = False
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    also: float | None = None
    expected: str | None = None
    shown_default: str | None = None
    read: Callable[[Any], object] | None = None
    write: Callable[[Any], object] = msgspec.to_builtins


@dataclass(frozen=True, kw_only=True)
class Field:
    """One option of a plan.

    Attributes:
        default: `REQUIRED` where there is none.
        group: Attribute of the plan that holds it; None for the plan itself.
        preset: Of the recipe that it belongs to.
    """

    name: str
    kind: Any
    option: Option
    default: object
    group: str | None = None
    preset: Preset[Any] | None = None

    @property
    def flag(self) -> str:
        """The first form, as a command takes it."""
        return self._flags[0]

    @property
    def usage(self) -> str:
        """How a command takes it: its flag, or which argument it is."""
        is_argument = self.option.is_argument
        return f"argument {self.option.metavar} of the command" if is_argument else self.flag

    @property
    def key(self) -> str:
        """The long form without dashes, which may stand for its name."""
        long = next(flag for flag in self._flags if flag.startswith("--"))
        return long.removeprefix("--").replace("-", "_")

    @property
    def _flags(self) -> list[str]:
        flags = self.option.flags or (f"--{self.name.replace('_', '-')}",)
        return [flag.partition("/")[0] for flag in flags]

    @property
    def plain_kind(self) -> Any:
        """Type of its value without None."""
        return _without_none(self.kind)

    @property
    def may_be_none(self) -> bool:
        """Whether None differs from the default, so that it has to be said: as `none`."""
        return self.default is not None and self.plain_kind is not self.kind

    def read(self, value: object) -> object:
        """What was typed, passed or read from a file, as the field's type.

        Raises:
            PlanError: It is of another type, or out of range.
        """
        if value is None and self.default is None:
            return None
        if value == NONE and self.may_be_none:
            value = None
        if self.option.read is not None and value is not None:
            try:
                value = self.option.read(value)
            except PlanError as error:
                if self.option.is_argument:
                    error.facts.setdefault("argument", self.name)
                else:
                    error.facts.setdefault("option", self.flag)
                raise
        check_whole(self.name, value)
        try:
            # bytes would become base64, which is a text
            plain = msgspec.to_builtins(value, builtin_types=(bytes, bytearray))
            result = msgspec.convert(plain, self.kind, strict=not self.may_be_none)
        except (msgspec.ValidationError, TypeError) as error:
            raise PlanError(
                f"{self.name} has the wrong type or value: {value!r}",
                expected=described(self.kind),
                hint=f"as an option of a command: {self.flag}"
                if not self.option.is_argument
                else self.usage,
            ) from error
        self.check(result)
        return result

    def check(self, value: object, **facts: str) -> None:
        """Refuse a number that is out of range.

        Raises:
            PlanError: It is, with these facts.
        """
        check_whole(self.name, value, **facts)
        for number in value if isinstance(value, list | tuple) else (value,):
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if is_number and number != self.option.also:
                self._check_number(number, **facts)

    def _check_number(self, number: float, **facts: str) -> None:
        bounds = [
            (f"{word} {bound:,}", not holds(number, bound))
            for name, word, holds in _BOUNDS
            if (bound := getattr(self.option, name)) is not None
        ]
        words = [words for words, is_broken in bounds if is_broken]
        if not isfinite(number):
            words = [" and ".join(["finite", *(words for words, _ in bounds)])]
        if words:
            expected = self.option.expected or words[0]
            if self.key != self.name and not self.option.is_argument:
                facts["option"] = self.flag
            raise PlanError(f"`{self.name}` must be {expected}, got {number}", **facts)

    def write(self, value: object) -> object:
        """A value as it stands in a file: a text, a number, a truth value or a list of them."""
        return NONE if value is None else self.option.write(value)


@dataclass(frozen=True, kw_only=True)
class OptionGroup:
    """How a plan takes a group of options, in `Annotated[Sampling, OptionGroup(...)]`.

    Attributes:
        without: Options that the plan does not have; they keep their defaults.
        help: What is said here in place of the group's own words, by name.
    """

    without: tuple[str, ...] = ()
    help: Mapping[str, str] = field(default_factory=dict)
    panel: str | None = None

    def fields(self, group: str, default: Record) -> list[Field]:
        """The options that the plan takes."""
        panel = self.panel or getattr(default, "panel", None)
        return [
            replace(
                item,
                group=group,
                default=getattr(default, item.name),
                option=replace(
                    item.option, help=self.help.get(item.name, item.option.help), panel=panel
                ),
            )
            for item in fields_of(type(default))
            if item.name not in self.without
        ]


@cache
def fields_of(record: type[Record]) -> tuple[Field, ...]:
    """Every option of a plan or a group, in their order; those of its groups come last."""
    result: list[Field] = []
    grouped: list[Field] = []
    own = {info.name: info for info in msgspec.structs.fields(record)}
    for name, info in own.items():
        kind, note = info.type, None
        if get_origin(kind) is Annotated:
            kind, note = kind.__origin__, kind.__metadata__[0]
        if isinstance(note, OptionGroup) or (note is None and _is_group(kind)):
            grouped += (note or OptionGroup()).fields(name, info.default)
        elif isinstance(note, Option | None):
            option = note or Option()
            result.append(Field(name=name, kind=kind, option=option, default=info.default))
        else:
            result += note.fields(name, taken=own)
    return (*result, *grouped)


def check_ranges(record: Record, **facts: str) -> None:
    """Refuse numbers out of their range, in a record that was not made from options.

    Raises:
        PlanError: There is one, with these facts.
    """
    for item in fields_of(type(record)):
        if item.preset is None:
            holder = record if item.group is None else getattr(record, item.group)
            item.check(getattr(holder, item.name), **facts)


def of_options(record: type[R], **values: object) -> R:
    """A group of options with these values.

    Raises:
        PlanError: One is of another type, or out of its range.
    """
    fields = {item.name: item for item in fields_of(record)}
    return record(**{name: fields[name].read(value) for name, value in values.items()})


def broken_rule(values: object, rules: Iterable[FieldRule]) -> str | None:
    """The first broken rule, such as "`samples` must be >= 1, got 0"; None if all hold."""
    for name, holds, expected in rules:
        if not holds:
            return f"`{name}` must be {expected}, got {getattr(values, name)}"
    return None


def check_whole(name: str, value: object, **facts: Any) -> None:
    """Refuse a whole number, alone or in a list, that does not fit in 64 bits.

    Raises:
        PlanError: There is one, with these facts.
    """
    for number in value if isinstance(value, list | tuple) else (value,):
        if isinstance(number, int) and number not in _WHOLE:
            bits = number.bit_length()
            shown = number if bits <= 128 else f"a number of {bits} bits"
            expected = f"<= {_WHOLE[-1]}" if number > 0 else f">= {_WHOLE[0]}"
            raise PlanError(f"`{name}` must be {expected}, got {shown}", **facts)


def described(kind: Any) -> str:
    """A type in words."""
    kind = _without_none(kind)
    if get_origin(kind) is Literal:
        *first, last = map(str, get_args(kind))
        return f"{', '.join(first)} or {last}"
    if get_origin(kind) is tuple:
        return f"a list, each {described(get_args(kind)[0])}"
    return _WORDS.get(kind, "[LABEL=]REF")


def renaming(old: str, new: str) -> str:
    """What to say where an old spelling is used."""
    return f"{old} is now {new}; the old spelling goes in version 0.3"


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in {Union, types.UnionType}:
        return next(item for item in get_args(kind) if item is not types.NoneType)
    return kind


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Record)
