from __future__ import annotations

import pytest

from emdiag.core.errors import PlanError
from emdiag.train.em.plan import EMPlan, GridAxis, expand, parse_grid
from emdiag.train.em.recipes import EM_PRESETS, PAPER, RELEASED_CODE, EMRecipe
from emdiag.train.recipe_fields import parse_numbers, parse_seeds


def test_the_defaults_are_what_the_paper_states() -> None:
    assert (PAPER.updates, PAPER.samples, PAPER.temperature) == (10, 64, 0.5)
    assert (PAPER.learning_rate, PAPER.gradient_clip, PAPER.weight_decay) == (2e-5, 1.0, 0.01)
    assert (PAPER.top_p, PAPER.top_k, PAPER.repetition_penalty) == (1.0, 0, 1.0)
    assert PAPER.effective_loss_temperature == 0.5
    assert PAPER.optimiser_updates == 10


@pytest.mark.parametrize(("devices", "updates"), [(4, 1), (8, 2), (16, 5), (32, 10)])
def test_ten_steps_of_the_released_code_depend_on_the_devices(devices: int, updates: int) -> None:
    """T1: a step is a micro-batch of each process, so that ten of them are 0 to 10 updates."""
    recipe = EM_PRESETS.load("released-code", {"processes": devices})
    assert recipe.optimiser_updates == updates


def test_the_released_code_differs_from_the_paper_in_one_field_for_each_fault() -> None:
    fields = EMRecipe.__struct_fields__
    differing = {f for f in fields if getattr(RELEASED_CODE, f) != getattr(PAPER, f)}
    assert differing == {
        "name",
        *("step", "processes"),  # T1
        "mask",  # T2
        "prompt_end",  # T3
        "pad_by_id",  # T4
        *("top_p", "top_k", "repetition_penalty"),  # T5
        "loss_temperature",  # T6: written out, and no longer following the temperature
        "train_mode",  # T7
        "max_tokens",  # T8
        "token_mean",  # T9
        *("template", "chat"),  # T12
        "loss_dtype",  # T14
    }


def test_a_changed_recipe_says_so_in_its_name() -> None:
    assert EM_PRESETS.load("paper", {"lr": "1e-5"}).name == "paper with learning_rate=1e-05"
    assert EM_PRESETS.load("paper", {"updates": 10}).name == "paper"
    twice = EM_PRESETS.load("paper", {"lr": "1e-5", "updates": "3"})
    assert twice.name == "paper with learning_rate=1e-05 updates=3"


def test_texts_become_what_the_field_needs() -> None:
    recipe = EM_PRESETS.load(
        "released-code", {"pad_by_id": "false", "max_tokens": "none", "top_k": "7"}
    )
    assert recipe.pad_by_id is False
    assert recipe.max_tokens is None
    assert recipe.top_k == 7


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("papre", {}, "there is no recipe 'papre'"),
        ("paper", {"lrr": 1}, "a recipe has no field 'lrr'"),
        ("paper", {"name": "x"}, "a recipe has no field 'name'"),
        ("paper", {"updates": "ten"}, "does not fit"),
        ("paper", {"temperature": 0}, "greedy samples are all the same"),
        ("paper", {"objective": "entropie"}, "does not fit"),
        ("paper", {"lr": -1}, "`learning_rate` must be > 0, got -1"),
        ("paper", {"processes": 8}, "`processes` must be 1 unless micro-batches matter"),
        ("released-code", {"processes": 2}, "`updates` must be >= 16, or nothing is trained"),
        ("released-code", {"updates": 3}, "`updates` must be >= 4, or nothing is trained"),
        ("released-code", {"processes": 64}, "`samples` must be >= 128, 2 for each of the"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(
    name: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        EM_PRESETS.load(name, changes)


def test_seeds_are_read_as_typed() -> None:
    assert parse_seeds("3") == (3,)
    with pytest.raises(PlanError, match="at most 4,096"):
        parse_seeds("0..999999999")
    assert parse_seeds("0..4") == (0, 1, 2, 3, 4)
    assert parse_seeds("7, 0..2") == (7, 0, 1, 2)
    for wrong in ("", "a", "4..0", "-1", "1.5"):
        with pytest.raises(PlanError, match="seeds are written as"):
            parse_seeds(wrong)


def test_a_grid_is_read_as_typed() -> None:
    assert parse_grid(["lr=1e-5,2e-5"]) == (
        GridAxis(field="learning_rate", values=("1e-5", "2e-5")),
    )
    for wrong in ("lr", "lr=", "=1", "lr=1,,2", "lr=1,1"):
        with pytest.raises(PlanError, match="a grid"):
            parse_grid([wrong])


def test_numbers_are_read_once_and_in_order() -> None:
    assert parse_numbers("5,1,5") == (1, 5)
    with pytest.raises(PlanError, match="whole numbers"):
        parse_numbers("1,x")


def plan(**changes: object) -> EMPlan:
    settings: dict[str, object] = {"ref": "lab", "out": "out", "recipe": PAPER}
    return EMPlan(**{**settings, **changes})  # type: ignore[arg-type]  # of a test


def test_a_grid_and_seeds_make_a_cell_for_each_combination() -> None:
    cells = expand(
        plan(
            problems=("chain/0000",),
            grid=parse_grid(["temperature=0.3,0.5", "lr=1e-5"]),
            seeds=(4, 1),
        )
    )
    assert [cell.name for cell in cells] == [
        "temperature=0.3,learning_rate=1e-5/seed-4",
        "temperature=0.3,learning_rate=1e-5/seed-1",
        "temperature=0.5,learning_rate=1e-5/seed-4",
        "temperature=0.5,learning_rate=1e-5/seed-1",
    ]
    assert [cell.recipe.temperature for cell in cells] == [0.3, 0.3, 0.5, 0.5]
    assert {cell.recipe.learning_rate for cell in cells} == {1e-5}


def test_a_grid_over_problems_is_a_grid_too() -> None:
    cells = expand(plan(grid=parse_grid(["problem=chain/0000,chain/0002"])))
    assert [cell.problems for cell in cells] == [("chain/0000",), ("chain/0002",)]
    assert [cell.name for cell in cells] == [
        "problem=chain-0000/seed-0",
        "problem=chain-0002/seed-0",
    ]


def test_one_training_is_the_folder_itself_and_its_first_seed_is_registered() -> None:
    (alone,) = expand(plan(problems=("chain/0000",)))
    assert (alone.name, alone.recipe.optimiser_updates) == (".", 10)
    first, _ = expand(plan(problems=("chain/0000",), seeds=(3, 0)))
    assert (first.name, first.seed) == ("seed-3", 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "named in one way"),
        ({"problems": ("a/0",), "prompt_file": "x"}, "named in one way"),
        ({"problems": ("a/0",), "seeds": (1, 1)}, "`seeds` must be one or more different numbers"),
        ({"problems": ("a/0",), "save_updates": (11,)}, "no update 11 to save"),
        ({"problems": ("a/0",), "held_out_problems": 0}, "held_out_problems"),
        ({"problems": ("a/0",), "prompts": 2}, "counts problems of a prompt file"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        expand(plan(**changes))
