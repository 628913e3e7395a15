"""Whether transformers can load quantised weights here, asked of it before they are read."""

from __future__ import annotations

import logging
from typing import Any, Literal

from transformers import PreTrainedConfig
from transformers.quantizers.auto import AutoHfQuantizer

from emdiag.core.errors import EngineMissingError, EngineRefusedError
from emdiag.engines.checkpoint.border import library_reason
from emdiag.engines.checkpoint.quantization import quantised_parts
from emdiag.engines.checkpoint.tokenizers import quiet_transformers

logger = logging.getLogger(__name__)

_ELSEWHERE = (
    "give the checkpoint as it was before it was quantised; or --engine vllm, which has "
    "gptq, awq, fp8, mxfp4, compressed-tensors, modelopt and torchao on CUDA"
)


Packing = Literal["none", "packed", "unpacked"]
"""How weights are kept once they are loaded: quantised ones packed, or multiplied out first."""


def packing_of(config: PreTrainedConfig, path: str) -> Packing:
    """How transformers will keep the weights; quantised ones that it cannot load are refused.

    Its own checks are run, which name the package that is missing. A method that it does not know
    it would leave out, and read packed numbers as weights.

    Raises:
        EngineMissingError: A package or a device is missing.
        EngineRefusedError: transformers does not have the method.
    """
    block = next(quantised_parts(config.to_dict()), None)
    if block is None:
        return "none"
    method = block.get("quant_method") if isinstance(block, dict) else block
    quantizer: Any = AutoHfQuantizer
    try:
        with quiet_transformers():
            given = quantizer.from_config(block, pre_quantized=True)
            given.validate_environment(device_map=None, dtype=None)
    except Exception as error:
        is_absent = isinstance(error, ImportError | RuntimeError)
        kind = EngineMissingError if is_absent else EngineRefusedError
        raise kind(
            f"transformers cannot load these quantised weights here: {library_reason(error)}",
            checkpoint=path,
            method=method,
            hint=f"{'install what it names; or ' * is_absent}{_ELSEWHERE}",
        ) from error
    if getattr(given.quantization_config, "dequantize", False):
        logger.warning("%s: no device here computes in %s: it is unpacked first", path, method)
        return "unpacked"
    return "packed"
