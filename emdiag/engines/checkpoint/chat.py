"""A tokenizer's chat template: applied the same way on every day and for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2.exceptions import TemplateError

from emdiag.core.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATE_DATE = "26 Jul 2024"
"""Date told to templates that ask for one. Some print today's, and a prompt that changes every
midnight would make every day another run; this is the date Llama's own template falls back to."""

_MARK = "emdiag-turn-end"

Message = dict[str, str]


def render_chat(tokenizer: PreTrainedTokenizerBase, *, system: str | None, user: str) -> str:
    """The text of a chat up to where the assistant's answer starts.

    A template that refuses or drops the system role gets the system text in front of the user's.

    Raises:
        CheckpointError: There is no chat template, it fails, or it drops the user's text.
    """
    if tokenizer.chat_template is None:
        raise CheckpointError(
            "the chat template was asked for, and this tokenizer has none",
            tokenizer=tokenizer.name_or_path,
            hint="a base checkpoint usually wants none: run with --no-chat",
        )
    question: Message = {"role": "user", "content": user}
    if system is not None:
        try:
            text = _render(tokenizer, [{"role": "system", "content": system}, question])
        except TemplateError:
            text = ""
        if system.strip() in text and user.strip() in text:
            return text
        question = {"role": "user", "content": f"{system}\n\n{user}"}
    try:
        text = _render(tokenizer, [question])
    except TemplateError as error:
        raise _failed(tokenizer, f"the chat template fails: {error}") from error
    if user.strip() not in text:
        raise _failed(tokenizer, "the chat template changes or drops the user's text")
    return text


def turn_end_token(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that closes the assistant's turn in the chat template; None where none does.

    Base checkpoints carry the template of their chat models and lack this token in their own
    list of end tokens: sampled under the template, they would run on into the user's turn.
    """
    if tokenizer.chat_template is None:
        return None
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
    try:
        text = _render(tokenizer, turns, answer_next=False)
    except TemplateError:
        return None
    _, mark, tail = text.rpartition(_MARK)
    if not mark or not tail.strip():
        return None
    ids: list[int] = tokenizer(tail.lstrip(), add_special_tokens=False)["input_ids"]
    return ids[0] if ids and ids[0] in tokenizer.added_tokens_decoder else None


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: list[Message], *, answer_next: bool = True
) -> str:
    text = tokenizer.apply_chat_template(
        messages,
        tokenize=False,
        add_generation_prompt=answer_next,
        date_string=TEMPLATE_DATE,
        strftime_now=lambda _format: TEMPLATE_DATE,
    )
    assert isinstance(text, str)
    return text


def _failed(tokenizer: PreTrainedTokenizerBase, message: str) -> CheckpointError:
    return CheckpointError(
        message,
        tokenizer=tokenizer.name_or_path,
        hint="run with --no-chat, or repair chat_template.jinja in the checkpoint folder",
    )
