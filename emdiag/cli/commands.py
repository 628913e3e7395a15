"""How a command begins and ends: its words are text, its streams may end, its errors look alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup

from emdiag.cli import console, streams
from emdiag.core.errors import EmdiagError, PlanError, StoreError

_USAGE: Final[Any] = typer.BadParameter.__base__
"""What typer raises where the words of a command do not fit it."""


class Commands(TyperGroup):
    """The list of commands."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """As of every command; where it is interrupted before its body begins, it ends alike."""
        with console.interruptible():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Likewise."""
        with console.interruptible():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and end with its exit code."""
        code = 0
        with streams.guarded() as results:
            try:
                _refuse_bytes(sys.argv[1:] if args is None else args)
                run = super().main
                code = run(args, prog_name, complete_var, False, windows_expand_args, **extra) or 0
            except _USAGE as error:
                code = 2
                if type(error).__name__ != "NoArgsIsHelpError":  # its help is printed already
                    console.show_error(_usage_error(error))
            except EmdiagError as error:
                code = 2
                console.show_error(error)
            results.flush()
            failure = results.failure
            if failure is not None and not isinstance(failure, BrokenPipeError):
                code = code or 2
                console.show_error(StoreError(f"the output cannot be written: {failure.strerror}"))
        if standalone_mode:
            sys.exit(code)
        return code


def _usage_error(error: Any) -> PlanError:
    hint = f"{error.ctx.command_path} --help shows its options" if error.ctx else None
    return PlanError(error.format_message(), hint=hint)


def _refuse_bytes(words: Sequence[str]) -> None:
    """Refuse words that are no text in the encoding of this terminal."""
    for place, word in enumerate(words, start=1):
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise PlanError(
                f"word {place} of the command is no text in {sys.getfilesystemencoding()}",
                found=word,
                hint="use a locale with UTF-8, such as LC_ALL=C.UTF-8; rename such a file",
            )
