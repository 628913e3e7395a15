"""How a checkpoint marks its thinking, found in its tokenizer and its chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec.structs import replace
from transformers import PreTrainedTokenizerBase

from emdiag.core.errors import CheckpointError
from emdiag.core.reasoning import HARMONY, THINK, Reasoning, typed_markers
from emdiag.core.sampling import Prompt
from emdiag.engines.thinking import is_open

TAGS: Final = (
    THINK,
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>", "<channel|>"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
)
"""Pairs of the field: DeepSeek, Qwen and most others; Magistral, Seed-OSS, MiniMax-M3, Command A,
Gemma 4, Kimi-VL; own trainings.

Source: vLLM 0.32, `vllm/reasoning` and `vllm/parser`; model cards.
"""


def find_reasoning(tokenizer: PreTrainedTokenizerBase, wanted: str = "auto") -> Reasoning | None:
    """How thinking is marked; None where nothing marks it, or nobody wants to know.

    Under `auto`: harmony where all its tokens are in the vocabulary; else the pair of tokens that
    the chat template speaks of, or the first pair there is; else a pair that the chat template
    writes and the vocabulary lacks, as text.

    Raises:
        CheckpointError: The markers wanted are no tokens of this vocabulary, or are wanted as text
            and hold a token that texts leave out.
    """
    if wanted == "none":
        return None
    template = _template_text(tokenizer)
    if wanted == "auto":
        return _automatic(tokenizer, template)
    if wanted == "harmony":
        return _required("harmony", HARMONY, tokenizer)
    pair = THINK if wanted == "think" else typed_markers(wanted)
    assert pair is not None, "the plan was checked"
    if wanted.startswith("text:"):
        _refuse_hidden(pair, tokenizer)
        return Reasoning(style="text", markers=pair)
    return _required("tags", pair, tokenizer)


def harmony_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...] | None:
    """Ids of the tokens of harmony, in their order; None where the vocabulary lacks one."""
    return _ids(tokenizer, HARMONY)


def with_lead_in(
    prompts: Sequence[Prompt],
    behind: Sequence[str],
    reasoning: Reasoning,
    *,
    tokenizer: PreTrainedTokenizerBase,
    chat: bool,
) -> tuple[list[Prompt], bool]:
    """The prompts with their tokens behind the user's own text, and whether thinking follows.

    It does where one of them begins it, and after chats that do not end it, if the chat template
    speaks of it.

    Args:
        prompts: As they were encoded.
        behind: What each holds behind the user's own text.
        reasoning: How thinking is marked.
        tokenizer: That encoded them.
        chat: Whether they are chats.
    """

    def text_of(token_ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(token_ids), skip_special_tokens=True))

    ids = {
        text: tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in dict.fromkeys(behind)
    }
    begins = {is_open(of_text, reasoning, decode=text_of) for of_text in ids.values()}
    may_begin = chat and None in begins and _speaks_of(tokenizer, reasoning)
    led = [replace(prompt, lead_in=ids[text]) for prompt, text in zip(prompts, behind, strict=True)]
    return led, True in begins or may_begin


def _speaks_of(tokenizer: PreTrainedTokenizerBase, reasoning: Reasoning) -> bool:
    """Whether the chat template itself writes such a marker: a base model may merely have them."""
    markers = HARMONY[1:2] if reasoning.style == "harmony" else reasoning.markers
    template = _template_text(tokenizer)
    return any(marker in template for marker in markers)


def _template_text(tokenizer: PreTrainedTokenizerBase) -> str:
    """The chat template as it is written; empty without one."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else ""


def _automatic(tokenizer: PreTrainedTokenizerBase, template: str) -> Reasoning | None:
    if ids := harmony_ids(tokenizer):
        return Reasoning(style="harmony", markers=HARMONY, token_ids=ids)
    for pair in sorted(TAGS, key=lambda pair: pair[1] not in template):
        ids = _ids(tokenizer, pair)
        if ids is not None:
            return Reasoning(style="tags", markers=pair, token_ids=ids)
    written = (
        pair
        for pair in TAGS
        if any(marker in template for marker in pair)
        and all(_is_shown(marker, tokenizer) for marker in pair)
    )
    return next((Reasoning(style="text", markers=pair) for pair in written), None)


def _refuse_hidden(markers: tuple[str, str], tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse text that completions never hold, since special tokens are left out of them."""
    hidden = [marker for marker in markers if not _is_shown(marker, tokenizer)]
    if hidden:
        raise CheckpointError(
            "a marker of thinking holds a special token, which texts leave out",
            tokenizer=tokenizer.name_or_path,
            expected="ordinary text",
            found=repr(hidden[0]),
            hint=f"--reasoning '{','.join(markers)}' finds markers that are one token each",
        )


def _is_shown(marker: str, tokenizer: PreTrainedTokenizerBase) -> bool:
    ids = tokenizer(marker, add_special_tokens=False)["input_ids"]
    return marker in str(tokenizer.decode(ids, skip_special_tokens=True))


def _required(
    style: Literal["tags", "harmony"], markers: tuple[str, ...], tokenizer: PreTrainedTokenizerBase
) -> Reasoning:
    ids = _ids(tokenizer, markers)
    if ids is not None:
        return Reasoning(style=style, markers=markers, token_ids=ids)
    lacking = next(marker for marker in markers if _token_id(tokenizer, marker) is None)
    pieces = tokenizer(lacking, add_special_tokens=False)["input_ids"]
    raise CheckpointError(
        "a marker of thinking is no token of this tokenizer",
        tokenizer=tokenizer.name_or_path,
        expected=f"one token for each of {', '.join(markers)}",
        found=f"{lacking!r} as {len(pieces)} tokens",
        hint="leave --reasoning out, or name the markers: --reasoning START,END"
        if style == "harmony"
        else f"--reasoning 'text:{','.join(markers)}' takes markers that are ordinary text",
    )


def _ids(tokenizer: PreTrainedTokenizerBase, markers: Sequence[str]) -> tuple[int, ...] | None:
    ids = [_token_id(tokenizer, marker) for marker in markers]
    return None if None in ids else tuple(number for number in ids if number is not None)


def _token_id(tokenizer: PreTrainedTokenizerBase, marker: str) -> int | None:
    """The id of a text that is one token wherever it stands; None where it is several."""
    ids: list[int] = tokenizer(marker, add_special_tokens=False)["input_ids"]
    is_one = len(ids) == 1 and ids[0] != tokenizer.unk_token_id
    return ids[0] if is_one else None
