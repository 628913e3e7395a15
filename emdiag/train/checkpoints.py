"""Writes trained weights as Hugging Face folders, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from transformers import GenerationConfig, PreTrainedModel

from emdiag.core.codec import encode
from emdiag.core.errors import CheckpointError, StoreError, system_errors_as
from emdiag.core.files import replacing
from emdiag.core.training import TrainManifest
from emdiag.engines.checkpoint.folder import tokenizer_files
from emdiag.engines.checkpoint.tokenizers import open_tokenizer, quiet_transformers
from emdiag.store.training_folder import MANIFEST_FILE, file_digest


def save_checkpoint(
    folder: Path,
    model: PreTrainedModel,
    *,
    parent: Path,
    manifest: TrainManifest,
    trust_remote_code: bool = False,
) -> None:
    """Write weights, configuration, tokenizer and `emdiag.json`; the folder appears when whole.

    The parent is the folder or `.gguf` file that training started from. Its tokenizer files are
    copied as they are: a tokenizer that has been used saves itself differently. Code shipped with
    it is copied where it may run.

    Raises:
        CheckpointError: The disk is full or cannot be written; nothing is left behind.
    """
    with _whole_or_nothing(folder) as partial:
        with quiet_transformers(), _savable_generation(model):
            if hasattr(model.config, "quantization_config"):
                # What was quantised in a GGUF file is floats by now.
                del model.config.quantization_config
                vars(model).update(hf_quantizer=None, is_quantized=False)
            model.save_pretrained(partial)
            model.generation_config.save_pretrained(partial)
            if parent.is_dir():
                wanted = [*tokenizer_files(parent), *parent.glob("generation_config.json")]
                wanted += parent.glob("*.py") if trust_remote_code else []
                for file in wanted:
                    shutil.copyfile(file, partial / file.name)
            else:
                tokenizer = open_tokenizer(str(parent), trust_remote_code=trust_remote_code)
                tokenizer.save_pretrained(partial)
        files = {file.name: file_digest(file) for file in sorted(partial.iterdir())}
        whole = msgspec.structs.replace(manifest, files=files)
        (partial / MANIFEST_FILE).write_bytes(encode(whole) + b"\n")


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    refused = "the checkpoint cannot be written"
    with (
        system_errors_as(refused, kind=CheckpointError, folder=folder),
        replacing(folder) as partial,
    ):
        partial.mkdir()
        yield partial


@contextmanager
def _savable_generation(model: PreTrainedModel) -> Iterator[None]:
    """The model's generation settings reduced to its special tokens.

    Many published checkpoints carry settings that transformers reads and refuses to write, such as
    a temperature without `do_sample`; the parent's own file is copied as it is.
    """
    used = model.generation_config
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # not annotated
        bos_token_id=used.bos_token_id,
        eos_token_id=used.eos_token_id,
        pad_token_id=used.pad_token_id,
    )
    try:
        yield
    finally:
        model.generation_config = used


def state_unwritable(error: Exception, **where: Path) -> StoreError:
    """The error for a state to continue from that cannot be written."""
    return StoreError(
        f"the state of training cannot be written: {getattr(error, 'strerror', None) or error}",
        **where,
        hint="make room (it takes three times the weights in float32), then run the same "
        "command: it continues; --state-every 0 keeps no state",
    )
