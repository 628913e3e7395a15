"""Samples from a table of texts: for tests, dry runs and outputs that exist already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from msgspec.structs import replace

from emdiag.core.errors import CheckpointError, EngineError
from emdiag.core.reading import InputFile
from emdiag.core.reasoning import Reasoning, typed_markers
from emdiag.core.runs import EngineInfo
from emdiag.core.sampling import (
    Completion,
    FilledPrompt,
    FinishReason,
    Prompt,
    SampleRequest,
    SamplingParams,
)
from emdiag.engines.requests import check_requests
from emdiag.engines.texts import completion_of, ends_in_stop_string
from emdiag.resources import version

ANY_PROBLEM = "*"
"""Key of the texts for problems the table does not name."""


class ScriptedSampler:
    """Answers each request from a table; a `Sampler` whose tokens are UTF-8 bytes.

    Args:
        table: Problem id to texts; sample `i` gets text `i`, from the start again after the
            last. `*` stands for every problem that is not named.
    """

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        for problem_id, texts in table.items():
            if isinstance(texts, str) or not texts or not all(isinstance(t, str) for t in texts):
                raise EngineError("each problem needs a list of texts", problem=problem_id)
        self._table = {problem_id: tuple(texts) for problem_id, texts in table.items()}

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""
        return EngineInfo(
            name="scripted",
            versions={"emdiag": version()},
            device="none",
            dtype="none",
            settings={"problems": str(len(self._table))},
            deterministic=True,
        )

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """Completions in the order of the requests.

        Raises:
            EngineError: The table has no text for a problem.
        """
        check_requests(requests, params=params, max_context=None)
        for request in requests:
            texts = self._table.get(request.problem_id) or self._table.get(ANY_PROBLEM)
            if texts is None:
                raise EngineError(
                    "the table of the scripted engine has no text for a problem",
                    problem=request.problem_id,
                    hint=f'add it, or the key "{ANY_PROBLEM}" for every other problem',
                )
            text = texts[request.sample_index % len(texts)]
            tokens, reason = _cut(tuple(text.encode()), params)
            yield completion_of(request, tokens, reason, decode=_decode, params=params)

    def close(self) -> None:
        """Do nothing: there are no weights."""


class ByteEncoder:
    """The encoder of the scripted engine: token ids are UTF-8 bytes, so nothing is ever lost.

    No marker of thinking is a token; those wanted as `text:START,END` are looked for.

    Raises:
        CheckpointError: Markers are wanted as tokens.
    """

    notes: tuple[str, ...] = ()
    max_context: int | None = None
    thinks = False

    def __init__(self, reasoning: str = "auto") -> None:
        self.reasoning = text_markers(reasoning, subject="a table of texts")

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template; under `chat`, system, examples and user text joined.

        Raises:
            CheckpointError: Chat options are given, and there is no template for them.
        """
        prompts = []
        for prompt in filled:
            if prompt.asking.chat_options:
                raise CheckpointError(
                    "a table of the scripted engine has no chat template",
                    found=f"--chat-option {prompt.asking.chat_options[0]}",
                    hint="leave --chat-option out",
                )
            turns = [prompt.system, *chain(*prompt.examples), prompt.user]
            parts = turns if chat else [prompt.plain]
            text = "\n\n".join(part for part in parts if part is not None)
            text += prompt.asking.prefix or ""
            lead_in = prompt.behind(text, chat=chat).encode() if self.reasoning else b""
            prompts.append(replace(prompt.read_as(text, text.encode()), lead_in=tuple(lead_in)))
        return prompts

    def stop_token_ids(self) -> tuple[int, ...]:
        """None: a scripted text ends where the table says."""
        return ()

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of bytes."""
        return _decode(token_ids)


def text_markers(reasoning: str, *, subject: str) -> Reasoning | None:
    """The markers that are looked for in texts, where no token is one.

    Raises:
        CheckpointError: Others are wanted; `subject` says of what.
    """
    if reasoning in ("auto", "none"):
        return None
    markers = typed_markers(reasoning) if reasoning.startswith("text:") else None
    if markers is None:
        raise CheckpointError(
            f"{subject} has no tokens that mark thinking",
            expected="text:START,END",
            found=reasoning,
            hint="--reasoning 'text:<think>,</think>' finds them in the texts",
        )
    return Reasoning(style="text", markers=markers)


def read_table(path: str) -> dict[str, list[str]]:
    """The table in a JSON file: an object of problem id to a list of texts.

    Raises:
        CheckpointError: The file holds something else.
    """
    rule = 'a table is {"problem id": ["text of sample 0", ...], ...}'
    table = InputFile(path=Path(path), what="the table", error=CheckpointError, hint=rule).json()
    if not isinstance(table, dict):
        raise CheckpointError(f"the file holds no JSON object; {rule}", file=path)
    for problem_id, texts in table.items():
        is_list = isinstance(texts, list) and texts
        if not is_list or not all(isinstance(text, str) for text in texts):
            raise CheckpointError(f"{problem_id!r} has no list of texts; {rule}", file=path)
    return table


def _cut(tokens: tuple[int, ...], params: SamplingParams) -> tuple[tuple[int, ...], FinishReason]:
    """Tokens up to the first stop string or the limit, as if they were drawn one by one."""
    drawn = tokens[: params.max_tokens]
    if params.stop:
        for end in range(1, len(drawn) + 1):
            if ends_in_stop_string(drawn[:end], decode=_decode, stop=params.stop):
                return drawn[:end], "stop"
    return drawn, "length" if len(tokens) > params.max_tokens else "stop"


def _decode(token_ids: Sequence[int]) -> str:
    # A limit may fall into the middle of a character.
    return bytes(token_ids).decode(errors="replace")
