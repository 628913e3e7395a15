"""An engine that repeats the end of the prompt: no weights, but every part of a `Sampler`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.core.runs import EngineInfo
from emdiag.core.sampling import Completion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.sampling import SampleRequest, SamplingParams
    from emdiag.engines.options import EngineOptions


class Parrot:
    """An `emdiag.core.protocols.Sampler`, made with a checkpoint and the options of the engine."""

    def __init__(self, checkpoint: CheckpointRef, *, options: EngineOptions) -> None:
        self.info = EngineInfo(
            name="parrot",
            versions={"my-engine": "0.1"},
            device="cage",
            dtype=options.dtype,
            settings={"checkpoint": checkpoint.ref},
            deterministic=True,
        )

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """The last tokens of each prompt, as the table's bytes."""
        for request in requests:
            token_ids = request.token_ids[-params.max_tokens :]
            yield Completion(
                problem_id=request.problem_id,
                sample_index=request.sample_index,
                text=bytes(token_ids).decode(errors="replace"),
                token_ids=token_ids,
                prompt_tokens=len(request.token_ids),
                finish_reason="stop",
                seed=request.seed,
            )

    def close(self) -> None:
        """There is nothing to free."""


class Forgetful(Parrot):
    """Leaves requests out."""

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """One completion too few."""
        return super().sample(requests[1:], params=params)


class Leaving(Parrot):
    """Ends the process after the first completion."""

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """One completion, and the exit."""
        print("engine at work")  # noqa: T201 - a user may
        yield from super().sample(requests[:1], params=params)
        raise SystemExit(5)


class Mute:
    """Has nothing to draw with."""

    def close(self) -> None:
        """There is nothing to free."""


def broken(checkpoint: CheckpointRef, *, options: EngineOptions) -> Parrot:
    """Cannot be opened."""
    raise RuntimeError("no seed in the feeder")


def nothing(checkpoint: CheckpointRef, *, options: EngineOptions) -> object:
    """Gives something else than a sampler."""
    return object()
