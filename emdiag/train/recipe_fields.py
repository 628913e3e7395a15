"""Changes fields of a recipe as users type them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

R = TypeVar("R", bound=Record)

ALIASES = {"lr": "learning_rate"}
_WITH = " with "


def changed(recipe: R, changes: Mapping[str, object]) -> R:
    """A recipe with some fields changed; its `name` then says which.

    Args:
        recipe: A record with a field `name`.
        changes: Field, or its short form, to value; texts are read as the field needs, `none` as
            None.

    Raises:
        PlanError: There is no such field, or a value does not fit it.
    """
    before = msgspec.structs.asdict(recipe)
    wanted = {ALIASES.get(field, field): value for field, value in changes.items()}
    for field in wanted:
        if field not in before or field == "name":
            raise PlanError(
                f"a recipe has no field {field!r}",
                recipe=before["name"],
                known=", ".join(sorted(known for known in before if known != "name")),
                hint="short form: lr = learning_rate",
            )
    read = {field: _read(recipe, field, value) for field, value in wanted.items()}
    try:
        after_reading = msgspec.convert({**before, **read}, type(recipe), strict=False)
    except msgspec.ValidationError as error:
        raise PlanError(f"a field of the recipe does not fit: {error}") from error
    after = msgspec.structs.asdict(after_reading)
    moved = [f"{field}={after[field]}" for field in wanted if after[field] != before[field]]
    if not moved:
        return recipe
    name = before["name"] + ("" if _WITH in before["name"] else _WITH.rstrip())
    return msgspec.structs.replace(after_reading, name=" ".join([name, *moved]))


def _read(recipe: Record, field: str, value: object) -> object:
    """`none` as None, unless it is one of the words the field knows."""
    if not isinstance(value, str) or value.lower() != "none":
        return value
    try:
        msgspec.convert({**msgspec.structs.asdict(recipe), field: value}, type(recipe))
    except msgspec.ValidationError:
        return None
    return value


def parse_settings(arguments: Sequence[str]) -> dict[str, object]:
    """Fields as typed: `top_p=0.95`.

    Raises:
        PlanError: An argument has another form.
    """
    settings: dict[str, object] = {}
    for argument in arguments:
        field, sign, value = argument.partition("=")
        if not sign or not field.strip():
            raise PlanError(f"a field of a recipe is set as FIELD=VALUE; found {argument!r}")
        settings[field.strip()] = value.strip()
    return settings
