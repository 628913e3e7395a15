"""What turns filled templates into token ids for one checkpoint; interface and scripted twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from emdiag.core.sampling import FilledPrompt, Prompt


class PromptEncoder(Protocol):
    """Reads prompts as one checkpoint does; knows nothing of weights."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the score should know; complete after `encode`."""
        ...

    @property
    def max_context(self) -> int | None:
        """Tokens of prompt and completion the checkpoint can hold; None where it says nothing."""
        ...

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template, in their order; `chat` applies the chat template.

        Raises:
            CheckpointError: The tokenizer loses characters, or has no chat template to apply.
        """
        ...

    def stop_token_ids(self) -> tuple[int, ...]:
        """Tokens that end a completion, sorted."""
        ...


class ByteEncoder:
    """The encoder of the scripted engine: token ids are UTF-8 bytes, so nothing is ever lost."""

    notes: tuple[str, ...] = ()
    max_context: int | None = None

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template; under `chat`, system and user text joined."""
        prompts = []
        for prompt in filled:
            parts = [prompt.system, prompt.user] if chat else [prompt.plain]
            text = "\n\n".join(part for part in parts if part is not None)
            prompts.append(prompt.read_as(text, text.encode()))
        return prompts

    def stop_token_ids(self) -> tuple[int, ...]:
        """None: a scripted text ends where the table says."""
        return ()
