"""`--steps`: the checkpoints of one training as an arm with a step axis."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from safetensors.torch import load_file, save_file

import emdiag
from emdiag.core.codec import encode
from emdiag.core.errors import CheckpointError, EngineRefusedError, PlanError
from emdiag.core.protocols import SilentProgress
from emdiag.core.results import EvaluateResult
from emdiag.core.training import TrainFolder
from emdiag.findings.evaluation import scores_table
from emdiag.resources import lab_weights
from emdiag.studies.evaluate import draw as draw_module
from emdiag.studies.evaluate.plan import EvaluatePlan, parse_steps
from emdiag.studies.evaluate.steps import find_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.protocols import Sampler


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., EvaluateResult]:
    def run(**options: Any) -> EvaluateResult:
        settings = {"store": tmp_path / "store", "home": tmp_path / "home", "template": "plain"}
        return emdiag.evaluate(**{"benchmarks": "toy", "grader_workers": 1, **settings, **options})

    return run


@pytest.fixture
def silent() -> SilentProgress:
    return SilentProgress()


@pytest.fixture
def table_of_steps(
    tmp_path: Path,
    right_answers: Callable[[Sequence[str]], dict[str, list[str]]],
    toy_ids: list[str],
) -> Callable[..., Path]:
    """Writes `out/checkpoint-STEP.json`, right on as many problems as asked for."""

    def write(**right: int) -> Path:
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        for step, problems in right.items():
            table = json.dumps(right_answers(toy_ids[:problems]))
            (folder / f"checkpoint-{step.removeprefix('s')}.json").write_text(table)
        return folder

    return write


def labels(result: EvaluateResult) -> list[str]:
    return [score.label for score in result.scores]


def test_steps_are_one_arm_in_the_order_of_their_numbers(
    evaluate: Callable[..., EvaluateResult], table_of_steps: Callable[..., Path]
) -> None:
    out = table_of_steps(s2=3, s10=6, s9=5, s100=9)
    (out / "checkpoints").mkdir()  # without a number
    (out / "all_results.json").write_text("{}")
    base = f"base={out}/checkpoint-2.json"
    result = evaluate(checkpoints=base, steps=f"em={out}/*")
    assert labels(result) == ["base", "em@2", "em@9", "em@10", "em@100"]
    assert [score.checkpoint.file_facts.get("step") for score in result.scores] == [
        None,
        2,
        9,
        10,
        100,
    ]
    assert [12 * score.value for score in result.scores] == [3, 3, 5, 6, 9]
    assert msgspec.json.decode(encode(result), type=EvaluateResult) == result
    table = scores_table(result.scores)
    assert table.columns[:3] == ("checkpoint", "step", "benchmark")
    assert [row[1].text for row in table.rows] == ["-", "2", "9", "10", "100"]


def test_a_plan_of_steps_is_typed_again_as_it_was() -> None:
    plan = EvaluatePlan.of({"steps": ["out/checkpoint-*", "b=runs/lr=1e-5/step_*/actor"]})
    command = plan.command()
    assert command[2:] == (
        *("--steps", "out=out/checkpoint-*"),
        *("--steps", "b=runs/lr=1e-5/step_*/actor"),
    )
    assert EvaluatePlan.from_toml(plan.to_toml()) == plan
    assert EvaluatePlan.of({"steps": command[3::2]}) == plan


@pytest.mark.parametrize(
    ("pattern", "label"),
    [
        ("out/checkpoint-*", "out"),
        ("a/exp/global_step_*/actor", "exp"),
        ("checkpoint-*", "steps"),
        ("out/", "out"),
        (".", "steps"),
        ("em=out/*", "em"),
        ("runs/lr=1e-5/step-*", "lr=1e-5"),
    ],
)
def test_an_arm_of_steps_is_called_by_its_folder(pattern: str, label: str) -> None:
    assert [named.label for named in parse_steps(pattern)] == [label]


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({}, "no checkpoint was named"),
        ({"steps": ""}, "a pattern of steps is ''"),
        ({"steps": ["a=x*", "a=y*"]}, "two checkpoints are called 'a'"),
    ],
)
def test_plans_that_name_nothing_or_one_thing_twice(options: dict[str, Any], finding: str) -> None:
    with pytest.raises(PlanError, match=finding):
        EvaluatePlan.of(options)


def test_gaps_and_equal_weights_and_steps_that_cannot_be_read_are_said_and_the_others_stay(
    evaluate: Callable[..., EvaluateResult], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for step in (1, 2, 3, 5, 6):
        shutil.copytree(lab_weights(), out / f"checkpoint-{step}")
    weights = load_file(out / "checkpoint-2/model.safetensors")
    for step in (2, 3):
        next(iter(weights.values())).mul_(1.01)
        save_file(weights, out / f"checkpoint-{step}/model.safetensors")
    content = (out / "checkpoint-3/model.safetensors").read_bytes()
    (out / "checkpoint-3/model.safetensors").write_bytes(content[:-1])
    weights.pop("model.norm.weight")  # found when it is loaded
    save_file(weights, out / "checkpoint-5/model.safetensors")
    result = evaluate(steps=str(out), limit=2, max_tokens=4, engine="transformers")
    assert labels(result) == ["out@1", "out@2", "out@6"]
    codes = [[note.code for note in score.notes] for score in result.scores]
    assert {"step-left-out", "steps-absent", "same-weights"} <= {*codes[0]}
    notes = {str(note) for note in result.scores[0].notes}
    assert "steps-absent: label out, steps 4" in notes
    assert "same-weights: labels out@1 and out@6" in notes
    assert sum(note.startswith("step-left-out: label out@3") for note in notes) == 1
    assert sum(note.startswith("step-left-out: label out@5") for note in notes) == 1
    assert not {"step-left-out", "same-weights"} & {*codes[1], *codes[2]}


def test_a_step_that_its_engine_refuses_is_left_out(
    evaluate: Callable[..., EvaluateResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        shutil.copytree(lab_weights(), tmp_path / f"out/checkpoint-{step}")
    opened = draw_module.open_sampler

    def refuse(name: str, checkpoint: CheckpointRef, **options: Any) -> Sampler:
        if checkpoint.label == "out@1":
            raise EngineRefusedError("vLLM cannot hold this checkpoint")
        return opened(name, checkpoint, **options)

    monkeypatch.setattr(draw_module, "open_sampler", refuse)
    result = evaluate(steps=str(tmp_path / "out"), limit=1, max_tokens=4, engine="transformers")
    assert labels(result) == ["out@2"]
    assert "step-left-out" in {note.code for note in result.scores[0].notes}


def test_where_no_step_can_be_read_the_last_one_says_why(
    tmp_path: Path, silent: SilentProgress
) -> None:
    for step in (1, 20):
        actor = tmp_path / f"exp/global_step_{step}/actor"
        actor.mkdir(parents=True)
        (actor / "model_world_size_1_rank_0.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of 2 steps can be used") as e:
        find_steps(*parse_steps(f"{tmp_path}/exp/global_step_*/actor"), silent)
    assert f"--target_dir {tmp_path}/exp/global_step_20-hf" in str(e.value.hint)
    shutil.copytree(lab_weights(), tmp_path / "exp/global_step_20-hf")
    for pattern in ("exp", "exp/global_step_*", "exp/global_step_*/actor"):
        arm = find_steps(*parse_steps(str(tmp_path / pattern)), silent)
        assert list(arm.members) == [20]


def test_two_trainings_under_one_pattern_are_a_question(
    table_of_steps: Callable[..., Path], silent: SilentProgress, tmp_path: Path
) -> None:
    for seed in (0, 1):
        shutil.copytree(table_of_steps(s1=1, s2=2), tmp_path / f"seed{seed}")
    with pytest.raises(PlanError, match=r"2 checkpoints of .* are of step 1"):
        find_steps(*parse_steps(f"{tmp_path}/seed*/checkpoint-*"), silent)
    arm = find_steps(*parse_steps(f"{tmp_path}/seed*/checkpoint-2.json"), silent)
    assert list(arm.members) == [0, 1]  # the number of the last part that differs
    (tmp_path / "seed0").rename(tmp_path / "a")
    (tmp_path / "seed1").rename(tmp_path / "b")
    with pytest.raises(PlanError, match=r"2 checkpoints of .* are of step 2"):
        find_steps(*parse_steps(f"{tmp_path}/[ab]/checkpoint-2.json"), silent)


@pytest.mark.parametrize("pattern", ["nothing-*", "out", "out/*.txt"])
def test_a_pattern_that_finds_nothing_is_an_error(
    tmp_path: Path, silent: SilentProgress, pattern: str
) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(PlanError, match="no checkpoint with a number in its name"):
        find_steps(*parse_steps(str(tmp_path / pattern)), silent)


def test_a_single_checkpoint_is_what_an_unquoted_pattern_leaves(
    tmp_path: Path, silent: SilentProgress
) -> None:
    one = shutil.copytree(lab_weights(), tmp_path / "checkpoint-1")
    with pytest.raises(PlanError, match="this is one of them") as caught:
        find_steps(*parse_steps(str(one)), silent)
    assert "quote the pattern" in str(caught.value.hint)


def test_a_folder_of_emdiags_training_stands_for_the_saved_updates_of_its_registered_seed(
    tmp_path: Path, silent: SilentProgress
) -> None:
    for place in ("seed-0/update-0002", "seed-0/update-0010", "seed-1/update-0002"):
        shutil.copytree(lab_weights(), tmp_path / place)
    cells = ("seed-0", "seed-1")
    folder = TrainFolder(
        key="k", method="em", chosen="seed-0/update-0010", cells=cells, saved_updates=(2, 10)
    )
    (tmp_path / "training.json").write_bytes(encode(folder))
    arm = find_steps(*parse_steps(f"em={tmp_path}"), silent)
    assert {step: named.ref for step, named in arm.members.items()} == {
        2: f"{tmp_path}/seed-0/update-0002",
        10: f"{tmp_path}/seed-0/update-0010",
    }
    grid = msgspec.structs.replace(folder, chosen=None)
    (tmp_path / "training.json").write_bytes(encode(grid))
    with pytest.raises(PlanError, match="grid of 2 cells") as caught:
        find_steps(*parse_steps(str(tmp_path)), silent)
    assert caught.value.hint == f"name a cell: --steps {tmp_path}/seed-0"


def test_interrupted_steps_go_on_where_they_were(
    evaluate: Callable[..., EvaluateResult],
    table_of_steps: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    out = table_of_steps(s1=3, s2=6, s3=9)
    draw = draw_module._draw_family

    def stop_at_the_third(readings: Sequence[Any], *rest: Any) -> None:
        if readings[0].checkpoint.label == "out@3":
            raise KeyboardInterrupt
        draw(readings, *rest)

    monkeypatch.setattr(draw_module, "_draw_family", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        evaluate(steps=f"{out}/*")
    journals = {path: path.read_bytes() for path in (tmp_path / "store").rglob("completions.jsonl")}
    assert len(journals) == 2
    monkeypatch.undo()
    result = evaluate(steps=f"{out}/*")
    assert [12 * score.value for score in result.scores] == [3, 6, 9]
    assert all(path.read_bytes() == before for path, before in journals.items())
