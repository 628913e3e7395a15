"""A checkpoint's tokenizer: proved to lose nothing; prompts are rendered and encoded once."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

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
from emdiag.engines.checkpoint.adapters import refuse_other_tokens
from emdiag.engines.checkpoint.border import checkpoint_errors, read_json
from emdiag.engines.checkpoint.chats import render_chat, turn_end_token
from emdiag.engines.checkpoint.folder import refuse_larger
from emdiag.engines.checkpoint.gguf_file import (
    adds_tokens,
    is_gguf,
    opened_by_library,
    read_metadata,
)
from emdiag.engines.checkpoint.reasoning import find_reasoning, harmony_ids, with_lead_in

logger = logging.getLogger(__name__)

_CONTEXT_FIELDS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")

_SAVE_AGAIN = "save model and tokenizer again with a current transformers"


class CheckpointEncoder:
    """Reads prompts with the tokenizer of one checkpoint; a `PromptEncoder`."""

    def __init__(
        self,
        path: str,
        *,
        tokenizer_path: str | None = None,
        trust_remote_code: bool = False,
        reasoning: str = "auto",
    ) -> None:
        self._path = path
        self.config = open_config(path, trust_remote_code=trust_remote_code)
        self.tokenizer = open_tokenizer(
            tokenizer_path or path, base=path, trust_remote_code=trust_remote_code
        )
        self.reasoning = find_reasoning(self.tokenizer, reasoning)
        self.thinks = False
        with self._errors("the context of the configuration cannot be read"):
            self.max_context = max_context(self.config)
        self.notes: tuple[str, ...] = ()

    def encode(self, filled: Sequence[FilledPrompt], *, chat: bool) -> list[Prompt]:
        """One prompt for each filled template, after a look at what encoding loses.

        Raises:
            CheckpointError: The tokenizer loses characters, has no chat template to apply, or gives
                token ids that the model does not have.
        """
        # transformers warns of long prompts; whoever draws checks the room
        with quiet_transformers(), self._errors("the tokenizer cannot read the prompts"):
            prompts = encode_prompts(self.tokenizer, filled, chat=chat)
            systems = {prompt.system for prompt in filled if prompt.system and chat}
            texts = [*(prompt.plain_text for prompt in filled), *systems]
            normalised = check_round_trip(self.tokenizer, texts)
            if self.reasoning is not None:
                behind = [
                    of.behind(prompt.text, chat=chat)
                    for prompt, of in zip(prompts, filled, strict=True)
                ]
                prompts, self.thinks = with_lead_in(
                    prompts, behind, self.reasoning, tokenizer=self.tokenizer, chat=chat
                )
        self._refuse_unknown_ids(prompts)
        self.notes = (*normalised, *border_notes(self.tokenizer, prompts, chat=chat))
        return prompts

    def stop_token_ids(self) -> tuple[int, ...]:
        """Tokens that end a completion, sorted.

        Raises:
            CheckpointError: A configuration names one that the model does not have.
        """
        with quiet_transformers(), self._errors("the end tokens cannot be read"):
            return stop_token_ids(self._path, self.tokenizer, self.config)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of tokens without special ones, as engines make the text of a completion."""
        return decode(self.tokenizer, token_ids, skip_special_tokens=True)

    def _errors(self, what: str) -> AbstractContextManager[None]:
        return checkpoint_errors(what, checkpoint=self._path, hint=_SAVE_AGAIN)

    def _refuse_unknown_ids(self, prompts: Sequence[Prompt]) -> None:
        """An embedding has no row for an id beyond it, and no library says which token it was."""
        size = self.config.get_text_config().vocab_size
        used = {number for prompt in prompts for number in prompt.token_ids}
        unknown = sorted(number for number in used if number >= size)
        if unknown:
            tokens = self.tokenizer.convert_ids_to_tokens(unknown[:3])
            raise CheckpointError(
                f"the prompts hold {len(unknown)} tokens that the model has no room for: it has "
                f"{size} token ids, 0 to {size - 1}",
                checkpoint=self._path,
                found=", ".join(map(repr, zip(unknown, tokens, strict=False))),
                hint="the tokenizer belongs to other weights, or tokens were added to it alone: "
                "resize_token_embeddings and train, or take the tokenizer of these weights",
            )


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


def open_tokenizer(
    path: str, *, base: str | None = None, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint folder or `.gguf` file, or of an adapter to a `base`.

    Raises:
        CheckpointError: It cannot be read, or an adapter's has other tokens than that of the base.
    """
    of_adapter: dict[str, PreTrainedConfig] = {}
    if base is not None and base != path:
        # It has no configuration, by which transformers chooses the class.
        of_adapter = {"config": open_config(base, trust_remote_code=trust_remote_code)}
    with quiet_transformers():
        tokenizer: PreTrainedTokenizerBase = _opened(
            AutoTokenizer,
            path,
            trust_remote_code=trust_remote_code,
            what="tokenizer",
            file="tokenizer.json",
            **of_adapter,
        )
    if base is not None and of_adapter:
        known = open_tokenizer(base, trust_remote_code=trust_remote_code)
        refuse_other_tokens(tokenizer, known, path)
    if is_gguf(path):
        # The library reads neither, and a text without its first token is another text.
        begin, end = adds_tokens(read_metadata(Path(path)))
        adds = {
            "add_bos_token": begin and tokenizer.bos_token is not None,
            "add_eos_token": end and tokenizer.eos_token is not None,
        }
        for name, value in adds.items():
            setattr(tokenizer, name, value)
        tokenizer.init_kwargs |= adds  # so that a folder saved from it has them too
        tokenizer.name_or_path = path
    return tokenizer


def open_config(path: str, *, trust_remote_code: bool = False) -> PreTrainedConfig:
    """The configuration of a checkpoint folder or `.gguf` file.

    Raises:
        CheckpointError: It cannot be read.
    """
    config: PreTrainedConfig = _opened(
        AutoConfig,
        path,
        trust_remote_code=trust_remote_code,
        what="configuration",
        file="config.json",
    )
    text_config = config.get_text_config()
    if not isinstance(text_config, PreTrainedConfig):
        raise CheckpointError(
            "text_config is no configuration of this family",
            file=Path(path) / "config.json",
            found=f"{text_config!r} in one of {config.model_type}",
            hint="leave it out, or use the config.json that belongs to these weights",
        )
    refuse_larger(text_config, Path(path))
    return config


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
        text = render_chat(tokenizer, prompt) if chat else prompt.plain_text
        ids: list[int] = tokenizer(text, add_special_tokens=not chat)["input_ids"]
        prompts.append(prompt.read_as(text, ids))
    return prompts


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


def border_notes(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], *, chat: bool
) -> tuple[str, ...]:
    """Notes for prompts without the begin token that the tokenizer has, or with an end token.

    Some families are trained without their begin token. One that is not and reads a text without
    it gives other probabilities, and nothing else would show that.
    """
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    without = sum(prompt.token_ids[:1] != (begin,) for prompt in prompts)
    ended = sum(prompt.token_ids[-1:] == (end,) for prompt in prompts)
    source = "the chat template" if chat else "the tokenizer"
    notes = []
    if begin is not None and without:
        notes.append(
            f"the tokenizer has a begin token, {tokenizer.bos_token!r}, and {without} of "
            f"{len(prompts)} prompts do not start with it: {source} does not add it"
        )
    if end is not None and ended and not chat:
        notes.append(
            f"{ended} of {len(prompts)} prompts end with {tokenizer.eos_token!r}, after which a "
            "model rarely goes on: the tokenizer adds it"
        )
    return tuple(notes)


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
    the end of the assistant's turn in the chat template. In harmony the end of a message never
    ends a completion: the answer comes in another one.
    """
    sources: list[Any] = [config, config.get_text_config()]
    if (Path(path) / "generation_config.json").is_file():
        sources.append(GenerationConfig.from_pretrained(path, local_files_only=True))
    named = chain.from_iterable(_ids(getattr(source, "eos_token_id", None)) for source in sources)
    stop_ids = {*named, *_ids(tokenizer.eos_token_id)}
    size = getattr(config.get_text_config(), "vocab_size", None)
    turn_end = turn_end_token(tokenizer)
    if turn_end is not None and (size is None or turn_end < size):
        stop_ids.add(turn_end)
    if harmony := harmony_ids(tokenizer):
        *_, message_end, returned, called = harmony
        stop_ids = (stop_ids | {returned, called}) - {message_end}
    if size is not None and (unknown := sorted(n for n in stop_ids if not 0 <= n < size)):
        finding = f"an end token is {unknown[0]}, and the model has the token ids 0 to {size - 1}"
        if len(unknown) == len(stop_ids):
            raise CheckpointError(
                finding,
                checkpoint=path,
                hint="mend eos_token_id in config.json or generation_config.json",
            )
        logger.warning("%s: it is never drawn, others end a completion", finding)
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
    """Tokens of prompt and completion the model has positions for; None where it says nothing.

    Dynamic NTK scaling begins where the positions end, and stretches them by its factor.
    """
    text_config = config.get_text_config()
    rope = getattr(text_config, "rope_parameters", None) or {}
    stretch = rope.get("factor") if rope.get("rope_type") == "dynamic" else None
    for name in _CONTEXT_FIELDS:
        value = getattr(text_config, name, None)
        if isinstance(value, int) and value > 0:
            return int(value * max(1.0, stretch or 1.0))
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


def _opened(
    loader: Any, path: str, *, trust_remote_code: bool, what: str, file: str, **options: object
) -> Any:
    at_fault = Path(path) / file
    named = path
    if at_fault.is_file():
        named = f"{at_fault}{' or tokenizer_config.json' * (what == 'tokenizer')}"
    with (
        checkpoint_errors(f"the {what} cannot be opened", file=named, hint=_SAVE_AGAIN),
        opened_by_library(path) as (folder, gguf),
    ):
        try:
            return loader.from_pretrained(
                folder,
                trust_remote_code=trust_remote_code,
                local_files_only=True,
                **gguf,
                **options,
            )
        except Exception:
            if at_fault.is_file():
                read_json(at_fault, dict[str, Any])  # says more, where it is not JSON at all
            raise
