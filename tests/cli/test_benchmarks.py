from __future__ import annotations

import json
import subprocess
import sys
import types
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import errors
from typer.testing import CliRunner

from emdiag.cli.benchmarks import app
from emdiag.core.grades import Gold, Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_the_list_says_what_is_here_and_how_to_get_the_rest() -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.stdout.split("───\n")[1].splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert set(rows) == {
        *("amc23", "chain", "gsm8k", "math500", "minerva_math", "olympiadbench", "one_shot", "toy")
    }
    assert "shipped" in rows["toy"]
    assert "674 or 675" in rows["olympiadbench"]
    assert "MIT" in rows["math500"]
    assert "emdiag benchmarks pull amc23" in result.stderr


def test_the_list_as_json_holds_cards_and_presence() -> None:
    found = {card["name"]: card for card in json.loads(run("list", "--json").stdout)["benchmarks"]}
    assert found["toy"]["present"] is True
    assert found["math500"]["present"] is False
    assert found["math500"]["source"]["license"] == "MIT"


def test_show_prints_card_and_problems() -> None:
    result = run("show", "toy", "-n", "2")
    assert result.exit_code == 0
    assert "Twelve small problems" in result.stdout
    assert "toy/0001" in result.stdout
    assert "answer (list): -7, 5" in result.stdout
    assert "toy/0002" not in result.stdout
    assert len(json.loads(run("show", "toy", "-n", "2", "--json").stdout)["problems"]) == 2


def test_show_tells_known_defects_without_the_problems() -> None:
    result = run("show", "olympiadbench")
    assert result.exit_code == 0
    assert "bad-gold: 2498: " in result.stdout
    assert "emdiag benchmarks import olympiadbench FILE" in result.stderr


def test_a_wrong_name_ends_with_code_2_and_the_right_name() -> None:
    result = run("show", "mat500")
    assert result.exit_code == 2
    assert "did you mean math500?" in result.stderr


def test_importing_the_wrong_file_ends_with_code_2(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"prompt": "Q"}')
    result = run("import", "gsm8k", str(file))
    assert result.exit_code == 2
    assert "fits no layout of gsm8k" in result.stderr
    assert "question, answer" in result.stderr


def test_an_unreachable_hub_ends_with_code_2_and_the_import_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise errors.OfflineModeIsEnabled("offline")

    monkeypatch.setattr("emdiag.benchmarks.pull.snapshot_download", fail)
    result = run("pull", "gsm8k")
    assert result.exit_code == 2
    assert "emdiag benchmarks import gsm8k FILE" in result.stderr


def test_an_imported_set_is_listed_and_shown(shared_data: Path, home: Path) -> None:
    result = run("import", "amc23", str(shared_data / "amc23" / "test.jsonl"))
    assert result.exit_code == 0
    assert "amc23  40 problems from test.jsonl" in result.stdout
    assert (home / "benchmarks" / "amc23" / "problems.jsonl").is_file()
    assert "40 problems" in run("list").stdout
    assert "amc23/12A-01" in run("show", "amc23").stdout
    again = run("import", "amc23", str(shared_data / "amc23" / "test.jsonl"), "--json")
    assert json.loads(again.stdout)["size"] == 40


class PoolThatDoubts:
    """Stands for the grader's processes; calls one gold of the toy set wrong."""

    identity = "doubt/1"
    versions: dict[str, str] = {}  # noqa: RUF012 - a fake

    def __init__(self, **_: object) -> None:
        pass

    def __enter__(self) -> PoolThatDoubts:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        for gold, _ in pairs:
            wrong = gold.answer == r"\text{west}"
            verdict = Verdict.WRONG if wrong else Verdict.CORRECT
            yield Judgement(verdict=verdict, extracted=gold.answer, boxed=True, elapsed_s=0)


@pytest.fixture
def doubting(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = types.ModuleType("emdiag.grading.pool.pool")
    pool.GraderPool = PoolThatDoubts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "emdiag.grading.pool.pool", pool)


@pytest.mark.usefixtures("doubting")
def test_verify_lists_golds_that_do_not_equal_themselves_and_ends_with_code_2() -> None:
    result = run("verify", "toy")
    assert result.exit_code == 2
    assert r"toy/0004  wrong: \text{west}" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("toy ")]
    assert row.split()[1:4] == ["12", "11", "1"]


def own_folder(root: Path) -> Path:
    rows = '{"problem": "1 + 1", "answer": "2"}\n{"problem": "2 + 2", "answer": "4"}\n'
    folder = root / "sums"
    folder.mkdir()
    (folder / "problems.jsonl").write_text(rows)
    (folder / "card.toml").write_text(
        'name = "sums"\ntitle = "Two sums"\nrevision = 1\nsize = 2\ntemplate = "boxed"\n'
        'max_tokens = 64\nheadline = "avg@1"\n[grader]\ntolerance = "exact"\n'
        '[source]\norigin = "by hand"\nlicense = "not stated"\n'
    )
    return folder


@pytest.mark.usefixtures("doubting")
def test_a_folder_and_a_file_of_your_own_are_shown_and_verified(tmp_path: Path) -> None:
    folder = own_folder(tmp_path)
    file = folder / "mine.jsonl"
    file.write_bytes((folder / "problems.jsonl").read_bytes())
    for path, name in ((folder, "sums"), (file, "mine")):
        result = run("show", str(path))
        assert result.exit_code == 0
        assert f"{name}/0001" in result.stdout
        assert f"your own, {path}" in result.stdout
        shown = json.loads(run("show", str(path), "-n", "1", "--json").stdout)
        assert (shown["present"], shown["path"], len(shown["problems"])) == (True, str(path), 1)
        verified = json.loads(run("verify", str(path), "--json").stdout)["verifications"]
        assert [(one["benchmark"], one["agreeing"]) for one in verified] == [(name, 2)]


@pytest.mark.usefixtures("doubting")
def test_verify_takes_every_set_that_is_here_and_none_that_is_not() -> None:
    found = json.loads(run("verify", "--json").stdout)["verifications"]
    assert [one["benchmark"] for one in found] == ["chain", "toy"]
    assert [one["agreeing"] for one in found] == [300, 11]
    assert found[1]["disagreeing"][0]["problem_id"] == "toy/0004"
    absent = run("verify", "math500")
    assert absent.exit_code == 2
    assert "emdiag benchmarks pull math500" in absent.stderr


def test_the_commands_are_described_without_heavy_libraries() -> None:
    heavy = "{'torch', 'transformers', 'sympy', 'math_verify', 'pyarrow', 'huggingface_hub'}"
    code = f"import sys, emdiag.cli.benchmarks; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
