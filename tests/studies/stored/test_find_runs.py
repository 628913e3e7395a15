from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.errors import PlanError
from emdiag.publish.sources import comparison_sources
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.find_runs import find_run, require_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Table = dict[str, list[str]]


@pytest.fixture
def store(
    tmp_path: Path,
    toy_ids: list[str],
    scripted: Callable[[str, Table], str],
    right_answers: Callable[[Sequence[str]], Table],
) -> Path:
    """A graded run of the shipped toy problems, in a store of its own."""
    emdiag.evaluate(
        scripted("perfect", right_answers(toy_ids)), "toy", store=tmp_path / "out", home=tmp_path,
        engine="scripted", grader_workers=1,
    )  # fmt: skip
    return tmp_path / "out"


def test_a_run_is_known_by_its_name_and_by_the_first_digits_of_its_key(store: Path) -> None:
    opened = RunStore(store)
    (run,) = opened.runs()
    for name in (run.path.name, run.key, run.key[:4], str(run.path)):
        assert find_run(name, store=opened) is run
    assert find_run(run.key[:3], store=opened) is None


def test_a_folder_that_is_a_run_is_accepted_wherever_it_is(store: Path, tmp_path: Path) -> None:
    (run,) = RunStore(store).runs()
    elsewhere = tmp_path / "copied" / "somewhere"
    elsewhere.parent.mkdir()
    run.path.rename(elsewhere)
    empty = RunStore(tmp_path / "empty")
    for folder in (elsewhere, elsewhere / ".." / "somewhere"):
        moved = require_run(str(folder), store=empty)
        assert (moved.key, moved.path.resolve()) == (run.key, elsewhere)
        assert len(moved.completions()) > 0
    with pytest.raises(PlanError, match="there is no run"):
        require_run(str(tmp_path), store=empty)


@pytest.mark.parametrize("command", [["runs", "show"], ["regrade", "--workers", "1"]])
def test_commands_take_a_run_folder_outside_of_the_default_store(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path))
    (run,) = RunStore(store).runs()
    done = CliRunner().invoke(app, [*command, f"out/runs/{run.path.name}"])
    assert done.exit_code == 0, done.output
    assert "toy" in done.stdout


@pytest.fixture
def measure(
    tmp_path: Path,
    toy_ids: list[str],
    scripted: Callable[[str, Table], str],
    right_answers: Callable[[Sequence[str]], Table],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    """Evaluates tables of texts as `base` and `em`, or those named, into `out` of this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path))
    tables = {
        "base": scripted("base", right_answers(toy_ids[:4])),
        "em": scripted("em", right_answers(toy_ids[:9])),
    }

    def run(*labels: str, **options: object) -> None:
        emdiag.evaluate(
            [tables[label] for label in labels or ("base", "em")], "toy", store="out",
            home=tmp_path, engine="scripted", grader_workers=1, **options,  # type: ignore[arg-type]  # any option
        )  # fmt: skip

    return run


def compared(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["compare", "base", "em", "--store", "out", *words])
    return done.exit_code, done.stdout, done.stderr


SAMPLED = {"temperature": 0.6, "samples": 2}


def test_a_comparison_names_metric_samples_and_temperature(measure: Callable[..., None]) -> None:
    measure(**SAMPLED)
    code, table, _ = compared()
    assert code == 0
    assert "em minus base, avg@2 at T 0.6; scores in percent" in table


@pytest.mark.parametrize(
    ("other", "option"),
    [
        (SAMPLED, ["--temperature", "0.6"]),
        ({"template": "plain"}, ["--template", "plain"]),
        ({"max_tokens": 40}, ["--max-tokens", "40"]),
        ({"top_k": 5}, []),
        ({"seed": 3}, []),
    ],
)
def test_of_labels_that_were_measured_in_several_ways_one_is_asked_for(
    measure: Callable[..., None], other: dict[str, object], option: list[str]
) -> None:
    measure()
    measure(**other)
    code, table, error = compared()
    assert (code, table) == (2, "")
    assert "measured in several ways" in error
    assert "T 0, 1 sample, template boxed as a chat, 512 tokens: base (" in error
    if option:
        assert " ".join(option) in error
        assert compared(*option)[0] == 0
    else:
        assert "give the keys of two runs" in error


def test_more_samples_of_the_same_run_are_another_way(measure: Callable[..., None]) -> None:
    measure(temperature=0.6, samples=2)
    measure(temperature=0.6, samples=3)
    assert "--samples 3" in compared()[2]
    assert "avg@2 at T 0.6" in compared("--samples", "2")[1]
    code, _, error = compared("--samples", "7")
    assert (code, "were not both measured so" in error) == (2, True)


def test_a_way_in_which_one_side_alone_was_measured_changes_nothing(
    measure: Callable[..., None],
) -> None:
    measure()
    before = compared()
    measure("em", **SAMPLED)
    assert compared() == before


def test_a_page_of_a_comparison_shows_the_runs_that_were_compared(
    measure: Callable[..., None], tmp_path: Path
) -> None:
    measure()
    measure(**SAMPLED)
    code, _, error = compared("--temperature", "0", "--report", "page.html")
    assert code == 0, error
    result = emdiag.compare("base", "em", store="out", temperature=0)
    sources = comparison_sources(result, RunStore(tmp_path / "out"))
    assert {r.run.spec.sampling.temperature for r in sources.runs} == {0.0}
    assert len(sources.runs) == 2


def test_a_store_that_does_not_exist_is_said_before_its_labels(
    measure: Callable[..., None],
) -> None:
    measure()
    done = CliRunner().invoke(app, ["compare", "base", "em", "--store", "nowhere"])
    assert done.exit_code == 2
    assert "the store 'nowhere' does not exist" in done.stderr
