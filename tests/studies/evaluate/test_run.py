from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import emdiag
from emdiag.core.digest import digest
from emdiag.core.errors import BenchmarkError, EngineError, PlanError, RunLockedError, StoreError
from emdiag.core.option_groups import Sampling
from emdiag.core.results import remark
from emdiag.engines import scripted as scripted_engine
from emdiag.findings.evaluation import scores_table
from emdiag.store.run_store import RunStore
from emdiag.studies.evaluate import draw
from emdiag.studies.evaluate import run as run_module
from emdiag.studies.evaluate.plan import EvaluatePlan, parse_checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from emdiag.core.results import EvaluateResult
    from emdiag.core.sampling import Completion, SampleRequest, SamplingParams

    Table = dict[str, list[str]]
    Scripted = Callable[[str, Table], str]
    RightAnswers = Callable[[Sequence[str]], Table]


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., EvaluateResult]:
    def run(checkpoints: object, **options: Any) -> EvaluateResult:
        settings = {"store": tmp_path / "out", "home": tmp_path / "home", "engine": "scripted"}
        settings |= {"template": "plain", "grader_workers": 1, "benchmarks": "toy"}
        return emdiag.evaluate(checkpoints, **(settings | options))  # type: ignore[arg-type]  # tests pass wrong things too

    return run


def test_a_score_counts_right_answers_of_a_known_table(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
) -> None:
    result = evaluate(scripted("some", right_answers(toy_ids[:9])))
    (score,) = result.scores
    assert (score.metric, score.value, score.problems) == ("avg@1", 0.75, 12)
    assert score.interval is not None
    assert score.interval.method == "wilson"
    assert score.by_verdict == {"correct": 9, "wrong": 3, "no_answer": 0, "undecided": 0}
    assert not score.partial
    assert score.engine == "scripted"


def test_running_again_draws_nothing_and_changes_nothing(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
) -> None:
    ref = scripted("base", right_answers(toy_ids))
    first = evaluate(ref)
    (run,) = RunStore(tmp_path / "out").runs()
    before = (run.path / "completions.jsonl").read_bytes()
    grades = {path.name: path.read_bytes() for path in run.path.glob("grades-*")}
    second = evaluate(ref)
    assert (run.path / "completions.jsonl").read_bytes() == before
    assert {path.name: path.read_bytes() for path in run.path.glob("grades-*")} == grades
    assert second.scores == first.scores


def test_asking_for_more_adds_only_what_is_missing(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
) -> None:
    ref = scripted("base", right_answers(toy_ids))
    partial = evaluate(ref, limit=5, temperature=1.0).scores[0]
    assert partial.partial
    assert remark("partial", problems=5, total=12) in partial.notes
    path = RunStore(tmp_path / "out").runs()[0].path / "completions.jsonl"
    first = path.read_bytes()
    full = evaluate(ref, samples=3, temperature=1.0).scores[0]
    assert path.read_bytes().startswith(first)
    assert path.read_bytes().count(b"\n") == 36
    assert full.run_key == partial.run_key
    again = evaluate(ref, limit=5, temperature=1.0).scores[0]
    assert (again.value, again.problems, again.samples) == (partial.value, 5, 1)


def test_an_interrupted_run_keeps_what_was_drawn_and_continues(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ref = scripted("base", right_answers(toy_ids))
    whole = scripted_engine.ScriptedSampler.sample

    def torn(
        self: object, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        for count, completion in enumerate(whole(self, requests, params=params)):  # type: ignore[arg-type]  # self is a sampler
            if count == 7:
                raise EngineError("the power went")
            yield completion

    monkeypatch.setattr(scripted_engine.ScriptedSampler, "sample", torn)
    with pytest.raises(EngineError, match="power"):
        evaluate(ref)
    monkeypatch.undo()
    (run,) = RunStore(tmp_path / "out").runs()
    assert len(run.completions()) == 7
    assert evaluate(ref).scores[0].value == 1.0
    lines = (run.path / "completions.jsonl").read_bytes().splitlines()
    drawn = [(row["problem_id"], row["sample_index"]) for row in map(json.loads, lines)]
    assert len(drawn) == len(set(drawn)) == 12
    sessions = run.provenance()
    assert [session.samples for session in sessions] == [7, 5]
    assert all(session.finished for session in sessions)


def test_a_run_that_another_process_holds_is_refused_before_weights_are_loaded(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ref = scripted("base", right_answers(toy_ids))
    evaluate(ref, limit=2)
    (run,) = RunStore(tmp_path / "out").runs()
    loaded: list[object] = []
    monkeypatch.setattr(draw, "open_sampler", lambda *_, **__: loaded.append(1))
    with run.writing(), pytest.raises(RunLockedError, match="another process"):
        evaluate(ref)
    assert loaded == []
    assert len(run.completions()) == 2


def test_who_grades_beside_a_writer_waits_for_it(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
) -> None:
    ref = scripted("base", right_answers(toy_ids))
    first = evaluate(ref)
    (run,) = RunStore(tmp_path / "out").runs()
    is_held = threading.Event()

    def hold() -> None:
        with run.writing():
            is_held.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(10)
    assert evaluate(ref).scores == first.scores
    thread.join(10)


def test_a_store_that_is_moved_between_drawing_and_grading_is_named(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grade = run_module.grade_reading

    def move_and_grade(*arguments: Any, **options: Any) -> str:
        (tmp_path / "out").rename(tmp_path / "moved")
        return grade(*arguments, **options)

    monkeypatch.setattr(run_module, "grade_reading", move_and_grade)
    with pytest.raises(StoreError, match="12 of 12 samples that were drawn are gone"):
        evaluate(scripted("base", right_answers(toy_ids)))
    assert not list((tmp_path / "out").rglob("*.json*"))


def test_equal_weights_under_two_labels_are_one_run(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    right_answers: RightAnswers,
    toy_ids: list[str],
    tmp_path: Path,
) -> None:
    table = right_answers(toy_ids)
    result = evaluate([scripted("a", table), scripted("b", table)])
    assert [score.label for score in result.scores] == ["a", "b"]
    assert len(RunStore(tmp_path / "out").runs()) == 1


def test_several_samples_give_pass_and_majority(
    evaluate: Callable[..., EvaluateResult], scripted: Scripted, toy_ids: list[str]
) -> None:
    table = {problem: ["\\boxed{1}", "\\boxed{2}", "\\boxed{2.0}"] for problem in toy_ids}
    score = evaluate(scripted("base", table), samples=3, temperature=1.0, limit=4).scores[0]
    assert [metric.name for metric in score.pass_at_k] == ["pass@1", "pass@2", "pass@3"]
    assert score.maj_at_k is not None
    assert score.maj_at_k.name == "maj@3"


def test_truncated_and_boxless_answers_are_reported_apart(
    evaluate: Callable[..., EvaluateResult], scripted: Scripted, toy_ids: list[str]
) -> None:
    table = {problem: ["I do not know where to begin " * 50] for problem in toy_ids}
    score = evaluate(scripted("base", table), max_tokens=20).scores[0]
    assert score.rates.truncated_frac == score.rates.no_box_frac == 1.0
    assert [note.values["limit"] for note in score.notes if note.code == "cut-off"] == [20]


def test_what_a_model_writes_cannot_stop_an_evaluation(
    evaluate: Callable[..., EvaluateResult], scripted: Scripted, toy_ids: list[str]
) -> None:
    hostile = [
        "\\boxed{9^{9^{9^{9^9}}}}",
        "\x00\u202e</script><img src=x onerror=alert(1)>",
        "\\boxed{" * 5000,
        "\\boxed{__import__('os').system('false')}",
        "",
    ]
    table = {problem: [text] for problem, text in zip(toy_ids, hostile * 3, strict=False)}
    score = evaluate(scripted("base", table), max_tokens=100_000, deadline_s=3.0).scores[0]
    assert sum(score.by_verdict.values()) == 12
    assert score.by_verdict["correct"] == 0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"samples": 0}, PlanError, "`samples` must be >= 1, got 0"),
        ({"samples": 4}, PlanError, "copies"),
        ({"temperature": -1.0}, PlanError, "`temperature` must be .*, got -1.0"),
        ({"temperature": float("nan")}, PlanError, "`temperature` must be .*, got nan"),
        ({"top_p": 0.0}, PlanError, "`top_p` must be .*, got 0.0"),
        ({"limit": 0}, PlanError, "`limit` must be >= 1, got 0"),
        ({"benchmarks": "no-such-set"}, BenchmarkError, "no-such-set"),
        ({"benchmarks": []}, PlanError, "no benchmark"),
        ({"template": "no-such-template"}, BenchmarkError, "no-such-template"),
        ({"samples": "many"}, PlanError, "samples has the wrong type or value"),
        ({"sample": 3}, PlanError, "unknown options: sample"),
    ],
)
def test_requests_that_contradict_themselves_are_refused(
    evaluate: Callable[..., EvaluateResult],
    scripted: Scripted,
    toy_ids: list[str],
    options: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    ref = scripted("base", {problem: ["x"] for problem in toy_ids})
    with pytest.raises(error, match=words):
        evaluate(ref, **options)


def test_a_whole_number_and_a_float_temperature_are_one_run() -> None:
    named = parse_checkpoints(["lab"])
    keys = {
        digest(
            EvaluatePlan(
                checkpoints=named, sampling=Sampling(temperature=temperature, top_p=temperature)
            ).sampling.params(max_tokens=64, stop_token_ids=())
        )
        for temperature in (1, 1.0)
    }
    assert len(keys) == 1


@pytest.mark.parametrize("argument", ["", "=x", "a=", " = "])
def test_a_checkpoint_argument_without_a_reference_is_refused(argument: str) -> None:
    with pytest.raises(PlanError, match=r"is not \[LABEL=\]REF"):
        parse_checkpoints([argument])


def test_labels_come_from_the_reference_and_must_differ() -> None:
    refs = parse_checkpoints(["Qwen/Qwen2.5-Math-7B", "em=out/em", "a/b/"])
    assert [ref.label for ref in refs] == ["Qwen2.5-Math-7B", "em", "b"]
    with pytest.raises(PlanError, match="two checkpoints are called 'b'"):
        parse_checkpoints(["a/b", "c/b"])


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_a_file_of_problems_in_any_format_is_one_run(
    suffix: str, evaluate: Callable[..., EvaluateResult], scripted: Scripted, tmp_path: Path
) -> None:
    import pyarrow
    from pyarrow import parquet

    label = {"ground_truth": "7", "style": "rule"}
    rows = [{"prompt": [{"role": "user", "content": text}], "reward_model": label} for text in "AB"]
    file = tmp_path / f"mine{suffix}"
    match suffix:
        case ".jsonl":
            file.write_text("\n".join(json.dumps(row) for row in rows))
        case ".json":
            file.write_text(json.dumps(rows))
        case _:
            parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    ref = scripted("base", {"mine/0000": ["\\boxed{7}"], "mine/0001": ["\\boxed{8}"]})
    score = evaluate(ref, benchmarks=str(file)).scores[0]
    assert (score.benchmark, score.problems, score.value) == ("mine", 2, 0.5)


def test_a_folder_with_an_equals_sign_in_its_name_is_a_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/lr=1e-5/seed-0").mkdir(parents=True)
    (named,) = parse_checkpoints(["out/lr=1e-5/seed-0"])
    assert (named.label, named.ref) == ("seed-0", "out/lr=1e-5/seed-0")
    (labelled,) = parse_checkpoints(["x=out/lr=1e-5/seed-0"])
    assert (labelled.label, labelled.ref) == ("x", "out/lr=1e-5/seed-0")


def test_samples_without_an_answer_are_no_votes_and_are_counted_beside_the_majority(
    evaluate: Callable[..., EvaluateResult], scripted: Scripted, right_answers: RightAnswers
) -> None:
    golds = right_answers([f"toy/{n:04d}" for n in range(12)])
    table = {name: ["no idea", "no idea", "no idea", *texts] for name, texts in golds.items()}
    (score,) = evaluate(scripted("base", table), samples=8, temperature=1.0).scores
    silent = score.by_verdict["no_answer"]
    assert 48 < silent < 96
    assert score.maj_at_k is not None
    answered = sum(problem.correct > 0 for problem in score.per_problem)
    assert score.maj_at_k.value == pytest.approx(answered / 12)  # one right vote is a majority
    shown = scores_table([score])
    votes = shown.rows[0][shown.columns.index("votes")].text
    assert votes == f"{100 * (1 - silent / 96):.1f}"
