from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest
import torch

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.gguf_file import adds_tokens, read_metadata
from emdiag.engines.checkpoint.resolve import find_checkpoint, resolve_checkpoint
from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder, open_tokenizer
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.options import EngineOptions
from emdiag.train.em.plan import EMPlan
from emdiag.train.em.ready import check_em

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.sampling import FilledPrompt

WIDTH, LETTERS = 8, [chr(number) for number in range(33, 127)]
TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"


def write_gguf(path: Path, *, kind: str = "gpt2", **metadata: Any) -> Path:
    """A Llama of one layer with random weights; metadata named None is left out."""
    spaced = [("▁" if kind == "llama" else "Ġ"), *LETTERS]
    tokens = ["<unk>", "<s>", "</s>", *spaced, "ab"]
    types = [2, 3, 3, *[1] * (len(tokens) - 3)]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_scores([0.0] * len(tokens))
    if kind == "gpt2":
        writer.add_token_merges(["a b"])
    given = {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0, **metadata}
    for name, value in given.items():
        add = {bool: writer.add_bool, int: writer.add_uint32, str: writer.add_string}
        key = "tokenizer.chat_template" if name == "chat_template" else f"tokenizer.ggml.{name}"
        if value is not None:
            add[type(value)](key, value)
    random = np.random.default_rng(0)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))

    tensor("token_embd.weight", len(tokens), WIDTH)
    tensor("output.weight", len(tokens), WIDTH)
    tensor("output_norm.weight", WIDTH)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        tensor(f"blk.0.{part}.weight", WIDTH, WIDTH)
    tensor("blk.0.attn_norm.weight", WIDTH)
    tensor("blk.0.ffn_norm.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("kind", "metadata", "begins", "ends"),
    [
        ("gpt2", {"add_bos_token": True}, True, False),
        ("gpt2", {"add_bos_token": False}, False, False),
        ("gpt2", {}, False, False),
        ("gpt2", {"pre": "llama-bpe"}, True, False),
        ("gpt2", {"pre": "llama-bpe", "add_bos_token": False}, False, False),
        ("gpt2", {"add_bos_token": True, "bos_token_id": 2, "eos_token_id": 1}, True, False),
        ("gpt2", {"add_bos_token": True, "bos_token_id": None}, False, False),
        ("gpt2", {"add_bos_token": True, "add_eos_token": True}, True, True),
        ("llama", {"add_bos_token": True}, True, False),
        ("llama", {"add_bos_token": False}, False, False),
        ("llama", {}, True, False),
    ],
)
def test_begin_and_end_tokens_are_those_the_file_asks_for(
    tmp_path: Path,
    kind: str,
    metadata: dict[str, Any],
    begins: bool,  # noqa: FBT001 - a parametrised case
    ends: bool,  # noqa: FBT001 - a parametrised case
) -> None:
    tokenizer = open_tokenizer(str(write_gguf(tmp_path / "m.gguf", kind=kind, **metadata)))
    ids = tokenizer("xy")["input_ids"]
    assert (ids[0] == metadata.get("bos_token_id", 1)) == begins
    assert (ids[-1] == metadata.get("eos_token_id", 2)) == ends
    tokenizer.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved/config.json").write_text('{"model_type": "llama"}')
    assert open_tokenizer(str(tmp_path / "saved"))("xy")["input_ids"] == ids


def test_prompts_without_their_begin_token_have_a_note(
    tmp_path: Path, fill: Callable[..., list[FilledPrompt]]
) -> None:
    notes = {}
    for adds in (True, False):
        file = write_gguf(tmp_path / f"{adds}.gguf", add_bos_token=adds, chat_template=TEMPLATE)
        encoder = CheckpointEncoder(str(file))
        prompts = encoder.encode(fill("xy"), chat=False)
        notes[adds] = encoder.notes
        assert (prompts[0].token_ids[0] == 1) == adds
        encoder.encode(fill("xy"), chat=True)
        assert encoder.notes == ()
    assert notes[True] == ()
    assert "'<s>', and 1 of 1 prompts do not start with it" in notes[False][0]


def test_what_stands_in_the_folder_of_a_file_is_not_read(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf", chat_template=TEMPLATE)
    ids = open_tokenizer(str(file))("xy")["input_ids"]
    write_gguf(tmp_path / "other.gguf", kind="llama")
    open_tokenizer(str(tmp_path / "other.gguf")).save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("another")
    (tmp_path / "adapter_config.json").write_text("{}")
    tokenizer = open_tokenizer(str(file))
    assert tokenizer("xy")["input_ids"] == ids
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer.name_or_path == str(file)


@pytest.mark.parametrize(
    ("template", "finding"),
    [
        (None, "this tokenizer has none"),
        ("{{ raise_exception('never') }}", "fails: never"),
        ("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}", "grows beyond"),
    ],
)
def test_a_template_is_looked_at_before_the_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str | None, finding: str
) -> None:
    def read(*_: object, **__: object) -> None:
        pytest.fail("the weights are read")

    monkeypatch.setattr("emdiag.engines.checkpoint.resolve.file_sha256", read)
    file = write_gguf(tmp_path / "m.gguf", chat_template=template)
    with pytest.raises(CheckpointError, match=finding):
        resolve_checkpoint(str(file), label="x", chat=True)
    assert find_checkpoint(str(file)) == file
    for name in ("released-code", "lab"):
        plan = EMPlan.of(
            {
                "ref": str(file),
                "out": tmp_path / "out",
                "recipe": name,
                "chat": True,
                "problem": "chain/0000",
            }
        )
        with pytest.raises(CheckpointError, match=finding):
            check_em(plan, home=tmp_path)


def test_metadata_is_read_without_texts_of_arrays(tmp_path: Path) -> None:
    metadata = read_metadata(write_gguf(tmp_path / "m.gguf", add_bos_token=True))
    assert metadata["general.architecture"] == "llama"
    assert metadata["tokenizer.ggml.tokens"] == 99
    assert len(metadata["tokenizer.ggml.token_type"]) == 99
    assert adds_tokens(metadata) == (True, False)
    assert adds_tokens({"tokenizer.ggml.model": "t5"}) == (False, True)


HEADER = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"GGUF\3\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0",
        HEADER,
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
        HEADER + struct.pack("<Q", 2**62),
        HEADER + struct.pack("<QcI", 1, b"a", 99),
        HEADER + struct.pack("<QcIIQ", 1, b"a", 9, 4, 2**60),
        HEADER + struct.pack("<QcIIQ", 1, b"a", 9, 8, 2**60),
        HEADER + struct.pack("<QcIIQ", 1, b"a", 9, 9, 2),
    ],
)
def test_a_broken_header_is_an_error_of_the_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not whole") as caught:
        resolve_checkpoint(str(tmp_path / "m.gguf"), label="x")
    assert "m.gguf" in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**28),
        struct.pack("<4sIQQ", b"GGUF", 3, 2**28, 0),
        struct.pack("<4sIQQQcIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 8, 2**28),
        struct.pack("<4sIQQQcIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 0, 2**31),
    ],
)
def test_a_hole_is_not_read_to_its_end(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(header)
    os.truncate(file, 2**32)
    with pytest.raises(CheckpointError, match="are expected, more than 4000000"):
        read_metadata(file)


@pytest.mark.parametrize("count", [0, 2**31 - 1])
def test_a_count_of_blocks_is_that_of_the_tensors(tmp_path: Path, count: int) -> None:
    file = write_gguf(tmp_path / "m.gguf")
    content, key = file.read_bytes(), b"llama.block_count" + struct.pack("<I", 4)
    assert key in content
    file.write_bytes(content.replace(key + struct.pack("<I", 1), key + struct.pack("<I", count)))
    with pytest.raises(CheckpointError, match=f"block_count is {count}, and there are tensors"):
        read_metadata(file)


def test_a_file_that_ends_before_its_tensors_is_refused(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf")
    resolve_checkpoint(str(file), label="x")
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="bytes are expected"):
        resolve_checkpoint(str(file), label="x")


def test_its_weights_are_read_from_the_file_alone(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf")
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    model = load_model(str(file), dtype="float32", options=EngineOptions(device="cpu"))
    assert model.config.model_type == "llama"
    assert model(torch.tensor([[1, 5]])).logits.shape == (1, 2, 99)
