"""Where in a completion the thinking ends and the answer begins, found on its token ids."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from emdiag.core.errors import EngineRefusedError
from emdiag.core.reasoning import Reasoning
from emdiag.core.sampling import Completion
from emdiag.engines.texts import Decoder


def divided(
    completion: Completion, reasoning: Reasoning, *, lead_in: Sequence[int], decode: Decoder
) -> Completion:
    """The completion with the place of its answer; one that has it already stays as it is.

    Args:
        completion: As an engine gave it.
        reasoning: How the checkpoint marks its thinking.
        lead_in: Tokens of the prompt behind the user's own text: they may begin thinking, or end
            it.
        decode: Token ids to text, as the engine made the text.
    """
    if completion.is_marked:
        return completion
    ids, text = completion.token_ids, completion.text
    if not ids and completion.length:
        return _divided_text(completion, reasoning)
    if reasoning.style == "text":
        before = decode(lead_in)
        place = _behind_tags(before + text, *reasoning.markers)
        start = None if place is None else max(place - len(before), 0)
        used = len(ids) if start is None else _tokens_before(ids, start, decode)
        return replace(completion, answer_start=start, reasoning_tokens=used)
    span = _answer_tokens((*lead_in, *ids), reasoning, decode)
    if span is None:
        return replace(completion, answer_start=None, reasoning_tokens=len(ids))
    first, end = (max(place - len(lead_in), 0) for place in span)
    start = _characters(text, decode(ids[:first]))
    last = _characters(text, decode(ids[:end])) if end < len(ids) else len(text)
    return replace(
        completion,
        answer_start=start,
        reasoning_tokens=first,
        answer_end=last if last < len(text) else UNSET,
    )


def _divided_text(completion: Completion, reasoning: Reasoning) -> Completion:
    """The same of a text whose tokens a server did not tell."""
    if reasoning.style != "text":
        raise EngineRefusedError(
            "the server tells no token ids, so an answer cannot be told from the thinking",
            markers=reasoning.name,
            hint="--reasoning 'text:<think>,</think>' looks for markers in the texts; none looks "
            "for no thinking",
        )
    return replace(completion, answer_start=_behind_tags(completion.text, *reasoning.markers))


def is_open(lead_in: Sequence[int], reasoning: Reasoning, *, decode: Decoder) -> bool | None:
    """Whether a prompt begins the thinking; False where it ends it, None where it does neither."""
    if reasoning.style == "text":
        text = decode(lead_in)
        place, is_marked = _behind_tags(text, *reasoning.markers), reasoning.markers[1] in text
    else:
        span = _answer_tokens(lead_in, reasoning, decode)
        place = None if span is None else span[0]
        speaking = reasoning.token_ids[1:3] if reasoning.style == "harmony" else reasoning.token_ids
        is_marked = not set(speaking).isdisjoint(lead_in)
    if place is None:
        return True
    return False if is_marked else None


def _answer_tokens(
    ids: Sequence[int], reasoning: Reasoning, decode: Decoder
) -> tuple[int, int] | None:
    """Where the answer's tokens begin and end; None where thinking is not finished."""
    if reasoning.style == "harmony":
        return _final_message(ids, reasoning.token_ids, decode)
    opening, closing = reasoning.token_ids
    first = len(ids) - ids[::-1].index(closing) if closing in ids else 0
    return None if opening in ids[first:] else (first, len(ids))


def _behind_tags(text: str, opening: str, closing: str) -> int | None:
    """The same of markers that are ordinary text, in characters."""
    first = text.rfind(closing) + len(closing) if closing in text else 0
    return None if opening in text[first:] else first


def _final_message(
    ids: Sequence[int], markers: Sequence[int], decode: Decoder
) -> tuple[int, int] | None:
    """The content of the last message of channel `final` before another than the assistant speaks.

    All of the text where it is in no channel at all.
    """
    start, channel, message, *_ = markers
    if channel not in ids and message not in ids:
        return 0, len(ids)
    final: tuple[int, int] | None = None
    role = named = content = None
    for place, token in enumerate(ids):
        if token not in markers:
            continue
        if content is not None:
            final, content = (content, place), None
        if token == start:
            role, named = place + 1, None
        elif token == channel:
            named = place + 1
        elif token == message:
            speaker = "" if role is None else decode(ids[role : (named and named - 1) or place])
            if speaker.strip() and not speaker.strip().startswith("assistant"):
                break
            is_final = named is not None and decode(ids[named:place]).split()[:1] == ["final"]
            content, named = place + 1 if is_final else None, None
    return final if content is None else (content, len(ids))


def _characters(text: str, before: str) -> int:
    """How many characters of a text are of a beginning that was decoded by itself.

    A character whose bytes lie on both sides of the border belongs to what follows.
    """
    before = before[: len(text)]
    while not text.startswith(before):
        before = before[:-1]
    return len(before)


def _tokens_before(ids: Sequence[int], characters: int, decode: Decoder) -> int:
    """How many of the first tokens are needed for so many characters."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        # a character whose bytes are not all there yet is decoded to a sign of its own
        is_short = len(decode(ids[:middle]).rstrip("\ufffd")) < characters
        low, high = (middle + 1, high) if is_short else (low, middle)
    return low
