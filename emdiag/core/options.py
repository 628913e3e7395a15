"""Options of a plan, each declared once: as a field of a record, with its help and its range.

From the declaration come the plan that Python builds, the options of a command and the keys of a
plan's file.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from math import inf, isfinite
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_origin, get_type_hints

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.option_types import (
    NONE,
    REQUIRED,
    SETTINGS,
    Field,
    Option,
    OptionGroup,
    Preset,
    described,
    renaming,
)
from emdiag.core.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)


@cache
def fields_of(plan: type[Record]) -> tuple[Field, ...]:
    """Every option of a plan, those of its groups included, in their order."""
    result: list[Field] = []
    hints = get_type_hints(plan, include_extras=True)
    own = {item.name: item for item in msgspec.structs.fields(plan)}
    for name, info in own.items():
        kind, notes = _split(hints[name])
        default = _default(info)
        option = next((note for note in notes if isinstance(note, Option)), None)
        preset = next((note for note in notes if isinstance(note, Preset)), None)
        if option is not None:
            result.append(Field(name=name, kind=kind, option=option, default=default))
        elif preset is not None:
            result += _of_preset(name, kind, preset, default, taken=own)
        elif isinstance(kind, type) and issubclass(kind, Record):
            group = next((note for note in notes if isinstance(note, OptionGroup)), OptionGroup())
            result += _of_group(name, kind, group, default)
    return tuple(result)


def build(plan: type[R], values: Mapping[str, object]) -> R:
    """The plan with these options; everything else by default.

    Raises:
        PlanError: An option is unknown, missing, of another type or out of its range.
    """
    fields = {item.name: item for item in fields_of(plan)}
    given = by_field(plan, values)
    parts: dict[str | None, dict[str, object]] = {None: {}}
    recipes: dict[str, Preset] = {}
    for name, item in fields.items():
        group = parts.setdefault(item.group, {})
        if item.preset is not None and item.group is not None:
            recipes[item.group] = item.preset
        if name in given:
            is_changed = item.preset is not None and name not in {item.group, SETTINGS}
            group[name] = given[name] if is_changed else read_value(item, given[name])
        elif item.default is REQUIRED:
            raise PlanError(f"{name} is not given", expected=described(item.kind), hint=item.flag)
    built = dict(parts.pop(None))
    defaults = {item.name: _default(item) for item in msgspec.structs.fields(plan)}
    for group_name, content in parts.items():
        assert group_name is not None
        if group_name in recipes:
            changes = {name: content[name] for name in given if name in content}  # as given
            built[group_name] = _recipe(recipes[group_name], group_name, changes, defaults)
        else:
            built[group_name] = msgspec.structs.replace(defaults[group_name], **content)  # type: ignore[type-var]
    return plan(**built)


def options_of(plan: Record) -> dict[str, object]:
    """Every option that is not at its default, by name, as `build` takes it."""
    result: dict[str, object] = {}
    for item in fields_of(type(plan)):
        holder = plan if item.group is None else getattr(plan, item.group)
        if item.preset is not None:
            if item.name == item.group:
                result |= _recipe_options(item, item.preset, holder, type(plan))
        elif (value := getattr(holder, item.name)) != item.default:
            result[item.name] = written(item, value)
    return result


def written(item: Field, value: object) -> object:
    """A value as it stands in a plan's file: texts, numbers, truth values and lists of them."""
    write = item.option.write
    if value is None:
        return NONE
    return msgspec.to_builtins(value) if write is None else write(value)


def read_value(item: Field, value: object) -> object:
    """What was typed, passed or read from a file, as the field's type.

    Raises:
        PlanError: It is of another type, or out of range.
    """
    if value is None and item.default is None:
        return None
    if value == NONE and item.may_be_none:
        value = None
    if item.option.read is not None and value is not None:
        try:
            value = item.option.read(value)
        except PlanError as error:
            error.facts.setdefault("option", item.flag)
            raise
    try:
        result = msgspec.convert(msgspec.to_builtins(value), item.kind, strict=not item.may_be_none)
    except (msgspec.ValidationError, TypeError) as error:
        raise PlanError(
            f"{item.name} has the wrong type or value: {value!r}",
            expected=described(item.kind),
            hint=f"as an option of a command: {item.flag}",
        ) from error
    _check_range(item, result)
    return result


def check_ranges(plan: Record) -> None:
    """Refuse values out of their range, in a plan that was not made by `build`.

    Raises:
        PlanError: There is one.
    """
    for item in fields_of(type(plan)):
        if item.preset is None:
            holder = plan if item.group is None else getattr(plan, item.group)
            _check_range(item, getattr(holder, item.name))


def unknown_option(name: str, known: Sequence[str]) -> PlanError:
    """The error for a name that is no option, with the one that was probably meant."""
    near = get_close_matches(name, known, n=1)
    return PlanError(
        f"unknown options: {name}",
        known=", ".join(known),
        hint=f"did you mean {near[0]}?" if near else None,
    )


def by_field(plan: type[Record], values: Mapping[str, object]) -> dict[str, object]:
    """Values by the names of their fields; a name may also be the option's long flag.

    Raises:
        PlanError: A name is of no option, or an option is given by two names.
    """
    fields = {item.name: item for item in fields_of(plan)}
    old = {_name(flag): item.name for item in fields.values() for flag in item.option.old}
    flags = {_name(item.long_flag): item.name for item in fields.values()}
    known = {**flags, **old, **{name: name for name in fields}}
    result: dict[str, object] = {}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise unknown_option(unknown[0], list(fields))
    for name, value in values.items():
        if name in old:
            logger.warning(renaming(name, old[name]))
        if known[name] in result:
            raise PlanError(f"{known[name]} is given twice", hint="by two of its names")
        result[known[name]] = value
    return result


def _name(flag: str) -> str:
    """A flag as the key of a plan's file."""
    return flag.removeprefix("--").replace("-", "_")


def _check_range(item: Field, value: object) -> None:
    option = item.option
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low = -inf if option.at_least is None else option.at_least
    high = inf if option.at_most is None else option.at_most
    holds = isfinite(value) and low <= value <= high
    if holds and (option.above is None or value > option.above):
        return
    words = [
        f"{word} {bound:g}"
        for word, bound in (
            (">=", option.at_least),
            (">", option.above),
            ("<=", option.at_most),
        )
        if bound is not None
    ]
    expected = option.expected or " and ".join(words) or "a finite number"
    raise PlanError(f"`{item.name}` must be {expected}, got {value}")


def _split(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())


def _default(info: msgspec.structs.FieldInfo) -> object:
    if info.default is not msgspec.NODEFAULT:
        return info.default
    return REQUIRED if info.default_factory is msgspec.NODEFAULT else info.default_factory()


def _of_group(name: str, kind: type[Record], group: OptionGroup, default: object) -> list[Field]:
    result = []
    for item in fields_of(kind):
        if item.name in group.without:
            continue
        option = _merged(item.option, group.changed.get(item.name))
        if group.panel:
            option = replace(option, panel=group.panel)
        value = item.default if default is REQUIRED else getattr(default, item.name)
        result.append(replace(item, option=option, default=value, group=name))
    return result


def _merged(option: Option, changed: Option | None) -> Option:
    """An option with what differs in a plan."""
    if changed is None:
        return option
    unset = Option(help=None)
    values = {info.name: getattr(changed, info.name) for info in dataclasses.fields(Option)}
    return replace(
        option, **{name: value for name, value in values.items() if value != getattr(unset, name)}
    )


def _of_preset(
    name: str, kind: type[Record], preset: Preset, default: object, *, taken: Mapping[str, object]
) -> list[Field]:
    """The name of the preset, and every field of the recipe; None leaves it as it is there."""
    first = _first(preset, default)

    def add(field: str, kind: Any, option: Option, value: object = None) -> Field:
        return Field(name=field, kind=kind, option=option, default=value, group=name, preset=preset)

    result = [add(name, str, preset.option, first)]
    hints = get_type_hints(kind, include_extras=True)
    for info in msgspec.structs.fields(kind):
        inner, notes = _split(hints[info.name])
        option = next((note for note in notes if isinstance(note, Option)), Option(help=None))
        if info.name != "name" and info.name not in taken:
            panel = option.panel or preset.option.panel
            result.append(add(info.name, inner, replace(option, panel=panel)))
    return [*result, add(SETTINGS, tuple[str, ...], preset.settings, ())]


def _recipe(
    preset: Preset, name: str, content: Mapping[str, object], defaults: Mapping[str, object]
) -> Record:
    changes = {
        field: value
        for field, value in content.items()
        if field not in {name, SETTINGS} and value is not None
    }
    for setting in content.get(SETTINGS, ()):  # type: ignore[attr-defined]  # read as a tuple
        key, sign, value = setting.partition("=")
        if not sign or not key.strip():
            raise PlanError(f"a field of a recipe is set as FIELD=VALUE; found {setting!r}")
        changes[key.strip()] = value.strip()
    return preset.load(str(content.get(name) or _first(preset, defaults[name])), changes)


def _first(preset: Preset, default: object) -> str:
    """The preset that is taken where none is named."""
    return next(iter(preset.presets)) if default is REQUIRED else preset.key_of(default)


def _recipe_options(
    item: Field, preset: Preset, recipe: object, plan: type[Record]
) -> dict[str, object]:
    """The preset where it is not the default one, and the fields that differ from it."""
    key = preset.key_of(recipe)
    own = {field.name for field in fields_of(plan) if field.preset}
    result: dict[str, object] = {item.name: key} if key != item.default else {}
    settings: list[str] = []
    for name in _changed(recipe, preset.presets[key]):
        value = getattr(recipe, name)
        plain = NONE if value is None else value
        if name in own and not settings:
            result[name] = plain
        else:
            settings.append(f"{name}={plain}")
    return {**result, SETTINGS: settings} if settings else result


def _changed(recipe: object, base: Record) -> list[str]:
    """Fields that differ from the preset, in the order in which the recipe's name has them."""
    named = str(getattr(recipe, "name", "")).partition(" with ")[2]
    order = [part.partition("=")[0] for part in named.split()]
    different = [
        name
        for name in base.__struct_fields__
        if name != "name" and getattr(recipe, name) != getattr(base, name)
    ]
    return sorted(different, key=lambda name: order.index(name) if name in order else len(order))
