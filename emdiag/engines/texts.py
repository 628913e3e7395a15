"""From sampled tokens to a completion's text; the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emdiag.core.sampling import Completion, FinishReason, SampleRequest, SamplingParams

_MARGIN = 8
"""Tokens looked at beyond the longest stop string: a character may need several tokens."""


Decoder = Callable[[Sequence[int]], str]
"""Token ids to text, without special tokens and without any tidying."""


def completion_of(
    request: SampleRequest,
    token_ids: Sequence[int],
    finish_reason: FinishReason,
    *,
    decode: Decoder,
    params: SamplingParams,
) -> Completion:
    """The answer to a request, from the tokens that were drawn for it, the end token included."""
    return Completion(
        problem_id=request.problem_id,
        sample_index=request.sample_index,
        text=completion_text(
            token_ids, decode=decode, stop=params.stop, stop_token_ids=params.stop_token_ids
        ),
        token_ids=tuple(token_ids),
        prompt_tokens=len(request.token_ids),
        finish_reason=finish_reason,
        seed=request.seed,
    )


def completion_text(
    token_ids: Sequence[int],
    *,
    decode: Decoder,
    stop: Sequence[str] = (),
    stop_token_ids: Sequence[int] = (),
) -> str:
    """Text of a completion: the end token left out, cut before the first stop string."""
    ended = bool(token_ids) and token_ids[-1] in stop_token_ids
    return cut_at_stop(decode(token_ids[:-1] if ended else token_ids), stop)


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """A text up to its first stop string.

    That is the one that is complete first; among several that are complete at the same character,
    the longest.
    """
    ends = [(text.find(word) + len(word), -len(word)) for word in stop if word in text]
    if not ends:
        return text
    end, length = min(ends)
    return text[: end + length]


def ends_in_stop_string(token_ids: Sequence[int], *, decode: Decoder, stop: Sequence[str]) -> bool:
    """Whether a stop string is complete, given that none was before the last token."""
    if not stop:
        return False
    # Every byte of a stop string takes one token at most, special tokens apart.
    window = max(len(word.encode()) for word in stop) + _MARGIN
    tail = decode(token_ids[-window:])
    if not any(word in tail for word in stop):
        return False
    text = decode(token_ids)
    return any(word in text for word in stop)
