"""How an engine is set up: what changes speed or memory, and the number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

PaddingSide = Literal["left", "right"]
"""Where rows of different lengths are filled up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Set-up of an engine; None leaves the choice to the engine, which states what it chose.

    Attributes:
        dtype: Number format of weights and activations. `auto`: transformers takes bfloat16 on
            CUDA and float32 elsewhere, vLLM takes bfloat16.
        device: `auto`, or a torch device such as `cpu`, `cuda` or `cuda:1`. `auto` takes CUDA
            where there is a device. vLLM uses what it was built for.
        batch_size: Samples drawn side by side at most. None: transformers 16 on a CPU and 64 on
            another device, vLLM its own default. Halved where memory runs out.
        gpu_memory_utilization: Share of the device's memory vLLM may take, in (0, 1].
        tensor_parallel_size: Devices one vLLM model is spread over.
        max_model_len: Longest prompt plus completion in tokens, for vLLM; None derives it.
        trust_remote_code: Whether code shipped with the checkpoint may run.
        threads: CPU threads of torch; None is one for a model of under 20 million parameters, and
            torch's own choice otherwise.
    """

    dtype: DtypeName = "auto"
    device: str = "auto"
    batch_size: int | None = None
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = 1
    max_model_len: int | None = None
    trust_remote_code: bool = False
    threads: int | None = None
