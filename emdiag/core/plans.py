"""A plan as the options that make it: passed to a function, typed as a command, or in a file."""

from __future__ import annotations

import inspect
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.options import (
    REQUIRED,
    Field,
    check_ranges,
    check_whole,
    described,
    fields_of,
    renaming,
)
from emdiag.core.paths import expanded
from emdiag.core.reading import LONGEST_TEXT, InputFile, parse_toml
from emdiag.core.recipes import SETTINGS
from emdiag.core.records import Record

logger = logging.getLogger(__name__)

F = TypeVar("F", bound="Callable[..., object]")

_HINT = "--plan takes a file of options of the command, one a line, such as: temperature = 0.6"
_DEEPEST = 4
_ARGUMENTS: Final = {
    "store": "Folder of runs; what it already holds is neither drawn nor read again.",
    "home": "Folder of imported benchmarks; the platform's data folder by default.",
    "figures": "Folder for the plots; none are drawn by default.",
    "progress": "Told how far the work is; silent by default.",
}
"""What Python functions take beside the options of their plan."""
_DRAWN = "--plots or --no-plots; in Python none are drawn unless figures=FOLDER says where"
_TYPED_ONLY = ("figures", "json", "out", "plan", "plots", "report", "store", "top", "wide")


class Plan(Record, frozen=True, kw_only=True):
    """What a command is asked for; every field is an option or a group of options.

    A plan that contradicts itself cannot be made: `check` is called for each, however it is made.
    """

    verb: ClassVar[str]
    """The command that follows such a plan, such as `train em`."""
    writes_out: ClassVar[bool] = False
    """Whether the plan's `out` takes the place of a folder of runs."""
    old_names: ClassVar[Mapping[str, str]] = {}
    """Spellings that still work, with a note, and what they are now; they go in version 0.3."""

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """The plan with these options.

        Raises:
            PlanError: An option is unknown, missing, of another type or out of its range, or two
                contradict each other.
        """
        fields = {item.name: item for item in fields_of(cls)}
        given = cls.by_field(options)
        for name, item in fields.items():
            if item.default is REQUIRED and name not in given:
                expected = described(item.kind)
                raise PlanError(f"{name} is not given", expected=expected, hint=item.usage)
        parts: defaultdict[str | None, dict[str, object]] = defaultdict(dict)
        for name, value in given.items():
            item = fields[name]
            is_changed = item.preset is not None and name not in {item.group, SETTINGS}
            parts[item.group][name] = value if is_changed else item.read(value)
        presets = {item.group: item.preset for item in fields.values() if item.preset}
        whole = parts.pop(None, {})
        for info in msgspec.structs.fields(cls):
            if preset := presets.get(info.name):
                whole[info.name] = preset.recipe(info.name, parts[info.name])
            elif info.name in parts:
                whole[info.name] = msgspec.structs.replace(info.default, **parts[info.name])
        return cls(**whole)

    @classmethod
    def by_field(cls, options: Mapping[str, object]) -> dict[str, object]:
        """Options by the names of their fields; a name may also be the option's long flag.

        Raises:
            PlanError: A name is of no option, or an option is given by two names.
        """
        fields = {item.name: item.name for item in fields_of(cls)}
        known = {item.key: item.name for item in fields_of(cls)} | {**cls.old_names} | fields
        given: dict[str, object] = {}
        spelling: dict[str, str] = {}
        for name, value in options.items():
            if name not in known:
                if name in _TYPED_ONLY and not (name == "store" and cls.writes_out):
                    flag = "--store" if name == "out" else f"--{name}"
                    hint = _DRAWN if name == "plots" else flag
                    raise PlanError(f"{name} is given on the command line only", hint=hint)
                near = ["out"] if name == "store" else get_close_matches(name, fields, n=1)
                raise PlanError(
                    f"unknown options: {name}",
                    known=", ".join(fields),
                    hint=f"did you mean {near[0]}?" if near else None,
                )
            if name in cls.old_names:
                logger.warning(renaming(name, known[name]))
            if first := spelling.get(known[name]):
                hint = f"keep one of {first} and {name}"
                raise PlanError(f"{known[name]} is given twice", hint=hint)
            given[known[name]], spelling[known[name]] = value, name
        return given

    def check(self) -> None:
        """Refuse a request that contradicts itself.

        Raises:
            PlanError: A value lies outside its range, or two do not go together.
        """
        check_ranges(self)

    def options(self) -> dict[str, object]:
        """Every option that is not at its default, by name, as `of` takes it."""
        fields = fields_of(type(self))
        result: dict[str, object] = {}
        for item in fields:
            holder: Any = self if item.group is None else getattr(self, item.group)
            if item.preset is None:
                value = getattr(holder, item.name)
                if value != item.default:
                    result[item.name] = item.write(value)
            elif item.name == item.group:
                flags = [other.name for other in fields if other.preset and other.option.help]
                result |= item.preset.options(item.name, holder, flags=flags)
        return result

    def command(self, **further: str | Path) -> tuple[str, ...]:
        """The command that makes this plan again, further options last; defaults are left out."""
        given = self.options()
        arguments: list[str] = []
        words: list[str] = []
        for item in fields_of(type(self)):
            if item.name not in given:
                continue
            if item.option.is_argument:
                arguments += _listed(given[item.name])
            else:
                words += _typed(item, given[item.name])
        for name, value in further.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        return ("emdiag", *self.verb.split(), *arguments, *words)

    def to_toml(self) -> str:
        """The plan as the file that `--plan` reads; what is at its default is left out."""
        lines = [f"# emdiag {self.verb} --plan FILE.toml"]
        lines += [f"{name} = {_toml(value)}" for name, value in self.options().items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """The plan that `to_toml` wrote.

        Raises:
            PlanError: It is not TOML, or as `of`.
        """
        return cls.of(_read_options(text))


def spelled_out(plan: type[Plan]) -> Callable[[F], F]:
    """Give a function with `**options` a signature and a docstring that name all of a plan's."""

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
        words = _ARGUMENTS | {item.name: item.option.help for item in fields_of(plan)}
        lines = [f"    {name}: {words.get(name) or words[f'{name}s']}" for name in named]
        lines += [f"    {item.name}: {words[item.name]}" for item in options if words[item.name]]
        doc = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = "\n".join([doc, "", "Args:", *lines])
        return function

    return wrap


def read_plan_file(path: Path) -> dict[str, object]:
    """The options in a plan's file, by name.

    Raises:
        PlanError: There is no such file, or it is too long, not in UTF-8 or not TOML.
    """
    source = InputFile(path=expanded(path), what="the plan's file", error=PlanError, hint=_HINT)
    return _read_options(source.text(most=LONGEST_TEXT), file=path)


def _read_options(text: str, **facts: Path) -> dict[str, object]:
    try:
        content = parse_toml(text)
    except ValueError as error:  # also a number of too many digits
        raise PlanError(
            f"the plan's file is not TOML: {error}", **facts, expected="NAME = VALUE", hint=_HINT
        ) from error
    options: dict[str, object] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name in options:
            hint = f"keep one of {name} and {name.replace('_', '-')}"
            raise PlanError(f"{name} is given twice", **facts, hint=hint)
        _check_value(name, value, **facts)
        options[name] = value
    return options


def _check_value(name: str, value: object, **facts: Path) -> None:
    """Refuse lists in lists without end, and whole numbers that TOML does not have."""
    level = [value]
    for _ in range(_DEEPEST):
        check_whole(name, level, **facts)
        lists = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [part for item in lists if isinstance(item, list) for part in item]
    if level:
        raise _nested(option=name, **facts)


def _nested(**facts: object) -> PlanError:
    return PlanError(
        "the plan's file nests lists or tables too deeply",
        **facts,
        expected="NAME = VALUE, or a list of values",
        found=f"more than {_DEEPEST} in each other",
        hint=_HINT,
    )


def _typed(item: Field, value: object) -> list[str]:
    """An option as it is typed; a flag is joined to a value that would be taken for a flag."""
    if isinstance(value, bool):
        return [item.flag if value else f"--no-{item.flag.removeprefix('--')}"]
    values = _listed(value)
    if not item.option.is_repeated:
        values = [",".join(values)]
    words: list[str] = []
    for text in values:
        words += [f"{item.flag}={text}"] if text.startswith("-") else [item.flag, text]
    return words


def _listed(value: object) -> list[str]:
    """Values as they are typed; floats in as few digits as bring them back."""
    values = value if isinstance(value, list | tuple) else [value]
    return [
        repr(item).removesuffix(".0") if isinstance(item, float) else str(item) for item in values
    ]


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
