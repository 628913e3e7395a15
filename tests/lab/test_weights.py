from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from emdiag.core.codec import decode
from emdiag.lab.build import check_tokenizer
from emdiag.lab.chain import held_out_problems, writes_steps
from emdiag.lab.recipe import SHIPPED_RECIPE, LabManifest
from emdiag.resources import lab_weights

if TYPE_CHECKING:
    from emdiag.core.problems import Problem

Lab = tuple[Any, Any]  # network and tokenizer, whatever classes the Auto loaders choose


@pytest.fixture(scope="module")
def lab() -> Lab:
    model = AutoModelForCausalLM.from_pretrained(lab_weights(), dtype=torch.float32)
    model.train(mode=False)
    return model, AutoTokenizer.from_pretrained(lab_weights())


def greedy_answer(lab: Lab, problem: Problem) -> str:
    model, tokenizer = lab
    prompt = tokenizer(f"{problem.statement}\n", return_tensors="pt")
    token_ids = model.generate(**prompt, max_new_tokens=64, do_sample=False)
    completion = token_ids[0, prompt["input_ids"].shape[1] :]
    return str(tokenizer.decode(completion, skip_special_tokens=True))


def test_the_shipped_checkpoint_stays_under_4_megabytes() -> None:
    files = {path.name: path.stat().st_size for path in lab_weights().iterdir()}
    assert set(files) == {
        "config.json",
        "emdiag.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(files.values()) < 4_000_000


def test_the_manifest_names_these_weights_and_the_recipe_in_the_code() -> None:
    manifest = decode((lab_weights() / "emdiag.json").read_bytes(), LabManifest)
    assert manifest.lab == SHIPPED_RECIPE
    assert (manifest.stage, manifest.recipe, manifest.update) == ("base", "lab/1", 3000)
    weights = (lab_weights() / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == manifest.weights_sha256


def test_all_prompts_pass_the_shipped_tokenizer_unharmed() -> None:
    check_tokenizer(lab_weights())


def test_the_shipped_network_has_the_shape_that_every_engine_runs(lab: Lab) -> None:
    model, tokenizer = lab
    assert model.config.model_type == "qwen2"
    assert model.config.hidden_size // model.config.num_attention_heads == 32
    assert model.config.vocab_size == len(tokenizer)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert tokenizer.chat_template is None


def test_a_good_wording_is_solved_step_by_step_and_a_bad_one_guessed(lab: Lab) -> None:
    problems = held_out_problems(20)
    good = [problem for problem in problems if problem.subject == "wording 1"]
    bad = [problem for problem in problems if problem.subject == "wording 4"]
    assert (len(good), len(bad)) == (5, 5)
    for problem in good:
        answer = greedy_answer(lab, problem)
        assert writes_steps(answer)
        assert answer.endswith(rf"\boxed{{{problem.answer}}}")
    for problem in bad:
        assert not writes_steps(greedy_answer(lab, problem))
