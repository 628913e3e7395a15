from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import emdiag
from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.custom import load_custom
from emdiag.benchmarks.load import load_problems
from emdiag.core.errors import BenchmarkError, PlanError, StoreError
from emdiag.core.files import write_atomically
from emdiag.core.problems import Problem
from emdiag.core.results import remark
from emdiag.core.sampling import Completion
from emdiag.core.selection import PromptStatistics, SelectResult
from emdiag.findings.remarks import words_of
from emdiag.measure.prompts import prompt_statistics
from emdiag.store.run_store import RunStore
from emdiag.studies.training.criteria import RULES, rank

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Table = dict[str, list[str]]
    Scripted = Callable[[str, Table], str]
    Select = Callable[..., SelectResult]


@pytest.fixture
def select(tmp_path: Path) -> Select:
    def run(checkpoint: str, pool: str = "toy", **options: Any) -> SelectResult:
        settings: dict[str, Any] = {"store": tmp_path / "out", "home": tmp_path / "home"}
        settings |= {"engine": "scripted", "template": "plain", "grader_workers": 1, "samples": 4}
        return emdiag.select(checkpoint, pool, **(settings | options))

    return run


@pytest.fixture
def table(tmp_path: Path, toy_ids: list[str]) -> Table:
    """Always right but for three problems: half right, never right, never an answer."""
    golds = {p.id: p.answer for p in load_problems(load_card("toy"), home=tmp_path)}
    answers = {name: [rf"\boxed{{{golds[name]}}}"] for name in toy_ids}
    answers[toy_ids[4]] = [rf"\boxed{{{golds[toy_ids[4]]}}}", r"\boxed{987}"]
    answers[toy_ids[5]] = [r"\boxed{987}", r"\boxed{987}", r"\boxed{987}", r"\boxed{654}"]
    answers[toy_ids[6]] = ["I do not know where to begin."]
    return answers


def without_answers(path: Path, *, benchmark: str = "toy") -> Path:
    problems = load_problems(load_card(benchmark), home=path.parent)
    rows = [{"id": problem.id, "statement": problem.statement} for problem in problems]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_most_undecided_prompt_comes_first_and_the_rest_keeps_its_order(
    select: Select, scripted: Scripted, table: Table, toy_ids: list[str]
) -> None:
    result = select(scripted("base", table))
    order = [figures.problem_id for figures in result.ranked]
    assert order == [toy_ids[4], *toy_ids[:4], *toy_ids[5:]]
    assert (result.by, result.used_labels, result.tied, result.labelled) == (
        *("outcome-variance", True, 1, 12),
    )
    assert result.ranked[0].outcome_variance == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("by", "first"), [("answer-entropy", 4), ("agreement", 4), ("majority", 0)]
)
def test_criteria_without_labels_rank_the_same_pool(
    by: str, first: int, select: Select, scripted: Scripted, table: Table, toy_ids: list[str]
) -> None:
    result = select(scripted("base", table), by=by)
    assert not result.used_labels
    assert result.ranked[0].problem_id == toy_ids[first]


def test_figures_without_labels_are_the_same_when_the_answers_are_taken_away(
    select: Select, scripted: Scripted, table: Table, tmp_path: Path
) -> None:
    pool = without_answers(tmp_path / "bare.jsonl")
    bare = select(scripted("base", table), str(pool))
    full = select(scripted("base", table), by="answer-entropy")
    assert (bare.by, bare.used_labels, bare.labelled) == ("answer-entropy", False, 0)
    blank = {"pass_rate": None, "pass_rate_interval": None}
    blank |= {"outcome_variance": None, "majority_correct": None}
    assert list(bare.ranked) == [msgspec.structs.replace(one, **blank) for one in full.ranked]


def test_a_labelled_criterion_on_a_bare_pool_is_refused_before_anything_is_drawn(
    select: Select, scripted: Scripted, table: Table, tmp_path: Path
) -> None:
    pool = without_answers(tmp_path / "bare.jsonl")
    with pytest.raises(PlanError, match="no problem of the pool has one") as caught:
        select(scripted("base", table), str(pool), by="outcome-variance")
    for name, rule in RULES.items():
        assert (name in str(caught.value.hint)) == (not rule.uses_labels)
    assert RunStore(tmp_path / "out").runs() == []


def test_where_some_answers_are_missing_those_prompts_stand_last(
    select: Select, scripted: Scripted, table: Table, toy_ids: list[str], tmp_path: Path
) -> None:
    problems = load_problems(load_card("toy"), home=tmp_path)
    rows = [{"id": p.id, "statement": p.statement, "answer": p.answer} for p in problems]
    del rows[0]["answer"], rows[4]["answer"]
    pool = tmp_path / "some.jsonl"
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = select(scripted("base", table), str(pool))
    assert result.by == "outcome-variance"
    assert [one.problem_id for one in result.ranked[-2:]] == [toy_ids[0], toy_ids[4]]
    assert remark("unlabelled", problems=2, total=12, stand_last=True) in result.notes


def test_the_ranked_file_reads_back_as_the_same_problems_in_that_order(
    select: Select, scripted: Scripted, table: Table, toy_ids: list[str], tmp_path: Path
) -> None:
    result = select(scripted("base", table))
    path = tmp_path / "out" / "select" / "toy-base.jsonl"
    assert result.file == str(path)
    card, problems = load_custom(path)
    toy = {problem.id: problem for problem in load_problems(load_card("toy"), home=tmp_path)}
    assert [p.id for p in problems] == [one.problem_id for one in result.ranked]
    assert [msgspec.structs.replace(p, benchmark="toy") for p in problems] == [
        toy[problem.id] for problem in problems
    ]
    assert (card.template, card.grader) == (load_card("toy").template, load_card("toy").grader)
    assert not list(path.parent.glob(".*"))
    again = select(scripted("base", table), str(path), by="majority", out=tmp_path / "b.jsonl")
    assert {one.problem_id for one in again.ranked} == set(toy_ids)
    assert load_custom(tmp_path / "b.jsonl")[0].template == card.template


def test_samples_are_shared_with_evaluate_and_drawn_once(
    select: Select, scripted: Scripted, table: Table, tmp_path: Path
) -> None:
    ref = scripted("base", table)
    settings: dict[str, Any] = {"store": tmp_path / "out", "home": tmp_path / "home"}
    settings |= {"engine": "scripted", "template": "plain", "grader_workers": 1}
    score = emdiag.evaluate(ref, "toy", samples=2, temperature=1.0, **settings).scores[0]
    result = select(ref)
    (run,) = RunStore(tmp_path / "out").runs()
    assert result.run_key == score.run_key == run.key
    assert (run.path / "completions.jsonl").read_bytes().count(b"\n") == 12 * 4
    before = (run.path / "completions.jsonl").read_bytes()
    assert select(ref) == result
    assert (run.path / "completions.jsonl").read_bytes() == before


def test_a_harmful_first_prompt_is_told_whichever_criterion_chose_it(
    select: Select, scripted: Scripted, table: Table, toy_ids: list[str]
) -> None:
    (caution,) = [n for n in select(scripted("base", table)).notes if n.code.startswith("first-")]
    assert caution.code == "first-often-wrong"  # 4 samples cannot tell
    assert caution.values["problem"] == toy_ids[4]
    assert "50.0 % [15.0, 85.0] of samples are right" in words_of(caution)
    wrong = {**table, toy_ids[0]: [r"\boxed{987}"] * 3 + table[toy_ids[0]]}
    wrong[toy_ids[4]] = table[toy_ids[3]]
    (caution,) = [n for n in select(scripted("w", wrong)).notes if n.code.startswith("first-")]
    assert caution == remark(
        "first-mostly-wrong", problem=toy_ids[0], answer="987", share=0.75, looked=True
    )
    assert "the answer 987 (75.0 % of samples), which is wrong" in words_of(caution)
    assert "the ranking looked at them too" in words_of(caution)
    sure = {name: [text[0]] * 4 for name, text in table.items()}
    notes = select(scripted("s", sure), by="majority", samples=16).notes
    assert not any(note.code.startswith("first-") for note in notes)


def test_a_pool_that_hardly_answers_and_a_part_of_a_pool_are_noted(
    select: Select, scripted: Scripted, toy_ids: list[str]
) -> None:
    table = {name: ["I do not know where to begin " * 9] for name in toy_ids}
    notes = select(scripted("base", table), limit=5, max_tokens=20).notes
    assert remark("partial", problems=5, total=12) in notes
    assert remark("cut-off", share=1.0, limit=20) in notes
    assert remark("silent", share=1.0) in notes
    assert any("most common is to give no answer" in words_of(note) for note in notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "best"}, "there is no criterion 'best'"),
        ({"samples": 1}, "ranked by how their samples differ"),
        ({"temperature": 0.0}, "ranked by how their samples differ"),
        ({"by": "token-entropy"}, "the scripted engine has no weights"),
        ({"by": "token-entropy", "token_entropy": False}, "needs token entropies to be read"),
        ({"limit": 0}, "`limit` must be >= 1, got 0"),
        ({"sample": 3}, "unknown options: sample"),
        ({"out": "ranked.json"}, "written as JSON lines"),
    ],
)
def test_what_contradicts_itself_is_refused(
    options: dict[str, Any], message: str, select: Select, scripted: Scripted, table: Table
) -> None:
    with pytest.raises(PlanError, match=message):
        select(scripted("base", table), **options)


def test_only_a_ranking_is_replaced_and_never_by_half_a_file(
    select: Select, scripted: Scripted, table: Table, tmp_path: Path
) -> None:
    ref = scripted("base", table)
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"statement": "Mine?"}\n')
    with pytest.raises(PlanError, match="holds no ranked problems, so it is not replaced"):
        select(ref, out=mine)
    assert mine.read_text() == '{"statement": "Mine?"}\n'
    with pytest.raises(BenchmarkError, match="is called 'toy', as a benchmark of emdiag is"):
        select(ref, out=tmp_path / "toy.jsonl")
    select(ref, out=tmp_path / "ranked.jsonl")
    select(ref, out=tmp_path / "ranked.jsonl", by="majority")
    first = json.loads((tmp_path / "ranked.jsonl").read_text().splitlines()[0])
    assert (first["selection"]["by"], first["selection"]["rank"]) == ("majority", 1)
    with pytest.raises(StoreError, match="the ranked problems cannot be written"):
        select(ref, out=mine / "below-a-file.jsonl")


def test_a_full_disk_keeps_the_ranking_that_was_there(
    select: Select,
    scripted: Scripted,
    table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ref, out = scripted("base", table), tmp_path / "ranked.jsonl"
    select(ref, out=out)
    before = out.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    def write(path: Path, content: bytes) -> None:  # the runs are stored, the ranking is not
        monkeypatch.setattr("emdiag.core.files.os.fsync", full)
        write_atomically(path, content)

    monkeypatch.setattr("emdiag.studies.training.select.write_atomically", write)
    with pytest.raises(StoreError, match="No space left on device"):
        select(ref, out=out, by="majority")
    assert out.read_bytes() == before
    assert not list(tmp_path.glob(".ranked*"))


def test_prompts_on_which_a_criterion_is_not_defined_stand_last() -> None:
    one = PromptStatistics(
        problem_id="a", statement="A?", samples=2, pass_rate=None, pass_rate_interval=None,
        outcome_variance=None, majority_correct=None, answer_entropy_nats=0.1, agreement=1.0,
        majority_frac=1.0, majority_answer=None, no_answer_frac=1.0, token_entropy_nats=None,
        mean_tokens=1.0, truncated_frac=0.0,
    )  # fmt: skip
    two = msgspec.structs.replace(one, problem_id="b", token_entropy_nats=0.5)
    three = msgspec.structs.replace(one, problem_id="c", token_entropy_nats=0.9)
    ranked = rank([one, two, three], RULES["token-entropy"])
    assert [figures.problem_id for figures in ranked] == ["c", "b", "a"]


def test_a_prompt_on_which_nothing_is_answered_is_never_the_first_choice() -> None:
    drawn = {
        name: [
            Completion(
                problem_id=name, sample_index=index, text="", token_ids=(1,), prompt_tokens=1,
                finish_reason="stop", seed=0,
            )
            for index in range(4)
        ]
        for name in ("silent", "mixed")
    }  # fmt: skip
    classes = {"silent": [None] * 4, "mixed": ["1", "1", "2", None]}
    figures = [
        prompt_statistics(
            Problem(id=name, benchmark="p", statement="?", answer="", answer_raw=""),
            drawn[name], classes[name], verdicts=None, token_entropies=None,
        )
        for name in drawn
    ]  # fmt: skip
    for by in ("answer-entropy", "agreement", "majority"):
        ranked = rank(figures, RULES[by])
        assert [prompt.problem_id for prompt in ranked] == ["mixed", "silent"]


def test_token_entropies_of_the_lab_lie_between_certainty_and_chance(
    tmp_path: Path,
) -> None:
    result = emdiag.select(
        "lab", "chain", by="token-entropy", samples=2, limit=3, engine="transformers",
        store=tmp_path / "out", home=tmp_path, grader_workers=1, threads=1,
    )  # fmt: skip
    values = [one.token_entropy_nats for one in result.ranked]
    assert values == sorted(values, key=lambda value: -(value or 0))
    assert all(value is not None and 0 < value < math.log(82) for value in values)
