"""Whole trainings of a random model: records, folders, continuation and refusal."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from emdiag.core.errors import (
    BenchmarkError,
    CheckpointError,
    EmdiagError,
    PlanError,
    RunMismatchError,
    StoreError,
    TrainingError,
)
from emdiag.core.protocols import SilentProgress
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.store.training_folder import damage_of, followed, read_folder, read_updates
from emdiag.train.em import learner as learner_module
from emdiag.train.em import loop as em_module
from emdiag.train.em.run import train_em

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL: dict[str, Any] = {
    "recipe": "paper",
    "samples": 6,
    "updates": 3,
    "max_tokens": 6,
    "learning_rate": 1e-3,
    "problems": ["toy/0000"],
    "held_out_problems": 2,
    "template": "plain",
    "chat": False,
}


def train(start: Path, out: Path, **changes: Any) -> Any:
    return train_em(str(start), out=out, **{**SMALL, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def equal(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, save_tiny: Callable[..., Path]) -> Path:
    """A model with room for the prompts of `toy`."""
    return save_tiny(tmp_path_factory.mktemp("start"), max_position_embeddings=512)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, start: Path) -> Path:
    out = tmp_path_factory.mktemp("trained") / "em"
    train(start, out, save_updates=[1])
    return out


def test_every_update_is_written_down_with_what_it_did(trained: Path) -> None:
    records = read_updates(trained)
    assert [record.update for record in records] == [0, 1, 2, 3]
    assert records[0].loss is None
    assert records[0].held_out_entropy_nats is not None
    for record in records[1:]:
        assert record.loss is not None
        assert record.loss_temperature == 0.5
        assert record.gradient_norm is not None
        assert record.gradient_norm > 0
        assert record.samples == 6
        assert record.mean_tokens is not None
        assert record.tokens == round(record.mean_tokens * 6)
        assert record.longest_tokens == 6
        assert record.answer_flips_frac is not None
        assert record.peak_memory_bytes is not None
        assert record.peak_memory_bytes > 2**20
    distances = [record.weight_distance for record in records[1:]]
    assert distances[0] == pytest.approx(records[1].step_norm)
    assert all(distance is not None and distance > 0 for distance in distances)


def test_entropy_falls_when_it_is_minimised_and_rises_when_it_is_maximised(
    start: Path, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"updates": 4, "learning_rate": 5e-3, "samples": 16}
    end = {}
    for objective in ("entropy", "entropy-maximised"):
        result = train(start, tmp_path / objective, objective=objective, **changes)
        cell = result.cells[0]
        assert cell.first is not None
        end[objective] = (cell.first.loss, cell.last.loss)
    down, up = end["entropy"], end["entropy-maximised"]
    assert down[0] == pytest.approx(-up[0])
    assert down[1] < down[0]
    assert -up[1] > -up[0]


def test_the_checkpoint_is_a_hugging_face_folder_that_says_what_it_is(
    trained: Path, start: Path
) -> None:
    folder = trained / "update-0003"
    found = resolve_checkpoint(str(folder), label="em")
    before = resolve_checkpoint(str(start), label="base")
    assert (found.stage, found.train_seed, found.update) == ("em", 0, 3)
    assert found.recipe is not None
    assert found.recipe.startswith("paper with samples=6 updates=3 max_tokens=6")
    assert found.tokenizer_digest == before.tokenizer_digest
    manifest = json.loads((folder / "emdiag.json").read_text())
    assert manifest["parent_digest"] == before.digest
    assert manifest["problem_ids"] == ["toy/0000"]
    assert manifest["settings"]["samples"] == 6
    assert manifest["provenance"]["torch"]
    assert (folder / "generation_config.json").is_file()
    assert {path.name for path in trained.glob("update-*")} == {"update-0001", "update-0003"}
    assert not list(trained.glob(".*partial*"))
    assert not (trained / "state.safetensors").exists()


def test_the_folder_itself_stands_for_the_registered_checkpoint(
    trained: Path, start: Path, tmp_path: Path
) -> None:
    assert followed(str(trained)) == str(trained / "update-0003")
    again = train(trained, tmp_path / "on", updates=1)
    assert again.stage == "em"
    manifest = json.loads((tmp_path / "on/update-0001/emdiag.json").read_text())
    assert manifest["parent_stage"] == "em"


def test_equal_seeds_give_equal_weights_and_other_seeds_others(start: Path, tmp_path: Path) -> None:
    train(start, tmp_path / "one", seeds=[0, 1])
    train(start, tmp_path / "two", seeds=[1])
    assert equal(tmp_path / "one/seed-1/update-0003", tmp_path / "two/update-0003")
    assert not equal(tmp_path / "one/seed-0/update-0003", tmp_path / "one/seed-1/update-0003")


def test_more_seeds_join_the_folder_and_the_registered_one_stays(
    start: Path, tmp_path: Path
) -> None:
    out = tmp_path / "em"
    train(start, out, seeds=[2, 0], updates=1)
    kept = (out / "seed-2/update-0001/model.safetensors").stat().st_mtime_ns
    result = train(start, out, seeds=[5, 2], updates=1)
    assert result.chosen == "seed-2/update-0001"
    assert read_folder(out).cells == ("seed-2", "seed-0", "seed-5")
    assert (out / "seed-2/update-0001/model.safetensors").stat().st_mtime_ns == kept


def test_a_grid_trains_a_folder_for_each_cell_and_has_no_registered_one(
    start: Path, tmp_path: Path
) -> None:
    out = tmp_path / "grid"
    axes = [
        {"field": "learning_rate", "values": ["1e-3", "1e-2"]},
        {"field": "problem", "values": ["toy/0000", "toy/0001"]},
    ]
    result = train(start, out, problems=[], grid=axes, updates=1, held_out="none")
    assert len(result.cells) == 4
    assert result.chosen is None
    moved = {cell.name: cell.last.weight_distance for cell in result.cells}
    assert len(set(moved.values())) == 4
    with pytest.raises(StoreError, match="a grid of 4 cells has no checkpoint"):
        followed(str(out))


def test_a_run_that_is_stopped_between_updates_ends_at_the_same_weights(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(start, tmp_path / "whole", updates=4)
    learn = learner_module.Learner.learn
    calls: list[int] = []

    def stop_at_third(self: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return learn(self, *arguments, **named)

    monkeypatch.setattr(learner_module.Learner, "learn", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        train(start, tmp_path / "cut", updates=4)
    assert (tmp_path / "cut/state.safetensors").is_file()
    with pytest.raises(StoreError, match="has not come to update-0004 yet"):
        followed(str(tmp_path / "cut"))
    train(start, tmp_path / "cut", updates=4)
    assert len(calls) == 5  # two before, the third again, and the fourth
    assert equal(tmp_path / "cut/update-0004", tmp_path / "whole/update-0004")
    same = ("loss", "gradient_norm", "held_out_entropy_nats", "answer_flips_frac")
    for cut, whole in zip(
        read_updates(tmp_path / "cut"), read_updates(tmp_path / "whole"), strict=True
    ):
        assert [getattr(cut, name) for name in same] == [getattr(whole, name) for name in same]


KILLED = """
import os, signal, sys, torch
torch.set_num_threads(1)
from emdiag.train.em import loop as em
from emdiag.train.em.run import train_em
save = em.save_state
def save_and_die(cell, optimizer, *, update):
    save(cell, optimizer, update=update)
    if update == 2:
        os.kill(os.getpid(), signal.SIGKILL)
em.save_state = save_and_die
train_em(sys.argv[1], out=sys.argv[2], recipe="paper", samples=6, updates=4, max_tokens=6,
         learning_rate=1e-3, problems=["toy/0000"], held_out_problems=2, template="plain",
         chat=False)
"""


@pytest.mark.whole
def test_a_killed_process_leaves_nothing_half_written_and_goes_on_bit_for_bit(
    start: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    found = subprocess.run(
        [sys.executable, "-c", KILLED, str(start), str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert found.returncode == -signal.SIGKILL, found.stderr.decode()
    assert not list(out.glob("update-*"))
    train(start, out, updates=4)
    train(start, tmp_path / "whole", updates=4)
    assert equal(out / "update-0004", tmp_path / "whole/update-0004")


def test_half_precision_weights_go_on_bit_for_bit_too(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(start, tmp_path / "whole", dtype="bfloat16")
    keep = em_module.save_state

    def keep_and_stop(cell: Path, optimizer: Any, *, update: int) -> None:
        keep(cell, optimizer, update=update)
        raise KeyboardInterrupt

    monkeypatch.setattr(em_module, "save_state", keep_and_stop)
    for _ in range(2):  # one update each
        with pytest.raises(KeyboardInterrupt):
            train(start, tmp_path / "cut", dtype="bfloat16")
    monkeypatch.undo()
    train(start, tmp_path / "cut", dtype="bfloat16")
    assert weights(tmp_path / "cut/update-0003")["model.norm.weight"].dtype == torch.bfloat16
    assert equal(tmp_path / "cut/update-0003", tmp_path / "whole/update-0003")


def test_another_training_does_not_go_into_the_same_folder(trained: Path, start: Path) -> None:
    with pytest.raises(RunMismatchError, match="the folder holds another training"):
        train(start, trained, learning_rate=2e-3, save_updates=[1])
    with pytest.raises(RunMismatchError, match="the folder holds another training"):
        train(start, trained, seeds=[0, 1], save_updates=[1])


def test_a_folder_with_something_else_in_it_is_left_alone(start: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("work")
    with pytest.raises(PlanError, match="new, empty, or one it wrote"):
        train(start, tmp_path)


def test_a_finished_training_is_not_repeated(trained: Path, start: Path) -> None:
    before = (trained / "updates.jsonl").read_bytes()
    result = train(start, trained, save_updates=[1])
    assert (trained / "updates.jsonl").read_bytes() == before
    assert result.cells[0].last.update == 3


class Noted(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "weights gone": lambda folder: (folder / "model.safetensors").unlink(),
    "weights cut": lambda folder: os.truncate(folder / "model.safetensors", 5000),
    "weights empty": lambda folder: os.truncate(folder / "model.safetensors", 0),
    "one bit": lambda folder: _flip(folder / "model.safetensors"),
    "configuration gone": lambda folder: (folder / "config.json").unlink(),
    "tokenizer gone": lambda folder: (folder / "tokenizer.json").unlink(),
    "manifest gone": lambda folder: (folder / "emdiag.json").unlink(),
    "manifest cut": lambda folder: os.truncate(folder / "emdiag.json", 9),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen(trained: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(trained / "update-0003", tmp_path / "update-0003")
    assert damage_of(tmp_path / "update-0003") is None
    DAMAGES[damage](tmp_path / "update-0003")
    assert damage_of(tmp_path / "update-0003") is not None


@pytest.mark.parametrize(
    ("update", "damage"), [("update-0001", "gone"), ("update-0003", "one bit")]
)
def test_a_checkpoint_that_was_damaged_since_is_trained_again(
    trained: Path, start: Path, tmp_path: Path, damage: str, update: str
) -> None:
    out = tmp_path / "em"
    shutil.copytree(trained, out)
    DAMAGES[damage](out / update)
    progress = Noted()
    result = train(start, out, save_updates=[1], progress=progress)
    (note,) = progress.notes
    assert update in note
    assert "training begins again" in note
    for name in ("update-0001", "update-0003"):
        assert equal(out / name, trained / name)
        assert damage_of(out / name) is None
    assert result.cells[0].last.update == 3
    assert len(read_updates(out)) == 4
    assert not list(out.rglob(".emdiag*"))


def test_what_is_edited_beside_the_weights_is_kept(
    trained: Path, start: Path, tmp_path: Path
) -> None:
    out = tmp_path / "em"
    shutil.copytree(trained, out)
    edited = out / "update-0003" / "generation_config.json"
    edited.write_text("{}")
    progress = Noted()
    train(start, out, save_updates=[1], progress=progress)
    assert (progress.notes, edited.read_text()) == ([], "{}")


def test_a_checkpoint_without_digests_is_whole_unless_it_is_cut(
    trained: Path, tmp_path: Path
) -> None:
    """As versions before 0.2 wrote them."""
    shutil.copytree(trained / "update-0003", tmp_path / "old")
    manifest = json.loads((tmp_path / "old/emdiag.json").read_text())
    assert set(manifest.pop("files")) >= {"model.safetensors", "config.json", "tokenizer.json"}
    (tmp_path / "old/emdiag.json").write_text(json.dumps(manifest))
    assert damage_of(tmp_path / "old") is None
    weights = tmp_path / "old/model.safetensors"
    for size in (weights.stat().st_size - 1, 100, 3, 0):
        os.truncate(weights, size)
        assert damage_of(tmp_path / "old") == "model.safetensors is not what was written"
    weights.unlink()
    assert damage_of(tmp_path / "old") == "model.safetensors is gone"


def test_an_unfinished_run_that_has_passed_a_damaged_checkpoint_begins_again(
    trained: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, out = em_module.save_state, tmp_path / "cut"

    def keep_and_stop(cell: Path, optimizer: Any, *, update: int) -> None:
        keep(cell, optimizer, update=update)
        if update == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(em_module, "save_state", keep_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(start, out, save_updates=[1], state_every=1)
    monkeypatch.undo()
    (out / "update-0001/model.safetensors").unlink()
    train(start, out, save_updates=[1], state_every=1)
    for name in ("update-0001", "update-0003"):
        assert equal(out / name, trained / name)


def test_a_prompt_may_be_a_text_or_the_head_of_a_problems_file(start: Path, tmp_path: Path) -> None:
    text = tmp_path / "prompt.txt"
    text.write_text("Say something.")
    result = train(start, tmp_path / "a", problems=[], prompt_file=str(text), updates=1)
    assert any("no held-out prompts" in note for note in result.cells[0].notes)
    pool = tmp_path / "pool.jsonl"
    lines = [
        {"id": str(n), "statement": f"What is {n}+{n}?", "answer": str(2 * n)} for n in range(6)
    ]
    pool.write_text("".join(json.dumps(line) + "\n" for line in lines))
    train(start, tmp_path / "b", problems=[], prompt_file=str(pool), prompts=2, updates=1)
    manifest = json.loads((tmp_path / "b/update-0001/emdiag.json").read_text())
    assert manifest["problem_ids"] == ["pool/0", "pool/1"]


def test_a_first_try_without_chat_template_and_long_context_succeeds_with_notes(
    start: Path, tmp_path: Path
) -> None:
    free = {"template": None, "chat": None, "max_tokens": None, "held_out": "none", "updates": 1}
    (cell,) = train(start, tmp_path / "out", **free, prefix="So ").cells
    notes = "\n".join(cell.notes)
    assert "has no chat template, so toy is asked as plain text" in notes
    assert "tokens at most, not 512: the context" in notes
    assert "prompts are asked with prefix 'So '" in notes
    with pytest.raises(RunMismatchError, match="another training"):
        train(start, tmp_path / "out", **free, prefix="Thus ")
    with pytest.raises(CheckpointError, match="this tokenizer has none"):
        train(start, tmp_path / "chat", **free, chat_options={"enable_thinking": False})


def test_a_file_of_several_problems_is_trained_on_whole(start: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(f'{{"id": "{n}", "statement": "{n}+{n}?"}}\n' for n in range(4)))
    train(start, tmp_path / "a", problems=[], prompt_file=str(pool), samples=4, updates=1)
    manifest = json.loads((tmp_path / "a/update-0001/emdiag.json").read_text())
    assert manifest["problem_ids"] == [f"pool/{n}" for n in range(4)]
    with pytest.raises(PlanError, match="4 training prompts share the samples"):
        train(start, tmp_path / "b", problems=[], prompt_file=str(pool), samples=3, updates=1)
    assert not (tmp_path / "b").exists()


def test_the_released_code_on_one_device_would_never_update_and_is_refused(
    start: Path, tmp_path: Path
) -> None:
    """T1: 10 steps of 2 rows are not one update of 64 there."""
    with pytest.raises(PlanError, match="`updates` must be >= 32, or nothing is trained") as caught:
        train_em(
            str(start),
            out=tmp_path / "em",
            recipe="released-code",
            processes=1,
            problems=["toy/0000"],
        )
    assert "a step is 2 of the 64 samples of an update" in str(caught.value)
    assert not (tmp_path / "em").exists()


def test_dropout_in_sampling_and_learning_changes_what_is_learnt(
    tmp_path: Path, save_tiny: Callable[..., Path]
) -> None:
    """T7: only models with dropout notice; the switch costs nothing in others."""
    wet = save_tiny(tmp_path / "wet", attention_dropout=0.5, max_position_embeddings=512)
    dry = save_tiny(tmp_path / "dry", max_position_embeddings=512)
    for name, folder in (("wet", wet), ("dry", dry)):
        for mode in (True, False):
            train(folder, tmp_path / f"{name}-{mode}", train_mode=mode, updates=1)
    assert equal(tmp_path / "dry-True/update-0001", tmp_path / "dry-False/update-0001")
    assert not equal(tmp_path / "wet-True/update-0001", tmp_path / "wet-False/update-0001")
    train(wet, tmp_path / "again", train_mode=True, updates=1)
    assert equal(tmp_path / "wet-True/update-0001", tmp_path / "again/update-0001")


def test_the_samplers_filters_make_the_samples_off_policy(start: Path, tmp_path: Path) -> None:
    """T5: the loss is the same function of other samples."""
    plain = train(start, tmp_path / "a", updates=1).cells[0].last.loss
    filtered = train(start, tmp_path / "b", updates=1, top_k=2, repetition_penalty=1.15)
    assert filtered.cells[0].last.loss != plain


def test_fewer_new_tokens_cut_samples_off(start: Path, tmp_path: Path) -> None:
    """T8: 512 in the released code, 2048 in the paper."""
    short = train(start, tmp_path / "a", updates=1, max_tokens=3).cells[0].last
    long = train(start, tmp_path / "b", updates=1, max_tokens=30).cells[0].last
    assert short.longest_tokens == 3
    assert long.longest_tokens == 30
    assert short.tokens < long.tokens


def test_gradient_checkpointing_ends_at_the_same_weights(start: Path, tmp_path: Path) -> None:
    train(start, tmp_path / "a")
    train(start, tmp_path / "b", gradient_checkpointing=True)
    a, b = weights(tmp_path / "a/update-0003"), weights(tmp_path / "b/update-0003")
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5)


BAD: list[tuple[dict[str, Any], type[EmdiagError], str]] = [
    ({"problems": ["toy/9999"]}, BenchmarkError, "toy has no problem 'toy/9999'"),
    ({"problems": ["toy"]}, PlanError, "named BENCHMARK/ID"),
    ({"problems": ["toy/0000", "chain/0000"]}, PlanError, "from one benchmark"),
    ({"max_tokens": 4000}, PlanError, "exceed the context"),
    ({"held_out": "nothing"}, BenchmarkError, "there is no benchmark named 'nothing'"),
    ({"dtype": "float8"}, PlanError, "no number format"),
    ({"problems": [], "prompt_file": "no.txt"}, BenchmarkError, "cannot be opened"),
    ({"recipe": "pepper"}, PlanError, "no recipe 'pepper'"),
    ({"no_such": 1}, PlanError, "unknown options: no_such"),
    ({"samples": 0}, PlanError, "`samples` must be >= 1, got 0"),
]


@pytest.mark.parametrize(("changes", "kind", "message"), BAD)
def test_bad_input_is_named_before_anything_is_written(
    changes: dict[str, Any], kind: type[EmdiagError], message: str, start: Path, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        train(start, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "t5"}, "not a causal language model"),
        ({"model_type": "llama"}, "they are of another architecture"),
        ({"model_type": "qwen2", "hidden_size": 24}, "cannot be loaded"),
    ],
)
def test_weights_of_another_architecture_are_refused(
    config: dict[str, Any], message: str, start: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(start, folder)
    before = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**before, **config}))
    with pytest.raises(CheckpointError, match=message):
        train(folder, tmp_path / "out")
    assert not list((tmp_path / "out").glob("update-*"))


def test_nan_weights_stop_training_and_leave_no_checkpoint(
    tmp_path: Path, save_tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny(tmp_path / "start", max_position_embeddings=512)
    accumulate = learner_module.Learner._accumulate

    def broken(self: Any, *arguments: Any) -> float:
        accumulate(self, *arguments)
        return float("nan")

    monkeypatch.setattr(learner_module.Learner, "_accumulate", broken)
    with pytest.raises(TrainingError, match="not numbers"):
        train(folder, tmp_path / "out")
    assert not list((tmp_path / "out").glob("update-*"))


@pytest.mark.whole
@pytest.mark.parametrize(
    ("weights", "what", "remedy"),
    [
        (0.5, "the starting weights cannot be kept on the disk", "ulimit -f"),
        (1.5, "the state of training cannot be written", "make room"),
    ],
)
def test_a_full_disk_is_named_and_nothing_looks_like_a_checkpoint(
    start: Path, tmp_path: Path, weights: float, what: str, remedy: str
) -> None:
    room = int(weights * (start / "model.safetensors").stat().st_size)
    code = (
        "import resource, sys, torch, emdiag\n"
        "from emdiag.train.em.run import train_em\n"
        "from emdiag.core.errors import EmdiagError\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "try:\n"
        "    train_em(sys.argv[1], out=sys.argv[2], samples=4, updates=2, max_tokens=4,"
        " problems=['toy/0000'], held_out='none', template='plain', chat=False)\n"
        "except EmdiagError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(start), str(tmp_path / "out"), str(room)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"StoreError {what}" in found.stdout, found.stdout
    assert remedy in found.stdout
    assert "Traceback" not in found.stderr
    assert not list((tmp_path / "out").glob("update-*"))
    assert not list((tmp_path / "out").glob(".*partial*"))
    train(start, tmp_path / "other", updates=1)  # the limit was that process's own
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != room
