"""From what the user typed to a checkpoint on disk that is safe to load."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec import UNSET

from emdiag.core.checkpoints import AdapterRef, CheckpointRef, Stage
from emdiag.core.digest import digest
from emdiag.core.errors import CheckpointError
from emdiag.core.paths import expanded
from emdiag.engines.checkpoint.adapter_config import CONFIG, MERGE
from emdiag.engines.checkpoint.adapters import (
    WEIGHTS,
    base_of,
    check_adapter,
    is_pair,
    split_pair,
)
from emdiag.engines.checkpoint.border import read_json
from emdiag.engines.checkpoint.chat_files import has_chat_template, template_in
from emdiag.engines.checkpoint.fingerprints import file_sha256, weights_digest
from emdiag.engines.checkpoint.folder import (
    check_folder,
    has_tokenizer,
    is_adapter,
    tokenizer_files,
)
from emdiag.engines.checkpoint.gguf_file import is_gguf, read_metadata
from emdiag.engines.checkpoint.quantization import quantization_of
from emdiag.engines.checkpoint.templates import failed_template, no_template, render_question
from emdiag.engines.checkpoint.trainer_folders import locate, origin_of
from emdiag.resources import lab_weights

ChatWanted = Literal[True, False, "if present"]
"""Whether prompts will be chats."""

HUB_ID = re.compile(r"^[\w][\w.-]*(/[\w][\w.-]*)?(@[\w./-]+)?$")


def resolve_checkpoint(
    ref: str,
    *,
    label: str,
    home: Path | None = None,
    trust_remote_code: bool = False,
    chat: ChatWanted = False,
) -> CheckpointRef:
    """The checkpoint that `ref` names, found on disk or fetched, checked and fingerprinted.

    Args:
        ref: Hub id, `id@revision`, folder, `.gguf` file, `.json` table of the scripted engine,
            `lab` for the shipped model, an adapter's folder or hub id, or `BASE+ADAPTER`.
        label: Short name for tables.
        home: Folder that remembers fingerprints; None remembers nothing.
        trust_remote_code: Fetch code shipped with the checkpoint, and count it as part of it.
        chat: Prompts will be chats, or chats if there is a template for them; one that is absent
            or, in a GGUF file, wrong is refused before weights are read, which takes minutes.

    Raises:
        CheckpointError: Nothing is found under that name, or it holds weights that are not read.
    """
    place = _place_of(ref, trust_remote_code=trust_remote_code, chat=chat, home=home)
    path, revision, adapter = place.path, place.revision, place.adapter
    if path.is_file():
        tokenizer = value = file_sha256(path, home=home)
    else:
        code = sorted(path.glob("*.py")) if trust_remote_code else []
        value = weights_digest(path / "config.json", [*place.weights, *code], home=home)
        tokenizer = _tokenizer_digest(path)
    if adapter is not None:
        value = digest({"base": value, "adapter": adapter.digest})
        tokenizer = _tokenizer_digest(Path(adapter.path)) if adapter.has_tokenizer else tokenizer
    checkpoint = CheckpointRef(
        label=label,
        ref=ref,
        path=str(path.resolve()) if revision is None else str(path),
        digest=value,
        tokenizer_digest=tokenizer,
        revision=revision,
        quantization=UNSET if path.is_file() else quantization_of(path / "config.json") or UNSET,
        adapter=UNSET if adapter is None else adapter,
    )
    folder = Path(checkpoint.folder)
    if folder.is_file():
        return checkpoint
    marks = origin_of(folder) if revision is None or adapter else {}
    return msgspec.structs.replace(checkpoint, **marks, **_origin(folder / "emdiag.json"))


def find_checkpoint(ref: str, *, trust_remote_code: bool = False) -> Path:
    """The file or folder of a checkpoint or an adapter, checked; its weights are not read.

    Raises:
        CheckpointError: As `resolve_checkpoint`.
    """
    place = _place_of(ref, trust_remote_code=trust_remote_code, chat=False, home=None)
    return place.path if place.adapter is None else Path(place.adapter.path)


def find_base(ref: str) -> Path:
    """As `find_checkpoint`, and of an adapter its base, which has a configuration."""
    return _place_of(ref, trust_remote_code=False, chat=False, home=None).path


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Where a checkpoint is.

    Attributes:
        weights: The files of its weights where it is a folder.
        revision: Of a snapshot.
    """

    path: Path
    weights: list[Path] = field(default_factory=list)
    revision: str | None = None
    adapter: AdapterRef | None = None


def _place_of(ref: str, *, trust_remote_code: bool, chat: ChatWanted, home: Path | None) -> _Files:
    """A checkpoint and, where there is one, the adapter on top of it."""
    typed_base, ref = split_pair(ref, may_be=HUB_ID) if is_pair(ref) else (None, ref)
    files = _located(ref, trust_remote_code=trust_remote_code)
    path = files.path
    if typed_base is None and not _is_adapter(path):
        weights = _checked(path, trust_remote_code=trust_remote_code, chat=chat)
        return replace(files, weights=weights)
    if not _is_adapter(path):
        raise CheckpointError(
            "what stands after + is no adapter",
            found=path,
            expected=f"a folder with {CONFIG} and {WEIGHTS}, and no whole weights",
            hint="name a checkpoint of its own without BASE+",
        )
    base_ref = typed_base or base_of(path)
    if has_tokenizer(path):
        if chat is True and not has_chat_template(path):
            raise no_template(str(path))
        chat = False
    with _naming_both(path, base_ref, is_typed=typed_base is not None):
        # The base of a pair is taken for the adapter here, which is refused below.
        base = (
            files if is_pair(base_ref) else _located(base_ref, trust_remote_code=trust_remote_code)
        )
        if not _is_adapter(base.path):
            weights = _checked(base.path, trust_remote_code=trust_remote_code, chat=chat)
    if _is_adapter(base.path):
        raise CheckpointError(
            "the base of the adapter is an adapter itself",
            adapter=path,
            base=base_ref,
            hint=f"{MERGE}, and name the result: BASE+{path}",
        )
    adapter = check_adapter(
        path, base.path, ref=base_ref, trust_remote_code=trust_remote_code, home=home
    )
    return replace(base, weights=weights, adapter=adapter)


def _located(ref: str, *, trust_remote_code: bool) -> _Files:
    """Where a checkpoint or an adapter is, fetched if need be."""
    path = lab_weights() if ref == "lab" else expanded(ref)
    if path.is_dir():
        return _Files(path=locate(path))
    if path.is_file():
        return _Files(path=path)
    path = _fetch(ref, trust_remote_code=trust_remote_code)
    return _Files(path=path, revision=path.name)


def _is_adapter(path: Path) -> bool:
    return path.is_dir() and is_adapter(path)


@contextmanager
def _naming_both(adapter: Path, base: str, *, is_typed: bool) -> Iterator[None]:
    """An error of the base says whose base it is, and how another is named."""
    try:
        yield
    except CheckpointError as error:
        error.message = f"the base of the adapter cannot be used: {error.message}"
        error.facts = {"adapter": str(adapter), "base": base, **error.facts}
        if not is_typed:
            error.hint = f"name a base that is on this machine: BASE+{adapter}"
        raise


def _checked(path: Path, *, trust_remote_code: bool, chat: ChatWanted) -> list[Path]:
    """The files of the weights where the path is a folder."""
    if path.is_file():
        _check_file(path, chat=chat)
        return []
    weights = check_folder(path, trust_remote_code=trust_remote_code)
    if chat is True and not has_chat_template(path):
        raise no_template(str(path))
    return weights


def _tokenizer_digest(folder: Path) -> str:
    return digest([[file.name, file_sha256(file, home=None)] for file in tokenizer_files(folder)])


def check_reference(ref: str) -> None:
    """Refuse what is neither on this machine nor the form of a hub id; nothing is read or fetched.

    Raises:
        CheckpointError: It is neither.
    """
    if is_pair(ref):
        for part in split_pair(ref, may_be=HUB_ID):
            check_reference(part)
        return
    path = lab_weights() if ref == "lab" else expanded(ref)
    if path.is_file() or path.is_dir():
        return
    if ref.startswith("served:"):
        raise CheckpointError(
            f"{ref!r} is a model at a server, of which there are texts and no weights",
            hint="eval and temp-sweep take it with --engine server --base-url URL",
        )
    if path.exists():
        raise CheckpointError(
            "a checkpoint is a folder or a file, and this is neither",
            path=ref,
            hint="give a folder, a .gguf file or a hub id",
        )
    if ref == "lab" or ref.startswith((".", "/", "~")) or not HUB_ID.match(ref):
        raise CheckpointError(
            f"there is no checkpoint at {ref!r}",
            looked_at=lab_weights() if ref == "lab" else expanded(ref).absolute(),
            hint="build it with `emdiag lab build`"
            if ref == "lab"
            else "give a folder, a .gguf file, a hub id such as Qwen/Qwen2.5-Math-7B, or lab",
        )


def _check_file(path: Path, *, chat: ChatWanted) -> None:
    if is_gguf(path):
        metadata = read_metadata(path)
        if chat and (chat is True or template_in(metadata) is not None):
            _check_template(template_in(metadata), path)
    elif path.suffix.lower() != ".json":
        raise CheckpointError(
            f"a checkpoint file ends in .gguf, or in .json for a table of the scripted "
            f"engine; this one ends in {path.suffix!r}",
            file=path,
            hint="give the folder that holds config.json and model.safetensors",
        )


def _check_template(template: object, path: Path) -> None:
    if template is None:
        raise no_template(str(path))
    if not isinstance(template, str):
        raise failed_template(str(path), "the chat template in the file's metadata is not text")
    tokens = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), "")
    render_question(template, system=None, texts=["?"], tokens=tokens, where=str(path))


def _fetch(ref: str, *, trust_remote_code: bool) -> Path:
    """Folder of a hub snapshot, whose name is the commit."""
    check_reference(ref)
    from emdiag.engines.checkpoint.hub import fetch_snapshot

    repo, _, revision = ref.partition("@")
    return fetch_snapshot(repo, revision=revision or None, with_code=trust_remote_code)


def _origin(path: Path) -> dict[str, Any]:
    """Stage, recipe, train_seed and update as the trainer wrote them; unknown keys are left."""
    if not path.is_file():
        return {}
    content = read_json(path, dict[str, Any])
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
