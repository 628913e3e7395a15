"""Loads weights for the transformers engine, and says at once when they are not whole."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from emdiag.core.errors import CheckpointError, EngineMissingError
from emdiag.engines.checkpoint.border import checkpoint_errors
from emdiag.engines.checkpoint.gguf_file import opened_by_library
from emdiag.engines.checkpoint.tokenizers import open_config, quiet_transformers
from emdiag.engines.hf.quantised import Packing, packing_of
from emdiag.engines.options import EngineOptions

_NUMBERED = re.compile(r"((?P<stack>\D+)\.\d+\.)(?P<rest>.+)")

_HINT = "use a config.json and weights that belong together, of a family that transformers knows"

SMALL_PARAMETERS = 20_000_000
"""Below this a CPU model gets one thread: several would spend their time waiting for each other,
most of all on a machine that has other work."""


def pick_device(name: str) -> torch.device:
    """The device that `name` means; `auto` is CUDA where there is a device, else the CPU.

    Raises:
        EngineMissingError: The device is not there, or torch does not know the word.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise EngineMissingError(
            f"torch {torch.__version__} cannot use the device {name!r}: "
            f"{str(error).splitlines()[0]}",
            hint="leave --device at auto, or install a torch built for this device",
        ) from error
    return device


def auto_dtype(device: torch.device) -> str:
    """The number format `auto` stands for on a device."""
    return "bfloat16" if device.type == "cuda" else "float32"


def load_model(
    path: str, *, dtype: str, options: EngineOptions, device: torch.device | None = None
) -> PreTrainedModel:
    """The model of a folder or `.gguf` file, in evaluation mode on a device, or the options' own.

    Raises:
        EngineMissingError: The device is not there, or what quantised weights need.
        CheckpointError: It is an encoder with a decoder, or the weights cannot be read, do not fit
            the configuration, or lack tensors, which transformers would fill with random numbers.
    """
    device = device or pick_device(options.device)
    packing: Packing = "none"
    if not path.lower().endswith(".gguf"):
        config = open_config(path, trust_remote_code=options.trust_remote_code)
        _refuse_encoder(config, path)
        _refuse_compiled(config, path, device)
        packing = packing_of(config, path)
    # Packed weights may not move once they are loaded.
    placed = {"device_map": {"": device}} if packing == "packed" else {}
    loader: Any = AutoModelForCausalLM  # its stub knows one of two kinds of result
    with (
        checkpoint_errors("the weights cannot be loaded", checkpoint=path, hint=_HINT),
        opened_by_library(path) as (folder, gguf),
        quiet_transformers(),
    ):
        try:
            model, report = loader.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=options.trust_remote_code,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, with both shapes
                **gguf,
                **placed,
            )
        except ValueError as error:
            if "Unrecognized configuration class" in str(error):
                raise _no_causal_model(error, path) from error
            raise
    _refuse_other_shapes(report, path)
    model.config.return_dict = True  # whatever the checkpoint asks for: outputs are read by name
    _refuse_lacking(report, path)
    _refuse_ignored(model, report, path)
    with checkpoint_errors(
        "the weights do not fit on the device",
        checkpoint=path,
        device=device,
        hint="take --dtype bfloat16 or a larger device",
    ):
        if packing == "unpacked" and dtype == "float32":
            for weight in model.parameters():  # the library leaves some in bfloat16
                weight.data = weight.data.float()
        loaded: PreTrainedModel = model.eval() if placed else model.eval().to(device)
    return loaded


def limit_threads(
    model: PreTrainedModel, threads: int | None, *, small: int = SMALL_PARAMETERS
) -> int:
    """Give torch these threads, or one for a small model on a CPU; how many it had before."""
    before = torch.get_num_threads()
    is_small = model.device.type == "cpu" and model.num_parameters() < small
    torch.set_num_threads(threads or (1 if is_small else before))
    return before


def _refuse_other_shapes(report: dict[str, Any], path: str) -> None:
    differing = sorted(report.get("mismatched_keys", ()))
    if differing:
        name, shape, expected = differing[0]
        raise CheckpointError(
            f"the weights cannot be loaded: {len(differing)} tensors have another shape than the "
            "configuration asks for",
            checkpoint=path,
            first=name,
            expected=tuple(expected),
            found=tuple(shape),
            hint="use the config.json that belongs to these weights",
        )


def _refuse_lacking(report: dict[str, Any], path: str) -> None:
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise CheckpointError(
            f"the checkpoint lacks {len(missing)} tensors of its architecture",
            checkpoint=path,
            missing=", ".join(missing[:5]),
            hint="save the whole model again; random numbers would have stood in for them",
        )


def _refuse_compiled(config: PreTrainedConfig, path: str, device: torch.device) -> None:
    """Refuse attention that is compiled in C++ for every length, minutes each, on a CPU."""
    wanted = str(config._attn_implementation)  # noqa: SLF001 - no public name
    if "flex_attention" in wanted and device.type == "cpu":
        raise CheckpointError(
            f"the configuration asks for {wanted}, which a CPU compiles for minutes",
            file=Path(path) / "config.json",
            hint="leave attn_implementation out of it",
        )


def _refuse_encoder(config: PreTrainedConfig, path: str) -> None:
    """Refuse a decoder that reads what an encoder wrote: without one it would be sampled blind."""
    if getattr(config, "is_encoder_decoder", False):
        raise CheckpointError(
            "this checkpoint is an encoder with a decoder, not a causal language model",
            checkpoint=path,
            found=type(config).__name__,
            hint="give a decoder, such as Llama, Qwen2 or Gemma2",
        )


def _refuse_ignored(model: PreTrainedModel, report: dict[str, Any], path: str) -> None:
    """Refuse tensors that belong to a layer the model has and that it would leave out.

    Those of parts it does not have, such as another modality, are left out in peace.
    """
    layers = {
        name
        for name, layer in model.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    }
    unexpected = sorted(report.get("unexpected_keys", ()))
    ignored = [name for name in unexpected if name.rpartition(".")[0] in layers]
    ignored += _further_layers(unexpected, layers)
    if ignored:
        raise CheckpointError(
            f"the weights hold {len(ignored)} tensors that the configuration leaves out: they are "
            "of another architecture",
            checkpoint=path,
            architecture=type(model).__name__,
            left_out=", ".join(ignored[:5]),
            hint="use the config.json that belongs to these weights",
        )


def _further_layers(unexpected: Sequence[str], layers: Set[str]) -> list[str]:
    """Tensors of whole layers like the first that come after those of the model.

    Layers that predict further tokens come there too, and hold more than the first has.
    """
    numbered: dict[str, list[tuple[str, str]]] = {}
    for name in unexpected:
        if match := _NUMBERED.match(name):
            first = f"{match['stack']}.0.{match['rest']}"
            numbered.setdefault(match[1], []).append((name, first.rpartition(".")[0]))
    return [
        name
        for prefix, tensors in numbered.items()
        if not any(layer.startswith(prefix) for layer in layers)
        and all(first in layers for _, first in tensors)
        for name, _ in tensors
    ]


def _no_causal_model(error: ValueError, path: str) -> CheckpointError:
    return CheckpointError(
        "this checkpoint is not a causal language model",
        checkpoint=path,
        found=str(error).partition("<class '")[2].partition("'")[0].rpartition(".")[2],
        hint="give a decoder, such as Llama, Qwen2 or Gemma2",
    )
