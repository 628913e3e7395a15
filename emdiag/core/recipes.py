"""Recipes: settings with a name, a few of them published as presets, each field changed at will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Generic, Self, TypeVar

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.options import NONE, Field, FieldRule, Option, broken_rule, check_ranges, fields_of
from emdiag.core.records import Record
from emdiag.core.typed_lists import texts

RECIPE: Final = "Recipe"
"""Panel of the help page."""

SETTINGS: Final = "set"
"""The option that changes any field of a recipe."""

_WITH = " with "


class Recipe(Record, frozen=True, kw_only=True):
    """Settings of a training; the name says from which preset they are, and what was changed."""

    aliases: ClassVar[Mapping[str, str]] = {"lr": "learning_rate"}
    """Short forms of fields."""

    name: str

    def rules(self) -> tuple[FieldRule, ...]:
        """What must hold beside the ranges of the fields."""
        return ()

    def check(self) -> None:
        """Refuse settings that cannot be followed.

        Raises:
            PlanError: A value is out of range, or two do not go together.
        """
        check_ranges(self, recipe=self.name)
        if broken := broken_rule(self, self.rules()):
            raise PlanError(broken, recipe=self.name)

    def changed(self, changes: Mapping[str, object]) -> Self:
        """The recipe with some fields changed, checked; its name then says which.

        A field may be in its short form; texts are read as it needs, `none` as None.

        Raises:
            PlanError: There is no such field, or a value does not fit it.
        """
        before = msgspec.structs.asdict(self)
        wanted = {self.aliases.get(field, field): value for field, value in changes.items()}
        for field in wanted:
            if field not in before or field == "name":
                raise PlanError(
                    f"a recipe has no field {field!r}",
                    recipe=self.name,
                    known=", ".join(sorted(known for known in before if known != "name")),
                    hint="short form: lr = learning_rate",
                )
        read = {field: self._read(field, value) for field, value in wanted.items()}
        try:
            changed = msgspec.convert({**before, **read}, type(self), strict=False)
        except msgspec.ValidationError as error:
            raise PlanError(f"a field of the recipe does not fit: {error}") from error
        after = msgspec.structs.asdict(changed)
        moved = [f"{field}={after[field]}" for field in wanted if after[field] != before[field]]
        if moved:
            name = self.name + ("" if _WITH in self.name else _WITH.rstrip())
            changed = msgspec.structs.replace(changed, name=" ".join([name, *moved]))
        changed.check()
        return changed

    def _read(self, field: str, value: object) -> object:
        """`none` as None, unless it is one of the words the field knows."""
        if not isinstance(value, str) or value.lower() != NONE:
            return value
        try:
            msgspec.convert({**msgspec.structs.asdict(self), field: value}, type(self))
        except msgspec.ValidationError:
            return None
        return value


R = TypeVar("R", bound=Recipe)


@dataclass(frozen=True, kw_only=True)
class Preset(Generic[R]):
    """How a plan takes a recipe: the name of a preset, and fields of it that are changed.

    Attributes:
        help: Of the name.
        presets: By name, the default first.
    """

    help: str
    presets: Mapping[str, R]

    def load(self, name: str, changes: Mapping[str, object]) -> R:
        """A preset with some fields changed; its name then says which.

        Raises:
            PlanError: There is no such preset or field, or a value does not fit its field.
        """
        if name not in self.presets:
            raise PlanError(f"there is no recipe {name!r}", known=", ".join(self.presets))
        return self.presets[name].changed(changes)

    def fields(self, group: str, *, taken: Mapping[str, object]) -> list[Field]:
        """The preset's name, the recipe's fields (None leaves one as it is), and `--set`."""
        settings = Option(
            "Any field of the recipe; repeatable.",
            metavar="FIELD=VALUE",
            is_repeated=True,
            read=texts,
        )
        default, recipe = next(iter(self.presets.items()))
        fields = [
            Field(name=group, kind=str, option=Option(self.help), default=default),
            *(
                replace(item, default=None)
                for item in fields_of(type(recipe))
                if item.name not in {"name", *taken}
            ),
            Field(name=SETTINGS, kind=tuple[str, ...], option=settings, default=()),
        ]
        return [
            replace(item, group=group, preset=self, option=replace(item.option, panel=RECIPE))
            for item in fields
        ]

    def recipe(self, group: str, given: Mapping[str, object]) -> R:
        """The recipe with these options, as given; `--set` comes last.

        Raises:
            PlanError: A setting has another form, or as `load`.
        """
        changes = {
            name: value
            for name, value in given.items()
            if name not in {group, SETTINGS} and value is not None
        }
        for setting in given.get(SETTINGS, ()):  # type: ignore[attr-defined]  # read as a tuple
            name, sign, value = setting.partition("=")
            if not sign or not name.strip():
                raise PlanError(f"a field of a recipe is set as FIELD=VALUE; found {setting!r}")
            changes[name.strip()] = value.strip()
        return self.load(str(given.get(group) or next(iter(self.presets))), changes)

    def options(self, group: str, recipe: Recipe, *, flags: list[str]) -> dict[str, object]:
        """The preset where it is not the default one, and the fields that differ from it.

        A command applies the options of a recipe in their order and then `--set`; in any other
        order, and for fields without an option, all that follows is set: a recipe is named after
        its changes in their order. `flags` are the fields with an option, in the command's order.
        """
        base, _, changes = recipe.name.partition(_WITH)
        key, preset = next(item for item in self.presets.items() if item[1].name == base)
        order = [change.partition("=")[0] for change in changes.split()]
        changed = [
            name
            for name in preset.__struct_fields__
            if name != "name" and getattr(recipe, name) != getattr(preset, name)
        ]
        changed.sort(key=lambda name: order.index(name) if name in order else len(order))
        result: dict[str, object] = {} if key == next(iter(self.presets)) else {group: key}
        settings: list[str] = []
        for name in changed:
            value = getattr(recipe, name)
            if not settings and name in flags and value is not None:
                result[name] = value
                flags = flags[flags.index(name) + 1 :]
            else:
                settings.append(f"{name}={NONE if value is None else value}")
        return {**result, SETTINGS: settings} if settings else result
