"""From what the user typed to a checkpoint on disk that is safe to load."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast, get_args

from emdiag.core.checkpoints import CheckpointRef, Stage
from emdiag.core.digest import digest
from emdiag.core.errors import CheckpointError
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.paths import expanded
from emdiag.resources import lab_weights

logger = logging.getLogger(__name__)

HUB_ID = re.compile(r"^[\w][\w.-]*(/[\w][\w.-]*)?(@[\w./-]+)?$")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt", "*.tiktoken")
_TOKENIZER_FILES = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("merges.txt", "vocab.txt", "*.model", "*.tiktoken", "chat_template*"),
)
CACHE_NAME = "fingerprints.json"
_IGNORED_CONFIG = frozenset({"_name_or_path", "_commit_hash", "transformers_version"})


def resolve_checkpoint(
    ref: str, *, label: str, home: Path | None = None, trust_remote_code: bool = False
) -> CheckpointRef:
    """The checkpoint that `ref` names, found on disk or fetched, checked and fingerprinted.

    Args:
        ref: Hub id, `id@revision`, folder, `.gguf` file, `.json` table of the scripted engine,
            or `lab` for the shipped model.
        label: Short name for tables.
        home: Folder that remembers fingerprints; None remembers nothing.
        trust_remote_code: Fetch code shipped with the checkpoint, and count it as part of it.

    Raises:
        CheckpointError: Nothing is found under that name, or it holds weights that are not read.
    """
    path = lab_weights() if ref == "lab" else expanded(ref)
    if path.is_file():
        return _resolve_file(path, ref=ref, label=label, home=home)
    revision = None
    if not path.is_dir():
        path = _fetch(ref, trust_remote_code=trust_remote_code)
        revision = path.name
    weights = check_folder(path)
    code = sorted(path.glob("*.py")) if trust_remote_code else []
    return CheckpointRef(
        label=label,
        ref=ref,
        path=str(path.resolve()) if revision is None else str(path),
        digest=weights_digest(path / "config.json", [*weights, *code], home=home),
        tokenizer_digest=digest(
            [[file.name, file_sha256(file, home=None)] for file in tokenizer_files(path)]
        ),
        revision=revision,
        **_origin(path / "emdiag.json"),
    )


def check_folder(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights of a checkpoint folder.

    Raises:
        CheckpointError: The folder is an adapter, holds pickled weights only, or lacks its
            configuration, tokenizer or a shard.
    """
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise CheckpointError(
            "the folder holds an adapter (LoRA), not a whole checkpoint",
            file=folder / "adapter_config.json",
            hint="merge it first: peft's merge_and_unload(), then save_pretrained(FOLDER)",
        )
    weights = _weight_files(folder)
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            "a checkpoint folder needs config.json, and there is none",
            folder=folder,
            hint="save the model with save_pretrained(FOLDER)",
        )
    try:
        json.loads((folder / "config.json").read_bytes())
    except ValueError as error:
        raise CheckpointError(
            f"the configuration is not JSON: {error}", file=folder / "config.json"
        ) from error
    if not _matching(folder, _TOKENIZERS):
        raise CheckpointError(
            "a checkpoint folder needs a tokenizer, and there is none",
            folder=folder,
            hint="save it next to the weights: tokenizer.save_pretrained(FOLDER)",
        )
    return weights


def tokenizer_files(folder: Path) -> list[Path]:
    """Every file of a checkpoint folder that turns text into token ids and back, by name."""
    return _matching(folder, _TOKENIZER_FILES)


def file_sha256(path: Path, *, home: Path | None) -> str:
    """SHA-256 of a file in hexadecimal; a link is followed, so that a hub's copies are hashed once.

    `fingerprints.json` in the home, if there is one, remembers results by size and modification
    time. Where it is damaged or cannot be written that costs time, never the result.
    """
    real = path.resolve()
    status = real.stat()
    cache = _read_cache(home) if home else {}
    state = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    match cache.get(str(real)):
        case {"sha256": str(value), **rest} if rest == state:
            return value
    with real.open("rb") as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
    if home:
        # Read again: another process may have added entries while this one was hashing.
        _write_cache(home, {**_read_cache(home), str(real): {**state, "sha256": value}})
    return value


def weights_digest(config: Path, weights: Iterable[Path], *, home: Path | None) -> str:
    """SHA-256 over a model's configuration and the content of its weight files, by name.

    Left out of the configuration is what says where it came from and which library wrote it.
    """
    content = json.loads(config.read_bytes())
    kept = {name: value for name, value in content.items() if name not in _IGNORED_CONFIG}
    files = [[path.name, file_sha256(path, home=home)] for path in sorted(weights)]
    return digest({"config": json.dumps(kept, sort_keys=True), "weights": files})


def _weight_files(folder: Path) -> list[Path]:
    """What transformers would load: one file, or the shards that its index names."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"the index of shards cannot be read: {error}", file=index) from (
                error
            )
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise CheckpointError(
                f"the index names {len(names)} shards, {len(missing)} of them are missing",
                file=index,
                missing=", ".join(missing[:5]),
                hint="copy or download the missing files",
            )
        return [folder / name for name in names]
    raise _no_weights(folder)


def _no_weights(folder: Path) -> CheckpointError:
    pickles = _matching(folder, _PICKLES)
    if pickles:
        return CheckpointError(
            "the folder holds pickled weights only, and those are not read: "
            "opening a pickle runs whatever code is in it",
            file=pickles[0],
            hint="where you trust it: AutoModelForCausalLM.from_pretrained(FOLDER)"
            ".save_pretrained(NEW) writes safetensors",
        )
    gguf = _matching(folder, ("*.gguf",))
    if gguf:
        return CheckpointError(
            f"the folder holds {len(gguf)} GGUF file(s) and no model.safetensors",
            folder=folder,
            hint=f"name the file itself: {gguf[0]}",
        )
    return CheckpointError(
        "the folder holds no model.safetensors and no model.safetensors.index.json",
        folder=folder,
        hint="a checkpoint is a folder written by save_pretrained, or a .gguf file",
    )


def _resolve_file(path: Path, *, ref: str, label: str, home: Path | None) -> CheckpointRef:
    match path.suffix.lower():
        case ".gguf":
            with path.open("rb") as file:
                if file.read(4) != b"GGUF":
                    raise CheckpointError("the file is named .gguf and is not GGUF", file=path)
        case ".json":
            pass
        case _:
            raise CheckpointError(
                f"a checkpoint file ends in .gguf, or in .json for a table of the scripted "
                f"engine; this one ends in {path.suffix!r}",
                file=path,
                hint="give the folder that holds config.json and model.safetensors",
            )
    value = file_sha256(path, home=home)
    resolved = str(path.resolve())
    return CheckpointRef(label=label, ref=ref, path=resolved, digest=value, tokenizer_digest=value)


def _fetch(ref: str, *, trust_remote_code: bool) -> Path:
    """Folder of a hub snapshot, whose name is the commit."""
    if ref == "lab" or ref.startswith((".", "/", "~")) or not HUB_ID.match(ref):
        raise CheckpointError(
            f"there is no checkpoint at {ref!r}",
            looked_at=lab_weights() if ref == "lab" else expanded(ref).absolute(),
            hint="build it with `emdiag lab build`"
            if ref == "lab"
            else "give a folder, a .gguf file, a hub id such as Qwen/Qwen2.5-Math-7B, or lab",
        )
    from emdiag.engines.checkpoint.hub import fetch_snapshot

    repo, _, revision = ref.partition("@")
    return fetch_snapshot(repo, revision=revision or None, with_code=trust_remote_code)


def _origin(path: Path) -> dict[str, Any]:
    """Stage, recipe, train_seed and update as the trainer wrote them; unknown keys are left."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise CheckpointError(f"the file is not JSON: {error}", file=path) from error
    if not isinstance(content, dict):
        raise CheckpointError("the file holds no JSON object", file=path)
    stage, recipe = content.get("stage"), content.get("recipe")
    if stage is not None and stage not in get_args(Stage):
        known = ", ".join(get_args(Stage))
        raise CheckpointError(f"stage is {stage!r}; known are {known}", file=path)
    if recipe is not None and not isinstance(recipe, str):
        recipe = json.dumps(recipe, sort_keys=True)
    for name in ("train_seed", "update"):
        if not isinstance(content.get(name), int | None):
            raise CheckpointError(f"{name} is {content[name]!r}, not a whole number", file=path)
    return {
        "stage": cast("Stage | None", stage),
        "recipe": recipe,
        "train_seed": content.get("train_seed"),
        "update": content.get("update"),
    }


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    files = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return sorted(files)


def _read_cache(home: Path) -> dict[str, Any]:
    path = home / CACHE_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read and is rebuilt: %s", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _write_cache(home: Path, content: dict[str, Any]) -> None:
    try:
        make_folder(home)
        write_atomically(home / CACHE_NAME, json.dumps(content).encode())
    except OSError as error:
        logger.warning("fingerprints are not remembered: %s", error)
