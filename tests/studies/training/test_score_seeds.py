from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import emdiag
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.results import remark
from emdiag.core.training import TrainFolder
from emdiag.resources import lab_weights
from emdiag.store.run_store import RunStore
from emdiag.store.training_folder import checkpoint_name, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from emdiag.core.seed_scores import SeedScoresResult

PROBLEMS = 12


def fake_training(
    out: Path,
    cells: Sequence[str],
    *,
    saved: tuple[int, ...] = (10,),
    chosen: str | None,
    noise: float = 0.4,
) -> Path:
    """A training folder whose checkpoints are the lab's weights, each shaken in its own way."""
    folder = TrainFolder(
        key="0" * 64, method="em", chosen=chosen, cells=tuple(cells), saved_updates=saved
    )
    write_folder(out, folder)
    for number, cell in enumerate(cells):
        for update in saved:
            checkpoint = out / cell / checkpoint_name(update)
            shutil.copytree(lab_weights(), checkpoint)
            manifest = {"stage": "em", "recipe": "lab", "train_seed": number, "update": update}
            (checkpoint / "emdiag.json").write_text(json.dumps(manifest))
            _shake(checkpoint / "model.safetensors", seed=100 * number + update, noise=noise)
    return out


def _shake(file: Path, *, seed: int, noise: float) -> None:
    random = torch.Generator().manual_seed(seed)
    weights = load_file(file)
    for name, tensor in weights.items():
        shake = torch.randn(tensor.shape, generator=random) * tensor.float().std() * noise
        weights[name] = (tensor.float() + shake).to(tensor.dtype)
    save_file(weights, file, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds, two updates, and a store that tests share, so that little is drawn twice."""
    place = tmp_path_factory.mktemp("seeds")
    cells = ("seed-0", "seed-1", "seed-2")
    fake_training(place / "em", cells, saved=(5, 10), chosen="seed-0/update-0010")
    return place


@pytest.fixture
def score(place: Path) -> Callable[..., SeedScoresResult]:
    def run(out: Path, **options: Any) -> SeedScoresResult:
        settings = {"store": place / "out", "home": place / "home", "engine": "transformers"}
        settings |= {"limit": PROBLEMS, "grader_workers": 1, "device": "cpu"}
        return emdiag.score_seeds(out, "chain", **(settings | options))

    return run


def evaluate(place: Path, *refs: str, **options: Any) -> dict[str, float]:
    settings = {
        "limit": PROBLEMS,
        "grader_workers": 1,
        "device": "cpu",
        "engine": "transformers",
    } | options
    result = emdiag.evaluate(refs, store=place / "out", home=place / "home", **settings)
    return {score.label: score.value for score in result.scores}


def test_the_registered_checkpoint_stands_apart_from_the_mean_and_the_best(
    score: Callable[..., SeedScoresResult], place: Path
) -> None:
    (found,) = score(place / "em").benchmarks
    alone = evaluate(place, *(f"{n}={place}/em/seed-{n}/update-0010" for n in range(3)))
    (group,) = found.groups
    assert found.registered is not None
    assert (found.registered.cell, found.registered.seed) == ("seed-0", 0)
    assert found.registered.value == alone["0"]
    assert [seed.value for seed in group.seeds] == [alone[str(n)] for n in range(3)]
    assert len(set(alone.values())) > 1, "the seeds should differ, else this proves little"
    assert group.mean == pytest.approx(sum(alone.values()) / 3)
    assert (group.lowest, group.highest) == (min(alone.values()), max(alone.values()))
    assert found.oracle.value == max(alone.values())
    assert found.candidates == 3
    assert group.interval is not None
    assert group.interval.method == "Bayesian bootstrap over problems, Student's t over seeds"
    assert group.interval.low < group.mean < group.interval.high


def test_the_difference_to_the_base_is_the_mean_of_paired_differences(
    score: Callable[..., SeedScoresResult], place: Path
) -> None:
    (found,) = score(place / "em", base="base=lab").benchmarks
    (group,) = found.groups
    store = place / "out"
    paired = [
        emdiag.compare("base", f"em/seed-{n}/update-0010", store=store).comparisons[0].difference
        for n in range(3)
    ]
    assert group.difference is not None
    assert group.difference.difference == pytest.approx(sum(paired) / 3)
    assert group.difference.interval is not None
    assert found.base is not None
    assert found.base.value == evaluate(place, "base=lab")["base"]
    assert group.difference.base == found.base.name == "base"


def test_all_saved_updates_are_groups_of_their_own(
    score: Callable[..., SeedScoresResult], place: Path
) -> None:
    (found,) = score(place / "em", updates="all").benchmarks
    assert [(group.update, len(group.seeds)) for group in found.groups] == [(5, 3), (10, 3)]
    assert found.candidates == 6
    assert found.registered is not None
    assert found.registered.update == 10


def test_scoring_again_draws_nothing_and_changes_nothing(
    score: Callable[..., SeedScoresResult], place: Path
) -> None:
    first = score(place / "em")
    files = {run.path: run.path / "completions.jsonl" for run in RunStore(place / "out").runs()}
    before = {path: file.stat().st_mtime_ns for path, file in files.items()}
    assert score(place / "em") == first
    assert {path: file.stat().st_mtime_ns for path, file in files.items()} == before


def test_problems_of_the_store_that_were_not_asked_for_do_not_count(
    score: Callable[..., SeedScoresResult], place: Path
) -> None:
    score(place / "em")
    (found,) = score(place / "em", limit=4).benchmarks
    (group,) = found.groups
    assert found.problems == 4
    assert group.mean == pytest.approx(sum(seed.value for seed in group.seeds) / 3)


def test_a_grid_has_one_group_for_each_cell_and_nothing_registered(
    score: Callable[..., SeedScoresResult], tmp_path: Path
) -> None:
    cells = [f"learning_rate={rate}/seed-{seed}" for rate in ("1e-05", "2e-05") for seed in (0, 1)]
    out = fake_training(tmp_path / "grid", cells, chosen=None, noise=0.0)
    (found,) = score(out, base="base=lab").benchmarks
    assert found.registered is None
    assert [group.name for group in found.groups] == ["learning_rate=1e-05", "learning_rate=2e-05"]
    assert [len(group.seeds) for group in found.groups] == [1, 1]  # of equal weights
    codes = {note.code for note in found.notes}
    assert {"differences-not-corrected", "some-same-weights"} <= codes
    difference = found.groups[0].difference
    assert difference is not None
    assert difference.difference == 0
    assert difference.interval is not None
    assert difference.interval.method == "wilson, no problem differs"


def test_a_single_run_is_scored_with_a_word_on_what_it_cannot_say(
    score: Callable[..., SeedScoresResult], tmp_path: Path
) -> None:
    out = fake_training(tmp_path / "one", ["."], chosen="update-0010", noise=0.0)
    (found,) = score(out).benchmarks
    (group,) = found.groups
    assert group.interval is None
    assert group.deviation is None
    assert found.registered == group.seeds[0] == found.oracle
    assert remark("one-seed") in found.notes


def test_seeds_that_happen_to_be_done_are_not_scored_alone(
    score: Callable[..., SeedScoresResult], tmp_path: Path
) -> None:
    out = fake_training(tmp_path / "em", ["seed-0", "seed-1"], chosen="seed-0/update-0010")
    shutil.rmtree(out / "seed-1" / "update-0010")
    with pytest.raises(StoreError, match="1 of 2 checkpoints are not trained yet") as caught:
        score(out)
    assert caught.value.facts["missing"] == "seed-1/update-0010"
    assert "it continues" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"updates": "best"}, "wrong type or value"),
        ({"sample": 3}, "unknown options: sample"),
        ({"samples": 3}, "copies"),
        ({"base": "em/seed-1/update-0010=lab"}, "label of a trained checkpoint"),
    ],
)
def test_requests_that_contradict_themselves_are_refused(
    score: Callable[..., SeedScoresResult], place: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        score(place / "em", **options)


def test_a_folder_that_was_not_trained_is_refused(
    score: Callable[..., SeedScoresResult], tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"holds training\.json"):
        score(tmp_path)
