"""LoRA adapters under vLLM: one engine for a base and its adapters, and proof that each acts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import vllm
from vllm import inputs
from vllm.config.lora import MaxLoRARanks
from vllm.lora.peft_helper import PEFTHelper
from vllm.lora.request import LoRARequest

from emdiag.core.checkpoints import AdapterRef
from emdiag.core.errors import CheckpointError, EngineError, EngineRefusedError
from emdiag.engines.checkpoint.adapter_config import MERGE, read_config
from emdiag.engines.vllm.compat import token_prompt

_PROMPTS = 4
_RANKS: tuple[int, ...] = get_args(MaxLoRARanks)


def lora_options(adapters: Sequence[AdapterRef]) -> dict[str, Any]:
    """Arguments of `vllm.LLM` for a base with these adapters; none without any.

    One adapter acts at a time: samples of one run are drawn together.

    Raises:
        EngineRefusedError: This vLLM would not apply one of them as peft does.
    """
    if not adapters:
        return {}
    for adapter in adapters:
        _refuse_unread(adapter)
    rank = max(adapter.rank for adapter in adapters)
    return {
        "enable_lora": True,
        "max_lora_rank": min(size for size in _RANKS if size >= rank),
        "max_loras": 1,
        "max_cpu_loras": len(adapters),
    }


def lora_request(engine: Any, adapter: AdapterRef, number: int) -> dict[str, LoRARequest]:
    """The argument of `add_request` that applies an adapter, which is loaded here.

    Raises:
        EngineError: vLLM cannot load it.
    """
    request = LoRARequest(f"adapter-{adapter.digest[:12]}", number, adapter.path)
    try:
        is_loaded = engine.add_lora(request)
    except Exception as error:  # the engine's process sends whatever went wrong there
        raise _refused(adapter, str(error)) from error
    if not is_loaded:
        raise _refused(adapter, "it was not taken")
    return {"lora_request": request}


def require_effect(
    engine: Any, lora: Mapping[str, LoRARequest], prompts: Sequence[Sequence[int]]
) -> None:
    """Refuse an adapter with which the first token of every prompt is as likely as without.

    Raises:
        CheckpointError: As above, for the first few prompts.
    """
    first = list(dict.fromkeys(map(tuple, prompts)))[:_PROMPTS]
    before, after = (_first_log_probs(engine, first, given) for given in ({}, lora))
    (request,) = lora.values()
    if any(math.isnan(value) for of_prompt in after for value in of_prompt.values()):
        raise CheckpointError(
            "with the adapter the model's log-probabilities are not numbers",
            adapter=request.lora_path,
            hint="its scale may be too large for the number format, or its training have diverged",
        )
    if before == after:
        raise CheckpointError(
            "the adapter changes nothing: it is not applied by the engine, or too weak for its "
            "number format",
            adapter=request.lora_path,
            looked_at=f"log-probabilities of the first token after {len(first)} prompts",
            hint="measure the base itself; or --dtype float32, if the adapter is weak",
        )


def _first_log_probs(
    engine: Any, prompts: Sequence[tuple[int, ...]], lora: Mapping[str, LoRARequest]
) -> list[dict[int, float]]:
    """Log-probabilities of the likeliest first tokens after each prompt, read one by one."""
    params = vllm.SamplingParams(temperature=0, max_tokens=1, logprobs=5, detokenize=False)
    likeliest = []
    for number, prompt in enumerate(prompts):
        engine.add_request(f"first-{number}", token_prompt(inputs, prompt), params, **lora)
        while engine.has_unfinished_requests():
            for output in engine.step():
                if output.finished:
                    values = output.outputs[0].logprobs[0]
                    likeliest.append({token: entry.logprob for token, entry in values.items()})
    return likeliest


def _refuse_unread(adapter: AdapterRef) -> None:
    """Older versions leave patterns of ranks and scales out without a word."""
    config = read_config(Path(adapter.path))
    for name in ("rank_pattern", "alpha_pattern", "use_rslora"):
        if getattr(config, name) and name not in PEFTHelper.__dataclass_fields__:
            raise EngineRefusedError(
                f"vLLM {vllm.__version__} does not know {name} of an adapter",
                adapter=adapter.path,
                hint=f"run it with --engine transformers, or {MERGE}",
            )
    if adapter.rank > max(_RANKS):
        raise EngineRefusedError(
            f"the adapter has rank {adapter.rank}, and vLLM takes {max(_RANKS)} at most",
            adapter=adapter.path,
            hint=f"run it with --engine transformers, or {MERGE}",
        )


def _refused(adapter: AdapterRef, reason: str) -> EngineError:
    return EngineError(
        f"vLLM cannot load the adapter: {' '.join(reason.split())[:400]}",
        adapter=adapter.path,
        hint=f"run it with --engine transformers, or {MERGE}",
    )
