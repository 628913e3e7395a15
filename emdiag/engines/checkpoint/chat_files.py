"""Whether a checkpoint has a chat template, by its files alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emdiag.engines.checkpoint.border import read_json
from emdiag.engines.checkpoint.gguf_file import is_gguf, read_metadata


def has_chat_template(path: str | Path) -> bool:
    """Whether the tokenizer of a folder or `.gguf` file has one; no library is opened for it.

    A table of the scripted engine takes chats as they are.

    Source: transformers, `PreTrainedTokenizerBase.from_pretrained`.

    Raises:
        CheckpointError: The file that would say it cannot be read.
    """
    path = Path(path)
    if is_gguf(path):
        return template_in(read_metadata(path)) is not None
    if path.is_file():
        return True
    if (path / "chat_template.jinja").is_file():
        return True
    if any((path / "additional_chat_templates").glob("*.jinja")):
        return True
    config = path / "tokenizer_config.json"
    return config.is_file() and read_json(config, dict[str, Any]).get("chat_template") is not None


def template_in(metadata: Mapping[str, Any]) -> object:
    """The chat template in the metadata of a GGUF file; None where there is none."""
    return metadata.get("tokenizer.chat_template")
