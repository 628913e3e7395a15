from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.errors import PlanError
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.typed_lists import numbers
from emdiag.findings.sweep.statements import statements
from emdiag.store.files import read_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in an empty folder, on two tables of texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    ids = [f"toy/{number:04d}" for number in range(12)]
    for label in ("one", "two"):
        table = {problem: ["\\boxed{1}"] for problem in ids}
        (tmp_path / f"{label}.json").write_text(json.dumps(table))
    fixed = ["temp-sweep", "one=one.json", "two=two.json", "-b", "toy", "--template", "plain"]
    return lambda *arguments: CliRunner().invoke(app, [*fixed, "--samples", "1", *arguments])


def test_a_sweep_is_a_table_for_people_and_a_record_for_programs(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    shown = run("--temperatures", "0,0.5,...,1", "--no-plots")
    assert shown.exit_code == 0, shown.output
    assert "T 0.5" in shown.output
    assert "Slope of accuracy" in shown.output
    found = run("--temperatures", "0,0.5,1", "--json")
    assert found.exit_code == 0, found.output
    (tmp_path / "result.json").write_text(found.stdout)
    result = read_result(tmp_path / "result.json", TemperatureSweepResult)
    printed = json.loads(found.stdout)["statements"]
    assert printed == [statement.words for statement in statements(result)]
    assert printed
    assert [one.setting.temperature for one in result.points] == [0.0, 0.5, 1.0] * 2
    for figure in result.figures:
        assert (tmp_path / f"{figure}.svg").read_text().startswith("<?xml")
    assert result.figures
    before = {path: path.read_bytes() for path in tmp_path.glob("emdiag-out/figures/*/*")}
    assert run("--temperatures", "0,0.5,1", "--limit", "6").exit_code == 0
    assert {path: path.read_bytes() for path in before} == before  # another result, another folder
    assert len(list(tmp_path.glob("emdiag-out/figures/*"))) == 2


def test_a_page_is_written_where_it_is_asked_for(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    found = run("--temperatures", "0,1", "--no-plots", "--report", "page.html")
    assert found.exit_code == 0, found.output
    assert "<svg" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperatures", "hot"], "holds 'hot'"),
        (["--sweep", "top_p"], "expected AXIS=VALUE"),
        (["--sweep", "top_p=0.5,1", "--sweep", "top_p=0.9"], "named twice"),
        (["--sweep", "width=1,2"], "no axis 'width'"),
        (["--temperatures", "0,...,1"], "does not fill a range"),
    ],
)
def test_what_cannot_be_swept_is_said_in_words(
    run: Callable[..., Result], arguments: list[str], message: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.output
    assert "Traceback" not in found.output


@given(st.integers(-20, 20), st.integers(1, 10), st.integers(1, 40))
def test_three_dots_fill_in_what_a_reader_would(first: int, step: int, count: int) -> None:
    values = [(first + step * number) / 10 for number in range(count + 2)]
    text = f"{values[0]:g},{values[1]:g},...,{values[-1]:g}"
    assert numbers(text) == pytest.approx(values)


@pytest.mark.parametrize(
    "text",
    [
        *("...", "1,...", "1,2,...", "1,1,...,2", "0,1,...,-3", "0,2,...,5", "0,inf,...,1"),
        *("nan,nan,...,1", "0,1,...,nan", "0,1e-320,...,1e300"),
    ],
)
def test_three_dots_that_fill_nothing_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="does not fill a range"):
        numbers(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "1", "--temperatures", "0.5,1"],
        ["--limit", "2", "--temperatures", "0.5,1"],
        ["--limit", "1", "--temperatures", "1"],
    ],
)
def test_one_problem_two_or_one_temperature_with_several_samples_give_no_trend(
    run: Callable[..., Result], tmp_path: Path, arguments: list[str]
) -> None:
    """Two problems of which each has its own slope would have an interval."""
    half = {f"toy/{number:04d}": ["\\boxed{1}", "\\boxed{2}"] for number in range(12)}
    (tmp_path / "two.json").write_text(json.dumps(half))
    found = run("--samples", "4", *arguments, "--report", "page.html", "--json")
    assert found.exit_code == 0, found.output
    (tmp_path / "result.json").write_text(found.stdout)
    result = read_result(tmp_path / "result.json", TemperatureSweepResult)
    assert {slope.trend for slope in result.slopes} <= {"undecided"}
    assert {pair.direction for pair in result.slope_differences} <= {"undecided"}
    assert "NaN" not in found.stdout
    assert result.figures
    assert run("--samples", "4", *arguments, "--no-plots").exit_code == 0
