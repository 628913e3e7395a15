from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from emdiag.core.errors import CheckpointError, PlanError
from emdiag.core.sampling import FilledPrompt, Prompt
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.tokenizers import encode_prompts, open_tokenizer
from emdiag.engines.open import open_encoder
from emdiag.engines.options import EngineOptions
from emdiag.lab.chain import held_out_problems, training_problems
from emdiag.train.rl.plan import RLPlan
from emdiag.train.rl.prompts import load_training_set, schedule, texts_for_trl
from emdiag.train.rl.recipe import LAB, RLRecipe

if TYPE_CHECKING:
    from pathlib import Path

CHAT = "{{ bos_token }}[{{ messages[0]['content'] }}]"


def tokenizer_with_begin() -> PreTrainedTokenizerFast:
    """Adds a begin token to every plain text; its chat template writes one too."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<s>", "</s>"])
    begin = backend.token_to_id("<s>")
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", begin)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = CHAT
    return tokenizer


def filled(text: str) -> FilledPrompt:
    return FilledPrompt(problem_id="p/1", system=None, user=text, plain=text, template_sha256="0")


@pytest.mark.parametrize("chat", [False, True])
def test_trl_reads_the_token_ids_of_evaluation_and_never_two_begin_tokens(*, chat: bool) -> None:
    tokenizer = tokenizer_with_begin()
    prompts = encode_prompts(tokenizer, [filled("1 + 1\n")], chat=chat)
    [text] = texts_for_trl(prompts, tokenizer)
    read = tuple(tokenizer(text=[text])["input_ids"][0])
    assert read == prompts[0].token_ids
    assert read.count(tokenizer.bos_token_id) == 1


def test_the_lab_prompts_reach_trl_token_for_token(tmp_path: Path) -> None:
    checkpoint = resolve_checkpoint("lab", label="lab", home=tmp_path)
    encoder = open_encoder("transformers", checkpoint, options=EngineOptions())
    prompts = encoder.encode([filled(p.statement + "\n") for p in held_out_problems(8)], chat=False)
    tokenizer = open_tokenizer(checkpoint.path)
    texts = texts_for_trl(prompts, tokenizer)
    assert [tuple(ids) for ids in tokenizer(text=texts)["input_ids"]] == [
        prompt.token_ids for prompt in prompts
    ]


def test_a_tokenizer_that_drops_blanks_is_refused_at_its_first_difference() -> None:
    tokenizer = tokenizer_with_begin()
    [prompt] = encode_prompts(tokenizer, [filled("1 + 1")], chat=False)
    whole = Prompt(
        problem_id="p/1",
        text=prompt.text.replace(" ", ""),
        token_ids=prompt.token_ids,
        template_sha256="0",
    )
    with pytest.raises(CheckpointError, match="differently from evaluation") as caught:
        texts_for_trl([whole], tokenizer)
    assert caught.value.facts["position"] == "2"
    assert caught.value.facts["problem"] == "p/1"


@given(count=st.integers(1, 9), rows=st.integers(1, 40), seed=st.integers(0, 3))
def test_every_problem_comes_up_equally_often(count: int, rows: int, seed: int) -> None:
    order = schedule(count, rows=rows, seed=seed)
    times = [order.count(number) for number in range(count)]
    assert len(order) == rows
    assert max(times) - min(times) <= 1


def test_a_longer_training_begins_as_the_shorter_one_does() -> None:
    assert schedule(7, rows=40, seed=1)[:10] == schedule(7, rows=10, seed=1)
    assert schedule(7, rows=40, seed=1) != schedule(7, rows=40, seed=2)


def plan(benchmark: str, recipe: RLRecipe = LAB, **changes: int) -> RLPlan:
    return RLPlan(ref="lab", benchmark=benchmark, out="out", recipe=recipe, **changes)


def test_held_out_problems_are_not_trained_on_and_a_benchmark_is_named_in_the_notes(
    tmp_path: Path,
) -> None:
    checkpoint = resolve_checkpoint("lab", label="lab", home=tmp_path)
    encoder = open_encoder("transformers", checkpoint, options=EngineOptions())
    found = load_training_set(plan("chain", limit=100), checkpoint, encoder, home=tmp_path)
    trained = {prompt.token_ids for prompt in found.prompts}
    assert len(found.held_out) == 20  # of 32 asked for: at most one in five
    assert len(trained) == 80
    assert trained.isdisjoint(prompt.token_ids for prompt in found.held_out)
    assert "trained on the problems of chain" in found.notes[0]


def test_what_nobody_typed_is_chosen_so_that_the_checkpoint_can_do_it_and_said(
    tmp_path: Path,
) -> None:
    checkpoint = resolve_checkpoint("lab", label="lab", home=tmp_path)
    encoder = open_encoder("transformers", checkpoint, options=EngineOptions())
    problems = tmp_path / "mine.jsonl"
    rows = [{"id": f"q{n}", "statement": f"{n}+1?", "answer": str(n + 1)} for n in range(6)]
    problems.write_text("\n".join(map(json.dumps, rows)))
    found = load_training_set(plan(str(problems), RLRecipe()), checkpoint, encoder, home=tmp_path)
    no_chat, room_left = found.choices
    assert "has no chat template, so mine is asked as plain text" in no_chat
    assert f"have {found.max_tokens} tokens at most, not 2,048" in room_left
    assert set(found.choices) <= set(found.notes)
    with pytest.raises(CheckpointError, match="none"):
        load_training_set(
            plan(str(problems), RLRecipe(chat=True)), checkpoint, encoder, home=tmp_path
        )


def test_a_prompt_without_room_for_its_answer_is_refused(tmp_path: Path) -> None:
    checkpoint = resolve_checkpoint("lab", label="lab", home=tmp_path)
    encoder = open_encoder("transformers", checkpoint, options=EngineOptions())
    with pytest.raises(PlanError, match="exceed the context"):
        load_training_set(
            plan("chain", RLRecipe(max_tokens=1020)), checkpoint, encoder, home=tmp_path
        )


def test_no_training_problem_of_the_lab_is_in_its_benchmark() -> None:
    benchmark = {problem.statement for problem in held_out_problems()}
    drawn = training_problems(2000, seed=0)
    assert benchmark.isdisjoint(problem.statement for problem in drawn)
    assert len({problem.id for problem in drawn}) == 2000
