"""What the files of a checkpoint say of it, as far as they can be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emdiag.engines.checkpoint.border import read_json
from emdiag.engines.checkpoint.gguf_file import gguf_numbers, is_gguf, read_metadata
from emdiag.engines.checkpoint.weight_files import stored_numbers, weight_files


@dataclass(frozen=True, kw_only=True)
class StoredWeights:
    """The numbers of a checkpoint, counted by format, and the bytes of their files."""

    numbers: Counter[str]
    size: int


def family_of(path: Path) -> str:
    """Such as `llama (LlamaForCausalLM)`.

    Raises:
        CheckpointError: The file that says it cannot be read.
    """
    if is_gguf(path):
        return str(read_metadata(path).get("general.architecture"))
    config = read_json(path / "config.json", dict[str, Any])
    classes = config.get("architectures")
    names = ", ".join(map(str, classes)) if isinstance(classes, list) else ""
    return f"{config.get('model_type')}{f' ({names})' if names else ''}"


def weights_of(path: Path) -> StoredWeights:
    """Counted from headers, so that equal matrices stored once count once.

    Raises:
        CheckpointError: There are none, or a file is cut off.
    """
    if is_gguf(path):
        return StoredWeights(numbers=gguf_numbers(path), size=path.stat().st_size)
    files = weight_files(path)
    return StoredWeights(
        numbers=stored_numbers(files), size=sum(file.stat().st_size for file in files)
    )
