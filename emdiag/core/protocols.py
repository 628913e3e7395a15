"""Interfaces between rooms that do not know each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar, runtime_checkable

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.grades import Gold, Judgement
from emdiag.core.reasoning import Reasoning
from emdiag.core.runs import EngineInfo
from emdiag.core.sampling import (
    Completion,
    FilledPrompt,
    Prompt,
    SampleRequest,
    SamplingParams,
    TokenScores,
)

_Array_co = TypeVar("_Array_co", covariant=True)
"""An array of the library that an engine computes with."""

Text = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids of a prompt and of its completion."""


class PromptEncoder(Protocol):
    """Reads prompts as one checkpoint does; knows nothing of weights."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the score should know; complete after `encode`."""

    @property
    def max_context(self) -> int | None:
        """Tokens of prompt and completion the checkpoint can hold; None where it says nothing."""

    @property
    def reasoning(self) -> Reasoning | None:
        """How thinking is marked; None where nothing marks it."""

    @property
    def thinks(self) -> bool:
        """Whether answers to the prompts encoded last begin with thinking."""

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template, in their order; `chat` applies the chat template.

        Raises:
            CheckpointError: The tokenizer loses characters, or has no chat template to apply.
        """

    def stop_token_ids(self) -> tuple[int, ...]:
        """Tokens that end a completion, sorted."""

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of tokens without special ones, as engines make the text of a completion."""


class Sampler(Protocol):
    """Draws completions from one checkpoint that is held open."""

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """Completions as they finish, in any order; one for each request.

        Raises:
            EngineError: A request cannot be served; nothing yielded before is lost.
        """

    def close(self) -> None:
        """Free the weights; the engine is not used again."""


@runtime_checkable
class ScoringSampler(Sampler, Protocol):
    """A sampler that, while `scores` is a dict, keeps there what it makes of its tokens."""

    scores: TokenScores | None


@runtime_checkable
class FamilySampler(Protocol):
    """What a `Sampler` has beside, if it holds a base and adapters and draws from one at a time."""

    def serve(self, checkpoint: CheckpointRef) -> None:
        """Draw from this one from now on; it is one of those that the sampler was opened for."""


class TextLogits(Protocol[_Array_co]):
    """The raw logits along one completion, made a few positions at a time."""

    @property
    def positions(self) -> int:
        """Tokens of the completion; row i is the distribution that token i is drawn from."""

    @property
    def chunk_positions(self) -> int:
        """Positions that are worth asking for at once."""

    def logits(self, start: int, stop: int) -> _Array_co:
        """Raw logits of the positions from `start` up to `stop`, `[position, vocab]`, float32."""


class LogitReader(Protocol[_Array_co]):
    """Reads texts that are already written with one checkpoint that is held open."""

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""

    def read(self, texts: Sequence[Text]) -> Iterator[TextLogits[_Array_co]]:
        """The logits along each text, in order; one is forgotten before the next is made.

        Raises:
            EngineError: A text cannot be read.
        """

    def close(self) -> None:
        """Free the weights; the engine is not used again."""


class Grader(Protocol):
    """Judges completions against gold answers; never raises on what a model wrote."""

    @property
    def identity(self) -> str:
        """Name and revision, such as `math-verify/1`."""

    @property
    def versions(self) -> dict[str, str]:
        """Library name to version, for every library that decides a verdict."""

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """One judgement for each (gold, completion text), in their order."""

    def classes(self, groups: Sequence[Sequence[str]]) -> list[list[str]]:
        """For each group of answers, the first answer of the group equal to each of them."""


class ProgressStage(Protocol):
    """One bar of progress."""

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        """Count finished items, and the tokens they cost."""

    def status(self, text: str) -> None:
        """Say beside the bar how it goes; each call replaces what the one before said."""


class Progress(Protocol):
    """Where long work says how far it is."""

    def stage(
        self, title: str, *, total: int, done: int = 0
    ) -> AbstractContextManager[ProgressStage]:
        """Open a bar of `total` items, `done` of which were finished before."""

    def note(self, text: str) -> None:
        """Say one line that matters while the work goes on."""


class SilentProgress:
    """Shows nothing; the default of every function."""

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
