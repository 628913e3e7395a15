"""A metric of a user's own package, from the command line and from Python."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.errors import MeasurementError, PlanError
from emdiag.core.results import EvaluateResult, Interval
from emdiag.core.runs import EngineSpec, RunSpec
from emdiag.core.sampling import SamplingParams
from emdiag.stats.intervals import over_problems
from emdiag.store.legacy import upgraded
from emdiag.store.run_store import RunStore
from emdiag.studies.evaluate.outside_metrics import measure_outside
from emdiag.studies.stored.outcomes import outcomes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from emdiag import Metric, Outcomes

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
MEDIAN = "answer_lengths.metrics:median_tokens_when_right"
SOLVED = "answer_lengths.metrics:solved_by_all"


@pytest.fixture(autouse=True)
def folder_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is typed in the folder that holds the package, which is not installed."""
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Texts that answer one toy problem right, always."""
    texts = {"*": ["\\boxed{\\frac{1}{2}}"]}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(texts))
    return str(path)


@pytest.fixture
def evaluate(table: str, tmp_path: Path) -> Callable[..., Result]:
    def run(*more: str) -> Result:
        words = ["eval", f"a={table}", "-b", "toy", "--samples", "2", "--temperature", "1"]
        words += ["--grader-workers", "1", "--out", str(tmp_path / "out"), *more]
        return CliRunner().invoke(app, words)

    return run


def test_a_metric_stands_in_the_table_the_page_and_the_json(
    evaluate: Callable[..., Result], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    shown = evaluate("--metric", MEDIAN, "--metric", SOLVED, "--report", str(page))
    assert shown.exit_code == 0, shown.output
    printed = evaluate("--metric", MEDIAN, "--metric", SOLVED, "--json")
    (score,) = msgspec.convert(upgraded(json.loads(printed.stdout)), EvaluateResult).scores
    (median, solved) = score.metrics
    right = [problem for problem in score.per_problem if problem.correct == 2]
    assert solved.value == len(right) / 12
    assert solved.interval == over_problems([float(p in right) for p in score.per_problem])
    assert (median.name, median.interval) == ("median tokens when right", None)
    assert isinstance(solved.interval, Interval)
    written = page.read_text().partition("Metrics of your own")[2].partition("</table>")[0]
    for where in (shown.stdout, written):
        for words in ("median tokens when right", "solved by all", f"{solved.value:.2f}"):
            assert words in where


def two_names(outcomes: Outcomes) -> Metric:
    return emdiag.Metric(name="solved by all", value=outcomes.rates[0], interval=None)


def test_python_takes_functions_beside_names(table: str, tmp_path: Path) -> None:
    from answer_lengths.metrics import solved_by_all

    store = tmp_path / "out"
    result = emdiag.evaluate(
        f"a={table}", "toy", store=store, metrics=[solved_by_all, MEDIAN], grader_workers=1
    )
    names = [metric.name for metric in result.scores[0].metrics]
    assert names == ["solved by all", "median tokens when right"]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("answer_lengths.metrics", "package.module:name"),
        ("answer_lengths.metric:solved_by_all", "No module named 'answer_lengths.metric'"),
        ("answer_lengths.metrics:solved", "it has: "),
        ("answer_lengths.metrics:np", "not callable"),
    ],
)
def test_a_metric_that_cannot_be_loaded_is_refused_before_anything_is_drawn(
    evaluate: Callable[..., Result], tmp_path: Path, metric: str, words: str
) -> None:
    done = evaluate("--metric", metric)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def dividing_by_zero(outcomes: Outcomes) -> Metric:
    return emdiag.Metric(name="x", value=1 / 0, interval=None)


def test_a_metric_that_fails_is_named_and_the_samples_are_kept(
    evaluate: Callable[..., Result], tmp_path: Path
) -> None:
    done = evaluate("--metric", "test_outside_metric:dividing_by_zero")
    assert done.exit_code == 2
    assert "the metric test_outside_metric:dividing_by_zero on a, toy" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "out" / "runs").glob("*/completions.jsonl"))) == 1


def leaving(outcomes: Outcomes) -> Metric:
    sys.exit(3)


def printing(outcomes: Outcomes) -> Metric:
    print("metric at work")  # noqa: T201 - a user may
    return emdiag.Metric(name="printed", value=1.0, interval=None)


@pytest.mark.parametrize(
    ("name", "words"),
    [("dividing_by_zero", "ZeroDivisionError: division by zero"), ("leaving", "SystemExit: 3")],
)
def test_a_metric_that_raises_or_exits_is_refused_with_its_line(
    tmp_path: Path, name: str, words: str
) -> None:
    function = globals()[name]
    with pytest.raises(MeasurementError, match=words) as refused:
        measure_outside({name: function}, outcomes_in(tmp_path))
    line = function.__code__.co_firstlineno + 1
    assert refused.value.facts["file"] == f"{__file__}, line {line}"


def test_what_a_metric_prints_stays_out_of_the_json(evaluate: Callable[..., Result]) -> None:
    done = evaluate("--metric", "test_outside_metric:printing", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["scores"][0]["metrics"][0]["name"] == "printed"
    assert "metric at work" in done.stderr


def outcomes_in(folder: Path) -> Outcomes:
    run = RunStore(folder).run(SPEC)
    return outcomes_of(run, "g", label="a")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[31mred", "a\u2028b", "n" * 81])
def test_a_name_that_is_no_short_line_is_refused(name: str, tmp_path: Path) -> None:
    returned = emdiag.Metric(name=name, value=1.0, interval=None)
    with pytest.raises(MeasurementError, match="expected a name of one line") as refused:
        measure_outside({"mine:metric": lambda _: returned}, outcomes_in(tmp_path))
    assert "\x1b" not in str(refused.value)
    kept = emdiag.Metric(name="n" * 80, value=1.0, interval=None)
    assert measure_outside({"mine:metric": lambda _: kept}, outcomes_in(tmp_path)) == (kept,)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (0.5, "expected an emdiag.Metric, found float"),
        (emdiag.Metric(name="x", value=math.nan, interval=None), "expected finite numbers"),
        (emdiag.Metric(name="x", value=cast("float", "much"), interval=None), "could not convert"),
        (emdiag.Metric(name=cast("str", 3), value=1.0, interval=None), "`str`, got `int`"),
        (emdiag.Metric(name="x", value=1.0, interval=cast("Interval", (0, 1))), "`object | null`"),
    ],
)
def test_what_is_no_finite_metric_is_refused(returned: Metric, words: str, tmp_path: Path) -> None:
    outcomes = outcomes_in(tmp_path)
    with pytest.raises(MeasurementError) as refused:
        measure_outside({"mine:metric": lambda _: returned}, outcomes)
    assert "the metric mine:metric on a, toy" in str(refused.value)
    assert words in str(refused.value)


def test_two_metrics_of_one_name_are_refused(evaluate: Callable[..., Result]) -> None:
    done = evaluate("--metric", SOLVED, "--metric", "test_outside_metric:two_names")
    assert done.exit_code == 2
    assert "returned the name 'solved by all', which another metric has" in done.stderr


def test_a_function_that_has_no_name_to_import_is_refused(table: str) -> None:
    with pytest.raises(PlanError, match=r"package\.module:name"):
        emdiag.evaluate(f"a={table}", "toy", metrics=[lambda outcomes: None])
