"""How a checkpoint's weights are packed, by its configuration; nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emdiag.engines.checkpoint.border import read_json

UNNAMED = "method not named"
_BLOCKS = ("quantization_config", "compression_config")
_LONGEST = 80


def quantization_of(config: Path) -> str | None:
    """The method in words, such as `gptq 4 bit`; None for weights as they were trained."""
    blocks = quantised_parts(read_json(config, dict[str, Any]))
    return next((_described(block) for block in blocks if isinstance(block, dict)), None)


def quantised_parts(config: dict[str, Any]) -> Iterator[Any]:
    """What a configuration, or one nested in it, says of quantised weights, if anything."""
    yield from (config[name] for name in _BLOCKS if config.get(name))
    for value in config.values():
        if isinstance(value, dict):
            yield from quantised_parts(value)


def _described(block: dict[str, Any]) -> str:
    """Method, format and bits, as far as each library says them."""
    if block.get("load_in_4bit"):
        kind, bits = block.get("bnb_4bit_quant_type"), 4
    else:
        kind = _first(block, ("format", "fmt", "quant_type", "_type"), str)
        bits = _first(block, ("bits", "w_bit", "nbits", "num_bits"), int)
        bits = 8 if block.get("load_in_8bit") else bits
    method = block.get("quant_method")
    if method is None and (block.get("load_in_4bit") or block.get("load_in_8bit")):
        method = "bitsandbytes"
    words = [str(method or UNNAMED), str(kind or ""), f"{bits} bit" if bits else ""]
    return " ".join(word for word in words if word)[:_LONGEST]


def _first(block: dict[str, Any], names: Sequence[str], kind: type) -> Any:
    """The first value under one of the names that is of this kind, the outermost one."""
    values = (block[name] for name in names if isinstance(block.get(name), kind))
    inner = (_first(part, names, kind) for part in block.values() if isinstance(part, dict))
    return next((value for value in (*values, *inner) if value is not None), None)
