"""Objects of the user's own code, named `package.module:name`."""

from __future__ import annotations

import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from emdiag.core.digest import digest
from emdiag.core.errors import EmdiagError, PlanError

_SPEC = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def names_object(text: str) -> bool:
    """Whether the text has the form `package.module:name`."""
    return _SPEC.fullmatch(text) is not None


def load_object(spec: str, *, kind: str, needs: Sequence[str] = ()) -> object:
    """What `package.module:name` names; modules of the current directory are found too.

    Args:
        spec: As the user typed it.
        kind: What it is used as, such as `metric`; for the messages.
        needs: Members that it must have; where there are none it must be callable.

    Raises:
        PlanError: The name is of another form, its module cannot be imported, the module has no
            such name, or the object is not of that kind; the message says what is missing.
    """
    value = _named(spec, kind=kind)
    check_members(value, spec, kind=kind, needs=needs)
    return value


def load_instance(spec: str, *, kind: str, needs: Sequence[str]) -> object:
    """As `load_object`; where a class is named, one object of it, made without arguments.

    Raises:
        PlanError: As `load_object`; or the object cannot be made.
    """
    value = _named(spec, kind=kind)
    if isinstance(value, type):
        refusal = PlanError(
            f"no {kind} can be made of {spec}",
            hint="name an object, or a class that is made without arguments",
        )
        with outside_code(refusal):
            value = value()
    check_members(value, spec, kind=kind, needs=needs)
    return value


@contextmanager
def outside_code(
    refusal: EmdiagError, *, passes: type[EmdiagError] | None = None
) -> Iterator[None]:
    """Run code that is not ours: what it prints goes to stderr, what it raises becomes an error.

    Args:
        refusal: The error for any exception and for `sys.exit`; type and text of the exception are
            added to its message, and the line that raised to its facts.
        passes: Errors of ours that go through as they are.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        if passes and isinstance(error, passes):
            raise
        line = _line_of(error)
        raise type(refusal)(
            f"{refusal.message}: {type(error).__name__}: {error}",
            hint=refusal.hint,
            **refusal.facts,
            **({"file": line} if line else {}),
        ) from error


def _line_of(error: BaseException) -> str | None:
    """File and line of the innermost frame outside emdiag, the libraries and Python itself."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return f"{error.filename}, line {error.lineno}"
    package = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", package))
    ]
    libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    of_user = [frame for frame in frames if not frame.filename.startswith(libraries)] or frames
    return f"{of_user[-1].filename}, line {of_user[-1].lineno}" if of_user else None


def source_digest(spec: str) -> str:
    """SHA-256 over the Python files of the package that holds an object, or of its module alone.

    Whatever was made with an object from outside is kept under this, so that what two versions of
    it made is never mixed. The module is imported already.
    """
    package = sys.modules[spec.partition(":")[0].partition(".")[0]]
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    files = [(str(file.relative_to(root)), file) for root in folders for file in root.rglob("*.py")]
    if not folders and (file := getattr(package, "__file__", None)):  # none has what is built in
        files = [(package.__name__, Path(file))]
    return digest([[name, sha256(file.read_bytes()).hexdigest()] for name, file in sorted(files)])


def _named(spec: str, *, kind: str) -> object:
    """What is called so, whatever it is."""
    if not names_object(spec):
        raise PlanError(
            f"{_a(kind)} from outside is named package.module:name, found {spec!r}",
            hint=f"for example `my_package.{kind}s:my_{kind}`",
        )
    module_name, _, name = spec.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)
    raised = PlanError(
        f"the module of the {kind} {spec!r} was found, and its import raised",
        hint="correct the module, or install what it imports",
    )
    try:
        with outside_code(raised):
            module = import_module(module_name)
    except PlanError as refusal:
        error = refusal.__cause__
        if not _is_absent(error, module_name):
            raise
        raise PlanError(
            f"the module of the {kind} {spec!r} cannot be imported: ModuleNotFoundError: {error}",
            folder=folder,
            hint="install the package, or run the command in the folder that holds it",
        ) from error
    if not hasattr(module, name):
        public = [
            known
            for known, value in vars(module).items()
            if callable(value) and not known.startswith("_")
        ]
        raise PlanError(
            f"the module {module_name} has no {name!r}",
            file=getattr(module, "__file__", None) or module_name,
            hint=f"it has: {', '.join(sorted(public)) or 'no public name'}",
        )
    value: object = getattr(module, name)
    return value


def _is_absent(error: BaseException | None, module_name: str) -> bool:
    """Whether this module, or a package above it, is what was not found."""
    return isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")


def check_members(value: object, spec: str, *, kind: str, needs: Sequence[str] = ()) -> None:
    """Refuse what is not of a kind; also for what a factory from outside returned.

    Raises:
        PlanError: Members are missing; or none are needed and it is not callable.
    """
    missing = [member for member in needs if not hasattr(value, member)]
    if missing:
        raise PlanError(
            f"{spec} is not {_a(kind)}: it lacks {', '.join(missing)}",
            found=_description(value),
            hint=f"{_a(kind)} has {', '.join(needs)}",
        )
    if not needs and not callable(value):
        raise PlanError(
            f"{spec} is not {_a(kind)}: it is not callable",
            found=_description(value),
            hint=f"name a function: {_a(kind)} is called",
        )


def _description(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
