"""The shipped checkpoint as many published bases are: its end token is its pad token too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from emdiag.core.errors import CheckpointError, system_errors_as
from emdiag.core.files import make_folder, replacing
from emdiag.resources import lab_weights

_CONFIGS = ("config.json", "generation_config.json")
_TOKENIZER = "tokenizer_config.json"


def write_end_is_pad(out: Path) -> Path:
    """Copy the shipped weights with a tokenizer and configurations whose pad is the end token.

    Nothing is trained: every probability is the shipped one. What recognises padding by its id, as
    the recipe `released-code` does, then takes the end token for padding.

    Raises:
        CheckpointError: `out` holds something already, or cannot be written.
    """
    with system_errors_as("the checkpoint cannot be written", kind=CheckpointError, folder=out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise CheckpointError(
                "a checkpoint is written to a new or empty folder, and this one is neither",
                folder=out,
                hint="choose another folder with --out",
            )
        make_folder(out.parent)
        with replacing(out) as partial:
            shutil.copytree(lab_weights(), partial)
            end = _changed(partial / _TOKENIZER, "pad_token", of="eos_token")
            ids = {_changed(partial / name, "pad_token_id", of="eos_token_id") for name in _CONFIGS}
            assert end, "the shipped tokenizer names its end token"
            assert len(ids) == 1, "both configurations name one end token"
    return out


def _changed(partial: Path, name: str, *, of: str) -> object:
    """Give one field of a JSON file the value of another, which is returned."""
    content = json.loads(partial.read_bytes())
    content[name] = content[of]
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    value: object = content[of]
    return value
