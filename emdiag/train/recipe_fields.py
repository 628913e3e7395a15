"""Changes fields of a recipe as users type them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.option_types import Option, texts
from emdiag.core.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

R = TypeVar("R", bound=Record)

ALIASES = {"lr": "learning_rate"}


def parse_seeds(value: object) -> object:
    """Seeds as typed: `3`, `0,2,5`, `0..4`, or those joined by commas.

    Raises:
        PlanError: It is none of them.
    """
    if not isinstance(value, str):
        return value
    seeds: list[int] = []
    for part in value.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+))?\s*", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise PlanError(f"seeds are written as 3, 0,2,5 or 0..4; found {value!r}")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(seeds)


def parse_numbers(value: object) -> object:
    """Whole numbers joined by commas, ascending and each once.

    Raises:
        PlanError: It is something else.
    """
    if not isinstance(value, str):
        return value
    try:
        return tuple(sorted({int(part) for part in value.split(",")}))
    except ValueError as error:
        raise PlanError(f"whole numbers are written as 1,5,10; found {value!r}") from error


RECIPE, RECORD = "Recipe", "Record and checkpoints"
"""Panels of the help page."""

CHAT = Option(flags=("--chat/--no-chat",), help="Apply the tokenizer's chat template.")
MAX_TOKENS = Option(help="New tokens at most; the benchmark's by default.")
TEMPLATE = Option(help="Prompt template; the benchmark's by default.")

REF = Option(
    metavar="REF",
    help="Hub id, id@revision, folder, .gguf file, lab, or an earlier --out.",
    is_argument=True,
)
OUT = Option(
    flags=("--out", "-o"), help="Folder of the result; the same command continues.", read=str
)
SAVE_UPDATES = Option(
    help="Updates whose checkpoint is kept, such as 1,5; the last always is.",
    panel=RECORD,
    read=parse_numbers,
)
SEEDS = Option(help="3, 0,2,5 or 0..4; the first is registered.", panel=RECIPE, read=parse_seeds)
STATE_EVERY = Option(
    help="Updates between states that a killed run goes on from; 0 keeps none.",
    panel=RECORD,
    at_least=0,
)
SETTINGS_OPTION = Option(
    flags=("--set",),
    metavar="FIELD=VALUE",
    help="Any field of the recipe; repeatable.",
    panel=RECIPE,
    is_repeated=True,
    read=texts,
)

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
