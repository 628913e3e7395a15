"""One damaged file never hides the rest of a store, and is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with runs of base, em and rl on toy, and an evaluation of each."""
    folder = tmp_path_factory.mktemp("stores")
    for label, answer in (("base", 1), ("em", 4), ("rl", 7)):
        _table(folder, label, str(answer))
        _evaluate(folder, label)
    return folder


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy")


def _table(folder: Path, label: str, answer: str) -> None:
    (folder / f"{label}.json").write_text(json.dumps({"*": [f"\\boxed{{{answer}}}"]}))


def _evaluate(folder: Path, label: str) -> Result:
    arguments = ["eval", f"{label}={folder / label}.json", "-b", "toy", "--limit", "4"]
    done = CliRunner().invoke(app, [*arguments, "--grader-workers", "1", "--store", str(folder)])
    assert done.exit_code == 0, done.output
    return done


def _run(folder: Path, label: str) -> Path:
    runs = RunStore(folder).runs()
    return next(run.path for run in runs if run.provenance()[0].label == label)


def _invoke(*arguments: str) -> Result:
    done = CliRunner().invoke(app, list(arguments))
    assert "Traceback" not in done.output
    return done


def _cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + b"\n")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGE: list[Callable[[Path], object]] = [
    _cut,
    _folder,
    _pipe,
    lambda file: file.write_bytes(b"\xff\x00\n"),
    lambda file: file.write_bytes(b"[" * 100_000 + b"\n"),
    lambda file: file.write_bytes(b'{"problem_id": 3}\n'),
]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    "name",
    ["spec.json", "completions.jsonl", "grades-*.jsonl", "grading-*.json", "provenance.jsonl"],
)
def test_a_damaged_file_of_a_run_is_named_and_the_rest_is_listed(
    store: Path, name: str, damage: Callable[[Path], object]
) -> None:
    (file,) = _run(store, "rl").glob(name)
    damage(file)
    done = _invoke("runs", "list", "--store", str(store), "--json")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert [row["labels"] for row in rows if "labels" in row] == [["base"], ["em"]]
    assert [row["left_out"] for row in rows if "left_out" in row] == [str(file)]
    assert emdiag.compare("base", "em", store=store).comparisons[0].problems == 4


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("completions.jsonl", "token_ids", None),
        ("completions.jsonl", "token_ids", [1.5]),
        ("completions.jsonl", "token_ids", ["1"]),
        ("grades-*.jsonl", "why", "text"),
        ("grades-*.jsonl", "why", {"rule": 3}),
        ("grades-*.jsonl", "text_digest", "x" * 16),
        ("grades-*.jsonl", "text_digest", "f" * 40),
    ],
)
def test_a_value_that_is_read_last_is_checked_first(
    store: Path, name: str, field: str, value: object
) -> None:
    (file,) = _run(store, "rl").glob(name)
    first, *rest = file.read_text().splitlines(keepends=True)
    file.write_text(json.dumps(json.loads(first) | {field: value}) + "\n" + "".join(rest))
    for words in (["claims"], ["report", "-o", str(store / "page.html")]):
        done = _invoke(*words, "--store", str(store))
        assert done.exit_code == 0, done.output
        assert str(file) in done.output
        assert field in done.output


@pytest.mark.parametrize("name", ["completions.jsonl", "grading-*.json"])
def test_claims_pages_and_exports_leave_a_damaged_run_out(store: Path, name: str) -> None:
    (file,) = _run(store, "rl").glob(name)
    _cut(file)
    assert "left-out" in {note.code for note in emdiag.claims(store=store).notes}
    page = _invoke("report", "--store", str(store), "--out", str(store / "p.html"))
    assert page.exit_code == 0, page.output
    assert str(file) in page.stderr
    assert file.name in (store / "p.html").read_text()
    rows = _invoke("runs", "export", _run(store, "base").name, str(store / "x.jsonl"), "--store",
                   str(store))  # fmt: skip
    assert rows.exit_code == 0, rows.output
    page = _invoke(
        "report", str(file.parent), "--store", str(store), "--out", str(store / "q.html")
    )
    assert page.exit_code == 2
    assert str(file) in page.output


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_result_is_named_and_the_one_before_it_is_the_last(
    store: Path, damage: Callable[[Path], object]
) -> None:
    *_, last = sorted((store / "evaluations").iterdir())
    damage(last)
    done = _invoke("report", "--store", str(store), "--out", str(store / "p.html"))
    assert done.exit_code == 0, done.output
    assert str(last) in done.stderr
    result = emdiag.compare("base", "em", store=store)
    assert [note.values["file"] for note in result.notes] == [str(last)]


def test_a_report_of_damaged_results_alone_names_them(store: Path) -> None:
    files = list((store / "evaluations").iterdir())
    for file in files:
        file.write_bytes(b"")
    done = _invoke("report", "--store", str(store), "--out", str(store / "p.html"))
    assert done.exit_code == 2
    assert all(str(file) in done.stderr for file in files)


def test_an_edited_text_is_graded_anew_and_never_counts_with_its_old_verdict(store: Path) -> None:
    run = _run(store, "em")
    before = emdiag.compare("base", "em", store=store).comparisons[0]
    file = run / "completions.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[0].replace("boxed{4}", "boxed{5}") + "".join(lines[1:]))
    edited = emdiag.compare("base", "em", store=store).comparisons[0]
    assert edited.problems == before.problems - 1
    assert "other-texts" in {note.code for note in edited.notes}
    assert "graded anew" in _evaluate(store, "em").stderr
    after = emdiag.compare("base", "em", store=store).comparisons[0]
    assert after.problems == before.problems
    assert "other-texts" not in {note.code for note in after.notes}
    assert "graded anew" not in _evaluate(store, "em").stderr


def test_a_line_that_is_gone_is_drawn_again_and_says_whether_it_is_the_same(store: Path) -> None:
    file = _run(store, "em") / "completions.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[1:]))
    done = _evaluate(store, "em")
    assert "1 sample of" in done.stderr
    assert "draws the same texts again" in done.stderr
    assert sorted(file.read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_grades_without_a_digest_count_as_they_did(store: Path) -> None:
    before = emdiag.compare("base", "em", store=store)
    for file in (store / "runs").glob("*/grades-*.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            del row["text_digest"]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert emdiag.compare("base", "em", store=store) == before


def test_what_was_written_last_is_last_whatever_the_clock_said(store: Path) -> None:
    *_, last = sorted((store / "evaluations").iterdir())
    ahead = time.time_ns() + 10**18
    last.rename(last.with_name(f"{ahead}-1.json"))
    later = ahead / 10**9
    grading = next(_run(store, "rl").glob("grading-*.json"))
    os.utime(grading, (later, later))
    assert RunStore(store).results()[-1].scores[0].label == "rl"
    assert RunStore(store).runs()[-1].path == _run(store, "rl")
    _table(store, "base", "9")
    _evaluate(store, "base")
    assert RunStore(store).results()[-1].scores[0].label == "base"
    assert RunStore(store).runs()[-1].provenance()[0].label == "base"
    assert [note.code for note in emdiag.compare("base", "em", store=store).notes] == [
        "clock-ahead"
    ]


def test_a_list_beside_a_writer_never_fails_nor_counts_half_a_line(store: Path) -> None:
    file = _run(store, "em") / "completions.jsonl"
    code = (
        "import os, sys, shutil, time\n"
        "file, folder = sys.argv[1:]\n"
        "whole = open(file, 'rb').read()\n"
        "end = time.monotonic() + 3\n"
        "while time.monotonic() < end:\n"
        "    with open(file + '.new', 'wb') as new:\n"
        "        new.write(whole)\n"
        "    os.replace(file + '.new', file)\n"
        "    with open(file, 'ab') as again:\n"
        "        again.write(whole[:40])\n"
        "    new = os.path.join(folder, 'toy-new')\n"
        "    os.makedirs(new, exist_ok=True)\n"
        "    shutil.copy(os.path.join(os.path.dirname(file), 'spec.json'), new)\n"
        "    shutil.rmtree(new)\n"
    )
    arguments = [sys.executable, "-c", code, str(file), str(store / "runs")]
    with subprocess.Popen(arguments) as writer:
        while writer.poll() is None:
            done = _invoke("runs", "list", "--store", str(store), "--json")
            assert done.exit_code == 0, done.output
            counts = [row["completions"] for row in json.loads(done.stdout) if "labels" in row
                      and row["labels"] == ["em"]]  # fmt: skip
            assert set(counts) == {4}
        assert writer.returncode == 0
