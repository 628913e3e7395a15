"""Checkpoints as trainers leave them: where the weights are, or how shards become weights.

Files are looked for by name; no pickle is opened. Sources: verl `docs/advance/checkpoint.rst` and
`verl/model_merger`, OpenRLHF `openrlhf/utils/deepspeed`, DeepSpeed `zero_to_fp32.py`, `accelerate
merge-weights`, Megatron-Bridge `examples/conversion/convert_checkpoints.py`, NeMo RL
`docs/design-docs/checkpointing`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.border import checkpoint_errors
from emdiag.engines.checkpoint.weight_files import INDEX, SINGLE

STEP_NAME = re.compile(
    r"(?:global[-_]?steps?|checkpoint|iter|steps?|epoch|update)[-_]?(\d{1,12})(?:[-_]hf)?"
)
"""Folders of trainers that are one step: `global_step_10`, `checkpoint-10`, `iter_0000010`, ..."""

_WHOLE = (SINGLE, INDEX, "adapter_config.json")
_INNER = ("huggingface", "model/huggingface", "lora_adapter")
_ROLES = ("", "actor", "policy", "_actor")
_INSIDE = frozenset({"huggingface", "model", "lora_adapter", "actor"})
_DEEPEST = 4
_SHOWN = 12
_CONFIG = "; then put config.json and the tokenizer's files beside the weights"


def locate(folder: Path) -> Path:
    """The folder of weights that a folder of a trainer stands for; itself where it is none.

    Raises:
        CheckpointError: It holds shards alone, and the hint is the command that merges them; or
            several steps, or weights in several places.
    """
    with checkpoint_errors(
        "the checkpoint folder cannot be read", folder=folder, hint="mend names and permissions"
    ):
        return _weights_in(folder.absolute(), depth=0) or folder


def origin_of(path: Path) -> dict[str, Any]:
    """Who left the weights in this folder, and the step they are of, where names and files tell."""
    step = path.absolute()
    while step.name in _INSIDE:
        step = step.parent
    match = STEP_NAME.fullmatch(step.name)
    trainer = None
    if step != path.absolute() and (step / "actor").is_dir():
        trainer = "verl"
    elif (path / "trainer_state.json").is_file():
        trainer = "Hugging Face Trainer"
    elif match and re.fullmatch(r"global_step\d+_hf", step.name):
        trainer = "OpenRLHF"
    facts = {"trainer": trainer, "step": int(match[1]) if match else None}
    return {name: value for name, value in facts.items() if value is not None}


def is_whole(folder: Path) -> bool:
    """Whether weights, or an adapter, lie in the folder itself."""
    return any((folder / name).is_file() for name in _WHOLE)


def step_folders(folder: Path) -> dict[int, Path]:
    """The folders of steps inside, in order; of two of one step the one that has weights."""
    steps: dict[int, Path] = {}
    roles = (folder / role for role in _ROLES if (folder / role).is_dir())
    for path in (path for role in roles for path in sorted(role.iterdir())):
        match = STEP_NAME.fullmatch(path.name)
        if match and path.is_dir() and (int(match[1]) not in steps or is_whole(path)):
            steps[int(match[1])] = path
    return dict(sorted(steps.items()))


def _weights_in(folder: Path, *, depth: int) -> Path | None:
    """The folder that holds weights; None where nothing of a trainer is there."""
    if is_whole(folder) or depth > _DEEPEST:
        return folder if is_whole(folder) else None
    roles = [folder / role for role in _ROLES if (folder / role).is_dir()]
    places = [role / inner for role in roles for inner in _INNER if is_whole(role / inner)]
    if len(places) > 1:
        raise CheckpointError(
            f"the folder holds weights in {len(places)} places",
            folder=folder,
            found=", ".join(str(place.relative_to(folder)) for place in places),
            hint="name the one that is meant",
        )
    if places:
        return places[0]
    for role in roles:
        if merged := _merged_shards(role):
            return merged
    steps = step_folders(folder)
    if len(steps) > 1:
        raise _several_steps(folder, steps)
    return _weights_in(*steps.values(), depth=depth + 1) if steps else None


def _several_steps(folder: Path, steps: dict[int, Path]) -> CheckpointError:
    listed = ", ".join(map(str, list(steps)[-_SHOWN:]))
    more = "..., " if len(steps) > _SHOWN else ""
    last = steps[max(steps)]
    return CheckpointError(
        f"the folder holds {len(steps)} steps of a training, and none is named",
        folder=folder,
        steps=f"{more}{listed}",
        hint=f"all of them: --steps {shlex.quote(str(folder))}; the last one: "
        f"{shlex.quote(str(last))}",
    )


def _merged_shards(folder: Path) -> Path | None:
    """What the shards in a folder were merged to, as its error asked; None where there are none."""
    for what, names, command in _SHARDS:
        shards = sorted(path for name in names for path in folder.glob(name))
        if shards and is_whole(_merged(folder)):
            return _merged(folder)
        if shards:
            raise CheckpointError(
                f"the folder holds {what}, which have to be merged before anything else can read "
                "them",
                folder=folder,
                found=shards[0].relative_to(folder),
                hint=command(folder),
            )
    return None


def _merged(folder: Path) -> Path:
    """Where merged weights go: beside the step, under a name that is one of that step."""
    is_role = folder.name in _ROLES
    step = folder.parent if is_role else folder
    return step.with_name(f"{step.name}-hf")


def _words(*arguments: str | Path) -> str:
    return shlex.join(map(str, arguments))


def _verl(backend: str) -> Callable[[Path], str]:
    def command(folder: Path) -> str:
        arguments = ("--backend", backend, "--local_dir", folder, "--target_dir", _merged(folder))
        return _words("python", "-m", "verl.model_merger", "merge", *arguments)

    return command


def _accelerate(folder: Path) -> str:
    shards = folder / "pytorch_model_fsdp_0"
    return _words("accelerate", "merge-weights", shards, _merged(folder)) + _CONFIG


def _deepspeed(folder: Path) -> str:
    outer = folder.parent
    script = outer / "zero_to_fp32.py"
    arguments = (outer, _merged(folder), "--tag", folder.name, "--safe_serialization")
    return _words("python", script, *arguments) + _CONFIG


def _megatron(folder: Path) -> str:
    export = ("python", "examples/conversion/convert_checkpoints.py", "export")
    given = _words("--megatron-path", folder, "--hf-path", _merged(folder))
    return f"in Megatron-Bridge: {_words(*export)} --hf-model HUB_ID_OF_THE_BASE {given}"


def _nemo_rl(folder: Path) -> str:
    step = folder.parent
    given = _words(
        *(f"--config={step / 'config.yaml'}", f"--dcp-ckpt-path={folder / 'weights'}"),
        f"--hf-ckpt-path={_merged(folder)}",
    )
    return f"in NeMo RL: uv run examples/converters/convert_dcp_to_hf.py {given}{_CONFIG}"


_SHARDS: tuple[tuple[str, Iterable[str], Callable[[Path], str]], ...] = (
    ("shards of verl (FSDP)", ("model_world_size_*_rank_*.pt",), _verl("fsdp")),
    (
        "shards of verl (Megatron)",
        ("ckpt_contents.json", "model/dist_ckpt", "dist_ckpt"),
        _verl("megatron"),
    ),
    ("shards of accelerate (FSDP)", ("pytorch_model_fsdp_0",), _accelerate),
    ("shards of DeepSpeed", ("*mp_rank_*_model_states.pt",), _deepspeed),
    ("shards of NeMo RL", ("weights/**/*.distcp",), _nemo_rl),
    ("shards of Megatron", ("run_config.yaml", "*.distcp", "mp_rank_*"), _megatron),
)
