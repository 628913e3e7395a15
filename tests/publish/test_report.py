from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

import emdiag
from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.load import load_problems
from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.results import remark
from emdiag.core.runs import EngineSpec, Provenance, RunSpec
from emdiag.core.sampling import SamplingParams
from emdiag.core.training import TrainFolder, TrainManifest, UpdateRecord
from emdiag.publish.commands import DrawnSession, recreating_commands
from emdiag.publish.context import page_context, training_leaks
from emdiag.publish.runs import evaluation_of_runs
from emdiag.publish.sources import evaluation_sources
from emdiag.publish.targets import find_targets
from emdiag.store.journal import JournalWriter
from emdiag.store.run_store import RunStore
from emdiag.store.session import open_session
from emdiag.store.training_folder import checkpoint_name, write_folder
from emdiag.studies.stored.problems import problems_of_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Table = dict[str, list[str]]

SPEC = RunSpec(
    benchmark="toy",
    template="boxed",
    chat=False,
    prompts_sha256="p",
    checkpoint_digest="d",
    tokenizer_digest="t",
    sampling=SamplingParams(temperature=0.6, max_tokens=64, top_k=50, stop=("a b",)),
    engine=EngineSpec(name="vllm", dtype="bfloat16"),
)


def _session(*command: str, started: str = "2026-01-01") -> Provenance:
    return Provenance(
        label="em",
        ref="out/em",
        revision=None,
        emdiag_version="0",
        emdiag_commit=None,
        versions={},
        device="cpu",
        dtype="float32",
        threads=1,
        command=command,
        settings={},
        started=started,
        finished=started,
    )


def _drawn(*command: str, started: str = "2026-01-01", limit: int | None = None) -> DrawnSession:
    return DrawnSession(
        session=_session(*command, started=started), spec=SPEC, samples=4, limit=limit
    )


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an evaluation of two tables of answers on the toy problems."""
    folder = tmp_path_factory.mktemp("evaluated")
    problems = load_problems(load_card("toy"), home=folder)
    refs = []
    for label, right in (("base", 3), ("em", len(problems))):
        answers = {p.id: ["\\boxed{" + p.answer + "}"] for p in problems[:right]}
        table = folder / f"{label}.json"
        table.write_text(json.dumps({"*": ["\\boxed{123456789}"], **answers}))
        refs.append(f"{label}={table}")
    emdiag.evaluate(refs, "toy", store=folder / "out", home=folder, grader_workers=1)
    return folder / "out"


@pytest.fixture
def measured(evaluated: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return Path(shutil.copytree(evaluated, tmp_path / "out"))


def test_runs_scored_again_by_their_stored_grades_score_as_they_did(
    measured: Path, tmp_path: Path
) -> None:
    store = RunStore(measured)
    (before,) = store.results()
    runs = {run.key: run for run in store.runs()}
    wanted = [runs[score.run_key] for score in before.scores]
    assert evaluation_of_runs(wanted, store=store, home=tmp_path).scores == before.scores


def test_an_evaluation_is_shown_with_its_samples_and_how_to_make_it_again(
    measured: Path, tmp_path: Path
) -> None:
    store = RunStore(measured)
    (result,) = store.results()
    session = open_session(measured, home=tmp_path, command=("emdiag", "report", "a b"))
    context = page_context(evaluation_sources(result, store), session)
    assert context.samples is not None
    assert [column.label for column in context.samples.columns] == ["base", "em"]
    assert len(context.samples.samples) == 24
    evaluation, again = context.commands[0], context.commands[-1]
    assert evaluation.startswith("emdiag eval base=")
    assert again == "emdiag report 'a b'"
    asked = {fact.name: fact.value for fact in context.asked}
    assert asked["benchmark"] == "toy"
    assert asked["temperature"] == "0"
    assert asked["checkpoints"].startswith("base (")
    assert {fact.name for fact in context.provenance} >= {
        *("emdiag", "device", "grader", "runs", "checkpoint em")
    }
    assert context.cautions == ()


def test_a_page_holds_the_scores_and_the_texts(measured: Path, tmp_path: Path) -> None:
    page = emdiag.report(store=measured, home=tmp_path)
    assert page.parent == measured / "reports"
    text = page.read_text()
    assert text.lower().startswith("<!doctype html>")
    assert "123456789" in text
    assert "emdiag eval" in text


def test_a_page_is_written_into_the_store_that_holds_what_it_reports(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    runs = sorted((measured / "runs").iterdir())
    for named in ([measured], runs[:1], runs, [_training(tmp_path / "em"), *runs]):
        page = emdiag.report(*named, home=tmp_path)
        assert page.parent == measured / "reports"
    assert not list(elsewhere.iterdir())


def test_several_results_are_one_study(measured: Path, tmp_path: Path) -> None:
    compared = tmp_path / "compared.json"
    compared.write_bytes(msgspec.json.encode(emdiag.compare("base", "em", store=measured)))
    (stored,) = (measured / "evaluations").glob("*.json")
    out = tmp_path / "study.html"
    page = emdiag.report(stored, compared, out=out, store=measured, home=tmp_path)
    assert page == out
    text = page.read_text()
    assert "How often they are right" in text
    assert "em against base" in text


def test_a_name_that_means_nothing_is_told_what_there_is(measured: Path, tmp_path: Path) -> None:
    store = RunStore(measured)
    with pytest.raises(PlanError) as unknown:
        find_targets(["nothing"], store=store)
    assert "holds 2 runs" in unknown.value.facts["found"]
    assert "a stored result" in unknown.value.facts["expected"]
    with pytest.raises(PlanError) as label:
        find_targets(["base"], store=store)
    assert "emdiag compare" in label.value.facts["found"]
    with pytest.raises(PlanError, match="does not exist"):
        find_targets([], store=RunStore(tmp_path / "absent"))
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    with pytest.raises(StoreError, match="holds no result of emdiag"):
        find_targets([str(other)], store=store)


def test_every_way_to_name_a_run_means_the_same_run(measured: Path) -> None:
    store = RunStore(measured)
    run = store.runs()[0]
    for name in (run.key, run.key[:6], run.path.name, str(run.path)):
        (target,) = find_targets([name], store=store)
        assert getattr(target.subject, "key", None) == run.key
    (target,) = find_targets([str(run.path)], store=RunStore(measured.parent / "elsewhere"))
    assert target.store.root == measured.resolve()


def test_commands_come_once_in_order_whatever_they_show() -> None:
    shown = ("emdiag", "eval", "lab", "--json", "--report", "page.html")
    commands = recreating_commands(
        [
            _drawn("emdiag", "eval", "x", started="2026-01-02"),
            _drawn("emdiag", "eval", "lab", started="2026-01-01"),
            _drawn(*shown, started="2026-01-03"),
        ],
        command=("emdiag", "report"),
    )
    assert commands == (shlex.join(shown), "emdiag eval x", "emdiag report")


def test_a_session_of_a_python_caller_is_told_as_the_command_that_draws_it() -> None:
    (command,) = recreating_commands([_drawn(limit=20)])
    assert shlex.split(command) == [
        *("emdiag", "eval", "out/em", "-b", "toy", "--limit", "20", "--template", "boxed"),
        *("--no-chat", "--samples", "4", "--temperature", "0.6", "--top-k", "50"),
        *("--max-tokens", "64", "--stop", "a b", "--engine", "vllm", "--dtype", "bfloat16"),
    ]


def test_reading_texts_is_told_by_its_own_command_only() -> None:
    typed = _session("emdiag", "logits-skew", "lab", started="2026-01-02")
    silent = _session(started="2026-01-03")
    reading = [DrawnSession(session=session, spec=None) for session in (typed, silent)]
    assert recreating_commands([_drawn("emdiag", "eval", "lab"), *reading]) == (
        "emdiag eval lab",
        "emdiag logits-skew lab",
    )


def _manifest(folder: Path, problem_ids: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    manifest = TrainManifest(
        stage="em",
        recipe="lab",
        train_seed=3,
        update=10,
        method="em",
        parent="lab",
        parent_digest="e",
        parent_stage="base",
        settings={"updates": 10, "chat": None},
        prompts_sha256="p",
        problem_ids=tuple(problem_ids),
        notes=("one note",),
        provenance={"command": "emdiag train em lab --out x", "device": "cpu"},
    )
    (folder / "emdiag.json").write_bytes(msgspec.json.encode(manifest))


def _checkpoint(folder: Path) -> CheckpointRef:
    return CheckpointRef(
        label="em", ref=str(folder), path=str(folder), digest="d", tokenizer_digest="t"
    )


def test_training_on_what_is_measured_is_said(tmp_path: Path) -> None:
    _manifest(tmp_path / "em", ["toy/0001", "chain/train-1"])
    found = training_leaks([_checkpoint(tmp_path / "em")], {"toy": {"toy/0001", "toy/0002"}})
    assert found == ["em was trained on 1 problem of toy, on which it is measured: toy/0001"]
    assert training_leaks([_checkpoint(tmp_path / "em")], {"toy": {"toy/0002"}}) == []
    assert training_leaks([_checkpoint(tmp_path)], {"toy": {"toy/0001"}}) == []


def _training(out: Path) -> Path:
    """A training folder of two seeds, of which one has made an update."""
    chosen = f"seed-0/{checkpoint_name(1)}"
    cells = ("seed-0", "seed-1")
    write_folder(
        out, TrainFolder(key="k", method="em", chosen=chosen, cells=cells, saved_updates=(1,))
    )
    _manifest(out / chosen, ["toy/0001"])
    with JournalWriter[UpdateRecord](out / "seed-0" / "updates.jsonl") as journal:
        for update in (0, 1):
            journal.append(
                UpdateRecord(update=update, method="em", loss=0.5, held_out_entropy_nats=0.2)
            )
    return out


def test_a_training_folder_is_reported_as_far_as_it_went(tmp_path: Path) -> None:
    out = _training(tmp_path / "em")
    text = emdiag.report(out, out=tmp_path / "page.html", home=tmp_path).read_text()
    assert "emdiag train em lab --out x" in text
    assert "1 of 2 training runs are not finished" in text
    (out / "seed-0" / "updates.jsonl").unlink()
    with pytest.raises(StoreError, match="no update"):
        find_targets([str(out)], store=RunStore(tmp_path))


@pytest.fixture
def own(tmp_path: Path, scripted: Callable[[str, Table], str]) -> Path:
    """A user's own file of one problem, and a run on it beside it in `out`, drawn by Python."""
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({"problem": "What is 1+1?", "answer": "2"}) + "\n")
    table = scripted("base", {"*": ["\\boxed{2}"]})
    emdiag.evaluate(table, str(file), store=tmp_path / "out", home=tmp_path, grader_workers=1)
    return file


def test_a_users_own_file_is_kept_with_the_run_that_read_it(own: Path, tmp_path: Path) -> None:
    (run,) = RunStore(tmp_path / "out").runs()
    (kept,) = run.problems_files()
    assert kept.path == str(own)
    assert kept.sha256 == hashlib.sha256(own.read_bytes()).hexdigest()
    found = problems_of_runs([run], home=tmp_path)["own"]
    assert [problem.statement for problem in found.problems] == ["What is 1+1?"]
    session = open_session(tmp_path / "out", home=tmp_path)
    sources = evaluation_sources(session.store.results()[0], session.store)
    (command,) = page_context(sources, session).commands
    assert f"-b {own}" in command


def test_a_users_own_file_that_has_changed_or_moved_is_not_taken(own: Path, tmp_path: Path) -> None:
    (run,) = RunStore(tmp_path / "out").runs()
    own.write_text(json.dumps({"problem": "What is 1+1?", "answer": "3"}) + "\n")
    changed = problems_of_runs([run], home=tmp_path)["own"]
    assert changed.problems == ()
    assert changed.note == remark("problems-not-found", benchmark="own", has_changed=True)
    own.unlink()
    moved = problems_of_runs([run], home=tmp_path)["own"]
    assert moved.note == remark("problems-not-found", benchmark="own", has_changed=False)


def test_a_users_own_file_is_known_before_anything_is_graded(own: Path, tmp_path: Path) -> None:
    (run,) = RunStore(tmp_path / "out").runs()
    for file in run.path.glob("grad*"):
        file.unlink()
    assert problems_of_runs([run], home=tmp_path)["own"].note is None
