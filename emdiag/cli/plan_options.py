"""From the options of a plan to the options of a command: each is declared once, in its plan."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, get_origin

import typer

from emdiag.cli import console, options
from emdiag.core.errors import PlanError
from emdiag.core.files import check_file
from emdiag.core.options import REQUIRED, Field, fields_of
from emdiag.core.plans import Plan, read_plan_file
from emdiag.core.records import Result
from emdiag.findings.page import Findings
from emdiag.store.session import Session

P = TypeVar("P", bound=Plan)

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
    """

    plan: P
    session: Session
    out: console.Out
    page: Path | None

    def show(
        self, result: Result, findings: Findings | None = None, *, plain: object = None
    ) -> None:
        """Show a result, the command that makes it again, and the page that is asked for.

        A terminal shows `findings`, by default all of its kind; `--json` prints `plain`, by default
        the result itself.
        """
        if self.out.json and plain is not None:
            self.out.result(plain)
        else:
            options.show_result(result, self.out, findings=findings)
        self.out.say(f"plan: {shlex.join(self.session.command)}")
        options.write_page(result, self.page, self.session, self.out)


def plan_command(
    kind: type[P], *, json_field: str | None = None, is_stored: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function of a `Call` into a command with every option of a plan.

    The function's other parameters are options that only it has. `--plan`, `--report`, `--json`
    and, unless the plan says where it writes, `--store` are added; the help of `--json` names
    `json_field`. One whose result is not stored has no page, and nothing to continue.
    """
    field = f" with `{json_field}`" if json_field else ""
    as_json: Any = Annotated[bool, typer.Option("--json", help=f"Print one JSON object{field}.")]

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        def command(ctx: typer.Context, **typed: Any) -> None:
            file = typed["plan_file"]
            with (
                console.command(
                    json=typed["as_json"], wide=typed["wide"], resumes=is_stored
                ) as out,
                _naming(file),
            ):
                from_file = {} if file is None else kind.by_field(read_plan_file(file))
                page = typed.get("report")
                if page is not None:
                    check_file(page)
                plan = kind.of({**from_file, **_given(kind, ctx, typed)})
                session = _session(plan, typed.get("store"), out)
                call = Call(plan=plan, session=session, out=out, page=page)
                function(call, **{item.name: typed[item.name] for item in own})

        parameters = [
            _parameter("ctx", typer.Context),
            *_parameters(kind),
            *(_parameter(item.name, item.annotation, item.default) for item in own),
            _parameter("plan_file", _FILE, None),
            *([] if kind.writes_out else [_parameter("store", options.Store, options.STORE)]),
            *([_parameter("report", options.Report, None)] if is_stored else []),
            _parameter("wide", options.Wide, default=False),
            _parameter("as_json", as_json, default=False),
        ]
        command.__doc__, command.__name__ = function.__doc__, function.__name__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
        command.__annotations__ = {}
        return command

    return wrap


def _parameter(
    name: str, kind: Any, default: object = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


def _parameters(kind: type[Plan]) -> Iterator[inspect.Parameter]:
    for item in fields_of(kind):
        option = item.option
        if option.help is None:
            continue
        required = " [required]" if item.default is REQUIRED and not option.is_argument else ""
        words = f"{option.help}{required}".replace("[", r"\[")  # it is read as markup
        if option.is_argument:
            note: Any = typer.Argument(metavar=option.metavar, help=words, show_default=False)
        else:
            note = typer.Option(
                *(option.flags or _flags(item)),
                help=words,
                rich_help_panel=option.panel,
                metavar=option.metavar or ("INTEGER" if item.may_be_none else None),
                show_default=option.shown_default or item.default not in (REQUIRED, (), None),
            )
        yield _parameter(item.name, Annotated[_typed(item) | None, note], _default(item))


def _flags(item: Field) -> tuple[str, ...]:
    is_switch = item.plain_kind is bool
    return (f"{item.flag}/--no-{item.flag.removeprefix('--')}" if is_switch else item.flag,)


def _typed(item: Field) -> Any:
    kind = item.plain_kind
    if item.option.is_repeated or (item.option.is_argument and get_origin(kind) is tuple):
        return list[str]
    return kind if kind in {int, float, bool} and not item.may_be_none else str


def _default(item: Field) -> Any:
    """What the help page shows; a value that was not typed is never taken from here."""
    if item.default is REQUIRED or item.default is None:
        return None
    plain = item.default if item.preset is not None else item.write(item.default)
    if not isinstance(plain, list | tuple):
        return plain
    return (list(plain) or None) if _typed(item) == list[str] else ",".join(map(str, plain))


def _given(kind: type[Plan], ctx: typer.Context, typed: Mapping[str, Any]) -> dict[str, object]:
    sources = {item.name: ctx.get_parameter_source(item.name) for item in fields_of(kind)}
    return {
        name: typed[name]
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    }


@contextmanager
def _naming(file: Path | None) -> Iterator[None]:
    """Errors in what was asked for name the file, if any, that asks for it."""
    try:
        yield
    except PlanError as error:
        if file is not None:
            error.facts = {"file": str(file), **error.facts}
        raise


def _session(plan: Plan, store: Path | None, out: console.Out) -> Session:
    folder = Path(str(getattr(plan, "out", ""))) if store is None else store
    further = {} if store in {None, options.STORE} else {"store": str(store)}
    return options.session_on(folder, out, command=plan.command(**further))
