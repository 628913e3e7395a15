"""A store that version 0.1.0 wrote gives the numbers that version 0.1.0 gave.

`golden/store_0_1_0.tar.xz` was made by 0.1.0 (commit e7c7f9e) from two tables of texts on `toy` and
on a user's own file, and by `select`, `train em`, `train score`, `temp-sweep` and `logits-skew` on
the lab; the `.json` files at its top are what `--json` printed. `golden/store_0_1_0.json` holds
what 0.1.0 then read out of it. Neither is ever written again.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import emdiag
from emdiag.core.codec import encode, to_plain
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.regrades import RegradeResult
from emdiag.core.results import EvaluateResult
from emdiag.demonstration.plan import FILE, DemoMeasurements
from emdiag.demonstration.run import DemoResult
from emdiag.findings.remarks import worded
from emdiag.publish.context import page_context
from emdiag.publish.kinds import RECORDS, kind_of
from emdiag.publish.runs import evaluation_of_runs
from emdiag.publish.targets import find_targets, result_files
from emdiag.store.files import read_result
from emdiag.store.run_store import Run, RunStore, summarise
from emdiag.store.session import open_session
from emdiag.studies.stored.compare import compare_outcomes
from emdiag.studies.stored.find_runs import Measured, find_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden"
DEMO = Path(__file__).parents[1] / "reports" / "examples" / "record.tar.xz"
EVERY_KIND = (*RECORDS, RegradeResult, DemoResult, DemoMeasurements)
OTHER_RULE_SINCE = (".interval.",)
"""Of what is computed anew from stored runs: intervals of shares are half-problem bootstraps."""
PRINTED = (
    *("comparison", "evaluation", "logits", "seeds", "selection", "sweep", "training", "claims"),
    "regrade",
)


def numbers(plain: Any, at: str = "") -> Iterator[tuple[str, float]]:
    """Every number in JSON with its place."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            yield from numbers(value, f"{at}.{name}")
    elif isinstance(plain, list | tuple):
        for place, value in enumerate(plain):
            yield from numbers(value, f"{at}[{place}]")
    elif isinstance(plain, int | float):
        yield at, plain


def same_numbers(found: Any, expected: Any, *, but: tuple[str, ...] = ()) -> bool:
    """Whether every number of `expected` stands in `found` at the same place.

    To 12 digits: another library rounds the last bit of an interval's end differently. `but` are
    parts of places whose numbers have another rule since.
    """
    before, now = dict(numbers(expected)), dict(numbers(to_plain(found)))
    before = {place: n for place, n in before.items() if not any(part in place for part in but)}
    assert before
    assert {place: now.get(place) for place in before} == pytest.approx(before, rel=1e-12, abs=0)
    return True


@pytest.fixture(scope="module")
def golden() -> Any:
    return json.loads((GOLDEN / "store_0_1_0.json").read_text())


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """The store, with the working directory beside it, as when it was made."""
    with tarfile.open(GOLDEN / "store_0_1_0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return RunStore(Path("store"))


@pytest.mark.parametrize("kind", PRINTED)
def test_each_kind_is_read_with_its_numbers_and_written_with_its_kind(
    kind: str, stored: RunStore, tmp_path: Path
) -> None:
    file = tmp_path / f"{kind}.json"
    result = read_result(file, *EVERY_KIND)
    assert result.kind() == kind
    assert same_numbers(result, json.loads(file.read_text()))
    file.write_bytes(encode(result))
    assert json.loads(file.read_text())["kind"] == kind
    assert read_result(file, *EVERY_KIND) == result
    assert len(result_files(stored)) == 5


@pytest.mark.parametrize("kind", PRINTED)
def test_what_json_prints_today_is_read_back_with_its_words(kind: str, stored: RunStore) -> None:
    file = stored.root.resolve().parent / f"{kind}.json"
    result = read_result(file, *EVERY_KIND)
    printed = worded(to_plain(result))
    file.write_text(json.dumps(printed))
    again = read_result(file, *EVERY_KIND)
    assert worded(to_plain(again)) == printed
    assert same_numbers(again, printed)


def test_reasons_of_claims_are_stored_as_facts_and_printed_as_words(stored: RunStore) -> None:
    result, file = emdiag.claims(store=stored.root), stored.root / "claims.json"
    file.write_bytes(encode(result))
    assert read_result(file, *EVERY_KIND) == result
    printed = worded(to_plain(result))
    assert all(isinstance(claim["why"], str) for claim in printed["claims"])
    file.write_text(json.dumps(printed))
    assert worded(to_plain(read_result(file, *EVERY_KIND))) == printed


def test_what_is_of_no_kind_or_of_another_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    for content in ("{}", "[]", '{"kind": "of tomorrow"}', '{"scores": []}', '{"kind": ["sweep"]}'):
        file.write_text(content)
        with pytest.raises(StoreError, match="holds no result of emdiag"):
            read_result(file, *EVERY_KIND)
    file.write_text('{"kind": "evaluate", "scores": [{"samples": ' + "9" * 30 + "}]}")
    with pytest.raises(StoreError, match="a number has 100 bits"):
        read_result(file, *EVERY_KIND)
    file.write_text('{"scores": [], "store": "out", "colour": 1}')
    with pytest.raises(StoreError, match=r"cannot read a EvaluateResult.*colour"):
        read_result(file, EvaluateResult)


def test_compare_claims_and_runs_give_the_same_numbers(stored: RunStore, golden: Any) -> None:
    with pytest.raises(PlanError, match="in several ways"):  # 0.1.0 took the last without a word
        emdiag.compare("base", "em", store=stored.root)
    pairs = find_pairs("base", "em", store=stored, measured=Measured(is_last=True))
    assert same_numbers(compare_outcomes(pairs), golden["compare"])
    claims = json.loads(encode(emdiag.claims(store=stored.root)))["claims"]
    assert same_numbers(claims, golden["claims"])
    for name in ("id", "arms", "benchmarks", "verdict"):
        assert [claim[name] for claim in claims] == [claim[name] for claim in golden["claims"]]
    runs = sorted(
        (json.loads(encode(summarise(run))) for run in stored.runs()), key=lambda run: run["name"]
    )
    assert [{name: run[name] for name in golden["runs"][0]} for run in runs] == golden["runs"]


def test_regrade_gives_the_same_numbers(stored: RunStore, golden: Any) -> None:
    toy = [run.path.name for run in by_name(stored) if run.spec.benchmark == "toy"]
    found = emdiag.regrade(toy, store=stored.root, workers=1)
    assert same_numbers(found, golden["regrade"], but=OTHER_RULE_SINCE)


def test_runs_are_reported_with_the_same_scores(stored: RunStore, golden: Any) -> None:
    graded = [run for run in by_name(stored) if run.gradings()]
    found = evaluation_of_runs(graded, store=stored, home=Path("home"))
    assert same_numbers(found, golden["report"], but=OTHER_RULE_SINCE)


@pytest.mark.parametrize("name", [*(f"{kind}.json" for kind in PRINTED[:-1]), "trained"])
def test_each_kind_has_its_page_with_the_same_samples_runs_and_commands(
    name: str, stored: RunStore, golden: Any
) -> None:
    (target,) = find_targets([name], store=stored)
    assert not isinstance(target.subject, Run)
    sources = kind_of(target.subject).sources(target.subject, target.store)
    context = page_context(sources, open_session("store", home="home"))
    book, expected = context.samples, golden["pages"][name]
    samples = None if book is None else {
        "total": book.total,
        "columns": [column.title for column in book.columns],
        "right": sum(s.verdict is not None and s.verdict.value == "correct" for s in book.samples),
        "with_statement": sum(bool(problem.statement) for problem in book.problems),
    }  # fmt: skip
    assert samples == expected["samples"]
    assert list(context.commands) == expected["commands"]
    runs = next((fact.value for fact in context.provenance if fact.name == "runs"), None)
    assert runs == expected["runs"]
    page = emdiag.report(name, store=stored.root, home="home")
    assert page.read_text().startswith("<!doctype html>")


def test_a_demonstration_of_0_1_0_is_read_part_by_part(tmp_path: Path) -> None:
    with tarfile.open(DEMO) as archive:
        archive.extractall(tmp_path, filter="data")
    file = tmp_path / "emdiag-demo" / FILE
    measured = read_result(file, DemoMeasurements)
    assert same_numbers(measured, json.loads(file.read_text()))
    file.write_bytes(encode(measured))
    assert read_result(file, DemoMeasurements) == measured


def by_name(store: RunStore) -> list[Run]:
    return sorted(store.runs(), key=lambda run: run.path.name)
