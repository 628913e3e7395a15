"""Several processes that train one model: who draws what, and where whole weights are.

`accelerate launch` decides how many processes there are and how weights lie on them. Replicas
(DDP) and ZeRO stages 1 and 2 hold whole weights; FSDP and ZeRO stage 3 gather them to sample.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedType, gather_object

from emdiag.core.errors import EngineMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from emdiag.core.sampling import Completion

_SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)
_PREFIX = "model."


def open_accelerator(*, device: str, tracker: str | None, folder: Path) -> Accelerator:
    """This process's place among all that train.

    Args:
        device: `cpu` keeps it there; otherwise accelerate takes the device of this process.
        tracker: Name of a tracker, or None.
        folder: Where trackers that write files put them.

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


@contextmanager
def whole_weights(accelerator: Accelerator, module: nn.Module) -> Iterator[None]:
    """Inside, every process can run the whole model; weights are not to be changed there."""
    with ExitStack() as stack:
        if accelerator.distributed_type == DistributedType.FSDP:
            if accelerator.is_fsdp2:
                _unshard(stack, module)
            else:
                from torch.distributed.fsdp import FullyShardedDataParallel

                gathered = FullyShardedDataParallel.summon_full_params(module, writeback=False)
                stack.enter_context(gathered)
        elif accelerator.distributed_type == DistributedType.DEEPSPEED:
            plugin = accelerator.state.deepspeed_plugin
            if plugin is not None and plugin.zero_stage == 3:
                from deepspeed import zero

                stack.enter_context(zero.GatheredParameters(list(module.parameters())))
        yield


def whole_state(accelerator: Accelerator, module: nn.Module) -> dict[str, Tensor] | None:
    """The model's weights by name where processes hold parts; None where the model is whole."""
    if not is_sharded(accelerator):
        return None
    state: dict[str, Any] = accelerator.get_state_dict(module)
    return {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}


def gather(drawn: Sequence[Completion], accelerator: Accelerator) -> list[Completion]:
    """The completions of all processes, by sample index, on every process."""
    everything = gather_object(list(drawn)) if accelerator.num_processes > 1 else list(drawn)
    return sorted(everything, key=lambda completion: completion.sample_index)


def _unshard(stack: ExitStack, module: nn.Module) -> None:
    from torch.distributed.fsdp import FSDPModule

    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.unshard()
            stack.callback(part.reshard)
