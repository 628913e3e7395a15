"""Samples from a server: many requests at once, each with its seed, asked again until answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import anyio
import msgspec
from anyio.from_thread import start_blocking_portal

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EngineError, EngineRefusedError
from emdiag.core.runs import EngineInfo, ServerApi
from emdiag.core.sampling import Completion, Prompt, SampleRequest, SamplingParams
from emdiag.engines.options import EngineOptions
from emdiag.engines.requests import check_requests
from emdiag.engines.server.client import AwayError, Client, RefusedError
from emdiag.engines.server.dialects import DIALECTS
from emdiag.engines.server.probe import check_same, habits_of, look, try_out
from emdiag.engines.server.references import is_served
from emdiag.engines.server.trial import Habits, ServedModel, post, sent
from emdiag.engines.server.wire import Answer, BadAnswerError
from emdiag.engines.texts import Decoder, completion_of, cut_at_stop

_SURE_BYTES: Final = 2**20
_TOKEN_BYTES: Final = 512
"""Of an answer for each token: its text, its id, and what else may be said of it."""

_MOST_FAILED: Final = 8
"""Requests that a server cannot answer, before others are not asked any more."""

_MOST_ID: Final = 2**31

_DrawnOrFailed = Completion | EngineError | None


class ServerSampler:
    """Draws completions from one model of a server; a `Sampler`.

    Args:
        decode: From token ids to text, where the checkpoint's tokenizer is at hand.
        vocabulary: Token ids from there on are none of the model's.
        home: Remembers what was seen of servers.

    Raises:
        EngineError: The server cannot be reached, or serves another model now.
    """

    def __init__(
        self,
        checkpoint: CheckpointRef,
        *,
        options: EngineOptions,
        decode: Decoder | None,
        home: Path | None,
        vocabulary: int = _MOST_ID,
    ) -> None:
        self._options, self._home, self._decode = options, home, decode
        self._vocabulary = vocabulary
        self._served: ServedModel = look(checkpoint, options, home)
        self._dialect = DIALECTS[self._served.kind]
        self._concurrency = options.batch_size or self._dialect.concurrency
        self._ref = checkpoint.ref
        self._api: ServerApi = "tokens"
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            opened = Client(
                self._served.base_url,
                patience_s=options.patience_s,
                timeout_s=options.request_timeout_s,
                most=self._concurrency,
            )
            self._client = stack.enter_context(self._portal.wrap_async_context_manager(opened))
            self._client.on_return = partial(check_same, self._client, self._served)
            with suppress(AwayError):  # requests wait for it, and say so
                self._portal.call(self._client.on_return)
            self._closing = stack.pop_all()

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""
        served, habits = self._served, habits_of(self._served)
        return EngineInfo(
            name="server",
            versions={served.kind: served.version} if served.version else {},
            device="of the server",
            dtype="of the server",
            settings={
                "base_url": served.base_url,
                "model": served.model,
                "server": served.kind,
                "root": str(served.root),
                "max_model_len": str(served.max_context),
                "concurrency": str(self._concurrency),
                "weights": "unknown" if is_served(self._ref) else "as named, not checked",
                "unsaid": ", ".join(self._dialect.unsaid()) or "nothing",
                **{
                    name: ", ".join(dict.fromkeys(str(getattr(h, name)).lower() for h in habits))
                    for name in Habits.__struct_fields__
                },
            },
            deterministic=False,
        )

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """Completions as they finish, in any order; one for each request.

        Raises:
            EngineError: A request cannot be served; the others that were asked are yielded first.
        """
        limit = self._served.max_context
        check_requests(requests, params=params, max_context=limit, needs_tokens=False)
        self._dialect.body(params, seed=0)
        if not requests:
            return
        prompt = requests[0].prompt or _bare(requests[0])
        self._api = try_out(self._served, prompt, self._options, self._home).api
        answers: SimpleQueue[_DrawnOrFailed] = SimpleQueue()
        drawing = self._portal.start_task_soon(self._draw_all, requests, params, answers)
        failed: list[EngineError] = []
        try:
            while (answer := answers.get()) is not None:
                if isinstance(answer, EngineError):
                    failed.append(answer)
                else:
                    yield answer
            drawing.result()
        finally:
            drawing.cancel()
        if failed:
            first = failed[0]
            if len(failed) > 1:
                first.facts["failed"] = f"{len(failed)} requests; this is the first"
            raise first

    def close(self) -> None:
        """Let go of the connections."""
        self._closing.close()

    async def _draw_all(
        self,
        requests: Sequence[SampleRequest],
        params: SamplingParams,
        answers: SimpleQueue[_DrawnOrFailed],
    ) -> None:
        waiting = iter(requests)
        failed = 0

        async def work() -> None:
            nonlocal failed
            for request in waiting:
                try:
                    answers.put(await self._draw(request, params))
                except EngineError as error:
                    is_its_own = isinstance(error, BadAnswerError | RefusedError)
                    failed += 1 if is_its_own else _MOST_FAILED
                    error.facts = {"problem": request.problem_id, **error.facts}
                    answers.put(error)
                if failed >= _MOST_FAILED:
                    return

        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(self._concurrency, len(requests))):
                    group.start_soon(work)
        finally:
            answers.put(None)

    async def _draw(self, request: SampleRequest, params: SamplingParams) -> Completion:
        prompt = request.prompt or _bare(request)
        body = {
            **self._dialect.body(params, seed=request.seed),
            **sent(self._served.model, self._api, prompt),
        }
        most = _SURE_BYTES + _TOKEN_BYTES * (params.max_tokens + len(request.token_ids))
        read = partial(self._completion, request, params)
        answer = await post(self._client, self._api, body, most=most, check=read)
        return read(answer)

    def _completion(
        self, request: SampleRequest, params: SamplingParams, answer: Answer
    ) -> Completion:
        """The completion in an answer.

        Raises:
            BadAnswerError: It does not hold one.
            EngineRefusedError: It is of another prompt.
        """
        prompt_tokens = self._prompt_tokens(request, answer)
        reason, (text, reasoning) = answer.reason(), answer.texts()
        ids = answer.only().token_ids
        count = len(ids) if ids is not None else _counted(answer)
        if not 0 <= count <= params.max_tokens + 1:  # some count the end token apart
            raise BadAnswerError(
                "an answer has another length than it can have",
                expected=f"at most {params.max_tokens} tokens",
                found=count,
            )
        if ids is not None and self._decode is not None and self._api != "chat":
            if not all(0 <= number < self._vocabulary for number in ids):
                raise BadAnswerError(
                    "an answer holds token ids that the checkpoint does not have",
                    expected=f"0 to {self._vocabulary - 1}",
                    found=f"{min(ids)} to {max(ids)}",
                )
            drawn = completion_of(request, ids, reason, decode=self._decode, params=params)
            return msgspec.structs.replace(drawn, prompt_tokens=prompt_tokens)
        cut = cut_at_stop(text, params.stop)
        drawn = Completion(
            problem_id=request.problem_id,
            sample_index=request.sample_index,
            text=reasoning + cut,
            token_ids=tuple(ids or ()),
            prompt_tokens=prompt_tokens,
            finish_reason="stop" if cut != text else reason,
            seed=request.seed,
            tokens=msgspec.UNSET if ids is not None else count,
        )
        if not reasoning:
            return drawn
        return msgspec.structs.replace(
            drawn,
            answer_start=len(reasoning) if text or reason == "stop" else None,
            reasoning_tokens=_thinking(answer, count),
        )

    def _prompt_tokens(self, request: SampleRequest, answer: Answer) -> int:
        """How many tokens the server read, which have to be those that were meant."""
        ids, length = answer.prompt_ids(), len(request.token_ids)
        counted = None if answer.usage is None else answer.usage.prompt_tokens
        count = counted if ids is None else len(ids)
        if not length:
            return count if count is not None and 0 <= count < _MOST_ID else 0
        is_known = ids is not None or (count is not None and self._dialect.counts_prompts)
        if is_known and (
            count != length or (ids or list(request.token_ids)) != [*request.token_ids]
        ):
            raise EngineRefusedError(
                f"{self._served.server} reads a prompt as other tokens",
                expected=f"{length} tokens",
                found=f"{count} {'other ' * (count == length)}tokens",
                hint="--server-api chat lets it write the prompt; is it this checkpoint that it "
                "serves?",
            )
        return length


def open_server(
    checkpoint: CheckpointRef, *, options: EngineOptions, home: Path | None
) -> ServerSampler:
    """A sampler that makes texts with the checkpoint's own tokenizer, where there is one.

    Raises:
        CheckpointError: The tokenizer cannot be opened.
        EngineError: As `ServerSampler`.
    """
    decoder, vocabulary = None, _MOST_ID
    if not is_served(checkpoint.ref):
        from emdiag.engines.checkpoint.tokenizers import decode, open_config, open_tokenizer

        tokenizer = open_tokenizer(
            checkpoint.tokenizer_path,
            base=checkpoint.path,
            trust_remote_code=options.trust_remote_code,
        )
        config = open_config(checkpoint.path, trust_remote_code=options.trust_remote_code)
        decoder = partial(decode, tokenizer, skip_special_tokens=True)
        vocabulary = max(len(tokenizer), getattr(config.get_text_config(), "vocab_size", 0))
    return ServerSampler(
        checkpoint, options=options, decode=decoder, home=home, vocabulary=vocabulary
    )


def _bare(request: SampleRequest) -> Prompt:
    return Prompt(
        problem_id=request.problem_id, text="", token_ids=request.token_ids, template_sha256=""
    )


def _thinking(answer: Answer, count: int) -> int | msgspec.UnsetType:
    """Tokens of thinking, where the server tells them."""
    details = answer.usage and answer.usage.completion_tokens_details
    number = details.reasoning_tokens if details else None
    return msgspec.UNSET if number is None or not 0 <= number <= count else number


def _counted(answer: Answer) -> int:
    count = None if answer.usage is None else answer.usage.completion_tokens
    if count is None:
        raise BadAnswerError("an answer does not say how many tokens it has (`usage`)")
    return count
