from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.errors import PlanError, StoreError
from emdiag.core.training import TrainFolder
from emdiag.store.training_folder import write_folder
from emdiag.studies.logits.plan import LogitSkewDesign, LogitSkewPlan, logit_design

if TYPE_CHECKING:
    from pathlib import Path


def plan(*refs: str, seeds: str = "registered", **options: Any) -> LogitSkewDesign:
    given = {"checkpoints": refs, "benchmarks": "chain", "seeds": seeds, **options}
    return logit_design(LogitSkewPlan.of(given))


def labels(found: LogitSkewDesign) -> dict[str, list[tuple[str, str]]]:
    return {arm.label: [(m.label, m.ref) for m in arm.members] for arm in found.arms}


def test_the_first_checkpoint_is_the_base_unless_another_is_named() -> None:
    found = plan("before=lab", "after=other")
    assert (found.base.label, found.plan.continuation, found.plan.texts) == (
        "before",
        "shared",
        None,
    )
    assert (
        found.how.targets.limit,
        found.how.sampling.temperature,
        found.how.sampling.samples,
    ) == (20, 1.0, 1)
    assert plan("before=lab", "after=other", base="after").base.label == "after"


def test_a_label_given_again_is_one_arm_whose_members_have_names_of_their_own() -> None:
    found = plan("base=lab", "em=one", "rl=two", "em=three")
    assert labels(found) == {
        "base": [("base", "lab")],
        "em": [("em", "one"), ("em.2", "three")],
        "rl": [("rl", "two")],
    }
    assert [named.label for named in found.how.checkpoints] == ["base", "em", "em.2", "rl"]


def test_problems_and_options_of_sampling_reach_the_drawing() -> None:
    found = plan("lab", problems=7, samples=3, temperature=0.5, seed=4, max_tokens=9)
    how = found.how.sampling
    assert found.how.targets.limit == 7
    assert (how.samples, how.temperature, how.seed, how.max_tokens) == (3, 0.5, 4, 9)
    assert found.plan.sampling.seed == 4


def test_options_that_are_none_keep_their_defaults() -> None:
    assert plan("lab", base=None, texts=None, template=None) == plan("lab")


@pytest.mark.parametrize(
    ("refs", "options", "words"),
    [
        (["own=lab"], {}, "'own' is the name of a text"),
        (["reference=lab"], {}, "'reference' is the name of a text"),
        (["a=lab"], {"base": "b"}, "no checkpoint is called 'b'"),
        (["a=lab", "a=x"], {}, "the base 'a' has 2 checkpoints"),
        (["base=lab", "em=x", "em=y", "em.2=z"], {}, "two checkpoints are called 'em.2'"),
        (["lab"], {"continuation": "theirs"}, "theirs"),
        (["lab"], {"entropy_temperatures": [0.0]}, "must be >= 0.01, got 0.0"),
        (["lab"], {"entropy_temperatures": [-1.0]}, "must be >= 0.01, got -1.0"),
        (["lab"], {"entropy_temperatures": [float("nan")]}, "must be finite and >= 0.01"),
        (["lab"], {"entropy_temperatures": [float("inf")]}, "<= 100.0, got inf"),
        (["lab"], {"entropy_temperatures": ["warm"]}, "wrong type or value"),
        (["lab"], {"entropy_temperatures": [2.0, 2.0]}, "named twice"),
        (["lab"], {"undo": ["top-k"]}, "in the published figure only"),
        (["lab"], {"undo": ["topk"], "published": True}, "topk"),
        (["lab"], {"published": True, "from_runs": ["abcd"]}, "draws nothing"),
        (["lab"], {"published": 1}, "wrong type or value"),
        (["lab"], {"from_runs": "abcd"}, "must be a list"),
        (["lab"], {"from_runs": ["a=x", "a=y"]}, "two runs are called 'a'"),
        (["lab"], {"texts": ["em"]}, "there is no text called 'em'"),
        (["lab"], {"problems": 0}, "limit"),
        (["lab"], {"samples": 2, "temperature": 0.0}, "copies"),
        (["lab"], {"sampels": 2}, "unknown options: sampels"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(
    refs: list[str], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan(*refs, **options)
    assert words in str(caught.value)


def test_seeds_are_registered_or_all() -> None:
    with pytest.raises(PlanError, match="seeds has the wrong type or value: 'some'"):
        plan("lab", seeds="some")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A training folder of three seeds whose last checkpoints are there."""
    cells = ("seed-0", "seed-1", "seed-2")
    write_folder(
        tmp_path / "out",
        TrainFolder(
            key="0" * 64, method="em", chosen="seed-1/update-0005", cells=cells,
            saved_updates=(5, 10),
        ),
    )  # fmt: skip
    for cell in cells:
        for update in (5, 10):
            (tmp_path / "out" / cell / f"update-{update:04d}").mkdir(parents=True)
    return tmp_path / "out"


def test_all_seeds_of_a_training_folder_are_its_last_checkpoints(trained: Path) -> None:
    found = labels(plan("base=lab", f"em={trained}", seeds="all"))["em"]
    assert [label for label, _ in found] == ["em", "em.2", "em.3"]
    assert {ref for _, ref in found} == {
        str(trained / f"seed-{number}" / "update-0010") for number in range(3)
    }
    assert labels(plan("base=lab", f"em={trained}"))["em"] == [("em", str(trained))]


def test_the_registered_seed_stands_first(trained: Path) -> None:
    file = trained / "training.json"
    file.write_text(file.read_text().replace("seed-1/update-0005", "seed-1/update-0010"))
    (first, *_) = labels(plan("base=lab", f"em={trained}", seeds="all"))["em"]
    assert first == ("em", str(trained / "seed-1" / "update-0010"))


def test_seeds_that_are_not_trained_yet_are_named(trained: Path) -> None:
    (trained / "seed-2" / "update-0010").rmdir()
    with pytest.raises(PlanError, match="1 of 3 seeds are not trained yet") as caught:
        plan("base=lab", f"em={trained}", seeds="all")
    assert "seed-2/update-0010" in caught.value.facts["missing"]
    (trained / "training.json").write_text("{}")
    with pytest.raises(StoreError):
        plan("base=lab", f"em={trained}", seeds="all")
