"""What a GGUF file says of itself: its metadata, read without its tensors."""

from __future__ import annotations

import math
import mmap
import re
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.border import checkpoint_errors

_MAGIC = b"GGUF"
_FORMATS = dict(enumerate(("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?"))) | {
    10: "<Q",
    11: "<q",
    12: "<d",
}
_BLOCK = re.compile(r"blk\.(\d{1,9})\.")
_STRING, _ARRAY = 8, 9
_MOST = 4_000_000
"""Of anything: vocabularies have under a million words, and a file with holes has no end."""
_BEGIN_BY_DEFAULT = frozenset(
    ("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2")
) | {"tekken"}
"""Pre-tokenizers after which llama.cpp adds a begin token where the file does not say.

Source: `llama_vocab::impl::load` in llama.cpp's `src/llama-vocab.cpp`.
"""


def is_gguf(path: str | Path) -> bool:
    """Whether the name is that of a GGUF file."""
    return str(path).lower().endswith(".gguf")


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a GGUF file by key; of an array of texts, how many there are.

    Raises:
        CheckpointError: It is no GGUF file, or is cut off.
    """
    return _read(path)[0]


def gguf_numbers(path: Path) -> Counter[str]:
    """How many numbers of each format the tensors of a GGUF file hold, such as `Q4_1`.

    Raises:
        CheckpointError: As `read_metadata`.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Any], Counter[str]]:
    with checkpoint_errors(
        "the GGUF file is not whole", file=path, hint="copy or download the file again"
    ):
        if path.stat().st_size < len(_MAGIC) + 20:
            raise ValueError(f"{path.stat().st_size} bytes hold no header")
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            reader = _Reader(content)
            return reader.metadata(), reader.numbers


def adds_tokens(metadata: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether texts get a begin and an end token; where the file is silent, as llama.cpp does."""
    model, before = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    begin = model == "llama" or (model == "gpt2" and before in _BEGIN_BY_DEFAULT)
    return (
        bool(metadata.get("tokenizer.ggml.add_bos_token", begin)),
        bool(metadata.get("tokenizer.ggml.add_eos_token", model == "t5")),
    )


@contextmanager
def opened_by_library(path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Folder and keyword arguments with which transformers opens `path`.

    For a GGUF file that is an empty folder: of the file's own it would also read the tokenizer,
    template and adapter that happen to lie there.
    """
    if not is_gguf(path):
        yield path, {}
        return
    with tempfile.TemporaryDirectory(prefix="emdiag-gguf-") as folder:
        yield folder, {"gguf_file": str(Path(path).absolute())}


def _limit(count: int, what: str) -> None:
    if count > _MOST:
        raise ValueError(f"{count} {what} are expected, more than {_MOST}")


def _check_blocks(metadata: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse a count of blocks that leaves some out, or that no tensors are there for."""
    count = metadata.get(f"{metadata.get('general.architecture')}.block_count")
    blocks = {int(match[1]) + 1 for name in names if (match := _BLOCK.match(name))}
    if names and isinstance(count, int) and not max(blocks, default=0) <= count <= len(names):
        raise ValueError(f"block_count is {count}, and there are tensors of {len(blocks)} blocks")


class _Reader:
    """Walks through the header of a GGUF file, version 2 or 3, little-endian."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._place = 0
        self.numbers: Counter[str] = Counter()

    def metadata(self) -> dict[str, Any]:
        if self._content[:4] != _MAGIC:
            raise CheckpointError("the file is named .gguf and is not GGUF")
        self._place = 4
        version, tensors, count = self._next("<IQQ")
        _limit(max(tensors, count), "entries")
        if version not in {2, 3}:
            raise ValueError(f"version {version} is not read, only 2 and 3")
        metadata = {}
        for _ in range(count):
            key = self._text()
            metadata[key] = self._value(*self._next("<I"))
        names = self._check_length(tensors, int(metadata.get("general.alignment", 32)))
        _check_blocks(metadata, names)
        return metadata

    def _next(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self._content, self._place)
        self._place += struct.calcsize(form)
        return values

    def _skipped(self) -> int:
        (length,) = self._next("<Q")
        start = self._place
        if length > len(self._content) - start:
            raise ValueError(f"a text of {length} bytes is expected, the file ends before")
        self._place += length
        return start

    def _text(self) -> str:
        start = self._skipped()
        return self._content[start : self._place].decode("utf-8", errors="replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._next(_FORMATS[kind])[0]
        item, count = self._next("<IQ")
        _limit(count, "items")
        if item == _STRING:
            for _ in range(count):
                self._skipped()
            return count
        return list(self._next(f"<{count}{_FORMATS[item][1]}"))

    def _check_length(self, tensors: int, alignment: int) -> list[str]:
        """The names of all tensors; a file that ends before its last one does is refused."""
        from gguf.constants import GGML_QUANT_SIZES

        sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
        formats = {int(kind): kind.name for kind in GGML_QUANT_SIZES}
        ends, names = 0, []
        for _ in range(tensors):
            names.append(self._text())
            (axes,) = self._next("<I")
            shape = self._next(f"<{axes}Q")
            kind, offset = self._next("<IQ")
            self.numbers[formats.get(kind, f"type {kind}")] += math.prod(shape)
            items, size = sizes.get(kind, (1, 0))
            ends = max(ends, offset + math.prod(shape) // items * size)
        expected = math.ceil(self._place / alignment) * alignment + ends
        if tensors and len(self._content) < expected:
            raise ValueError(f"{expected} bytes are expected, {len(self._content)} are there")
        return names
