"""Options, examples and first words in chats, beside what transformers makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from emdiag.core.asking import Asking
from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.chats import render_chat
from emdiag.engines.checkpoint.templates import variables_of
from emdiag.engines.checkpoint.tokenizers import encode_prompts

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast

    from emdiag.core.sampling import FilledPrompt

    Make = Callable[..., PreTrainedTokenizerFast]
    Fill = Callable[..., list[FilledPrompt]]

QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1] %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
"""The parts of Qwen3's template that read a variable."""

GPT_OSS = """{%- if reasoning_effort is not defined %}
    {%- set reasoning_effort = "medium" %}
{%- endif %}
{{- "<|start|>system<|message|>Reasoning: " + reasoning_effort + "<|end|>" }}
{%- for message in messages %}
    {{- "<|start|>" + message.role + "<|message|>" + message.content + "<|end|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start|>assistant" }}{%- endif %}"""
"""Likewise of gpt-oss's, which sets the variable itself where nobody does."""


def asked_with(prompt: FilledPrompt, **asking: object) -> FilledPrompt:
    return msgspec.structs.replace(prompt, asking=msgspec.convert(asking, Asking))


@pytest.mark.parametrize(
    ("template", "option", "variables"),
    [
        (QWEN3, "enable_thinking=false", {"enable_thinking": False}),
        (QWEN3, "enable_thinking=true", {"enable_thinking": True}),
        (GPT_OSS, "reasoning_effort=low", {"reasoning_effort": "low"}),
    ],
)
def test_options_reach_the_template_as_transformers_passes_them(
    byte_tokenizer: Make, fill: Fill, template: str, option: str, variables: dict[str, object]
) -> None:
    tokenizer = byte_tokenizer(template)
    (prompt,) = fill("Why?", system="Be brief.")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    expected = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, **variables
    )
    assert render_chat(tokenizer, asked_with(prompt, chat_options=[option])) == expected


def test_a_template_that_sets_a_variable_itself_still_mentions_it() -> None:
    assert "enable_thinking" in variables_of(QWEN3)
    assert "reasoning_effort" in variables_of(GPT_OSS)
    itself = "{% set deep = deep if deep is defined else true %}{{ messages }}{{ deep }}"
    assert "deep" in variables_of(itself)


@pytest.mark.parametrize(
    ("template", "option", "hint"),
    [
        (QWEN3, "enable_thinkin=false", "did you mean enable_thinking?"),
        (GPT_OSS, "enable_thinking=false", "leave --chat-option out"),
        ("{{ messages[0]['content'] }}", "x=1", "leave --chat-option out"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    byte_tokenizer: Make, fill: Fill, template: str, option: str, hint: str
) -> None:
    (prompt,) = fill("Why?")
    with pytest.raises(CheckpointError, match="would change nothing") as caught:
        render_chat(byte_tokenizer(template), asked_with(prompt, chat_options=[option]))
    assert caught.value.hint == hint
    assert "messages" not in str(caught.value.facts["expected"])


def test_the_first_words_follow_the_generation_prompt_and_are_encoded_with_it(
    byte_tokenizer: Make, fill: Fill
) -> None:
    tokenizer = byte_tokenizer(QWEN3)
    (prompt,) = (asked_with(one, prefix="So <|im_end|>") for one in fill("Why?"))
    (chat,), (plain,) = (encode_prompts(tokenizer, [prompt], chat=chat) for chat in (True, False))
    assert chat.text.endswith("<|im_start|>assistant\nSo <|im_end|>")
    assert chat.token_ids[-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert plain.text == "Why?So <|im_end|>"


def test_examples_are_turns_in_front_of_the_question(byte_tokenizer: Make, fill: Fill) -> None:
    (prompt,) = fill("Why?", system="Be brief.")
    prompt = msgspec.structs.replace(prompt, examples=(("What?", "That."), ("Who?", "They.")))
    speakers = ["system", "user", "assistant", "user", "assistant", "user"]
    contents = ["Be brief.", "What?", "That.", "Who?", "They.", "Why?"]
    turns = zip(speakers, contents, strict=True)
    expected = "".join(f"<|im_start|>{who}\n{text}<|im_end|>\n" for who, text in turns)
    assert render_chat(byte_tokenizer(QWEN3), prompt) == f"{expected}<|im_start|>assistant\n"


def test_a_template_that_drops_part_of_an_example_is_refused(
    byte_tokenizer: Make, fill: Fill
) -> None:
    (prompt,) = fill("Why?")
    thinking = msgspec.structs.replace(prompt, examples=(("What?", "<think>hm</think>That."),))
    with pytest.raises(CheckpointError, match="changes or drops example 1"):
        render_chat(byte_tokenizer(QWEN3), thinking)
