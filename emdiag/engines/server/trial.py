"""Tiny requests that show what a server honours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from emdiag.core.errors import EngineRefusedError
from emdiag.core.records import Record
from emdiag.core.runs import ServerApi
from emdiag.core.sampling import Prompt, SamplingParams
from emdiag.engines.server.client import MOST_BYTES, Client, RefusedError
from emdiag.engines.server.dialects import DIALECTS
from emdiag.engines.server.wire import Answer, BadAnswerError, read

PATHS: Final = {"tokens": "completions", "text": "completions", "chat": "chat/completions"}

_SEED_TOKENS: Final = 16
_TEMPERATURES: Final = (1.0, 2.0)
"""At which seeds should tell; the second for models that are sure at the first."""


class ServedModel(Record, frozen=True, kw_only=True):
    """One model of a server.

    Attributes:
        kind: Of the server, one of `DIALECTS`.
        root: What it says was loaded; None where it says nothing.
        max_context: Of prompt plus completion, in tokens; None where it says nothing.
        is_named: Whether the user said which model is meant.
    """

    base_url: str
    model: str
    kind: str
    version: str | None
    root: str | None
    max_context: int | None
    is_named: bool

    @property
    def server(self) -> str:
        """The server in words."""
        kind = "an unknown server" if self.kind == "unknown" else self.kind
        return f"{kind} {self.version or ''}".strip() + f" at {self.base_url}"


class Habits(Record, frozen=True, kw_only=True):
    """What a server does with one kind of prompt.

    Attributes:
        seeds: Whether the same seed draws the same text; `not shown` where every seed does.
        gives_ids: Whether it tells which tokens it drew.
        gives_logprobs: Whether it tells how likely they were.
    """

    api: ServerApi
    seeds: Literal["honoured", "ignored", "not shown", "refused"]
    gives_ids: bool
    gives_logprobs: bool


class Trial:
    """Tiny requests about one prompt."""

    def __init__(self, client: Client, served: ServedModel, prompt: Prompt) -> None:
        self._client, self._served, self._prompt = client, served, prompt
        self._dialect = DIALECTS[served.kind]

    async def habits(self, wanted: str) -> Habits:
        """What the server does with the prompt.

        Raises:
            EngineRefusedError: It reads other tokens, or does not tell how many it drew.
        """
        api = await self.api(wanted)
        seeds, last = await self.seeds(api)
        gives_ids = last.only().token_ids is not None
        if not gives_ids and (last.usage is None or last.usage.completion_tokens is None):
            raise EngineRefusedError(
                f"{self._served.server} tells neither which tokens it drew nor how many",
                hint="a server that answers with `usage` is needed",
            )
        gives_logprobs = await self.gives_logprobs(api)
        return Habits(api=api, seeds=seeds, gives_ids=gives_ids, gives_logprobs=gives_logprobs)

    async def api(self, wanted: str) -> ServerApi:
        """How the prompt is sent: as wanted, or in the first way that the server honours."""
        if self._prompt.messages:
            return await self._first("chat")
        if not self._prompt.token_ids:
            return await self._first("text")
        if wanted != "text":
            count = await self._count("tokens")
            if count == len(self._prompt.token_ids):
                return "tokens"
            if wanted == "tokens":
                raise self._other_tokens("tokens", count)
        count = await self._count("text")
        if count not in {len(self._prompt.token_ids), None} and self._dialect.counts_prompts:
            raise self._other_tokens("text", count)
        return "text"

    async def seeds(self, api: ServerApi) -> tuple[Any, Answer]:
        """Whether seeds are honoured, and an answer."""
        first = await self._ask(api, seed=1)
        try:
            for temperature in _TEMPERATURES:
                first, again, *different = [
                    await self._ask(api, seed=seed, temperature=temperature)
                    for seed in (1, 1, 2, 3)
                ]
                if _drawn(again) != _drawn(first):
                    return "ignored", first
                if any(_drawn(other) != _drawn(first) for other in different):
                    return "honoured", first
        except RefusedError:
            return "refused", first
        return "not shown", first

    async def gives_logprobs(self, api: ServerApi) -> bool:
        """Whether an answer says how likely its tokens were."""
        try:
            answer = await self._ask(api, logprobs=True if api == "chat" else 1)
        except (RefusedError, BadAnswerError):
            return False
        return answer.only().logprobs is not None

    async def _first(self, api: ServerApi) -> ServerApi:
        await self._ask(api)
        return api

    async def _count(self, api: ServerApi) -> int | None:
        """Tokens of the prompt as the server counts them; None where it refuses or says nothing."""
        try:
            answer = await self._ask(api)
        except RefusedError as error:
            if api == "tokens" and error.status not in {404, 405, 501}:
                return None
            raise
        ids = answer.prompt_ids()
        if ids is not None:
            return len(ids) if api != "tokens" or ids == list(self._prompt.token_ids) else -1
        return answer.usage.prompt_tokens if answer.usage else None

    async def _ask(
        self, api: ServerApi, *, seed: int = 1, temperature: float = 0.0, **further: Any
    ) -> Answer:
        params = SamplingParams(temperature=temperature, max_tokens=_SEED_TOKENS)
        body = {
            **self._dialect.body(params, seed=seed),
            **sent(self._served.model, api, self._prompt),
            **further,
        }
        return await post(self._client, api, body, most=MOST_BYTES)

    def _other_tokens(self, api: ServerApi, count: int | None) -> EngineRefusedError:
        length = len(self._prompt.token_ids)
        begin = count is not None and count == length + 1
        return EngineRefusedError(
            f"{self._served.server} reads the {api} of a prompt as other tokens"
            + ": it adds a begin token" * begin,
            expected=f"{length} tokens",
            found="no count" if count is None else "others" if count < 0 else f"{count} tokens",
            hint="--server-api text, or chat, sends the prompt in another form"
            if api == "tokens"
            else "--server-api chat lets it write the prompt; is it these weights that it serves?",
        )


def sent(model: str, api: ServerApi, prompt: Prompt) -> dict[str, Any]:
    """The fields of a request that say what is to be continued."""
    if api == "chat":
        return {"model": model, "messages": msgspec.to_builtins(prompt.messages)}
    return {"model": model, "prompt": list(prompt.token_ids) if api == "tokens" else prompt.text}


async def post(
    client: Client,
    api: ServerApi,
    body: dict[str, Any],
    *,
    most: int,
    check: Callable[[Answer], object] = Answer.texts,
) -> Answer:
    """The answer to one request, once it is one that `check` lets pass.

    Raises:
        EngineError: As `Client.post`; an endpoint that is not there says how to take another.
    """

    def checked(content: bytes) -> Answer:
        answer = read(content, Answer)
        answer.reason()
        check(answer)
        return answer

    try:
        return await client.post(PATHS[api], msgspec.json.encode(body), most=most, read=checked)
    except RefusedError as error:
        if error.status in {404, 405, 501}:
            other = "text" if api == "chat" else "chat"
            error.hint = (
                f"no model of this name, or no endpoint {PATHS[api]}: --server-api {other} takes "
                "the other one" + (", with --no-chat for plain prompts" * (api == "chat"))
            )
        raise


def _drawn(answer: Answer) -> object:
    return answer.only().token_ids or answer.texts()
