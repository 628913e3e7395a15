"""Folders with the names that trainers give them, and what comes of a reference to each."""

from __future__ import annotations

import json
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.trainer_folders import locate

if TYPE_CHECKING:
    from pathlib import Path

PICKLE = b"\x80\x04cposix\nsystem\n."
"""What must never be opened."""

VERL = ("model", "optim", "extra_state")
MANIFEST = {"schema_version": 2, "framework": "megatron", "global_step": 10}

WHOLE = {
    "verl, FSDP, hf_model saved": ("exp/global_step_10/actor/huggingface", "verl", 10),
    "verl, Megatron, mbridge": ("exp/global_step_10/actor/model/huggingface", "verl", 10),
    "OpenRLHF": ("ckpt/global_step10_hf", "OpenRLHF", 10),
    "TRL, HF Trainer, LLaMA-Factory": ("out/checkpoint-10", "Hugging Face Trainer", 10),
    "torchtune": ("out/epoch_0", None, 0),
    "emdiag train": ("seed-0/update-0010", None, 10),
}
SHARDS = {
    "verl, FSDP": (
        "exp/global_step_10/actor",
        [f"{kind}_world_size_2_rank_{rank}.pt" for kind in VERL for rank in (0, 1)],
        (
            "python -m verl.model_merger merge --backend fsdp --local_dir "
            "{0}/exp/global_step_10/actor --target_dir {0}/exp/global_step_10-hf"
        ),
    ),
    "verl, Megatron": (
        "exp/global_step_10/actor",
        ["ckpt_contents.json", "model/dist_ckpt/__0_0.distcp", "optimizer/dist_ckpt/.metadata"],
        (
            "python -m verl.model_merger merge --backend megatron --local_dir "
            "{0}/exp/global_step_10/actor --target_dir {0}/exp/global_step_10-hf"
        ),
    ),
    "verl, Megatron, before its layout 2": (
        "exp/global_step_10/actor",
        ["dist_ckpt/__0_0.distcp"],
        (
            "python -m verl.model_merger merge --backend megatron --local_dir "
            "{0}/exp/global_step_10/actor --target_dir {0}/exp/global_step_10-hf"
        ),
    ),
    "HF Trainer, FSDP": (
        "out/checkpoint-10",
        ["pytorch_model_fsdp_0/__0_0.distcp", "optimizer_0/__0_0.distcp", "scheduler.pt"],
        (
            "accelerate merge-weights {0}/out/checkpoint-10/pytorch_model_fsdp_0 "
            "{0}/out/checkpoint-10-hf; then put config.json and the tokenizer's files beside"
        ),
    ),
    "HF Trainer, DeepSpeed": (
        "out/checkpoint-10",
        ["global_step10/mp_rank_00_model_states.pt", "latest", "zero_to_fp32.py"],
        (
            "python {0}/out/checkpoint-10/zero_to_fp32.py {0}/out/checkpoint-10 "
            "{0}/out/checkpoint-10/global_step10-hf --tag global_step10 --safe_serialization; then"
        ),
    ),
    "OpenRLHF, DeepSpeed stage 3": (
        "ckpt/_actor/global_step10",
        ["zero_pp_rank_0_mp_rank_00_model_states.pt"],
        (
            "python {0}/ckpt/_actor/zero_to_fp32.py {0}/ckpt/_actor "
            "{0}/ckpt/_actor/global_step10-hf --tag global_step10 --safe_serialization; then"
        ),
    ),
    "NeMo RL": (
        "out/step_10/policy",
        ["weights/model/__0_0.distcp"],
        (
            "in NeMo RL: uv run examples/converters/convert_dcp_to_hf.py "
            "--config={0}/out/step_10/config.yaml --dcp-ckpt-path={0}/out/step_10/policy/weights "
            "--hf-ckpt-path={0}/out/step_10-hf; then"
        ),
    ),
    "Megatron-Bridge": (
        "out/iter_0000010",
        ["run_config.yaml", "__0_0.distcp", ".metadata"],
        (
            "in Megatron-Bridge: python examples/conversion/convert_checkpoints.py export "
            "--hf-model HUB_ID_OF_THE_BASE --megatron-path {0}/out/iter_0000010 --hf-path "
            "{0}/out/iter_0000010-hf"
        ),
    ),
}


def save(tiny_folder: Path, place: Path) -> Path:
    shutil.copytree(tiny_folder, place)
    return place


def made(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PICKLE)
    return folder


@pytest.mark.parametrize("name", WHOLE)
def test_weights_are_found_from_every_folder_around_them(
    tiny_folder: Path, tmp_path: Path, name: str
) -> None:
    place, trainer, step = WHOLE[name]
    weights = save(tiny_folder, tmp_path / place)
    if trainer == "verl":
        made(tmp_path / "exp/global_step_10/actor", ["optim_world_size_1_rank_0.pt"])
        made(tmp_path / "exp/global_step_10/critic", ["model_world_size_1_rank_0.pt"])
        (tmp_path / "exp/latest_checkpointed_iteration.txt").write_text("10")
    if trainer == "Hugging Face Trainer":
        made(weights, ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
        (weights / "trainer_state.json").write_text('{"global_step": 10}')
    parents = [weights, *weights.parents]
    for folder in parents[: parents.index(tmp_path)]:
        checkpoint = resolve_checkpoint(str(folder), label="x")
        assert checkpoint.path == str(weights)
        assert checkpoint.ref == str(folder)
        expected = {"trainer": trainer, "step": step}
        assert checkpoint.file_facts == {
            key: fact for key, fact in expected.items() if fact is not None
        }


@pytest.mark.parametrize("name", SHARDS)
@pytest.mark.parametrize("quote", ["", "a b'c/"])
def test_shards_alone_give_the_command_that_merges_them(
    tmp_path: Path, name: str, quote: str
) -> None:
    place, names, command = SHARDS[name]
    root = tmp_path / quote
    shards = made(root / place, names)
    (shards / "huggingface").mkdir()  # as verl leaves it: configuration and tokenizer alone
    (shards / "huggingface/config.json").write_text("{}")
    for folder in (shards, root / place.partition("/")[0]):
        with pytest.raises(CheckpointError, match="have to be merged") as caught:
            resolve_checkpoint(str(folder), label="x")
        hint = caught.value.hint or ""
        words = command.split("; then")[0].removeprefix("in ").split()
        assert [word.format(root).replace("//", "/") for word in words] == shlex.split(
            hint.split("; then")[0].removeprefix("in ")
        )
        assert ("; then" in command) == ("; then" in hint)


def test_several_steps_are_listed_and_one_is_asked_for(tiny_folder: Path, tmp_path: Path) -> None:
    for step in (9, 10, 100):
        save(tiny_folder, tmp_path / f"out/checkpoint-{step}")
    with pytest.raises(CheckpointError, match="3 steps") as caught:
        resolve_checkpoint(str(tmp_path / "out"), label="x")
    assert caught.value.facts["steps"] == "9, 10, 100"
    assert caught.value.hint == (
        f"all of them: --steps {tmp_path}/out; the last one: {tmp_path}/out/checkpoint-100"
    )
    save(tiny_folder, tmp_path / "final")
    shutil.copytree(tmp_path / "final", tmp_path / "out", dirs_exist_ok=True)
    assert locate(tmp_path / "out") == tmp_path / "out"  # the model that training ended with


def test_merged_weights_stand_for_their_step(tiny_folder: Path, tmp_path: Path) -> None:
    made(tmp_path / "exp/global_step_10/actor", ["model_world_size_1_rank_0.pt"])
    merged = save(tiny_folder, tmp_path / "exp/global_step_10-hf")
    assert locate(tmp_path / "exp") == merged


def test_weights_in_two_places_are_a_question(tiny_folder: Path, tmp_path: Path) -> None:
    for inner in ("huggingface", "model/huggingface"):
        save(tiny_folder, tmp_path / "global_step_1/actor" / inner)
    with pytest.raises(CheckpointError, match="weights in 2 places"):
        locate(tmp_path)


def test_a_folder_that_leads_into_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "step_1").symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match=r"no model\.safetensors"):
        resolve_checkpoint(str(tmp_path), label="x")


def test_names_without_a_training_say_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    folder = save(tiny_folder, tmp_path / "step-3/llama-3")
    (folder / "notes.json").write_text(json.dumps(MANIFEST))
    assert resolve_checkpoint(str(folder), label="x").file_facts == {}
