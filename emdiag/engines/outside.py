"""Engines of the user's own package, named `package.module:name`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import cast

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EmdiagError, EngineError, PlanError
from emdiag.core.outside import (
    check_members,
    load_object,
    names_object,
    outside_code,
    source_digest,
)
from emdiag.core.protocols import Sampler
from emdiag.core.sampling import Completion, SampleRequest, SamplingParams
from emdiag.engines.options import EngineOptions

_NEEDS = ("info", "sample", "close")
_DIGITS = 12


def is_outside(name: str) -> bool:
    """Whether an engine's name is `package.module:name`, with or without `@` and its source."""
    return names_object(name.partition("@")[0])


def outside_name(name: str) -> str:
    """The name with the first digits of its source's checksum, as run keys hold it.

    Raises:
        PlanError: It cannot be imported, or is not called with a checkpoint; or the name holds the
            digits of another source.
    """
    spec, _, wanted = name.partition("@")
    factory = load_object(spec, kind="engine")
    if isinstance(factory, type):
        check_members(factory, spec, kind="engine", needs=("sample", "close"))
    digits = source_digest(spec)[:_DIGITS]
    if wanted not in ("", digits):
        raise PlanError(
            f"the source of {spec} has changed since it was named",
            expected=wanted,
            found=digits,
            hint=f"--engine {spec} takes the source as it is; its samples are kept apart",
        )
    return f"{spec}@{digits}"


def open_outside(name: str, checkpoint: CheckpointRef, *, options: EngineOptions) -> Sampler:
    """What the user's class or function gives for a checkpoint and `options=`.

    Raises:
        PlanError: It is no `Sampler`; the message says what is missing.
        EngineError: It cannot be opened.
    """
    spec = name.partition("@")[0]
    factory = cast("Callable[..., object]", load_object(spec, kind="engine"))
    refusal = EngineError(
        f"the engine {spec} cannot be opened",
        checkpoint=checkpoint.path,
        hint="it is called with a checkpoint and `options=`, and gives a `Sampler`",
    )
    with outside_code(refusal, passes=EmdiagError):
        sampler = factory(checkpoint, options=options)
        check_members(sampler, spec, kind="engine", needs=_NEEDS)
        return _OutsideSampler(cast("Sampler", sampler), spec)


class _OutsideSampler:
    """A user's `Sampler`; what it raises becomes an `EngineError`, its prints go to stderr."""

    def __init__(self, sampler: Sampler, spec: str) -> None:
        self.info = sampler.info
        self._sampler = sampler
        self._spec = spec

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        with self._running():
            completions = iter(self._sampler.sample(requests, params=params))
        while True:
            with self._running():
                completion = next(completions, None)
            if completion is None:
                return
            yield completion

    def close(self) -> None:
        with self._running():
            self._sampler.close()

    def _running(self) -> AbstractContextManager[None]:
        refusal = EngineError(
            f"the engine {self._spec} failed",
            hint="the samples drawn before are kept: correct the engine and run the command again",
        )
        return outside_code(refusal, passes=EmdiagError)
