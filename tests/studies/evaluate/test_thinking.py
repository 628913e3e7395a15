"""A checkpoint that thinks, from the prompt to page and export; truncated and not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import emdiag
from emdiag.core.errors import CheckpointError
from emdiag.core.protocols import SilentProgress
from emdiag.core.reasoning import THINK
from emdiag.findings.evaluation import completions_table, thinking_table
from emdiag.findings.remarks import words_of
from emdiag.publish.samples import SampledRun, page_samples
from emdiag.reports.packing import packed
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.export import export_run
from emdiag.studies.stored.problems import problems_of_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.core.results import BenchmarkScore, EvaluateResult

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
CONTEXT = 1024

ENGINE = r'''
from functools import partial
from emdiag.core.runs import EngineInfo
from emdiag.engines.checkpoint.tokenizers import decode, open_tokenizer
from emdiag.engines.texts import completion_of

TEXTS = [
    "first \\boxed{0}, \u20ac\U0001f600</think>so \\boxed{GOLD}<|im_end|>",
    "it is \\boxed{GOLD}, wait",
    "it is \\boxed{GOLD}</think>I am not sure of it.<|im_end|>",
    "\\boxed{0}</think>Answer: GOLD<|im_end|>",
]
GOLDS = {}


class Reciter:
    """Writes four texts in turn, with the right answer where they say GOLD."""

    def __init__(self, checkpoint, *, options):
        self.tokenizer = open_tokenizer(checkpoint.path)
        self.info = EngineInfo(
            name="reciter", versions={}, device="none", dtype="none", settings={},
            deterministic=True,
        )

    def sample(self, requests, *, params):
        text_of = partial(decode, self.tokenizer, skip_special_tokens=True)
        for request in requests:
            number = int(request.problem_id.split("/")[1]) % 4
            text = TEXTS[number].replace("GOLD", GOLDS[request.problem_id])
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"][: params.max_tokens]
            end = "stop" if ids[-1] in params.stop_token_ids else "length"
            yield completion_of(request, ids, end, decode=text_of, params=params)

    def close(self):
        pass


class SeesWhat:
    """A grader that notes what it is given."""

    identity, versions, seen = "sees-what/1", {}, []

    def grade(self, pairs):
        from emdiag.core.grades import Judgement, Verdict

        for gold, text in pairs:
            yield Judgement(verdict=Verdict.WRONG, extracted=text, boxed=False, elapsed_s=0.0)

    def classes(self, groups):
        return [list(group) for group in groups]
'''


class _Notes(SilentProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def note(self, text: str) -> None:
        self.words.append(text)


@pytest.fixture(scope="session")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights, a token for each byte, and `<think>` and `</think>` in the vocabulary."""
    folder = tmp_path_factory.mktemp("thinker")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.add_tokens([AddedToken(marker, special=False) for marker in THINK])
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=CONTEXT,
        initializer_range=0.1, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def evaluate(
    tmp_path: Path, thinker: str, right_answers: Callable[..., dict[str, list[str]]],
    toy_ids: list[str], monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., EvaluateResult]:  # fmt: skip
    boxes = right_answers(toy_ids).items()
    golds = {name: box.removeprefix(r"\boxed{")[:-1] for name, (box,) in boxes}
    source = ENGINE.replace("GOLDS = {}", f"GOLDS = {golds!r}")
    (tmp_path / "reciting.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    def run(**options: Any) -> EvaluateResult:
        settings = {"store": tmp_path / "out", "home": tmp_path / "home", "benchmarks": "toy"}
        settings |= {"template": "boxed", "grader_workers": 1, "engine": "reciting:Reciter"}
        settings |= {"limit": 8, "temperature": 0.6}
        return emdiag.evaluate(f"r={thinker}", **(settings | options))

    return run


def stored(tmp_path: Path, score: BenchmarkScore) -> Any:
    return next(run for run in RunStore(tmp_path / "out").runs() if run.key == score.run_key)


def test_the_answer_is_graded_and_the_thinking_is_counted(
    tmp_path: Path, evaluate: Callable[..., EvaluateResult]
) -> None:
    (score,) = evaluate().scores
    assert score.by_verdict == {"correct": 4, "wrong": 0, "no_answer": 4, "undecided": 0}
    thinking = score.rates.thinking
    assert thinking is not None
    assert thinking.unfinished_frac == score.rates.truncated_frac == 0.25
    run = stored(tmp_path, score)
    drawn = run.completions()
    total = sum(len(completion.token_ids) for completion in drawn.values())
    reasoning = [completion.reasoning_tokens for completion in drawn.values()]
    assert thinking.reasoning_frac == pytest.approx(sum(reasoning) / total)
    assert thinking.longest_reasoning == max(reasoning)
    assert thinking.mean_reasoning_tokens is not None
    assert thinking.mean_answer_tokens is not None
    assert thinking.mean_reasoning_tokens + thinking.mean_answer_tokens == pytest.approx(total / 8)
    grades = run.grades(score.grade_key)
    for sample, grade in grades.items():
        if grade.why and grade.why.span:
            first, end = grade.why.span
            assert drawn[sample].text[first:end] == grade.extracted
    unfinished = [grade for grade in grades.values() if grade.why.rule == "thinking not finished"]
    assert {grade.problem_id[-1] for grade in unfinished} == {
        name[-1] for name, _ in drawn if int(name[-1]) % 4 == 1
    }
    # nothing is drawn anew, and no other answer comes out
    assert evaluate().scores == (score,)


def test_tables_have_what_is_counted(evaluate: Callable[..., EvaluateResult]) -> None:
    (score,) = evaluate().scores
    shown = completions_table([score])
    assert "unfinished" in shown.columns
    row = dict(zip(shown.columns, (cell.text for cell in shown.rows[0]), strict=True))
    assert row["unfinished"] == row["cut off"] == "25.0"
    assert thinking_table([score]).rows
    (other,) = evaluate(reasoning="none").scores
    assert other.rates.thinking is None
    assert other.run_key != score.run_key
    assert "unfinished" not in completions_table([other]).columns
    assert not thinking_table([other]).rows


def test_prompts_that_open_thinking_leave_all_the_room_there_is(
    tmp_path: Path, evaluate: Callable[..., EvaluateResult]
) -> None:
    (score,) = evaluate(temperature=0).scores
    run = stored(tmp_path, score)
    longest = max(completion.prompt_tokens for completion in run.completions().values())
    assert CONTEXT - longest >= run.spec.sampling.max_tokens > 700
    codes = {note.code: words_of(note) for note in score.notes}
    assert "32,768" in codes["room-left"]
    assert "<think> ... </think>, tokens of its vocabulary" in codes["reasoning-style"]
    assert "temperature 0" in codes["greedy-thinking"]
    (short,) = evaluate(max_tokens=20).scores
    assert short.rates.thinking is not None
    assert short.rates.thinking.unfinished_frac > 0.25
    assert "room-left" not in {note.code for note in short.notes}
    assert "greedy-thinking" not in {note.code for note in short.notes}
    # a prompt that opens nothing, of a checkpoint that may think: the card's
    (plain,) = evaluate(chat=False).scores
    assert stored(tmp_path, plain).spec.sampling.max_tokens < 1000
    assert "greedy-thinking" not in {note.code for note in plain.notes}


def test_how_long_it_may_take_is_said_before(evaluate: Callable[..., EvaluateResult]) -> None:
    progress = _Notes()
    evaluate(progress=progress, max_tokens=100)
    assert any("800 tokens at most for 8 samples; how long" in words for words in progress.words)
    progress.words.clear()
    evaluate(progress=progress, max_tokens=100, samples=2)
    (words,) = (words for words in progress.words if "as in earlier sessions" in words)
    assert re.search(r" at most for 8 samples, [0-9.]+ s at [0-9.,]+ tokens/s as", words)


def test_other_graders_see_the_answer_alone(
    tmp_path: Path, evaluate: Callable[..., EvaluateResult]
) -> None:
    (score,) = evaluate(grader="reciting:SeesWhat").scores
    run = stored(tmp_path, score)
    given = {grade.extracted for grade in run.grades(score.grade_key).values()}
    assert not any("think" in text for text in given if text)
    assert score.by_verdict["no_answer"] == 2
    (main,) = evaluate().scores
    assert main.run_key == score.run_key
    result = emdiag.regrade("r", store=tmp_path / "out", home=tmp_path / "home", workers=1)
    (regraded,) = result.runs
    assert regraded.score.value == 0.5
    assert all(of.verdict.value != "no_answer" or of.second_verdict.value == "no_answer"
               for of in regraded.disagreements)  # fmt: skip


def test_pages_and_exports_tell_them_apart(
    tmp_path: Path, evaluate: Callable[..., EvaluateResult]
) -> None:
    (score,) = evaluate().scores
    run = stored(tmp_path, score)
    file = tmp_path / "rows.jsonl"
    export_run(run, file, home=tmp_path / "home")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["completion"][row["answer_start"] :] for row in rows if row["answer_start"]] == [
        completion.answer_text for completion in run.completions().values()
        if not completion.is_thinking
    ]  # fmt: skip
    assert sum(row["answer_start"] is None for row in rows) == 2
    assert all(row["reasoning_tokens"] > 0 for row in rows)
    export_run(run, tmp_path / "rows.parquet", home=tmp_path / "home")
    samples = page_samples(
        [SampledRun(run=run, label="r", grade_key=score.grade_key)],
        problems_of_runs([run], home=tmp_path / "home"),
    )
    assert samples is not None
    on_page = json.loads(packed(samples))["thinking"]
    for place, sample in enumerate(samples.samples):
        thinking, tokens = on_page[str(place)]
        assert tokens == sample.reasoning_tokens
        if thinking is None:
            assert sample.thinking is None
            continue
        units = sample.text.encode("utf-16-le")
        assert units[: 2 * thinking].decode("utf-16-le").endswith("</think>")
        assert "think" not in units[2 * thinking :].decode("utf-16-le")


@pytest.mark.parametrize("max_tokens", [20, 300])
def test_random_weights_are_counted_too(
    tmp_path: Path, evaluate: Callable[..., EvaluateResult], max_tokens: int
) -> None:
    options = {"engine": "transformers", "temperature": 1.0, "samples": 4, "limit": 4}
    (score,) = evaluate(**options, max_tokens=max_tokens).scores
    drawn = stored(tmp_path, score).completions()
    end = stored(tmp_path, score).spec.reasoning.token_ids[1]
    for completion in drawn.values():
        assert completion.is_thinking == (
            completion.token_ids.count(end) == 0
            or 259 in completion.token_ids[len(completion.token_ids)
                                           - completion.token_ids[::-1].index(end) :]
        )  # fmt: skip
    shares = [completion.is_thinking for completion in drawn.values()]
    assert score.rates.thinking is not None
    assert score.rates.thinking.unfinished_frac == sum(shares) / len(shares)
    assert score.by_verdict["no_answer"] >= sum(shares)


def test_markers_that_the_tokenizer_lacks_are_refused(
    evaluate: Callable[..., EvaluateResult],
) -> None:
    with pytest.raises(CheckpointError, match="no token of this tokenizer") as refusal:
        evaluate(reasoning="[THINK],[/THINK]")
    assert "text:[THINK],[/THINK]" in str(refusal.value)


def test_texts_of_a_table_are_told_apart_by_words(
    tmp_path: Path,
    scripted: Callable[[str, dict[str, list[str]]], str],
    right_answers: Callable[..., dict[str, list[str]]],
    toy_ids: list[str],
) -> None:
    table = {
        name: [f"<think>x</think>{texts[0]}" if place % 2 else f"<think>{texts[0]}"]
        for place, (name, texts) in enumerate(right_answers(toy_ids).items())
    }
    (score,) = emdiag.evaluate(
        scripted("t", table), "toy", store=tmp_path / "out", home=tmp_path / "home",
        grader_workers=1, reasoning="text:<think>,</think>",
    ).scores  # fmt: skip
    assert score.rates.thinking is not None
    assert score.rates.thinking.unfinished_frac == score.by_verdict["no_answer"] / 12 > 0
    assert score.by_verdict["correct"] == 12 - score.by_verdict["no_answer"]
