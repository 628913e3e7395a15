from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from emdiag.core.digest import digest
from emdiag.core.errors import JournalError, RunLockedError, RunMismatchError, StoreError
from emdiag.core.grades import Grade, Verdict
from emdiag.core.runs import EngineSpec, GradingSpec, Provenance, RunSpec
from emdiag.core.sampling import Completion, SamplingParams
from emdiag.findings.remarks import words_of
from emdiag.store import journal
from emdiag.store.provenance import version_notes
from emdiag.store.run_store import RunStore, summarise

if TYPE_CHECKING:
    from pathlib import Path

SPEC = RunSpec(
    benchmark="toy",
    template="boxed",
    chat=False,
    prompts_sha256="a",
    checkpoint_digest="b",
    tokenizer_digest="c",
    sampling=SamplingParams(temperature=1.0, max_tokens=64),
    engine=EngineSpec(name="scripted", dtype="float32"),
)
COMPLETION = Completion(
    problem_id="toy/0000",
    sample_index=0,
    text="\\boxed{4}",
    token_ids=(1, 2),
    prompt_tokens=3,
    finish_reason="stop",
    seed=7,
)
GRADE = Grade(
    problem_id="toy/0000",
    sample_index=0,
    verdict=Verdict.CORRECT,
    extracted="4",
    boxed=True,
    answer_class="4",
    grader="math-verify/1",
    elapsed_s=0.01,
)
GRADING = GradingSpec(grader="math-verify/1", versions={"math-verify": "0.9.0"}, golds_sha256="x")
SESSION = Provenance(
    label="base",
    ref="lab",
    revision=None,
    emdiag_version="0.1.0",
    emdiag_commit=None,
    versions={"torch": "2.13.0"},
    device="cpu",
    dtype="float32",
    threads=2,
    command=("emdiag", "eval", "lab"),
    settings={},
    started="2026-01-01T00:00:00+00:00",
)


def test_a_run_reads_back_what_was_written(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    with run.writing(), run.completion_writer() as completions, run.grade_writer(GRADING) as grades:
        completions.append(COMPLETION)
        grades.append(GRADE)
    (found,) = RunStore(tmp_path).runs()
    assert found.spec == SPEC
    assert found.completions() == {("toy/0000", 0): COMPLETION}
    assert found.grades(digest(GRADING)) == {("toy/0000", 0): GRADE}
    assert found.gradings() == [GRADING]
    assert summarise(found).graded == 1


def test_a_held_run_decodes_only_what_was_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunStore(tmp_path).run(SPEC)
    lines: list[bytes] = []
    decode = journal.decode
    monkeypatch.setattr(
        journal, "decode", lambda line, kind: lines.append(line) or decode(line, kind)
    )
    for index in range(3):
        with run.writing(), run.completion_writer() as completions:
            completions.append(msgspec.structs.replace(COMPLETION, sample_index=index))
        assert len(run.completions()) == index + 1
    assert len(lines) == len(set(lines)) == 3


def test_a_run_that_was_drawn_anew_is_read_anew(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    with run.writing(), run.completion_writer() as completions:
        completions.append(COMPLETION)
        completions.append(msgspec.structs.replace(COMPLETION, sample_index=1))
    assert len(run.completions()) == 2
    path = run.path / "completions.jsonl"
    path.unlink()
    assert run.completions() == {}
    with run.writing(), run.completion_writer() as completions:
        completions.append(COMPLETION)
    assert list(run.completions()) == [("toy/0000", 0)]


def test_a_damaged_line_that_was_appended_later_is_named_by_its_number(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    with run.writing(), run.completion_writer() as completions:
        completions.append(COMPLETION)
    assert len(run.completions()) == 1
    with (run.path / "completions.jsonl").open("ab") as file:
        file.write(b"{}\n")
    for _ in range(2):
        with pytest.raises(JournalError, match="line 2 is not a Completion"):
            run.completions()


def test_a_store_opens_each_run_and_each_folder_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with store.run(SPEC).writing():
        pass
    assert store.runs() == [store.run(SPEC)]
    assert store.at(tmp_path / "x" / "..") is store
    assert store.at(tmp_path / "other") is store.at(tmp_path / "other")


def test_a_second_process_gets_an_error_and_never_writes(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    code = (
        "import sys, msgspec\n"
        "from pathlib import Path\n"
        "from emdiag.core.codec import decode\n"
        "from emdiag.core.errors import RunLockedError\n"
        "from emdiag.core.runs import RunSpec\n"
        "from emdiag.store.run_store import RunStore\n"
        "spec = decode(Path(sys.argv[1], 'spec.json').read_bytes(), RunSpec)\n"
        "try:\n"
        "    with RunStore(Path(sys.argv[2])).run(spec).writing():\n"
        "        sys.exit('the lock was not held')\n"
        "except RunLockedError as error:\n"
        "    print(error)\n"
    )
    with run.writing():
        found = subprocess.run(
            [sys.executable, "-c", code, str(run.path), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert found.returncode == 0, found.stderr
    assert "another process writes to this run" in found.stdout
    assert "process " in found.stdout


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    with pytest.raises(ZeroDivisionError), run.writing():
        _ = 1 / 0
    with run.writing():
        assert (run.path / "writer.txt").exists()


def test_one_process_cannot_open_a_run_twice(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with (
        store.run(SPEC).writing(),
        pytest.raises(RunLockedError),
        store.run(SPEC).writing(),
    ):
        pass


def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    with run.writing():
        pass
    other = msgspec.structs.replace(SPEC, prompts_sha256="other")
    (run.path / "spec.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(RunMismatchError, match="another run"), run.writing():
        pass


def test_a_damaged_specification_is_named(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    with run.writing():
        pass
    (run.path / "spec.json").write_bytes(b"{}")
    store = RunStore(tmp_path)
    assert store.runs() == []
    (note,) = store.notes()
    assert str(run.path / "spec.json") in words_of(note)
    assert "cannot read a RunSpec" in words_of(note)
    with pytest.raises(StoreError, match="cannot read a RunSpec"):
        store.run_in(run.path)


def test_the_grading_used_last_comes_last(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    other = msgspec.structs.replace(GRADING, golds_sha256="y")
    with run.writing():
        for grading in (GRADING, other, GRADING):
            with run.grade_writer(grading):
                pass
    assert run.gradings() == [other, GRADING]


def test_a_sessions_second_line_closes_its_first(tmp_path: Path) -> None:
    run = RunStore(tmp_path).run(SPEC)
    closed = msgspec.structs.replace(SESSION, finished="2026-01-01T00:01:00+00:00", samples=3)
    with run.writing(), run.provenance_writer() as journal:
        journal.append(SESSION)
        journal.append(closed)
    assert run.provenance() == [closed]


def test_samples_drawn_with_different_libraries_are_noted() -> None:
    later = msgspec.structs.replace(SESSION, versions={"torch": "2.14.0"}, device="cuda")
    notes = version_notes([SESSION, later], "drawn")
    assert [words_of(note) for note in notes] == [
        "drawn with torch 2.13.0 and 2.14.0",
        "drawn with device cpu and cuda",
    ]
    assert version_notes([SESSION, SESSION], "drawn") == ()
