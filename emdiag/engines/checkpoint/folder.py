"""A checkpoint folder is looked through before any library opens it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib import util
from pathlib import Path
from typing import Any

import msgspec

from emdiag.core.errors import CheckpointError
from emdiag.core.reading import InputFile
from emdiag.engines.checkpoint.border import as_record, checkpoint_errors, read_json
from emdiag.engines.checkpoint.quantization import quantised_parts
from emdiag.engines.checkpoint.weight_files import Tensor, read_header, weight_files

_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt", "*.tiktoken")
_TOKENIZER_FILES = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("merges.txt", "vocab.txt", "*.model", "*.tiktoken", "chat_template*"),
)
_READ = (
    *("config.json", "generation_config.json", "emdiag.json", "adapter_config.json"),
    *("*.safetensors", "*.safetensors.index.json", *_TOKENIZER_FILES, "*.py"),
)
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.*")
_WHOLE_FILES = ("model*.safetensors", "pytorch_model*.bin")

_MOST_LAYERS = 1000
"""More than this, and more than there are tensors, would be built for minutes before it fails."""

_LAYERS = frozenset({"num_hidden_layers", "n_layer", "n_layers", "num_layers"})
_WIDTHS = frozenset({"vocab_size", "hidden_size", "intermediate_size", "n_embd", "d_model"})
_NEVER_ZERO = frozenset({"vocab_size", "hidden_size", "num_hidden_layers"})
_KERNELS = ("attn_implementation", "experts_implementation")

_EMBEDDINGS = frozenset(
    {"model.embed_tokens.weight", "transformer.wte.weight", "gpt_neox.embed_in.weight"}
)

Special = str | dict[str, Any] | None
Ids = int | list[int] | None


class _Config(msgspec.Struct):
    """What is relied on of `config.json`; all else is the library's to check."""

    model_type: str | None = None
    architectures: list[str] | None = None
    vocab_size: int | None = None
    eos_token_id: Any = None
    bos_token_id: Any = None
    text_config: dict[str, Any] | None = None
    quantization_config: dict[str, Any] | None = None
    transformers_weights: str | None = None


class _Generation(msgspec.Struct):
    eos_token_id: Ids = None


class _NamedTemplate(msgspec.Struct):
    name: str
    template: str


class _TokenizerConfig(msgspec.Struct):
    chat_template: str | list[_NamedTemplate] | None = None
    tokenizer_class: str | None = None
    auto_map: list[Any] | dict[str, Any] | None = None
    model_max_length: float | None = None
    added_tokens_decoder: dict[str, dict[str, Any]] | None = None
    fast_tokenizer_files: list[str] | None = None
    bos_token: Special = None
    eos_token: Special = None
    unk_token: Special = None
    pad_token: Special = None


_RECORDS: dict[str, type[Any]] = {
    "config.json": _Config,
    "generation_config.json": _Generation,
    "tokenizer_config.json": _TokenizerConfig,
    "special_tokens_map.json": dict[str, Any],
    "added_tokens.json": dict[str, int],
}


def check_folder(folder: Path, *, trust_remote_code: bool = False) -> list[Path]:
    """The safetensors files that hold the weights of a checkpoint folder.

    Raises:
        CheckpointError: The folder holds an adapter too, has pickled weights only, lacks its
            configuration, tokenizer or a shard, holds a file that is none or cannot be read, or
            names code of others that is not trusted.
    """
    with checkpoint_errors(
        "the checkpoint folder cannot be read",
        folder=folder,
        hint="mend names and permissions",
    ):
        refuse_odd_files(folder)
        _refuse_adapter(folder)
        weights = weight_files(folder)
        _refuse_incomplete(folder)
        config = _read_records(folder)
        if not trust_remote_code:
            _refuse_foreign_code(folder / "config.json", config)
        tensors = {name: entry for file in weights for name, entry in read_header(file).items()}
        _refuse_sizes(folder / "config.json", config, tensors)
        _refuse_other_vocabulary(folder / "config.json", config, tensors)
        _refuse_whole_numbers(folder, config, tensors)
    return weights


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no whole weights."""
    return bool(matching(folder, _ADAPTER_FILES)) and not matching(folder, _WHOLE_FILES)


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a whole tokenizer."""
    return bool(matching(folder, _TOKENIZERS))


def tokenizer_files(folder: Path) -> list[Path]:
    """Every file of a checkpoint folder that turns text into token ids and back, by name."""
    return matching(folder, _TOKENIZER_FILES)


def matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """The plain files of a folder whose names fit one of the patterns, by name."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def refuse_odd_files(folder: Path) -> None:
    """A pipe in a file's place would be waited for, a device never ends."""
    for path in sorted(folder.iterdir()):
        if path.is_file() or not any(fnmatch(path.name, pattern) for pattern in _READ):
            continue
        kind = "a folder" if path.is_dir() else "no plain file (a pipe, device or socket)"
        if not path.exists():
            kind = f"a link to {path.readlink()}, where nothing is"
        raise CheckpointError(
            f"a file is expected under the name {path.name}, and there is {kind}",
            file=path,
            hint="put the file there, or remove what is in its place",
        )


def _refuse_adapter(folder: Path) -> None:
    adapters = matching(folder, _ADAPTER_FILES)
    if adapters and matching(folder, _WHOLE_FILES):
        raise CheckpointError(
            "the folder holds whole weights and an adapter (LoRA), and which of them is meant "
            "cannot be seen",
            file=adapters[0],
            hint="move the adapter to a folder of its own, or merge it: peft's "
            "merge_and_unload(), then save_pretrained(FOLDER)",
        )


def _refuse_incomplete(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            "a checkpoint folder needs config.json, and there is none",
            folder=folder,
            hint="save the model with save_pretrained(FOLDER)",
        )
    if not has_tokenizer(folder):
        raise CheckpointError(
            "a checkpoint folder needs a tokenizer, and there is none",
            folder=folder,
            hint="save it next to the weights: tokenizer.save_pretrained(FOLDER)",
        )


def _read_records(folder: Path) -> dict[str, Any]:
    """Every small JSON file looked at once; the content of the configuration."""
    config: dict[str, Any] = {}
    for name, record in _RECORDS.items():
        file = folder / name
        if file.is_file():
            content = read_json(file, dict[str, Any])
            as_record(content, record, file)
            if record is _Config:
                config = content
    for file in matching(folder, ("chat_template*.jinja",)):
        source = InputFile(path=file, what="a chat template", error=CheckpointError)
        source.decoded(source.content())
    if weights := config.get("transformers_weights"):
        raise CheckpointError(
            f"the configuration asks for the weights {weights!r}, and others would be measured "
            "where a library does not know that",
            file=folder / "config.json",
            hint="name the file model.safetensors and leave transformers_weights out",
        )
    return config


def _refuse_foreign_code(file: Path, config: dict[str, Any]) -> None:
    """Code that is fetched by name from a hub runs like code in the folder."""
    for where, value in _walk(config):
        name = where.rpartition(".")[2].removeprefix("_")
        if (name in _KERNELS and _names_kernel(value)) or (name == "use_kernels" and value):
            raise CheckpointError(
                f"the configuration asks for code of others: {where} is {value!r}",
                file=file,
                hint="leave it out of config.json; or --trust-remote-code, if you trust it",
            )


def _names_kernel(value: object) -> bool:
    """Whether a kernel of a hub would be loaded; flash attention is, where only `kernels` is."""
    values = value.values() if isinstance(value, dict) else [value]
    names = [name.removeprefix("paged|") for name in values if isinstance(name, str)]
    fetched = util.find_spec("kernels") is not None and util.find_spec("flash_attn") is None
    return any("/" in name or (fetched and name.startswith("flash_")) for name in names)


def _refuse_sizes(file: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Sizes far beyond the weights would take minutes or all memory before they are refused."""
    bits = 8 * sum(tensor.size for tensor in tensors.values())
    for where, value in _walk(config):
        name = where.rpartition(".")[2]
        most = bits if name in _WIDTHS else max(_MOST_LAYERS, len(tensors))
        least = 1 if where in _NEVER_ZERO else 0
        if name not in _WIDTHS | _LAYERS or not isinstance(value, int) or least <= value <= most:
            continue
        raise CheckpointError(
            f"{where} is {value}, which the weights cannot be: they are {len(tensors)} tensors of "
            f"{bits // 8} bytes in all",
            file=file,
            hint="use the config.json that belongs to these weights",
        )


def refuse_larger(config: Any, folder: Path) -> None:
    """Refuse a model of whose matrices one alone is larger than all weights of the folder.

    What a configuration leaves out has the family's default: without this, billions of random
    numbers would be drawn before the weights were found not to fit.

    Raises:
        CheckpointError: As above.
    """
    bits = 8 * sum(file.stat().st_size for file in matching(folder, ("*.safetensors",)))
    rows, width = (getattr(config, name, None) for name in ("vocab_size", "hidden_size"))
    if bits and isinstance(rows, int) and isinstance(width, int) and rows * width > bits:
        raise CheckpointError(
            "the configuration is of a larger model than the weights: "
            f"vocab_size {rows}, hidden_size {width}",
            file=folder / "config.json",
            found=f"{bits // 8} bytes of weights",
            hint="use the whole config.json that belongs to these weights",
        )


def _refuse_other_vocabulary(
    file: Path, config: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """The vocabulary is compared early: all that follows would blame the tokenizer."""
    size = config.get("vocab_size")
    for name in _EMBEDDINGS & tensors.keys():
        shape = tensors[name].shape
        is_packed = not tensors[name].dtype.startswith(("F", "BF"))
        if size is None or "text_config" in config or shape[:1] == [size] or is_packed:
            continue
        raise CheckpointError(
            "a tensor has another shape than the configuration asks for",
            file=file,
            tensor=name,
            expected=f"({size}, ...): vocab_size",
            found=tuple(shape),
            hint="use the config.json that belongs to these weights",
        )


def _refuse_whole_numbers(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Quantised weights without what they are multiplied by would be taken as they stand."""
    kept = {
        name: tensor.dtype
        for name, tensor in tensors.items()
        if name.endswith(".weight") and not tensor.dtype.startswith(("F", "BF"))
    }
    if kept and not any(quantised_parts(config)):
        name, dtype = min(kept.items())
        raise CheckpointError(
            f"{len(kept)} weights are not floating point numbers ({name} is {dtype}), and the "
            "configuration names no quantization",
            folder=folder,
            hint="use the whole config.json that belongs to these weights",
        )


def _walk(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value in nested objects, with its place such as `text_config.vocab_size`."""
    for name, value in config.items():
        yield name, value
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", nested) for inner, nested in _walk(value))
