"""A plan as a command that makes it again, and as a file that holds it."""

from __future__ import annotations

import inspect
import json
import tomllib
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from emdiag.core.errors import PlanError
from emdiag.core.option_types import NONE, REQUIRED, SETTINGS, Field
from emdiag.core.options import build, fields_of, options_of
from emdiag.core.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

F = TypeVar("F", bound="Callable[..., object]")

_HINT = "a file holds options of the command, one a line, such as: temperature = 0.6"


class Plan(Record, frozen=True, kw_only=True):
    """What a command is asked for; every field is an option or a group of options."""

    verb: ClassVar[str]
    """The command that follows such a plan, such as `train em`."""
    writes_out: ClassVar[bool] = False
    """Whether the plan's `out` takes the place of a folder of runs."""

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """The plan with these options, checked.

        Raises:
            PlanError: An option is unknown, missing, of another type or out of its range, or two
                contradict each other.
        """
        plan = build(cls, options)
        plan.check()
        return plan

    def check(self) -> None:
        """Refuse a request that contradicts itself.

        Raises:
            PlanError: It does.
        """

    def command(self, **further: str | Path) -> tuple[str, ...]:
        """The command that follows this plan; what is at its default is left out.

        Args:
            **further: Options that are not of the plan, such as `store`.
        """
        given = _in_order(options_of(self), fields_of(type(self)))
        arguments: list[str] = []
        words: list[str] = []
        for item in fields_of(type(self)):
            if item.name not in given:
                continue
            if item.option.is_argument:
                arguments += _listed(given[item.name])
            else:
                words += _words(item, given[item.name])
        for name, value in further.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        return ("emdiag", *self.verb.split(), *arguments, *words)

    def to_toml(self) -> str:
        """The plan as the file that `--plan` reads; what is at its default is left out."""
        lines = [f"# emdiag {self.verb} --plan FILE.toml"]
        lines += [f"{name} = {_toml(value)}" for name, value in options_of(self).items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """The plan that `to_toml` wrote.

        Raises:
            PlanError: It is not TOML, or as `of`.
        """
        return cls.of(read_options(text))


def spelled_out(plan: type[Plan]) -> Callable[[F], F]:
    """Give a function with `**options` the signature that names every option of a plan."""

    def wrap(function: F) -> F:
        signature = inspect.signature(function)
        named = {
            name: item
            for name, item in signature.parameters.items()
            if item.kind is not inspect.Parameter.VAR_KEYWORD
        }
        taken = {*named, *(f"{name}s" for name in named)}  # one benchmark is one of benchmarks
        options = [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if item.default is REQUIRED else item.default,
                annotation=item.kind,
            )
            for item in fields_of(plan)
            if item.name not in taken
        ]
        spelled = signature.replace(parameters=[*named.values(), *options])
        function.__signature__ = spelled  # type: ignore[attr-defined]  # functions take it
        return function

    return wrap


def read_plan_file(path: Path) -> dict[str, object]:
    """The options in a plan's file, by name.

    Raises:
        PlanError: There is no such file, or it is not TOML.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PlanError("the plan's file does not exist", file=path, hint=_HINT) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"the plan's file cannot be read: {error}", file=path) from error
    return read_options(text, file=path)


def read_options(text: str, *, file: Path | None = None) -> dict[str, object]:
    """The options in the text of a plan's file.

    Raises:
        PlanError: It is not TOML.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        named = {"file": file} if file is not None else {}
        raise PlanError(
            f"the plan's file is not TOML: {error}", **named, expected="NAME = VALUE", hint=_HINT
        ) from error
    return {name.replace("-", "_"): value for name, value in content.items()}


def _in_order(given: dict[str, object], fields: Sequence[Field]) -> dict[str, object]:
    """Options as a command takes them: changes of a recipe in the order that its name has.

    A command applies the options of a recipe in their order and then `--set`; in any other order,
    and for fields without an option, all that follows is set.
    """
    recipe = {item.name: item for item in fields if item.preset and item.name != item.group}
    order = [name for name, item in recipe.items() if item.option.help is not None]
    changes = [name for name in given if name in recipe and name != SETTINGS]
    kept: list[str] = []
    for name in changes:
        is_next = name in order and (not kept or order.index(name) > order.index(kept[-1]))
        if not is_next or given[name] == NONE:
            break
        kept.append(name)
    rest = [f"{name}={given[name]}" for name in changes[len(kept) :]]
    settings = [*rest, *_listed(given.get(SETTINGS, []))]
    plain = {name: value for name, value in given.items() if name not in recipe or name in kept}
    return {**plain, SETTINGS: settings} if settings else plain


def _words(item: Field, value: object) -> list[str]:
    """An option as it is typed."""
    if isinstance(value, bool):
        return [item.flag if value else f"--no-{item.flag.removeprefix('--')}"]
    values = _listed(value)
    if not item.option.is_repeated and item.name != SETTINGS:
        values = [",".join(values)]
    return [word for text in values for word in _pair(item.flag, text)]


def _pair(flag: str, text: str) -> list[str]:
    """A flag and its value; joined where the value would be taken for a flag."""
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _listed(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [_text(item) for item in values]


def _text(value: object) -> str:
    """A value as it is typed; floats in as few digits as bring them back."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _toml(value: Any) -> str:
    """A value in TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
