"""The files that hold a folder's weights: safetensors, whole, and inside the folder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.border import read_json

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000
_SHOWN = 5

Size = Annotated[int, msgspec.Meta(ge=0)]


class Tensor(msgspec.Struct):
    """What a safetensors header says of one tensor; offsets are in bytes."""

    dtype: str
    shape: list[Size]
    data_offsets: tuple[Size, Size]

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"a tensor ends before it begins: {self.data_offsets}")

    @property
    def size(self) -> int:
        """In bytes."""
        return self.data_offsets[1] - self.data_offsets[0]


class _Index(msgspec.Struct):
    metadata: dict[str, Any]
    weight_map: dict[str, str]


def weight_files(folder: Path) -> list[Path]:
    """What transformers would load: one file, or the shards that its index names.

    Raises:
        CheckpointError: There is none, or the index names what is absent, of another format or
            outside of the folder, or a tensor that its shard does not hold.
    """
    single, index = folder / SINGLE, folder / INDEX
    if single.is_file():
        return [single]
    if index.is_file():
        return _indexed(folder, index)
    raise _no_weights(folder)


def read_header(file: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file by name; their content is not read.

    Raises:
        CheckpointError: It is no safetensors file, or is cut off.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > min(_LONGEST_HEADER, size - _LENGTH_BYTES):
            raise _not_whole(file, f"{size} bytes hold no header of {length}")
        header = stream.read(length)
    try:
        content = msgspec.json.decode(header, type=dict[str, Any])
        content.pop("__metadata__", None)
        tensors = msgspec.convert(content, dict[str, Tensor])
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _not_whole(file, f"its header cannot be read: {error}") from error
    ends = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if (expected := _LENGTH_BYTES + length + ends) != size:
        raise _not_whole(file, f"{expected} bytes are expected by its header, {size} are there")
    return tensors


def stored_numbers(files: Iterable[Path]) -> Counter[str]:
    """How many numbers of each format safetensors files hold, such as `BF16`.

    Raises:
        CheckpointError: One is no safetensors file, or is cut off.
    """
    numbers: Counter[str] = Counter()
    for file in files:
        for tensor in read_header(file).values():
            numbers[tensor.dtype] += math.prod(tensor.shape)
    return numbers


def stray_weights(folder: Path) -> list[Path]:
    """Safetensors files of a folder that its weights leave out, which vLLM would read all the same.

    vLLM follows the index where there is one, and else reads every file of that format.
    """
    read = set(weight_files(folder))
    index = folder / INDEX
    by_vllm = _indexed(folder, index) if index.is_file() else folder.glob("*.safetensors")
    return sorted(set(by_vllm) ^ read)


def _indexed(folder: Path, index: Path) -> list[Path]:
    places = read_json(index, _Index).weight_map
    names = sorted(set(places.values()))
    if not names:
        raise CheckpointError("the index of shards names none", file=index)
    for name in names:
        _refuse_outside(folder, name, index)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(
            f"the index names {len(names)} shards, {len(missing)} of them are missing",
            file=index,
            missing=", ".join(missing[:_SHOWN]),
            hint="copy or download the missing files",
        )
    headers = {name: read_header(folder / name).keys() for name in names}
    lost = [tensor for tensor, name in places.items() if tensor not in headers[name]]
    if lost:
        raise CheckpointError(
            f"the index names {len(places)} tensors, {len(lost)} of them are not in their shards",
            file=index,
            missing=", ".join(f"{tensor} in {places[tensor]}" for tensor in lost[:_SHOWN]),
            hint="copy or download index and shards again, all of one version",
        )
    return [folder / name for name in names]


def _refuse_outside(folder: Path, name: str, index: Path) -> None:
    """Only safetensors inside the folder; a link that stands there is the user's own."""
    path, facts = PurePosixPath(name), {"file": index, "found": repr(name)}
    if path.suffix != ".safetensors":
        raise CheckpointError(
            "the index of shards names a file that is not .safetensors, and only those are read: "
            "opening a pickle runs whatever code is in it",
            **facts,
            hint="save the model again with save_pretrained(FOLDER)",
        )
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise CheckpointError(
            "the index of shards names a file outside of its folder",
            **facts,
            leads_to=(folder / name).resolve(),
            hint="copy the shards into the folder and name them there",
        )


def _not_whole(file: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"the weights cannot be loaded, they are no whole safetensors file: {reason}",
        file=file,
        hint="copy or download the file again",
    )


def _no_weights(folder: Path) -> CheckpointError:
    pickles = sorted(path for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        return CheckpointError(
            "the folder holds pickled weights only, and those are not read: "
            "opening a pickle runs whatever code is in it",
            file=pickles[0],
            hint="where you trust it: AutoModelForCausalLM.from_pretrained(FOLDER)"
            ".save_pretrained(NEW) writes safetensors",
        )
    gguf = sorted(folder.glob("*.gguf"))
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
