"""Chat templates give the text that transformers gives, and none runs away with the machine."""

from __future__ import annotations

import time

import pytest
from transformers.utils.chat_template_utils import _compile_jinja_template

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint import templates
from emdiag.engines.checkpoint.template_worker import seconds_until_end
from emdiag.engines.checkpoint.templates import (
    TEMPLATE_DATE,
    RunawayTemplateError,
    TemplateFailedError,
    render,
    render_question,
)

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

QWEN25 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nPlease reason step by step.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or
        (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and
        not(message.content.startswith('<tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning_content =
                content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content }}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
LLAMA3 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+
        message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
R1 = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
    "{% endif %}"
    "{% set ns = namespace(is_first=false, system_prompt='') %}{%- for message in messages %}"
    "{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}"
    "{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}"
    "{%- if message['role'] == 'user' %}{{'<|User|>' + message['content']}}{%- endif %}"
    "{%- if message['role'] == 'assistant' %}{% set content = message['content'] %}"
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{'<|Assistant|>' + content + '<|end|>'}}{%- endif %}{%- endfor -%}"
    "{% if add_generation_prompt %}{{'<|Assistant|><think>\\n'}}{% endif %}"
)
SMOL = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% endif %}"
    "{% endfor %}"
)
MARKED = """
{% for m in messages %}
  {% if m.role == 'assistant' %}
    {% generation %}
    {{ m.content }}{{ eos_token }}
    {% endgeneration %}
  {% else %}
{{ m | tojson(indent=2) }}{{ {'b': '<ü>', 'a': [1, none]} | tojson }}
  {% endif %}
  {% if loop.index > 3 %}{% break %}{% endif %}
{% endfor %}
{{ strftime_now('%Y') }} {{ tools }} {{ documents }}
"""
CHATS = [
    [{"role": "user", "content": "  What is 2 < 3 & ü \ud800?\n"}],
    [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Why?"}],
    [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "<think>hm</think>\n\nSo."},
        {"role": "user", "content": "And?"},
    ],
]


def by_transformers(template: str, messages: list[dict[str, str]], *, answer_next: bool) -> str:
    return str(
        _compile_jinja_template(template).render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=answer_next,
            **TOKENS,
            date_string=TEMPLATE_DATE,
            strftime_now=lambda _form: TEMPLATE_DATE,
        )
    )


@pytest.mark.parametrize("template", [QWEN25, QWEN3, LLAMA3, R1, SMOL, MISTRAL, MARKED])
def test_a_template_gives_the_text_that_transformers_gives(template: str) -> None:
    rendered = 0
    for messages in CHATS:
        for answer_next in (True, False):
            try:
                expected = by_transformers(template, messages, answer_next=answer_next)
            except Exception as error:
                with pytest.raises(TemplateFailedError, match=str(error)[:20]):
                    render(template, messages, tokens=TOKENS, answer_next=answer_next)
                continue
            rendered += 1
            text = render(template, messages, tokens=TOKENS, answer_next=answer_next)
            assert text == expected
    assert rendered >= 4


LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
IN_C = "{{ 9 ** (9 ** 9) }}"
GREEDY = [
    "{{ 'a' * 10 ** 11 }}",
    "{{ '%999999999999d' % 1 }}",
    "{% for a in range(99999) %}{{ messages[0].content * 1000 }}{% endfor %}",
    "{% set n = namespace(s='ab') %}{% for a in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
]
WRONG = [
    "{{ 1 + 'a' }}",
    "{% for a in range(1000000000) %}{% endfor %}",
    "{% include 'x' %}",
    "{% import 'os' as x %}",
    "{% extends 'x' %}",
    "{% if %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ messages.__class__.__mro__ }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ 1 / 0 }}",
    "{{ nothing.at.all }}",
    "{{ messages[0].content.format_map }}{{ raise_exception(3 + none) }}",
]


@pytest.mark.parametrize("template", [IN_C, *GREEDY, *WRONG])
def test_no_template_runs_away_or_crashes(template: str) -> None:
    started = time.monotonic()
    with pytest.raises(CheckpointError, match=r"the chat template fails: .") as caught:
        render_question(template, system=None, texts=["why"], tokens=TOKENS, where="folder")
    assert "--no-chat" in str(caught.value)
    assert time.monotonic() - started < templates.WAIT_S
    assert render("{{ messages[0].content }}", CHATS[1], tokens={}) == " Be brief. "


def test_hundreds_of_slow_texts_are_too_slow_as_well() -> None:
    assert seconds_until_end(0.1, texts=0) == 3
    assert seconds_until_end(5.0, texts=1000) == 7
    assert seconds_until_end(30.0, texts=100) == 4  # less than was used: it ends at once


def test_a_template_that_waits_is_ended_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "WAIT_S", 0.3)
    with pytest.raises(RunawayTemplateError, match="does not end"):
        render(LOOPS, CHATS[0], tokens={})


def test_an_interruption_leaves_no_answer_for_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(templates._Worker, "_answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render("first", CHATS[0], tokens={})
    assert render("second", CHATS[0], tokens={}) == "second"
