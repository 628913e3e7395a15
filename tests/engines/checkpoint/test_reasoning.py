"""How a checkpoint marks its thinking, found in tokenizer and chat template."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tokenizers import AddedToken

from emdiag.core.errors import CheckpointError, PlanError
from emdiag.core.reasoning import HARMONY, THINK, Reasoning, typed_reasoning
from emdiag.core.sampling import FilledPrompt
from emdiag.engines.checkpoint.reasoning import TAGS, find_reasoning
from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
from emdiag.engines.scripted import ByteEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast

TURNS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
)
OPENS = TURNS + "<think>\n{% endif %}"
CLOSES = TURNS + "<think>\n\n</think>\n\n{% endif %}"
SPEAKS = (
    TURNS + "{% endif %}{# <think></think> #}{% if never %}{{ '<think>' ~ '</think>' }}{% endif %}"
)
SILENT = TURNS + "{% endif %}"


@pytest.fixture
def encoder(
    tmp_path: Path,
    save_tiny_llama: Callable[..., Path],
    byte_tokenizer: Callable[..., PreTrainedTokenizerFast],
) -> Callable[..., CheckpointEncoder]:
    """Opens a checkpoint with these markers and this chat template."""

    def build(
        template: str | None, *markers: str, reasoning: str = "auto", special: bool = False
    ) -> CheckpointEncoder:
        tokenizer = byte_tokenizer(template)
        tokenizer.add_tokens([AddedToken(marker, special=special) for marker in markers])
        save_tiny_llama(tmp_path, vocab_size=len(tokenizer))
        for file in tmp_path.glob("*token*"):
            file.unlink()
        (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
        tokenizer.save_pretrained(tmp_path)
        return CheckpointEncoder(str(tmp_path), reasoning=reasoning)

    return build


def question(statement: str, *, plain: str = "Q: {}\nA:") -> FilledPrompt:
    return FilledPrompt(
        problem_id="p", system=None, user=f"{statement}\nThink within <think></think>.",
        plain=plain.format(statement), template_sha256="0", statement=statement,
    )  # fmt: skip


def test_the_pair_in_the_vocabulary_is_found(encoder: Callable[..., CheckpointEncoder]) -> None:
    opened = encoder(SILENT, *THINK)
    start, end = (opened.tokenizer.convert_tokens_to_ids(marker) for marker in THINK)
    assert opened.reasoning == Reasoning(style="tags", markers=THINK, token_ids=(start, end))
    assert encoder(SILENT, *THINK, reasoning="none").reasoning is None
    assert encoder(SILENT, *THINK, reasoning="think").reasoning == opened.reasoning
    assert encoder(SILENT, "<think>").reasoning is None
    assert encoder(None).reasoning is None


@pytest.mark.parametrize("pair", TAGS)
def test_every_pair_of_the_field_is_found(
    pair: tuple[str, str], byte_tokenizer: Callable[..., PreTrainedTokenizerFast]
) -> None:
    tokenizer = byte_tokenizer(None)
    tokenizer.add_tokens(list(pair))
    reasoning = find_reasoning(tokenizer)
    assert reasoning is not None
    assert (reasoning.style, reasoning.markers) == ("tags", pair)
    assert find_reasoning(tokenizer, reasoning.typed()) == reasoning


def test_of_several_pairs_the_one_that_the_template_writes_is_taken(
    byte_tokenizer: Callable[..., PreTrainedTokenizerFast],
) -> None:
    tokenizer = byte_tokenizer("{{ '[THINK]' }}{{ '[/THINK]' }}")
    tokenizer.add_tokens([*THINK, "[THINK]", "[/THINK]"])
    reasoning = find_reasoning(tokenizer)
    assert reasoning is not None
    assert reasoning.markers == ("[THINK]", "[/THINK]")


def test_a_pair_that_only_the_template_writes_is_text(
    encoder: Callable[..., CheckpointEncoder],
) -> None:
    assert encoder(OPENS).reasoning == Reasoning(style="text", markers=THINK)
    assert encoder(SPEAKS).reasoning == Reasoning(style="text", markers=THINK)


def test_markers_that_are_no_tokens_are_refused(encoder: Callable[..., CheckpointEncoder]) -> None:
    with pytest.raises(CheckpointError) as told:
        encoder(SILENT, reasoning="think")
    assert "'<think>' as 7 tokens" in str(told.value)
    assert "text:<think>,</think>" in str(told.value)
    with pytest.raises(CheckpointError, match="as 9 tokens"):
        encoder(SILENT, reasoning="harmony")
    with pytest.raises(CheckpointError, match="no tokens"):
        ByteEncoder("think")
    assert encoder(SILENT, reasoning="text:<a>,</a>").reasoning == Reasoning(
        style="text", markers=("<a>", "</a>")
    )


def test_text_markers_that_texts_leave_out_are_refused(
    encoder: Callable[..., CheckpointEncoder],
) -> None:
    """Special tokens are no part of a completion's text: drafts would be graded as answers."""
    with pytest.raises(CheckpointError, match="special token") as told:
        encoder(SILENT, *THINK, special=True, reasoning="text:<think>,</think>")
    assert "--reasoning '<think>,</think>'" in str(told.value)
    opened = encoder(SILENT, *THINK, reasoning="text:<think>,</think>")
    assert opened.reasoning == Reasoning(style="text", markers=THINK)
    assert encoder(OPENS, "<think>", special=True).reasoning is None
    assert encoder(OPENS, "<think>").reasoning == Reasoning(style="text", markers=THINK)


@pytest.mark.parametrize("value", ["", "on", "a,", ",b", "a,a", "a,b,c", "text:", 3, None])
def test_a_style_is_a_word_or_a_pair(value: object) -> None:
    with pytest.raises(PlanError, match="reasoning style"):
        typed_reasoning(value)


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(
    ("template", "problem", "chat", "thinks"),
    [
        (OPENS, ("1+1", ""), True, True),
        (CLOSES, ("1+1", ""), True, False),
        (SPEAKS, ("1+1", ""), True, True),
        (SILENT, ("1+1", ""), True, False),  # a base model that merely has the tokens
        (SILENT, ("what does <think> do?", ""), True, False),
        (SILENT, ("it ends in <think>", ""), True, False),
        (CLOSES, ("</think><think>", ""), True, False),
        (OPENS, ("1+1", "Q: {}\nA:"), False, False),
        (OPENS, ("it ends in <think>", "{}"), False, False),
        (OPENS, ("1+1", "Q: {}\nA: <think>\n"), False, True),
        (OPENS, ("1+1", "Think within <think> </think>. {}\nA:"), False, False),
        (OPENS, ("<think>", "{}\nThink within <think> </think>.\nA:"), False, False),
    ],
)
def test_prompts_begin_thinking_behind_the_users_own_text(
    encoder: Callable[..., CheckpointEncoder], template: str, problem: tuple[str, str],
    chat: object, thinks: object, special: object,
) -> None:  # fmt: skip
    opened = encoder(template, *THINK, special=bool(special))
    statement, plain = problem
    asked = question(statement, plain=plain or "{}")
    (prompt,) = opened.encode([asked], chat=bool(chat))
    assert opened.thinks == thinks
    assert prompt.token_ids[len(prompt.token_ids) - len(prompt.lead_in) :] == prompt.lead_in


def test_without_markers_prompts_are_as_they_were(
    encoder: Callable[..., CheckpointEncoder],
) -> None:
    (prompt,) = encoder(SILENT).encode([question("1+1")], chat=True)
    assert prompt.lead_in == ()


def test_the_end_of_a_message_of_harmony_never_ends_a_completion(
    encoder: Callable[..., CheckpointEncoder],
) -> None:
    """By the template that gpt-oss comes with, and by one that ends the last turn differently."""
    spec = find_spec("trl")
    assert spec is not None
    assert spec.origin is not None
    template = (Path(spec.origin).parent / "chat_templates" / "gptoss.jinja").read_text()
    other = (
        "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
    )
    for text in (template, other):
        opened = encoder(text, *HARMONY, special=True)
        assert opened.reasoning is not None
        assert opened.reasoning.style == "harmony"
        known = dict(zip(HARMONY, opened.reasoning.token_ids, strict=True))
        stops = opened.stop_token_ids()
        assert {known["<|return|>"], known["<|call|>"]} <= set(stops)
        assert known["<|end|>"] not in stops


def test_prompts_of_gpt_oss_begin_no_channel(encoder: Callable[..., CheckpointEncoder]) -> None:
    spec = find_spec("trl")
    assert spec is not None
    assert spec.origin is not None
    template = (Path(spec.origin).parent / "chat_templates" / "gptoss.jinja").read_text()
    opened = encoder(template, *HARMONY, special=True)
    (prompt,) = opened.encode([question("what is <|channel|>?")], chat=True)
    assert opened.thinks
    assert opened.tokenizer.decode(prompt.lead_in) == "<|end|><|start|>assistant"
