"""What a library, the system or a JSON file says wrongly, as an error of the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from emdiag.core.errors import CheckpointError, EmdiagError
from emdiag.core.reading import InputFile

_LONGEST = 400

_JSON_NAMES = {list: "a list", str: "text", bool: "true or false", type(None): "null"}

T = TypeVar("T")


@contextmanager
def checkpoint_errors(what: str, *, hint: str, **facts: object) -> Iterator[None]:
    """Whatever fails inside this block is an error of the checkpoint: `what` failed, and why.

    Libraries raise dozens of kinds of exceptions for a folder that is not as they expect; Rust's
    are no `Exception`. Errors of ours, a full memory and Ctrl-C pass as they are.

    Raises:
        CheckpointError: As above, with the library's own reason.
    """
    try:
        yield
    except (EmdiagError, MemoryError):
        raise
    except Exception as error:
        raise _named(error, what, hint, facts) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _named(error, what, hint, facts) from error


def read_json(file: Path, record: type[T]) -> T:
    """A JSON file as a record, checked.

    Raises:
        CheckpointError: It is not JSON in UTF-8, or not as the record says.
    """
    hint = "copy or download it again"
    source = InputFile(path=file, what="a file of the checkpoint", error=CheckpointError, hint=hint)
    try:
        # As the libraries read it, which know Infinity and no byte order mark.
        content = json.loads(source.content().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the file is not JSON: {error}", file=file, hint=hint) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"the file holds no JSON object, but {_JSON_NAMES.get(type(content), 'a number')}",
            file=file,
            hint="mend or download it again",
        )
    return as_record(content, record, file)


def as_record(content: object, record: type[T], file: Path) -> T:
    """What a file holds as a record, checked.

    Raises:
        CheckpointError: It is not as the record says.
    """
    try:
        return msgspec.convert(content, record)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CheckpointError(
            f"the file is not as it should be: {error}", file=file, hint="mend or download it again"
        ) from error


def library_reason(error: BaseException) -> str:
    """What a library says, on one line that is not too long."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, LookupError | AttributeError | TypeError):
        reason = f"{type(error).__name__}: {reason}"
    return f"{reason[:_LONGEST]} ..." if len(reason) > _LONGEST else reason


def _named(error: BaseException, what: str, hint: str, facts: dict[str, object]) -> CheckpointError:
    if isinstance(error, ImportError):
        hint = "install what it names, or give weights that need none of it"
    if "trust_remote_code" in str(error):
        hint = "it needs code shipped with the checkpoint: --trust-remote-code, if you trust it"
    return CheckpointError(f"{what}: {library_reason(error)}", hint=hint, **facts)
