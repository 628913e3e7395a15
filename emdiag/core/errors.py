"""Every error a user can cause or fix; the exit code is 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class EmdiagError(Exception):
    """What went wrong, the facts by name (such as `file`), and what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = {name: str(value) for name, value in facts.items()}

    def __str__(self) -> str:
        lines = [self.message, *(f"  {name}  {value}" for name, value in self.facts.items())]
        return "\n".join([*lines, *([f"  hint  {self.hint}"] if self.hint else [])])


class PlanError(EmdiagError):
    """The request contradicts itself."""


class BenchmarkError(EmdiagError):
    """A card or a problem file is wrong or absent."""


class CheckpointError(EmdiagError):
    """Weights or tokenizer cannot be used."""


class EngineError(EmdiagError):
    """An engine cannot do its work."""


class EngineMissingError(EngineError):
    """A library or device is missing; the hint names the extra to install."""


class EngineRefusedError(EngineError):
    """The engine cannot do what was asked."""


class GraderError(EmdiagError):
    """The grader fails its self-test, or its input cannot be read."""


class TrainingError(EmdiagError):
    """Training cannot go on."""


class MeasurementError(EmdiagError):
    """The numbers asked for are not defined on this data."""


class StoreError(EmdiagError):
    """A run folder cannot be used."""


class RunLockedError(StoreError):
    """Another process writes to this run."""


class RunMismatchError(StoreError):
    """The folder holds another run."""


class JournalError(StoreError):
    """A line that is not the last one cannot be read."""


@contextmanager
def naming(label: str) -> Iterator[None]:
    """Engine errors from within say which checkpoint they are about: engines know no labels."""
    try:
        yield
    except EngineError as error:
        error.facts = {"checkpoint": label, **error.facts}
        raise
