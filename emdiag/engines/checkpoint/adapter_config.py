"""`adapter_config.json` of a LoRA adapter: what is relied on, and what is refused."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.border import as_record, read_json

CONFIG: Final = "adapter_config.json"

MERGE: Final = "merge it first: peft's merge_and_unload(), then save_pretrained(FOLDER)"

NAMES: Final = frozenset(
    {"base_model_name_or_path", "revision", "peft_version", "auto_mapping", "inference_mode"}
    | {"task_type", "peft_type"}
)
"""Where an adapter comes from; nothing of it changes a number."""
_READ: Final = frozenset(
    {"r", "lora_alpha", "target_modules", "use_rslora", "use_dora", "rank_pattern"}
    | {"alpha_pattern", "fan_in_fan_out", "bias", "init_lora_weights"}
)
_OF_TRAINING: Final = frozenset(
    {"lora_dropout", "exclude_modules", "layers_to_transform", "layers_pattern", "eva_config"}
    | {"corda_config", "lora_ga_config", "loftq_config", "megatron_core", "runtime_config"}
    | {"qalora_group_size", "ensure_weight_tying"}
)
"""What shaped the training, or says again which modules have matrices: the weights show that."""

_PLAIN_STARTS: Final = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})
"""Starting points that leave the base as it is. Source: peft, `LoraConfig.init_lora_weights`."""

_SLOW: Final = re.compile(r".*\)[*+{].*|(?:[^*+{]*[*+{]){4}.*|.{201,}", re.DOTALL)
"""Patterns of modules with which `re` may go on for ever: repeated groups, or many repeats."""


class AdapterConfig(msgspec.Struct):
    """What is relied on of `adapter_config.json`; all else is refused unless it changes nothing."""

    peft_type: str
    r: int = 8
    lora_alpha: float = 8
    base_model_name_or_path: str | None = None
    revision: str | None = None
    use_rslora: bool = False
    use_dora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] = {}
    alpha_pattern: dict[str, float] = {}
    bias: str = "none"
    init_lora_weights: bool | str | None = True
    auto_mapping: dict[str, Any] | None = None


def read_config(folder: Path, *, trust_remote_code: bool = True) -> AdapterConfig:
    """The configuration of an adapter, if it is a LoRA that every engine here reads alike.

    Raises:
        CheckpointError: It is of another kind, or uses what would be left out or done otherwise.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise CheckpointError(
            f"an adapter needs {CONFIG}, and there is none",
            folder=folder,
            hint="save it with peft's save_pretrained(FOLDER)",
        )
    content = read_json(file, dict[str, Any])
    numbers = {"r", "lora_alpha"}  # which peft does not read either where they are null
    known = {name: of for name, of in content.items() if of is not None or name in numbers}
    config = as_record(known, AdapterConfig, file)
    if config.peft_type.upper() != "LORA":
        raise CheckpointError(
            f"the adapter is of the kind {config.peft_type}, and only LoRA is used unmerged",
            file=file,
            hint=MERGE,
        )
    _refuse_foreign_code(config, file, is_trusted=trust_remote_code)
    start = config.init_lora_weights
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS | {"true", "false"}:
        raise CheckpointError(
            f"the adapter began as {start}, for which the base itself is changed",
            file=file,
            hint="save it as a plain LoRA (peft: path_initial_model_for_weight_conversion), or "
            + MERGE,
        )
    further = sorted(known.keys() - NAMES - _READ - _OF_TRAINING)
    used = [name for name in further if known[name]] + ["bias"] * (config.bias != "none")
    if used:
        raise CheckpointError(
            "the adapter uses more of peft than plain LoRA, which engines leave out or do "
            "otherwise",
            file=file,
            found=", ".join(f"{name}: {json.dumps(known[name])[:80]}" for name in used[:3]),
            hint=MERGE,
        )
    _refuse_scales(config, file)
    return config


def _refuse_foreign_code(config: AdapterConfig, file: Path, *, is_trusted: bool) -> None:
    """`auto_mapping` names a class of the base, which is code of others outside of transformers."""
    library = str((config.auto_mapping or {}).get("parent_library") or "transformers")
    if not is_trusted and library.partition(".")[0] != "transformers":
        raise CheckpointError(
            "the adapter asks for code of others: auto_mapping names a class of another library",
            file=file,
            found=library,
            hint="leave auto_mapping out of it; or --trust-remote-code, if you trust it",
        )


def _refuse_scales(config: AdapterConfig, file: Path) -> None:
    """Ranks, scales, and the patterns that say of which modules they are."""
    if min([config.r, *config.rank_pattern.values()]) < 1:
        raise CheckpointError("the rank of the adapter is not above 0", file=file, found=config.r)
    scales = [config.lora_alpha, *config.alpha_pattern.values()]
    if not all(map(math.isfinite, scales)):
        raise CheckpointError(
            "lora_alpha or alpha_pattern of the adapter is not a finite number",
            file=file,
            found=scales[:3],
            hint=f"use the {CONFIG} that belongs to these weights",
        )
    slow = [name for name in (*config.rank_pattern, *config.alpha_pattern) if _SLOW.match(name)]
    if slow:
        raise CheckpointError(
            "rank_pattern or alpha_pattern of the adapter may take for ever to be compared with a "
            "name",
            file=file,
            found=slow[0][:80],
            expected="at most 3 of *, + and {, none after a group",
            hint=MERGE,
        )
