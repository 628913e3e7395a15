"""The two ways out: whatever is written, in any encoding, to a stream that may end at any time."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from emdiag.core.marks import ENCODING_ERRORS, visible

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class Sink:
    """A stream that never fails: once it does, why is kept and the rest is let go.

    A command goes on without its reader, so that its work is kept.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        with suppress(AttributeError):  # a stream of a test or a notebook
            stream.reconfigure(errors=ENCODING_ERRORS)  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        """As of a stream."""
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """As of a stream."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        with suppress(OSError, ValueError):  # what is in its buffer is let go when Python ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Guard:
    """In the place of `sys.stdout` or `sys.stderr`: what libraries print, with codes made visible.

    Attributes:
        rich_proxied_file: The sink, to which rich, and so `console`, writes directly.
    """

    def __init__(self, sink: Sink) -> None:
        self.rich_proxied_file = sink

    def write(self, text: str) -> int:
        """As of a stream; colours are left out, and bars that redraw a line take new ones."""
        plain = _COLOUR.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        self.rich_proxied_file.write(visible(plain))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextmanager
def guarded() -> Iterator[Sink]:
    """Both streams behind guards inside this block; the sink of stdout says whether it failed."""
    _take_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    opened = [stream or open(os.devnull, "r+") for stream in before]  # noqa: PTH123, SIM115
    out, errors = Sink(opened[1]), Sink(opened[2])
    sys.stdin, sys.stdout, sys.stderr = opened[0], Guard(out), Guard(errors)
    try:
        yield out
    finally:
        out.flush()
        errors.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _take_closed_descriptors() -> None:
    """Open nothing in the place of a stream that is closed: a file of the store would be there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
