"""Several processes that train one model: who draws what, and where whole weights are.

`accelerate launch` decides how many processes there are and how weights lie on them. Replicas
(DDP) and ZeRO stages 1 and 2 hold whole weights. Under FSDP and ZeRO stage 3 each process keeps one
whole copy beside its part, to sample, to measure and to save from.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedType, gather_object
from torch import nn

from emdiag.core.errors import EngineMissingError
from emdiag.core.sampling import Completion

_SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)
_WRAPPERS = {"module", "_fsdp_wrapped_module", "_orig_mod"}


def open_accelerator(*, device: str, tracker: str | None, folder: Path) -> Accelerator:
    """This process's place among all that train; on its own device unless `device` is `cpu`.

    Raises:
        EngineMissingError: The tracker's library is not installed.
    """
    available = [str(name) for name in get_available_trackers()]
    if tracker is not None and tracker not in available:
        raise EngineMissingError(
            f"the tracker {tracker} is asked for and its library is not installed",
            installed=", ".join(available) or "none",
            hint=f"pip install {tracker}; the record in updates.jsonl needs none",
        )
    return Accelerator(
        cpu=device == "cpu",
        log_with=tracker,
        project_dir=str(folder) if tracker else None,
    )


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether a process may hold only a part of weights or moments."""
    return accelerator.distributed_type in _SHARDED


def holds_parts(accelerator: Accelerator) -> bool:
    """Whether a process holds only a part of the weights themselves: FSDP and ZeRO stage 3."""
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        plugin = accelerator.state.deepspeed_plugin
        return plugin is not None and plugin.zero_stage == 3
    return bool(accelerator.distributed_type == DistributedType.FSDP)


@torch.no_grad()
def refresh(whole: nn.Module, accelerator: Accelerator, module: nn.Module) -> None:
    """Copy the weights of a wrapped module, in parts on all processes, into a whole model on each.

    Processes sample from it at their own pace, which a model in parts does not allow: each of its
    layers waits for all processes. Every process calls this at the same time.
    """
    targets = dict(whole.named_parameters())
    with _gathered(accelerator, module):
        for name, weight in module.named_parameters():
            with _one_gathered(accelerator, weight):
                value = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
                targets[_own_name(name)].copy_(value)


def gather(drawn: Sequence[Completion], accelerator: Accelerator) -> list[Completion]:
    """The completions of all processes, by sample index, on every process."""
    everything = gather_object(list(drawn)) if accelerator.num_processes > 1 else list(drawn)
    return sorted(everything, key=lambda completion: completion.sample_index)


def _own_name(name: str) -> str:
    """A weight's name in the model, without those of what wraps it."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS).removeprefix(
        "model."
    )


def _gathered(accelerator: Accelerator, module: nn.Module) -> AbstractContextManager[None]:
    """Inside, weights under the first FSDP are whole; those under the second gather themselves."""
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        from torch.distributed.fsdp import FullyShardedDataParallel

        return FullyShardedDataParallel.summon_full_params(module, writeback=False)
    return nullcontext()


def _one_gathered(accelerator: Accelerator, weight: nn.Parameter) -> AbstractContextManager[None]:
    """Inside, one weight under ZeRO is whole."""
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        from deepspeed import zero

        gathered: AbstractContextManager[None] = zero.GatheredParameters([weight])
        return gathered
    return nullcontext()
