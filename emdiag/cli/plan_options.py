"""From the options of a plan to the options of a command: each is declared once, in its plan."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_origin

import typer

from emdiag.cli import console, options
from emdiag.core.errors import PlanError
from emdiag.core.option_types import REQUIRED, Field, unwrapped
from emdiag.core.options import by_field, fields_of, written
from emdiag.core.plans import Plan, read_plan_file
from emdiag.store.session import Session

if TYPE_CHECKING:
    from emdiag.core.records import Result
    from emdiag.findings.page import Findings

P = TypeVar("P", bound=Plan)

_JSON = typer.Option("--json", help="Print one JSON object.")
_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
_FILE = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE.toml", help="Options from a file; typed ones win."),
]


@dataclass(frozen=True, kw_only=True)
class Call(Generic[P]):
    """One call of a command that follows a plan.

    Attributes:
        plan: With the options of its file and of the command line.
        session: On the store, or the folder that training writes.
        out: The command's way to the user.
        page: As given to `--report`.
    """

    plan: P
    session: Session
    out: console.Out
    page: Path | None

    def figures(self, folder: Path | None, name: str, *, plots: bool) -> Path | None:
        """Where plots go; None where none are wanted."""
        if not plots:
            return None
        return folder or self.session.store.root / "figures" / name[:80]

    def show(
        self, result: Result, findings: Findings | None = None, *, plain: object = None
    ) -> None:
        """Show a result, the command that makes it again, and the page that is asked for.

        Args:
            result: What was measured or trained.
            findings: What a terminal shows; all that its kind has by default.
            plain: What `--json` prints; the result itself by default.
        """
        from emdiag.cli.show import show
        from emdiag.findings.kinds import findings_of

        if self.out.json:
            self.out.result(result if plain is None else plain)
        else:
            show(findings_of(result) if findings is None else findings, self.out)
        self.out.say(f"plan: {shlex.join(self.session.command)}")
        options.write_page(result, self.page, self.session, self.out)


def plan_command(
    kind: type[P], *, json: Any = _JSON
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function of a `Call` into a command with every option of a plan.

    The function's other parameters are options that only it has. `--plan`, `--report`, `--json`
    and, unless the plan says where it writes, `--store` are added.
    """
    has_store = not kind.writes_out
    renames_store = has_store and "out" not in {item.name for item in fields_of(kind)}

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        own = [item.replace(kind=_KEYWORD_ONLY) for item in parameters]

        def command(ctx: typer.Context, **typed: Any) -> None:
            with console.command(json=typed["as_json"], wide=typed["wide"], resumes=True) as out:
                values = _given(kind, ctx, typed)
                plan = _planned(kind, values, typed["plan_file"])
                store = typed.get("store")
                call = Call(
                    plan=plan,
                    session=_session(plan, store, out),
                    out=out,
                    page=typed["report"],
                )
                function(call, **{item.name: typed[item.name] for item in own})

        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # typer reads it
            [
                inspect.Parameter("ctx", _KEYWORD_ONLY, annotation=typer.Context),
                *_parameters(kind),
                *own,
                *_shared(json, has_store=has_store),
            ]
        )
        command.__annotations__ = {}
        return options.renamed(store=options.OLD_STORE)(command) if renames_store else command

    return wrap


def _shared(json: Any, *, has_store: bool) -> list[inspect.Parameter]:
    """What every command that follows a plan has."""
    shared: list[tuple[str, Any, object]] = [("plan_file", _FILE, None)]
    if has_store:
        shared.append(("store", options.Store, options.STORE))
    as_json: Any = Annotated[bool, json]
    shared += [
        ("report", options.Report, None),
        ("wide", options.Wide, False),
        ("as_json", as_json, False),
    ]
    return [
        inspect.Parameter(name, _KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in shared
    ]


def _parameters(kind: type[Plan]) -> list[inspect.Parameter]:
    """One parameter for each option, and for each old spelling."""
    parameters = []
    for item in fields_of(kind):
        if item.option.help is None:
            continue
        parameters.append(
            inspect.Parameter(
                item.name, _KEYWORD_ONLY, annotation=_annotation(item), default=_default(item)
            )
        )
        for old in item.option.old:
            hidden: Any = Annotated[_typed(item) | None, typer.Option(old, hidden=True)]
            parameters.append(
                inspect.Parameter(_old(old), _KEYWORD_ONLY, annotation=hidden, default=None)
            )
    return parameters


def _old(spelling: str) -> str:
    return f"old{spelling.replace('-', '_')}"


def _annotation(item: Field) -> Any:
    option = item.option
    if option.is_argument:
        argument = typer.Argument(metavar=option.metavar, help=option.help, show_default=False)
        return Annotated[_typed(item) | None, argument]
    flags = option.flags or (_switch(item) if unwrapped(item.kind) is bool else (item.flag,))
    required = " [required]" if item.default is REQUIRED else ""
    return Annotated[
        _typed(item) | None,
        typer.Option(
            *flags,
            help=f"{option.help}{required}",
            rich_help_panel=option.panel,
            metavar=option.metavar or ("INTEGER" if item.may_be_none else None),
            show_default=option.shown_default or item.default not in (REQUIRED, (), None),
        ),
    ]


def _switch(item: Field) -> tuple[str, ...]:
    return (f"{item.flag}/--no-{item.flag.removeprefix('--')}",)


def _typed(item: Field) -> Any:
    """The type that a value is typed as."""
    kind = unwrapped(item.kind)
    if item.option.is_repeated or (item.option.is_argument and get_origin(kind) is tuple):
        return list[str]
    return kind if kind in {int, float, bool} and not item.may_be_none else str


def _default(item: Field) -> Any:
    """What the help page shows; a value that was not typed is never taken from here."""
    if item.default is REQUIRED or item.default is None:
        return None
    plain = item.default if item.preset is not None else written(item, item.default)
    if _typed(item) == list[str]:
        return list(plain) or None  # type: ignore[call-overload]  # a tuple of texts
    return ",".join(map(str, plain)) if isinstance(plain, list | tuple) else plain


def _given(kind: type[Plan], ctx: typer.Context, typed: Mapping[str, Any]) -> dict[str, object]:
    """Options of the plan that were typed."""
    values: dict[str, object] = {}
    for item in fields_of(kind):
        if item.option.help is None:
            continue
        for old in item.option.old:
            if typed[_old(old)] is not None:
                options.note_renamed(old, item.flag)
                values[item.name] = typed[_old(old)]
        source = ctx.get_parameter_source(item.name)
        if source is not None and source.name == "COMMANDLINE":
            values[item.name] = typed[item.name]
    return values


def _planned(kind: type[P], values: Mapping[str, object], file: Path | None) -> P:
    """The plan of a file, if any, and of what was typed."""
    if file is None:
        return kind.of(values)
    from_file = read_plan_file(file)
    try:
        return kind.of({**by_field(kind, from_file), **values})
    except PlanError as error:
        error.facts = {"file": str(file), **error.facts}
        raise


def _session(plan: Plan, store: Path | None, out: console.Out) -> Session:
    folder = Path(str(getattr(plan, "out", ""))) if store is None else store
    further = {} if store in {None, options.STORE} else {"store": str(store)}
    return options.session_on(folder, out, command=plan.command(**further))
