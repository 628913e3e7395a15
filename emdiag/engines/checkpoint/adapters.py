"""LoRA adapters as peft writes them: looked through before a library opens them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from emdiag.core.checkpoints import AdapterRef
from emdiag.core.digest import digest
from emdiag.core.errors import CheckpointError
from emdiag.core.paths import exists, expanded
from emdiag.engines.checkpoint.adapter_config import (
    CONFIG,
    MERGE,
    NAMES,
    AdapterConfig,
    read_config,
)
from emdiag.engines.checkpoint.border import checkpoint_errors, read_json
from emdiag.engines.checkpoint.fingerprints import file_sha256
from emdiag.engines.checkpoint.folder import has_tokenizer, matching, refuse_odd_files
from emdiag.engines.checkpoint.weight_files import Tensor, read_header, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WEIGHTS: Final = "adapter_model.safetensors"

_TENSOR: Final = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+)\."
    r"lora_(?P<part>A|B|embedding_A|embedding_B|magnitude_vector)(?:\.weight)?"
)
_ZEROS: Final = b"\0\x80"
"""All bytes of numbers that are zero, whatever their format and sign."""

_NOT_FINITE: Final = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
"""How numbers of each format are read as whole ones, and the bits that infinity and NaN have."""

Shapes = Mapping[str, tuple[str, Tensor]]
"""Name and header of each tensor of a module, by its part: `A`, `B`, ..."""


def is_pair(ref: str) -> bool:
    """Whether a reference is `BASE+ADAPTER`; a folder whose name holds `+` is a folder."""
    return "+" in ref and not _is_here(ref)


def split_pair(ref: str, *, may_be: re.Pattern[str]) -> tuple[str, str]:
    """Base and adapter of `BASE+ADAPTER`, at the `+` that leaves most on this machine.

    Both are at least of the form of a hub id, `may_be`, if there is such a `+`.

    Raises:
        CheckpointError: Nothing stands before or after it.
    """

    def doubts(part: str) -> int:
        return 0 if part == "lab" or _is_here(part) else 1 if may_be.match(part) else 10

    places = [match.start() for match in re.finditer(r"\+", ref)]
    splits = [(ref[:at], ref[at + 1 :]) for at in places]
    base, adapter = min(splits, key=lambda split: doubts(split[0]) + doubts(split[1]))
    if not base or not adapter:
        raise CheckpointError(
            f"the reference {ref!r} is not BASE+ADAPTER",
            hint="an adapter that names its base needs none: give its folder alone",
        )
    return base, adapter


def _is_here(name: str) -> bool:
    return exists(str(expanded(name)))


def base_of(folder: Path) -> str:
    """Reference of the base that an adapter names.

    Raises:
        CheckpointError: It names none.
    """
    config = read_config(folder)
    name = config.base_model_name_or_path
    if not name:
        raise CheckpointError(
            "the adapter does not name its base",
            file=folder / CONFIG,
            hint=f"name it yourself: BASE+{folder}",
        )
    local = folder / expanded(name)
    if exists(str(local)):
        return str(local)
    return f"{name}@{config.revision}" if config.revision and "@" not in name else name


def check_adapter(
    folder: Path, base: Path, *, ref: str, trust_remote_code: bool, home: Path | None
) -> AdapterRef:
    """An adapter that fits the weights of a base, and changes them; `ref` is that of the base.

    Raises:
        CheckpointError: It is no LoRA in safetensors, belongs to another base, or changes nothing.
    """
    file = folder / WEIGHTS
    with checkpoint_errors(
        "the adapter cannot be read", folder=folder, hint="mend names and permissions"
    ):
        refuse_odd_files(folder)
        config = read_config(folder, trust_remote_code=trust_remote_code)
        if not file.is_file():
            raise _no_weights(folder)
        modules = _modules(file, read_header(file))
        _check_ranks(modules, config, file)
        if base.is_dir():
            _refuse_other_base(modules, config, file, base)
        _look_at_numbers(modules, file, by_vector=config.use_dora)
        content = read_json(folder / CONFIG, dict[str, Any])
        code = sorted(folder.glob("*.py")) if trust_remote_code else []
        sums = [[path.name, file_sha256(path, home=home)] for path in [file, *code]]
    kept = {name: value for name, value in content.items() if name not in NAMES}
    return AdapterRef(
        path=str(folder.resolve()),
        base=ref,
        rank=max(parts["A"][1].shape[0] for parts in map(_plain, modules.values())),
        digest=digest({"config": json.dumps(kept, sort_keys=True), "weights": sums}),
        has_tokenizer=has_tokenizer(folder),
    )


def module_of(tensor: str) -> str | None:
    """The module of the base that a tensor of an adapter changes; None for any other tensor."""
    match = _TENSOR.fullmatch(tensor)
    return match and match["module"]


def _no_weights(folder: Path) -> CheckpointError:
    pickles = matching(folder, ("adapter_model.*",))
    if not pickles:
        return CheckpointError(
            f"the adapter holds no {WEIGHTS}",
            folder=folder,
            hint="save it with peft's save_pretrained(FOLDER)",
        )
    return CheckpointError(
        "the adapter's weights are pickled, and those are not read: opening a pickle runs "
        "whatever code is in it",
        file=pickles[0],
        hint="where you trust it: load it with peft, and save_pretrained(NEW) writes safetensors",
    )


def _modules(file: Path, tensors: Mapping[str, Tensor]) -> dict[str, Shapes]:
    """Tensors by the module of the base that they change."""
    modules: dict[str, dict[str, tuple[str, Tensor]]] = defaultdict(dict)
    for name, tensor in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise CheckpointError(
                "the adapter holds a tensor that is none of LoRA's, such as whole embeddings",
                file=file,
                tensor=name,
                found=tuple(tensor.shape),
                hint=MERGE,
            )
        modules[match["module"]][match["part"]] = (name, tensor)
    for module, parts in modules.items():
        if not {"A", "B"} <= parts.keys() and not {"embedding_A", "embedding_B"} <= parts.keys():
            raise CheckpointError(
                f"the adapter has one of two matrices for {module}",
                file=file,
                found=", ".join(name for name, _ in parts.values()),
                hint="save it again with peft's save_pretrained(FOLDER)",
            )
    if not modules:
        raise CheckpointError("the adapter holds no tensor", file=file, hint="save it again")
    return dict(modules)


def _plain(parts: Shapes) -> dict[str, tuple[str, Tensor]]:
    """The two matrices of a module, whether it is linear or an embedding."""
    return {name.removeprefix("embedding_"): value for name, value in parts.items()}


def _check_ranks(modules: Mapping[str, Shapes], config: AdapterConfig, file: Path) -> None:
    """The scale of an update is over the rank in the configuration: it must be that of the file."""
    for parts in map(_plain, modules.values()):
        (name, a), (_, b) = parts["A"], parts["B"]
        ranks = {*a.shape[:1], *b.shape[1:]}
        fits = len(a.shape) == len(b.shape) == 2 and len(ranks) == 1
        if not fits or not (config.rank_pattern or ranks == {config.r}):
            raise CheckpointError(
                "the matrices of the adapter have another rank than its configuration says",
                file=file,
                tensor=name,
                expected=f"rank {config.r}",
                found=f"A {tuple(a.shape)}, B {tuple(b.shape)}",
                hint=f"use the {CONFIG} that belongs to these weights",
            )


def _refuse_other_base(
    modules: Mapping[str, Shapes], config: AdapterConfig, file: Path, base: Path
) -> None:
    """Every module must be one of the base, of its size; what is quantised shows at loading."""
    headers = map(read_header, weight_files(base))
    tensors = {name: entry for header in headers for name, entry in header.items()}
    for module, parts in modules.items():
        weight = tensors.get(f"{module}.weight")
        if weight is None:
            if module == "lm_head" or any(name.startswith(f"{module}.") for name in tensors):
                continue  # tied to the embedding, or quantised
            raise CheckpointError(
                "the adapter belongs to another base: it changes a module that this one lacks",
                file=file,
                tensor=next(iter(parts.values()))[0],
                base=base,
                expected=f"{module}.weight in the base",
                hint="name its own base: BASE+ADAPTER",
            )
        matrices = _plain(parts)
        (name, a), (_, b) = matrices["A"], matrices["B"]
        size = [b.shape[0], a.shape[1]]
        if "embedding_A" in parts or config.fan_in_fan_out:
            size.reverse()
        if weight.dtype.startswith(("F", "BF")) and len(weight.shape) == 2 and weight.shape != size:
            raise CheckpointError(
                "the adapter belongs to another base: its matrices are of another size",
                file=file,
                tensor=name,
                found=f"{tuple(size)}, from A {tuple(a.shape)} and B {tuple(b.shape)}",
                expected=f"{tuple(weight.shape)}, of {module}.weight",
                base=base,
                hint="name its own base: BASE+ADAPTER",
            )


def _look_at_numbers(modules: Mapping[str, Shapes], file: Path, *, by_vector: bool) -> None:
    """All are finite, and one pair has two matrices that are not zero.

    An adapter that was made and never trained has one matrix of zeros in every pair; `by_vector`
    is of DoRA, which changes weights all the same, and which engines look at.
    """
    zeros: set[str] = set()
    acts = by_vector
    with file.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
        for parts in map(_plain, modules.values()):
            numbers = {}
            for part, (name, tensor) in parts.items():
                stream.seek(start + tensor.data_offsets[0])
                numbers[part] = stream.read(tensor.size)
                _refuse_not_finite(numbers[part], name, tensor, file)
            zero = next((part for part in ("B", "A") if not numbers[part].strip(_ZEROS)), None)
            acts |= zero is None
            zeros |= {zero} if zero else set()
    if not acts:
        raise CheckpointError(
            f"the adapter changes nothing: all {' or '.join(sorted(zeros))} matrices are zero",
            file=file,
            hint="it was saved before it was trained; measure the base itself",
        )


def _refuse_not_finite(content: bytes, name: str, tensor: Tensor, file: Path) -> None:
    """Formats of eight bits are looked at by the engine, in the logits."""
    kind, bits = _NOT_FINITE.get(tensor.dtype, ("u1", 0))
    if not tensor.dtype.startswith(("F", "BF")):
        what, hint = "is not of floating point numbers", "save it again with peft"
    elif bits and bool((np.frombuffer(content, kind) & bits == bits).any()):
        what, hint = "holds infinity or NaN", "its training diverged: take an earlier step"
    else:
        return
    raise CheckpointError(
        f"a matrix of the adapter {what}", file=file, tensor=name, found=tensor.dtype, hint=hint
    )


def refuse_other_tokens(
    own: PreTrainedTokenizerBase, base: PreTrainedTokenizerBase, folder: str
) -> None:
    """Refuse a tokenizer beside an adapter that gives ids to other tokens than that of the base.

    Raises:
        CheckpointError: The base has no weights for these tokens, or means others by their ids.
    """
    known = {number: token for token, number in base.get_vocab().items()}
    tokens = {number: token for token, number in own.get_vocab().items()}
    unknown = sorted(number for number, token in tokens.items() if known.get(number) != token)
    if unknown:
        shown = [f"{number}: {tokens[number]!r}, {known.get(number)!r}" for number in unknown]
        raise CheckpointError(
            f"the adapter's own tokenizer has {len(unknown)} tokens that its base does not have",
            folder=folder,
            found=f"{'; '.join(shown[:3])} in the base",
            hint="where they were never trained, remove the tokenizer's files from the adapter's "
            f"folder: that of the base is used then. Else {MERGE}",
        )
