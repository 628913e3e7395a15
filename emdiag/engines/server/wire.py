"""What servers answer, as far as it is relied on; they may be wrong, broken or hostile."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from emdiag.core.errors import EngineError
from emdiag.core.marks import PATTERN
from emdiag.core.reading import UNREADABLE
from emdiag.core.sampling import FinishReason

A = TypeVar("A", bound=msgspec.Struct)

_MOST_QUOTED: Final = 300
_FINISHED: Final[dict[str | None, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    # TGI, in its OpenAI answers too.
    "eos_token": "stop",
    "stop_sequence": "stop",
}


class BadAnswerError(EngineError):
    """An answer is not what the API says; the next one may be."""


class UsageDetails(msgspec.Struct):
    """Which of the tokens drawn were thinking."""

    reasoning_tokens: int | None = None


class Usage(msgspec.Struct):
    """How many tokens a server counted."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    completion_tokens_details: UsageDetails | None = None


class Turn(msgspec.Struct):
    """An assistant's turn; reasoning stands apart from its text where a server parses it."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class AnswerChoice(msgspec.Struct):
    """One completion, of either endpoint."""

    index: int = 0
    text: str | None = None
    message: Turn | None = None
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: Any = None


class Answer(msgspec.Struct):
    """What a request for one completion is answered with."""

    choices: list[AnswerChoice]
    usage: Usage | None = None
    prompt_token_ids: list[int] | None = None

    def only(self) -> AnswerChoice:
        """The one completion that was asked for.

        Raises:
            BadAnswerError: There are none or several, or it is of another request.
        """
        if len(self.choices) != 1 or self.choices[0].index != 0:
            indices = ", ".join(str(choice.index) for choice in self.choices[:5])
            raise BadAnswerError(
                f"one completion was asked for, and {len(self.choices)} came",
                indices=indices or "none",
            )
        return self.choices[0]

    def prompt_ids(self) -> list[int] | None:
        """The tokens that were read, where they are told."""
        return self.only().prompt_token_ids or self.prompt_token_ids

    def reason(self) -> FinishReason:
        """Why the completion ended: `stop` or `length`.

        Raises:
            BadAnswerError: For another reason, or for none that is said.
        """
        word = self.only().finish_reason
        if word not in _FINISHED:
            raise BadAnswerError(
                "a completion ended for no reason that counts",
                expected="stop or length",
                found=quoted(str(word)),
            )
        return _FINISHED[word]

    def texts(self) -> tuple[str, str]:
        """The text, and the reasoning that a server took out of it.

        Raises:
            BadAnswerError: There is no text.
        """
        choice = self.only()
        if choice.message is not None:
            turn = choice.message
            return turn.content or "", turn.reasoning or turn.reasoning_content or ""
        if choice.text is None:
            raise BadAnswerError("a completion came without a text")
        return choice.text, ""


class ModelCard(msgspec.Struct):
    """A model in a server's list.

    Attributes:
        owned_by: Says what kind of program serves it, in most.
        root: What was loaded: a folder or hub id (vLLM, SGLang).
    """

    id: str
    owned_by: str | None = None
    root: str | None = None
    max_model_len: int | None = None

    def context(self) -> int | None:
        """Tokens of prompt and completion, where it is said (vLLM, SGLang)."""
        return self.max_model_len if (self.max_model_len or 0) > 0 else None


class ModelList(msgspec.Struct):
    """The models that a server lists."""

    data: list[ModelCard] | None = None


class AboutServer(msgspec.Struct):
    """What programs say of themselves, each at a path of its own."""

    version: str | None = None
    build_info: str | None = None
    model_id: str | None = None
    default_generation_settings: dict[str, Any] | None = None
    max_total_tokens: int | None = None

    def is_of(self, kind: str) -> bool:
        """Whether programs of a kind, and no others, say this."""
        shown = {"tgi": self.model_id, "llama.cpp": self.build_info}
        return shown.get(kind, self.version) is not None

    def context(self) -> int | None:
        """Tokens of prompt and completion, where it is said (llama.cpp, TGI)."""
        size = (self.default_generation_settings or {}).get("n_ctx", self.max_total_tokens)
        return size if isinstance(size, int) and size > 0 else None


def read(body: bytes, kind: type[A]) -> A:
    """The record in an answer; what else it says is skipped.

    Raises:
        BadAnswerError: It is no JSON, or has another shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        is_page = body.lstrip()[:1] == b"<"
        raise BadAnswerError(
            "the answer is a web page" if is_page else f"the answer cannot be read: {error}",
            found=quoted(body[: 4 * _MOST_QUOTED].decode(errors="replace")),
            hint="does --base-url name a server with an OpenAI API?" if is_page else None,
        ) from error


def message_of(body: bytes) -> str:
    """What a server says went wrong: its message, else the beginning of what it sent."""
    text = body[: 4 * _MOST_QUOTED].decode(errors="replace")
    try:
        content = msgspec.json.decode(body)
    except UNREADABLE:
        return quoted(text)
    for _ in range(3):
        if not isinstance(content, dict):
            break
        content = next((content[n] for n in ("error", "message", "detail") if n in content), text)
    return quoted(content if isinstance(content, str) else text)


def quoted(text: str) -> str:
    """The beginning of a text of others, on one line, without what a terminal obeys or hides."""
    line = re.sub(PATTERN, "\N{REPLACEMENT CHARACTER}", " ".join(text.split()))
    return line[:_MOST_QUOTED] + "..." * (len(line) > _MOST_QUOTED)
