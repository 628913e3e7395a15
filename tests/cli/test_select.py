from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.codec import to_plain
from emdiag.findings.remarks import worded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty folder with an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"*": ["\\boxed{\\frac{1}{2}}", "nothing", "\\boxed{7}"]}))
    return f"base={path}"


OPTIONS = ["--samples", "6", "--grader-workers", "1"]


def test_the_table_says_what_ranked_and_marks_what_used_labels(
    run: Callable[..., Result], table: str
) -> None:
    found = run("select", table, "--pool", "toy", "--top", "3", *OPTIONS)
    assert found.exit_code == 0, found.output
    assert "Ranked with labels by outcome-variance, highest first" in found.stdout
    assert "variance *" in found.stdout
    assert "Caution: on the first prompt" in found.stdout
    assert "emdiag-out/select/toy-base.jsonl" in found.stdout
    assert found.stdout.count("toy/00") == 5  # three rows, the first prompt, the caution
    assert "train em REF --prompt-file" in found.stderr


def test_a_pool_without_answers_shows_no_column_that_needs_them(
    run: Callable[..., Result], table: str, tmp_path: Path
) -> None:
    (tmp_path / "bare.json").write_text(json.dumps([{"question": "A?"}, {"question": "B?"}]))
    found = run("select", table, "--pool", "bare.json", *OPTIONS)
    assert found.exit_code == 0, found.output
    assert "Ranked without labels by answer-entropy" in found.stdout
    assert "All prompts share the best value" in found.stdout
    assert "*" not in found.stdout
    assert "Caution" not in found.stdout


def test_json_is_the_same_record_as_the_python_twin(
    run: Callable[..., Result], table: str, tmp_path: Path
) -> None:
    found = run("select", table, "--pool", "toy", "--by", "agreement", "--json", *OPTIONS)
    assert found.exit_code == 0, found.output
    twin = emdiag.select(
        table, "toy", by="agreement", samples=6, grader_workers=1, home=tmp_path / "home"
    )
    assert json.loads(found.stdout) == worded(to_plain(twin))
    assert len(twin.ranked) == 12
    assert not twin.used_labels


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "best"], "token-entropy, majority"),
        (["--by", "token-entropy"], "has no weights"),
        (["--samples", "1"], "two samples or more"),
        (["--pool", "nowhere.parquet"], "there is no such file"),
        (["--pool", "one_shot"], "emdiag benchmarks import one_shot FILE"),
        (["--out", "chain.jsonl"], "a benchmark of emdiag is"),
        (["--engine", "magic"], "magic"),
    ],
)
def test_what_a_user_can_fix_exits_with_2_and_a_hint(
    run: Callable[..., Result], table: str, arguments: list[str], words: str
) -> None:
    found = run("select", table, "--pool", "toy", *arguments)
    assert found.exit_code == 2, found.output
    assert found.stderr.startswith("error: ")
    assert words in found.stderr
