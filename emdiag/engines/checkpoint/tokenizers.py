"""A checkpoint's tokenizer: proved to lose nothing; prompts are rendered and encoded once."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as library

from emdiag.core.errors import CheckpointError
from emdiag.core.sampling import FilledPrompt, Prompt

_CONTEXT_FIELDS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")

TEMPLATE_DATE = "26 Jul 2024"
"""Date told to templates that ask for one. Some print today's, and a prompt that changes every
midnight would make every day another run; this is the date Llama's own template falls back to."""

_MARK = "emdiag-turn-end"

Message = dict[str, str]


class CheckpointEncoder:
    """Reads prompts with the tokenizer of one checkpoint; a `PromptEncoder`."""

    def __init__(self, path: str, *, trust_remote_code: bool = False) -> None:
        self.tokenizer = open_tokenizer(path, trust_remote_code=trust_remote_code)
        self._config = open_config(path, trust_remote_code=trust_remote_code)
        self._path = path
        self.max_context = max_context(self._config)
        self.notes: tuple[str, ...] = ()

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template, after a look at what encoding loses.

        Raises:
            CheckpointError: The tokenizer loses characters, or has no chat template to apply.
        """
        with quiet_transformers():  # it warns of long prompts; whoever draws checks the room
            prompts = encode_prompts(self.tokenizer, filled, chat=chat)
        self.notes = check_round_trip(self.tokenizer, (prompt.plain for prompt in filled))
        return prompts

    def stop_token_ids(self) -> tuple[int, ...]:
        """Tokens that end a completion, sorted."""
        return stop_token_ids(self._path, self.tokenizer, self._config)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No warnings and no progress bars of transformers inside this block: emdiag checks itself."""
    level, has_bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity(logging.ERROR)
    library.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library's own gap
    try:
        yield
    finally:
        library.set_verbosity(level)
        if has_bars:
            library.enable_progress_bar()  # type: ignore[no-untyped-call]  # as above


def open_tokenizer(path: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint folder or `.gguf` file.

    Raises:
        CheckpointError: It cannot be read.
    """
    with quiet_transformers():
        tokenizer: PreTrainedTokenizerBase = _opened(
            AutoTokenizer, path, trust_remote_code=trust_remote_code, what="tokenizer"
        )
    return tokenizer


def open_config(path: str, *, trust_remote_code: bool = False) -> PreTrainedConfig:
    """The configuration of a checkpoint folder or `.gguf` file.

    Raises:
        CheckpointError: It cannot be read.
    """
    config: PreTrainedConfig = _opened(
        AutoConfig, path, trust_remote_code=trust_remote_code, what="configuration"
    )
    return config


def split_gguf(path: str) -> tuple[str, dict[str, str]]:
    """Folder and keyword arguments with which transformers opens `path`."""
    if path.lower().endswith(".gguf"):
        return str(Path(path).parent), {"gguf_file": Path(path).name}
    return path, {}


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, filled: Sequence[FilledPrompt], *, chat: bool
) -> list[Prompt]:
    """One prompt for each filled template: rendered to text, then to ids, once.

    Under `chat` the template writes every special token itself; otherwise the tokenizer adds its
    own, such as a begin token.

    Raises:
        CheckpointError: The chat template is absent or fails.
    """
    prompts = []
    for prompt in filled:
        text = (
            render_chat(tokenizer, system=prompt.system, user=prompt.user) if chat else prompt.plain
        )
        ids: list[int] = tokenizer(text, add_special_tokens=not chat)["input_ids"]
        prompts.append(prompt.read_as(text, ids))
    return prompts


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


def check_round_trip(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> tuple[str, ...]:
    """A note for texts that come back from encoding and decoding in another form.

    transformers chooses the tokenizer class by the model type, whatever the tokenizer's own files
    say, and the wrong class can drop spaces and line breaks without a word.

    Raises:
        CheckpointError: A character is lost; another form of it (Unicode normalisation, lower
            case, a run of blanks made one) is not a loss.
    """
    changed = 0
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        back = decode(tokenizer, ids, skip_special_tokens=False)
        if back == text:
            continue
        changed += 1
        lost = _characters(text) - _characters(back)
        if lost:
            shown = ", ".join(f"{letter!r} x {count}" for letter, count in lost.most_common(6))
            more = " and more" if len(lost) > 6 else ""
            raise CheckpointError(
                f"the tokenizer loses characters of its own prompts: {shown}{more}",
                tokenizer=tokenizer.name_or_path,
                tokenizer_class=type(tokenizer).__name__,
                example=repr(text[:60]) + " comes back as " + repr(back[:60]),
                hint="the checkpoint's tokenizer files do not fit its model type; save the "
                "tokenizer again in the format of that model type",
            )
    if not changed:
        return ()
    return (f"the tokenizer normalises {changed} prompt(s): decoding gives an equivalent text",)


def decode(
    tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], *, skip_special_tokens: bool
) -> str:
    """Text of token ids, with no tidying of blanks."""
    text = tokenizer.decode(
        list(token_ids),
        skip_special_tokens=skip_special_tokens,
        clean_up_tokenization_spaces=False,
    )
    assert isinstance(text, str)
    return text


def stop_token_ids(
    path: str, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig
) -> tuple[int, ...]:
    """Every token that ends a completion, sorted.

    They come from the generation configuration, the model's configuration, the tokenizer, and
    the end of the assistant's turn in the chat template.
    """
    stop_ids = {*_ids(getattr(config, "eos_token_id", None)), *_ids(tokenizer.eos_token_id)}
    stop_ids |= {*_ids(getattr(config.get_text_config(), "eos_token_id", None))}
    if (Path(path) / "generation_config.json").is_file():
        generation = GenerationConfig.from_pretrained(path, local_files_only=True)
        stop_ids |= {*_ids(generation.eos_token_id)}
    turn_end = turn_end_token(tokenizer)
    if turn_end is not None:
        stop_ids.add(turn_end)
    return tuple(sorted(stop_ids))


def tokens_of(path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Special tokens of a checkpoint as text, and those of them that end a completion.

    Raises:
        CheckpointError: Tokenizer or configuration cannot be opened.
    """
    encoder = CheckpointEncoder(path)
    tokenizer = encoder.tokenizer
    ends = [
        decode(tokenizer, [number], skip_special_tokens=False)
        for number in encoder.stop_token_ids()
    ]
    return tuple(filter(str.strip, tokenizer.all_special_tokens)), tuple(filter(str.strip, ends))


def max_context(config: PreTrainedConfig) -> int | None:
    """Tokens of prompt and completion the model has positions for; None where it says nothing."""
    text_config = config.get_text_config()
    for name in _CONTEXT_FIELDS:
        value = getattr(text_config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _ids(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(item) for item in value] if isinstance(value, list | tuple) else [int(value)]


def _characters(text: str) -> Counter[str]:
    """How often each character occurs, apart from its form; runs of one blank count once.

    A leading space is left out: tokenizers that mark word starts add or take one.
    """
    plain = unicodedata.normalize("NFKD", text).casefold().lstrip(" ")
    kept = [
        letter
        for place, letter in enumerate(plain)
        if not unicodedata.combining(letter)
        and not (letter.isspace() and place and plain[place - 1] == letter)
    ]
    return Counter(kept)


def _opened(loader: Any, path: str, *, trust_remote_code: bool, what: str) -> Any:
    folder, gguf = split_gguf(path)
    try:
        return loader.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True, **gguf
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        hint = "save model and tokenizer again with a current transformers"
        if "trust_remote_code" in str(error):
            hint = "it needs code shipped with the checkpoint: --trust-remote-code, if you trust it"
        message = f"the {what} cannot be opened: {error}"
        raise CheckpointError(message, checkpoint=path, hint=hint) from error


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
