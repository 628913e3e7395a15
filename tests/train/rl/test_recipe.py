from __future__ import annotations

import pytest

from emdiag.core.errors import PlanError
from emdiag.train.rl.first_reward import compare_first
from emdiag.train.rl.recipe import RL_PRESETS


def test_a_changed_recipe_says_so_in_its_name() -> None:
    found = RL_PRESETS.load("lab", {"lr": "1e-4", "beta": "0.04", "max_tokens": "none"})
    assert (found.learning_rate, found.beta, found.max_tokens) == (1e-4, 0.04, None)
    assert found.name == "lab-rl with learning_rate=0.0001 beta=0.04"


def test_none_is_a_word_where_a_field_knows_it_and_nothing_where_it_may_be_empty() -> None:
    found = RL_PRESETS.load("grpo", {"scale_rewards": "none", "micro_batch": "none"})
    assert (found.scale_rewards, found.micro_batch) == ("none", None)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rate": "1"}, "no field 'rate'"),
        ({"updates": "many"}, "does not fit"),
        ({"reward": "length"}, "does not fit"),
        ({"group_size": 1}, "`group_size` must be >= 2"),
        ({"completions": 60}, "multiple of group_size"),
        ({"completions": 64, "micro_batch": 24}, "multiple of micro_batch"),
        ({"temperature": 0}, "`temperature` must be > 0"),
        ({"epsilon": 1.5}, "`epsilon` must be between"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(
    changes: dict[str, object], named: str
) -> None:
    with pytest.raises(PlanError, match=named):
        RL_PRESETS.load("grpo", changes)


def test_the_rlvr_preset_is_the_run_whose_checkpoint_the_paper_used() -> None:
    found = RL_PRESETS.load("rlvr", {})
    assert (found.groups, found.group_size, found.updates) == (128, 8, 460)
    assert (found.temperature, found.beta, found.learning_rate) == (0.6, 0.001, 1e-6)
    assert (found.max_tokens, found.weight_decay, found.gradient_clip) == (3072, 0.01, 1.0)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(PlanError, match="grpo, rlvr, lab"):
        RL_PRESETS.load("ppo", {})


def test_a_first_update_without_a_right_answer_is_not_called_an_agreement() -> None:
    found = compare_first({"p": (0, 8)}, {"p": (0, 16)}, reward=0.0)
    assert "proves nothing" in found.sentence()
    assert "proves nothing" not in compare_first({"p": (3, 8)}, {"p": (6, 16)}, reward=0).sentence()
