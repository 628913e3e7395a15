"""Looks at requests before any of them is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf

from emdiag.core.errors import EmdiagError, EngineError, PlanError
from emdiag.core.options import broken_rule
from emdiag.core.sampling import (
    LEAST_PENALTY,
    LEAST_TEMPERATURE,
    Completion,
    Prompt,
    SampleRequest,
    SamplingParams,
)


def check_requests(
    requests: Sequence[SampleRequest],
    *,
    params: SamplingParams,
    max_context: int | None,
    needs_tokens: bool = True,
) -> None:
    """Refuse what no engine can draw, given the model's room for prompt and completion.

    A server may encode prompts itself, which have no tokens here then.

    Raises:
        EngineError: A prompt is empty or leaves no room for `max_tokens`, or a sampling
            parameter is out of its range.
    """
    rules = (
        ("temperature", params.temperature >= 0, ">= 0"),
        (
            "temperature",
            params.temperature == 0 or LEAST_TEMPERATURE <= params.temperature < inf,
            f"0 or >= {LEAST_TEMPERATURE:g}",
        ),
        ("top_p", 0 < params.top_p <= 1, "in (0, 1]"),
        ("top_k", params.top_k >= 0, ">= 0"),
        ("min_p", 0 <= (params.min_p or 0) <= 1, "in [0, 1]"),
        ("repetition_penalty", LEAST_PENALTY <= params.repetition_penalty < inf, "> 0"),
        ("max_tokens", params.max_tokens >= 1, ">= 1"),
        ("stop", "" not in params.stop, "of texts that are not empty"),
    )
    if broken := broken_rule(params, rules):
        raise EngineError(broken)
    for request in requests:
        length = len(request.token_ids)
        if length == 0 and needs_tokens:
            raise EngineError(
                "a prompt holds no token, so there is nothing to continue",
                problem=request.problem_id,
                hint="give the template some text",
            )
    check_room(requests, max_tokens=params.max_tokens, max_context=max_context, error=EngineError)


def one_for_each(
    completions: Iterable[Completion], requests: Sequence[SampleRequest]
) -> Iterator[Completion]:
    """The completions as they come, each of which belongs to a request of its own.

    Raises:
        EngineError: One belongs to no request or to one that was answered, or a request is left.
    """
    waiting = {(request.problem_id, request.sample_index) for request in requests}
    for completion in completions:
        sample = (completion.problem_id, completion.sample_index)
        if sample not in waiting:
            raise EngineError(
                f"the engine gave a completion that was not asked for, or gave it twice: {sample}",
                hint="an engine yields one completion for each request",
            )
        waiting.remove(sample)
        yield completion
    if waiting:
        raise EngineError(
            f"the engine gave no completion for {len(waiting)} of {len(requests)} requests",
            first=min(waiting),
            hint="an engine yields one completion for each request",
        )


def room_after(prompts: Sequence[Prompt], context: int) -> int:
    """New tokens for which a context of so many has room after each of these prompts."""
    return context - max((len(prompt.token_ids) for prompt in prompts), default=0)


def check_room(
    prompts: Iterable[Prompt | SampleRequest],
    *,
    max_tokens: int,
    max_context: int | None,
    subject: str = "",
    error: type[EmdiagError] = PlanError,
) -> None:
    """Refuse a prompt that leaves no room for `max_tokens`: its answers would be cut silently.

    `max_context` is None where unknown; `subject` says whose prompts they are: `base on chain`.

    Raises:
        EmdiagError: The longest prompt does not fit; of the class `error`.
    """
    if max_context is None:
        return
    longest = max(prompts, key=lambda prompt: len(prompt.token_ids), default=None)
    length = len(longest.token_ids) if longest else 0
    if longest is not None and length + max_tokens > max_context:
        raise error(
            f"{subject}{': ' * bool(subject)}a prompt of {length} tokens and {max_tokens} new ones "
            "exceed the context",
            problem=longest.problem_id,
            context=f"{max_context} tokens",
            hint=f"--max-tokens {max_context - length} is the most that fits"
            if length < max_context
            else "the prompt alone does not fit: leave the problem out",
        )
