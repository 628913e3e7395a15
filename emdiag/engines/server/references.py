"""`served:NAME`, a model of which nothing is known but its name at a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emdiag.core.errors import PlanError
from emdiag.core.sampling import ChatTurn, FilledPrompt, Prompt
from emdiag.engines.scripted import text_markers

PREFIX: Final = "served:"


def is_served(ref: str) -> bool:
    """Whether a reference names a model of a server and no weights."""
    return ref.startswith(PREFIX)


def model_named(ref: str) -> str | None:
    """The name in `served:NAME`; None in every other reference, and in `served:` alone."""
    return ref.removeprefix(PREFIX) or None if is_served(ref) else None


class MessageEncoder:
    """Leaves encoding to a server; a `PromptEncoder` that knows no tokens.

    Raises:
        CheckpointError: Markers of thinking are wanted as tokens.
    """

    notes: tuple[str, ...] = ()
    max_context: int | None = None
    thinks = False

    def __init__(self, reasoning: str = "auto") -> None:
        self.reasoning = text_markers(reasoning, subject="a server that writes the prompts")

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template: messages under `chat`, else text.

        Raises:
            PlanError: Something is asked that only a chat template can take.
        """
        return [_prompt(prompt, chat=chat) for prompt in filled]

    def stop_token_ids(self) -> tuple[int, ...]:
        """None: the server has its own."""
        return ()

    def decode(self, token_ids: Sequence[int]) -> str:
        """Nothing: no token has a text here."""
        del token_ids
        return ""


def _prompt(filled: FilledPrompt, *, chat: bool) -> Prompt:
    turns: list[ChatTurn] = []
    if chat:
        if filled.asking.chat_options or filled.asking.prefix:
            raise PlanError(
                "a server that writes the prompts is given messages alone, without --chat-option "
                "and --prefix",
                hint="name the folder, whose template is filled here: LABEL=FOLDER",
            )
        if filled.system is not None:
            turns.append(ChatTurn(role="system", content=filled.system))
        for question, answer in filled.examples:
            turns.append(ChatTurn(role="user", content=question))
            turns.append(ChatTurn(role="assistant", content=answer))
        turns.append(ChatTurn(role="user", content=filled.user))
    return Prompt(
        problem_id=filled.problem_id,
        text="\n\n".join(turn.content for turn in turns) if chat else filled.plain_text,
        token_ids=(),
        template_sha256=filled.template_sha256,
        messages=tuple(turns),
    )
