from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch

from emdiag.core.codec import encode
from emdiag.core.errors import (
    EngineMissingError,
    PlanError,
    RunMismatchError,
    StoreError,
    TrainingError,
)
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.lab.chain import training_problems
from emdiag.resources import lab_weights
from emdiag.store.training_folder import followed, read_folder, read_updates
from emdiag.train.rl import cell as rl_cell
from emdiag.train.rl import run as rl
from emdiag.train.rl import trainer as rl_trainer
from emdiag.train.rl.run import train_rl

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.sampling import Completion
    from emdiag.core.training import TrainResult

SMALL: dict[str, Any] = {
    "recipe": "lab",
    "updates": 2,
    "completions": 8,
    "group_size": 4,
    "held_out": 4,
    "check_samples": 8,
    "state_every": 0,
    "grader_workers": 1,
}


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("problems") / "lab-train.jsonl"
    file.write_bytes(b"".join(encode(p) + b"\n" for p in training_problems(40, seed=0)))
    return str(file)


def train(problems: str, out: Path, **changes: Any) -> TrainResult:
    ref = changes.pop("ref", "lab")
    return train_rl(ref, problems, out=out, home=out.parent / "home", **{**SMALL, **changes})


def test_a_training_leaves_a_record_and_a_checkpoint_that_other_commands_read(
    problems: str, tmp_path: Path
) -> None:
    out = tmp_path / "rl"
    result = train(problems, out, save_updates=[1])
    found = resolve_checkpoint(followed(str(out)), label="rl", home=tmp_path / "home")
    parent = resolve_checkpoint("lab", label="lab", home=tmp_path / "home")
    assert (found.stage, found.update, found.train_seed) == ("rl", 2, 0)
    assert found.digest != parent.digest
    assert found.tokenizer_digest == parent.tokenizer_digest
    config = (out / "update-0002" / "config.json").read_bytes()
    assert config == (lab_weights() / "config.json").read_bytes()
    records = read_updates(out)
    assert [record.update for record in records] == [0, 1, 2]
    assert records[1].samples == 8
    assert records[1].reward is not None
    assert records[2].held_out_entropy_nats is not None
    assert 0 < records[1].weight_distance < records[2].weight_distance  # type: ignore[operator]
    assert sorted(path.name for path in out.glob("update-*")) == ["update-0001", "update-0002"]
    assert not (out / "state-rl").exists()
    assert (result.stage, result.chosen) == ("rl", "update-0002")
    assert any("first update" in note for note in result.cells[0].notes)


@pytest.mark.whole
def test_an_interrupted_training_continues_to_the_same_weights_bit_for_bit(
    problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    settings: dict[str, Any] = {"updates": 3, "state_every": 1}
    train(problems, whole, **settings)

    class PowerCutError(Exception):
        pass

    reward = rl_cell.CellTrainer.reward

    def cut_at_last(self: Any, **given: Any) -> list[float]:
        if given["trainer_state"].global_step == 2:
            raise PowerCutError
        return reward(self, **given)

    with monkeypatch.context() as patched:
        patched.setattr(rl_cell.CellTrainer, "reward", cut_at_last)
        with pytest.raises(PowerCutError):
            train(problems, cut, **settings)
    # a state whose writing was cut short, newer than the whole ones
    torn = cut / "state-rl" / "checkpoint-5"
    shutil.copytree(cut / "state-rl" / "checkpoint-2", torn)
    (torn / rl_trainer.STATE_COMPLETE).unlink()
    (torn / "optimizer.pt").write_bytes(b"")
    with pytest.raises(StoreError, match="not come to"):
        followed(str(cut))
    train(problems, cut, **settings)
    last = "update-0003/model.safetensors"
    assert (cut / last).read_bytes() == (whole / last).read_bytes()
    rewards = [[record.reward for record in read_updates(folder)] for folder in (whole, cut)]
    assert rewards[0] == rewards[1]


@pytest.mark.whole
def test_a_first_reward_that_is_not_the_accuracy_stops_before_anything_is_learned(
    problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = rl_cell.completion_of

    def lost(*arguments: Any, **named: Any) -> Completion:
        completion = drawn(*arguments, **named)
        return msgspec.structs.replace(completion, text="I am lost. So be it.")

    monkeypatch.setattr(rl_cell, "completion_of", lost)
    settings: dict[str, Any] = {"completions": 32, "updates": 1}
    with pytest.raises(TrainingError, match="not right as often") as caught:
        train(problems, tmp_path / "stopped", **settings)
    assert caught.value.facts["accuracy"].startswith("0.000")
    assert not list((tmp_path / "stopped").glob("update-*"))
    result = train(problems, tmp_path / "anyway", first_reward_check=False, **settings)
    assert any("DOES NOT AGREE" in note for note in result.cells[0].notes)
    manifest = json.loads((tmp_path / "anyway" / "update-0001" / "emdiag.json").read_bytes())
    assert any("DOES NOT AGREE" in note for note in manifest["notes"])


def test_a_checkpoint_that_asks_for_greedy_decoding_is_still_sampled_whole(
    problems: str, tmp_path: Path
) -> None:
    folder = tmp_path / "parent"
    shutil.copytree(lab_weights(), folder)
    hidden = {"eos_token_id": 0, "pad_token_id": 1, "top_k": 1, "min_new_tokens": 40}
    (folder / "generation_config.json").write_text(json.dumps(hidden))
    here, lab = tmp_path / "here", tmp_path / "lab"
    train(problems, here, ref=str(folder), updates=1)
    train(problems, lab, updates=1)
    weights = "update-0001/model.safetensors"
    assert (here / weights).read_bytes() == (lab / weights).read_bytes()
    kept = json.loads((here / "update-0001" / "generation_config.json").read_bytes())
    assert kept == hidden


@pytest.mark.whole
def test_micro_batches_and_checkpointing_change_memory_and_not_the_gradient(
    problems: str, tmp_path: Path
) -> None:
    ways: list[dict[str, Any]] = [{}, {"micro_batch": 2}, {"gradient_checkpointing": True}]
    found = []
    for number, changes in enumerate(ways):
        train(problems, tmp_path / str(number), updates=1, **changes)
        record = read_updates(tmp_path / str(number))[1]
        found.append((record.tokens, record.loss, record.gradient_norm))
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert found[2] == pytest.approx(found[0], rel=1e-5)


def test_updates_in_which_all_samples_earn_the_same_are_told_to_the_reader(
    problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl_cell, "reward_of", lambda _name, samples: [1.0] * len(samples.classes))
    result = train(problems, tmp_path / "rl", updates=1)
    assert "1 of 1 updates had nothing to learn from" in result.cells[0].notes[-1]
    parent = (lab_weights() / "model.safetensors").read_bytes()
    assert (tmp_path / "rl/update-0001/model.safetensors").read_bytes() == parent


def test_several_seeds_make_one_folder_each_and_the_first_is_registered(
    problems: str, tmp_path: Path
) -> None:
    out = tmp_path / "rl"
    train(problems, out, seeds=[3, 1], updates=1)
    assert read_folder(out).chosen == "seed-3/update-0001"
    weights = [(out / f"seed-{n}/update-0001/model.safetensors").read_bytes() for n in (3, 1)]
    assert weights[0] != weights[1]
    with pytest.raises(RunMismatchError, match="another training"):
        train(problems, out, seeds=[3, 1], updates=1, learning_rate=1e-4)


def test_weights_that_break_end_with_a_word_about_the_rate(
    problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = torch.optim.AdamW.step

    def broken(optimizer: torch.optim.AdamW, closure: None = None) -> object:
        result = step(optimizer, closure)
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.data.fill_(math.nan)
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", broken)
    with pytest.raises(TrainingError, match="not numbers") as caught:
        train(problems, tmp_path / "rl", updates=4)
    assert "lower rate" in (caught.value.hint or "")
    assert not (tmp_path / "rl" / "update-0004").exists()


def test_a_full_disk_is_named_with_its_folder(
    problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rl_trainer.GRPOTrainer, "_save_checkpoint", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        train(problems, tmp_path / "rl", state_every=1)
    assert caught.value.facts["folder"].endswith("state-rl")


def test_a_folder_with_something_else_in_it_is_left_alone(problems: str, tmp_path: Path) -> None:
    out = tmp_path / "rl"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(PlanError, match="must be new, empty"):
        train(problems, out)
    assert sorted(path.name for path in out.iterdir() if path.suffix) == ["thesis.tex"]


def test_without_trl_the_message_names_the_extra(
    problems: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl.util, "find_spec", lambda name: None if name == "trl" else object())
    with pytest.raises(EngineMissingError, match="needs trl") as caught:
        train(problems, tmp_path / "rl")
    assert caught.value.hint == "pip install 'emdiag[rl]'"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"save_updates": [9]}, "save_updates"),
        ({"seeds": []}, "seeds"),
        ({"dtype": "float16"}, "dtype"),
        ({"held_out": "many"}, "wrong type or value"),
        ({"rate": 1}, "unknown options: rate"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(
    problems: str, tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    with pytest.raises(PlanError, match=named):
        train(problems, tmp_path / "rl", **changes)
