from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.tokenizers import (
    CheckpointEncoder,
    check_round_trip,
    decode,
    encode_prompts,
    max_context,
    open_tokenizer,
    stop_token_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.sampling import FilledPrompt

TEXTS = ["Compute 1+2.\n\nThen stop.", "  Ünïcödé ≤ \U0001d53d  and\ttabs\n", "\\frac{a}{b} $x^2$"]


def word_tokenizer(**parts: object) -> PreTrainedTokenizerFast:
    words = ["<unk>", "compute", "1", "+", "2", "then", "stop", "."]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    for name, part in parts.items():
        setattr(backend, name, part)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


def test_byte_level_texts_come_back_unchanged(byte_tokenizer: Callable[..., object]) -> None:
    assert check_round_trip(byte_tokenizer(), TEXTS) == ()  # type: ignore[arg-type]


def test_lost_line_breaks_and_unknown_words_are_an_error() -> None:
    with pytest.raises(CheckpointError, match="loses characters") as caught:
        check_round_trip(word_tokenizer(), ["compute 1 +\n2"])
    assert "'\\n' x 1" in str(caught.value)
    for text in ("compute seven", "compute 1\n"):
        with pytest.raises(CheckpointError, match="loses characters"):
            check_round_trip(word_tokenizer(), [text])


def test_the_known_trap_is_caught_at_load(tmp_path: Path) -> None:
    # A character-level tokenizer saved beside a Qwen2 model: transformers builds its own class
    # for that model type, which looks for the byte alphabet and drops every space.
    letters = {letter: number for number, letter in enumerate(" \n0123456789+=.Compute")}
    backend = Tokenizer(models.WordLevel(letters, unk_token=" "))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.Fuse()
    PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(tmp_path)
    text = "Compute 1+2\n= 3"
    plain = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert check_round_trip(plain, [text]) == ()
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    chosen = AutoTokenizer.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="loses characters"):
        check_round_trip(chosen, [text])


def test_mere_normalisation_is_a_note() -> None:
    folding = word_tokenizer(normalizer=normalizers.Lowercase())
    assert "normalises 1 prompt" in check_round_trip(folding, ["COMPUTE 1 + 2"])[0]


def test_chat_and_plain_prompts_are_encoded_once(
    byte_tokenizer: Callable[..., PreTrainedTokenizerFast], fill: Callable[..., list[FilledPrompt]]
) -> None:
    tokenizer = byte_tokenizer()
    chat = encode_prompts(tokenizer, fill("What is 2+2?", system="Be brief."), chat=True)[0]
    assert chat.text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 2+2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert decode(tokenizer, chat.token_ids, skip_special_tokens=False) == chat.text
    # One id for each special token, not its characters.
    assert chat.token_ids.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 3
    plain = encode_prompts(tokenizer, fill("What is 2+2?"), chat=False)[0]
    assert plain.text == "What is 2+2?"
    assert len(plain.token_ids) == len("What is 2+2?")


def test_a_begin_token_is_added_to_plain_prompts_alone(
    byte_tokenizer: Callable[..., PreTrainedTokenizerFast], fill: Callable[..., list[FilledPrompt]]
) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer("<|endoftext|>{{ messages[0]['content'] }}")
    end = tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", end)]
    )
    for chat in (False, True):
        ids = encode_prompts(tokenizer, fill("ab"), chat=chat)[0].token_ids
        assert ids.count(end) == 1
        assert ids[0] == end


def test_chat_without_a_template_names_the_way_out(
    byte_tokenizer: Callable[..., PreTrainedTokenizerFast], fill: Callable[..., list[FilledPrompt]]
) -> None:
    with pytest.raises(CheckpointError, match="--no-chat"):
        encode_prompts(byte_tokenizer(None), fill("x"), chat=True)


def test_end_tokens_come_from_all_four_places(
    tiny_folder: Path, tmp_path: Path, byte_tokenizer: Callable[..., PreTrainedTokenizerFast]
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "m")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 9]}))
    tokenizer = byte_tokenizer()
    turn_end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    found = stop_token_ids(str(folder), tokenizer, LlamaConfig(eos_token_id=[5, 7]))
    assert found == tuple(sorted({5, 7, 9, tokenizer.eos_token_id, turn_end}))


def test_the_encoder_of_a_folder_does_it_all(
    tiny_folder: Path, fill: Callable[..., list[FilledPrompt]]
) -> None:
    encoder = CheckpointEncoder(str(tiny_folder))
    prompts = encoder.encode(fill(*TEXTS), chat=False)
    assert [prompt.problem_id for prompt in prompts] == ["p/0000", "p/0001", "p/0002"]
    assert encoder.notes == ()
    assert encoder.max_context == 256
    assert len(encoder.stop_token_ids()) == 2


def test_the_context_is_unknown_where_the_configuration_is_silent() -> None:
    assert max_context(LlamaConfig(max_position_embeddings=2048)) == 2048
    assert max_context(LlamaConfig(max_position_embeddings=0)) is None
    rope = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}
    assert max_context(LlamaConfig(max_position_embeddings=2048, rope_parameters=rope)) == 8192


def test_a_broken_tokenizer_file_is_an_error_of_the_checkpoint(
    tiny_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "m")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="tokenizer cannot be opened"):
        open_tokenizer(str(folder))
