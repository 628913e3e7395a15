"""What a tokenizer's own chat template makes of a question, and of an answer that has ended."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import chain

from transformers import PreTrainedTokenizerBase

from emdiag.core.errors import CheckpointError
from emdiag.core.sampling import FilledPrompt
from emdiag.engines.checkpoint.templates import (
    Message,
    RunawayTemplateError,
    TemplateFailedError,
    failed_template,
    no_template,
    render,
    render_question,
)

_MARK = "emdiag-turn-end"


def render_chat(tokenizer: PreTrainedTokenizerBase, prompt: FilledPrompt) -> str:
    """The text of a chat up to where the model's own words start.

    A template that refuses or drops the system role gets the system text in front of the user's.

    Raises:
        CheckpointError: There is no chat template, it fails, drops a text, or does not mention a
            chat option.
    """
    text = render_question(
        chat_template(tokenizer),
        system=prompt.system,
        texts=[*chain(*prompt.examples), prompt.user],
        options=prompt.asking.variables,
        tokens=tokenizer.special_tokens_map,
        where=tokenizer.name_or_path,
    )
    return text + (prompt.asking.prefix or "")


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """The template that is used where none is named.

    Raises:
        CheckpointError: There is none.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if template is None:
        raise no_template(tokenizer.name_or_path)
    if not isinstance(template, str):
        raise failed_template(
            tokenizer.name_or_path, f"the chat template is {type(template).__name__}, not text"
        )
    return template


def turn_end_token(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that closes the assistant's turn in the chat template; None where none does.

    Base checkpoints carry the template of their chat models and lack this token in their own
    list of end tokens: sampled under the template, they would run on into the user's turn.
    """
    if tokenizer.chat_template is None:
        return None
    try:
        text = _closed_turns(chat_template(tokenizer), json.dumps(tokenizer.special_tokens_map))
    except (TemplateFailedError, RunawayTemplateError, CheckpointError):
        return None  # whoever asks for the template itself hears of it
    _, mark, tail = text.rpartition(_MARK)
    if not mark or not tail.strip():
        return None
    ids: list[int] = tokenizer(tail.lstrip(), add_special_tokens=False)["input_ids"]
    return ids[0] if ids and ids[0] in tokenizer.added_tokens_decoder else None


@lru_cache(maxsize=8)
def _closed_turns(template: str, tokens: str) -> str:
    """A question and an answer, rendered; tokens are JSON, so that they can be remembered."""
    turns: list[Message] = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": _MARK},
    ]
    return render(template, turns, tokens=json.loads(tokens), answer_next=False)
