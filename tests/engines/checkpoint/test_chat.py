from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.chats import render_chat, turn_end_token
from emdiag.engines.checkpoint.templates import TEMPLATE_DATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast

    from emdiag.core.sampling import FilledPrompt

    Make = Callable[..., PreTrainedTokenizerFast]
    Fill = Callable[..., list[FilledPrompt]]

REFUSES_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}{% endfor %}"
)
DROPS_SYSTEM = "{% for m in messages if m['role'] == 'user' %}U:{{ m['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [(REFUSES_SYSTEM, "<user>Be brief.\n\nWhy?"), (DROPS_SYSTEM, "U:Be brief.\n\nWhy?")],
)
def test_a_refused_or_dropped_system_text_moves_to_the_user(
    byte_tokenizer: Make, fill: Fill, template: str, expected: str
) -> None:
    assert render_chat(byte_tokenizer(template), *fill("Why?", system="Be brief.")) == expected


@pytest.mark.parametrize(
    ("template", "finding"),
    [
        ("{{ raise_exception('never') }}", "chat template fails: never"),
        ("always the same", "changes or drops"),
        ("{{ messages[0]['content'] | upper }}", "changes or drops"),
    ],
)
def test_a_template_that_cannot_carry_the_question_is_an_error(
    byte_tokenizer: Make, fill: Fill, template: str, finding: str
) -> None:
    with pytest.raises(CheckpointError, match=finding):
        render_chat(byte_tokenizer(template), *fill("why"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ strftime_now('%d %b %Y') }} {{ messages[0]['content'] }}",
        (
            "{% if date_string is undefined %}{% set date_string = strftime_now('%d') %}{% endif %}"
            "{{ date_string }} {{ messages[0]['content'] }}"
        ),
    ],
)
def test_a_prompt_does_not_change_with_the_day(
    byte_tokenizer: Make, fill: Fill, template: str
) -> None:
    text = render_chat(byte_tokenizer(template), *fill("why"))
    assert text == f"{TEMPLATE_DATE} why"


@pytest.mark.parametrize(
    ("template", "token"),
    [
        (
            (
                "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
                "{% endfor %}"
            ),
            "<|im_end|>",
        ),
        ("{% for m in messages %}{{ m['content'] }} <|endoftext|>{% endfor %}", "<|endoftext|>"),
        ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}", None),
        ("{% for m in messages %}{{ m['content'] }}.{% endfor %}", None),
        ("{{ raise_exception('no') }}", None),
        (None, None),
    ],
)
def test_the_turn_end_is_the_special_token_behind_an_answer(
    byte_tokenizer: Make, template: str | None, token: str | None
) -> None:
    tokenizer = byte_tokenizer(template)
    expected = None if token is None else tokenizer.convert_tokens_to_ids(token)
    assert turn_end_token(tokenizer) == expected
