"""How an engine is set up: what changes speed or memory, and the number format."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from emdiag.core.options import Option
from emdiag.core.records import Record

ENGINE = "Engine"

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

PaddingSide = Literal["left", "right"]
"""Where rows of different lengths are filled up."""


class EngineOptions(Record, frozen=True, kw_only=True):
    """Set-up of an engine; None leaves the choice to the engine, which states what it chose.

    Attributes:
        engine: `auto` is resolved for each checkpoint.
        dtype: Number format of weights and activations. `auto`: transformers takes bfloat16 on
            CUDA and float32 elsewhere, vLLM takes bfloat16.
        device: `auto`, or a torch device such as `cpu`, `cuda` or `cuda:1`. `auto` takes CUDA
            where there is a device. vLLM uses what it was built for.
        batch_size: Samples drawn side by side at most. None: transformers 16 on a CPU and 64 on
            another device, vLLM its own default. Halved where memory runs out.
        gpu_memory_utilization: In (0, 1].
        max_model_len: Of prompt plus completion, in tokens.
        threads: CPU threads of torch; None is one for a model of under 20 million parameters, and
            torch's own choice otherwise.
    """

    panel: ClassVar[str] = ENGINE

    engine: Annotated[str, Option("auto, transformers, vllm, scripted or package.module:name.")] = (
        "auto"
    )
    dtype: Annotated[DtypeName, Option("auto, float32, bfloat16 or float16.")] = "auto"
    device: Annotated[str, Option("auto, cpu, cuda, cuda:1, ...")] = "auto"
    batch_size: Annotated[int | None, Option("Samples drawn side by side.")] = None
    tensor_parallel_size: Annotated[int, Option("Devices for one model (vllm).")] = 1
    gpu_memory_utilization: Annotated[float, Option("Share of the device's memory (vllm).")] = 0.9
    max_model_len: Annotated[int | None, Option("Longest sequence (vllm); derived by default.")] = (
        None
    )
    trust_remote_code: Annotated[
        bool,
        Option("Let code shipped with the checkpoint run.", flags=("--trust-remote-code",)),
    ] = False
    threads: Annotated[int | None, Option("CPU threads of torch.")] = None
