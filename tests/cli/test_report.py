from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty folder with an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    (tmp_path / "table.json").write_text(json.dumps({"*": ["\\boxed{\\frac{1}{2}}", "nothing"]}))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_measurement_writes_its_page_and_report_writes_it_again(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    evaluate = ["eval", "base=table.json", "-b", "toy", "--grader-workers", "1"]
    found = run(*evaluate, "--json", "--report", "page.html")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["scores"]
    assert "page: page.html" in found.stderr
    assert "8.3" in (tmp_path / "page.html").read_text()
    again = run("report")
    assert again.exit_code == 0, again.output
    assert again.stdout.strip().startswith("emdiag-out/reports/")
    assert (tmp_path / again.stdout.strip()).is_file()
    named = run("report", "emdiag-out", "--out", "pages/own.html", "--json")
    assert json.loads(named.stdout) == {"page": "pages/own.html"}
    assert (tmp_path / "pages" / "own.html").is_file()
    compared = run("compare", "base", "base", "--report", "compared.html")
    assert compared.exit_code == 0, compared.output
    assert "oth sides are the same run" in (tmp_path / "compared.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "there is nothing to report"),
        (["report", "nothing"], "there is nothing to report by the name 'nothing'"),
        (["report", "table.json"], "holds no result of emdiag"),
        (["report", "."], "a folder that holds"),
    ],
)
def test_what_cannot_be_reported_exits_with_2_and_says_what_can(
    run: Callable[..., Result], arguments: list[str], words: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 2, found.output
    assert words in found.stderr
    assert "hint" in found.stderr
