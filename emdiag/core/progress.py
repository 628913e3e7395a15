"""Progress that nobody watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class SilentProgress:
    """`core.protocols.Progress` that shows nothing; the default of every function."""

    @contextmanager
    def stage(self, title: str, *, total: int, done: int = 0) -> Iterator[SilentStage]:
        """A bar that is not drawn."""
        del title, total, done
        yield SilentStage()

    def note(self, text: str) -> None:
        """Say nothing."""


class SilentStage:
    """One bar that is not drawn."""

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        """Count nothing."""

    def status(self, text: str) -> None:
        """Say nothing."""
