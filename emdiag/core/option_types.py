"""What an option is, and what it takes: types in words, lists as they are typed."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from emdiag.core.errors import PlanError
from emdiag.core.records import Record

REQUIRED = object()
"""The default of an option that has to be given."""

NONE = "none"
"""How None is said where it is not the default."""

SETTINGS = "set"
"""The option that changes any field of a recipe."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """What a field says of itself, in `Annotated[type, Option(...)]`.

    Attributes:
        help: One line; None for a field of a recipe that has no option of its own.
        flags: As typed, where they are not the field's name; `--on/--off` for a switch.
        panel: Heading of the help page that it stands under.
        metavar: How its value is shown; an argument, which has no flag, always has one.
        is_argument: Whether it is given by its place.
        is_repeated: Whether the flag is repeated for several values; else commas separate them.
        at_least, above, at_most: Range of a number.
        expected: The range in words, where those of the bounds do not say what the ends mean.
        shown_default: In place of the default on the help page.
        read: From what was typed, or stands in a file, to plain values of the field's type.
        write: The other way round; the plain value itself by default.
        old: Spellings that still work, with a note; they go in version 0.3.
    """

    help: str | None
    flags: tuple[str, ...] = ()
    panel: str | None = None
    metavar: str | None = None
    is_argument: bool = False
    is_repeated: bool = False
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    expected: str | None = None
    shown_default: str | None = None
    read: Callable[[Any], object] | None = None
    write: Callable[[Any], object] | None = None
    old: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OptionGroup:
    """How a plan takes a group of options, in `Annotated[Sampling, OptionGroup(...)]`.

    Attributes:
        without: Options that the plan does not have; they keep their defaults.
        changed: Help, and whatever else of an option differs here, by name.
        panel: Heading of all of them.
    """

    without: tuple[str, ...] = ()
    changed: Mapping[str, Option] = dataclasses.field(default_factory=dict)
    panel: str | None = None


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe: the name of a preset, and fields of it that are changed.

    Attributes:
        load: From a preset's name and changed fields to the recipe.
        presets: By name.
        option: Of the name.
        settings: Of fields without an option of their own, typed as `FIELD=VALUE`.
    """

    load: Callable[[str, Mapping[str, object]], Record]
    presets: Mapping[str, Record]
    option: Option
    settings: Option

    def key_of(self, recipe: object) -> str:
        """Name of the preset that a recipe was made from."""
        base = str(getattr(recipe, "name", "")).partition(" with ")[0]
        return next(key for key, item in self.presets.items() if getattr(item, "name", "") == base)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One option of a plan.

    Attributes:
        kind: Type of its value.
        default: `REQUIRED` where there is none.
        group: Attribute of the plan that holds it; None for the plan itself.
        preset: Of the recipe that it belongs to.
    """

    name: str
    kind: Any
    option: Option
    default: object
    group: str | None = None
    preset: Preset | None = None

    @property
    def flag(self) -> str:
        """The long form, as a command takes it."""
        named = self.option.flags[0] if self.option.flags else f"--{self.name.replace('_', '-')}"
        return named.partition("/")[0]

    @property
    def long_flag(self) -> str:
        """The flag that starts with two dashes."""
        flags = (flag.partition("/")[0] for flag in self.option.flags)
        return next((flag for flag in flags if flag.startswith("--")), self.flag)

    @property
    def may_be_none(self) -> bool:
        """Whether None differs from the default, so that it has to be said: as `none`."""
        return self.default is not None and without_none(self.kind)[1]


def described(kind: object) -> str:
    """A type in words."""
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if isinstance(kind, type) and kind in plain:
        return plain[kind]
    inner, is_optional = without_none(kind)
    if is_optional:
        return described(inner)
    if get_origin(kind) is Literal:
        *first, last = map(str, get_args(kind))
        return f"{', '.join(first)} or {last}"
    if get_origin(kind) is tuple:
        return f"a list, each {described(get_args(kind)[0])}"
    return "[LABEL=]REF"


def unwrapped(kind: object) -> object:
    """A type without None."""
    return without_none(kind)[0]


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


def without_none(kind: object) -> tuple[object, bool]:
    """A type without None, and whether it had None."""
    if get_origin(kind) in {Union, types.UnionType}:
        inner = [item for item in get_args(kind) if item is not type(None)]
        return inner[0], True
    return kind, False


def renaming(old: str, new: str) -> str:
    """What to say where an old spelling is used."""
    return f"{old} is now {new}; the old spelling goes in version 0.3"
