from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from huggingface_hub import errors

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.load import load_problems
from emdiag.benchmarks.pull import PATIENCE_S, data_files, pull, unreachable
from emdiag.core.errors import BenchmarkError

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.problems import BenchmarkCard

# httpx or httpx2, as the installed hub client has it.
transport = importlib.import_module(errors.HfHubHTTPError.__mro__[1].__module__.split(".")[0])

ROWS = [{"question": "How many?", "answer": "#### 5"}]


def card_of(**changes: Any) -> BenchmarkCard:
    """The card of gsm8k for a set of one row whose checksum nobody knows."""
    card = load_card("gsm8k")
    source = {"sha256": None, "revision": "abc", **changes}
    return msgspec.structs.replace(
        card, size=1, source=msgspec.structs.replace(card.source, **source)
    )


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A hub whose snapshot is a folder here; holds what it was asked."""
    folder = tmp_path / "snapshot"
    (folder / "main").mkdir(parents=True)
    asked: dict[str, Any] = {"folder": folder}

    def snapshot_download(repo_id: str, **options: Any) -> str:
        asked.update(repo_id=repo_id, **options)
        return str(folder)

    monkeypatch.setattr("emdiag.benchmarks.pull.snapshot_download", snapshot_download)
    return asked


def test_the_pinned_revision_of_the_right_split_is_fetched_and_converted(
    hub: dict[str, Any], tmp_path: Path
) -> None:
    (hub["folder"] / "main" / "test-00000-of-00001.jsonl").write_text(json.dumps(ROWS[0]))
    (hub["folder"] / "main" / "train-00000-of-00001.jsonl").write_text("{}")
    note = pull(card_of(), home=tmp_path)
    assert (hub["repo_id"], hub["repo_type"], hub["revision"]) == ("openai/gsm8k", "dataset", "abc")
    assert note.source == "openai/gsm8k@abc"
    assert [problem.answer for problem in load_problems(card_of(), home=tmp_path)] == ["5"]


@pytest.fixture(autouse=True)
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that answers."""
    monkeypatch.setattr("emdiag.benchmarks.pull.unreachable", lambda *_: None)


def response(status: int) -> Any:
    return transport.Response(status, request=transport.Request("GET", "https://hub.invalid"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.GatedRepoError("no", response=response(403)), "registered users only"),
        (errors.RepositoryNotFoundError("no", response=response(404)), "holds no such data set"),
        (errors.RevisionNotFoundError("no", response=response(404)), "holds no such data set"),
        (errors.LocalEntryNotFoundError("no"), "cannot be reached, and its cache"),
        (errors.OfflineModeIsEnabled("no"), "cannot be reached, and its cache"),
        (
            errors.HfHubHTTPError("500 oh\nno", response=response(500)),
            r"did not deliver.*: 500 oh\n",
        ),
        (transport.ReadTimeout("slow"), "did not deliver the data set: slow"),
        (OSError(28, "No space left"), "No space left"),
    ],
)
def test_every_failure_of_the_hub_names_the_way_without_it(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("emdiag.benchmarks.pull.snapshot_download", fail)
    with pytest.raises(BenchmarkError, match=message) as caught:
        pull(load_card("gsm8k"), home=tmp_path)
    assert "emdiag benchmarks import gsm8k FILE" in str(caught.value)
    assert caught.value.facts["data set"] == "openai/gsm8k"
    assert not (tmp_path / "benchmarks").exists()


@pytest.mark.parametrize(
    ("name", "files", "chosen"),
    [
        ("math500", ["test.jsonl"], ["test.jsonl"]),
        (
            "gsm8k",
            ["main/test-00000-of-00001.parquet", "socratic/test-00000-of-00001.parquet"],
            ["main/test-00000-of-00001.parquet"],
        ),
        (
            "gsm8k",
            ["main/test-00001-of-00002.parquet", "main/test-00000-of-00002.parquet"],
            ["main/test-00000-of-00002.parquet", "main/test-00001-of-00002.parquet"],
        ),
        (
            "olympiadbench",
            [
                "OlympiadBench/OE_TO_maths_en_COMP/OE_TO_maths_en_COMP.parquet",
                "OlympiadBench/OE_TO_maths_zh_COMP/OE_TO_maths_zh_COMP.parquet",
            ],
            ["OlympiadBench/OE_TO_maths_en_COMP/OE_TO_maths_en_COMP.parquet"],
        ),
        ("amc23", ["data/test-00000-of-00001.parquet"], ["data/test-00000-of-00001.parquet"]),
        ("amc23", ["test.jsonl", "latest.jsonl"], ["test.jsonl"]),
    ],
)
def test_the_file_of_the_cards_config_and_split_is_chosen(
    name: str, files: list[str], chosen: list[str], tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = data_files(load_card(name), tmp_path)
    assert found == [tmp_path / file for file in chosen]


@pytest.mark.parametrize("files", [[], ["test.json", "test.jsonl"], ["a-test.json", "b-test.json"]])
def test_no_file_or_several_unrelated_ones_are_refused_not_guessed(
    files: list[str], tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).touch()
    with pytest.raises(BenchmarkError, match="does not hold one file for amc23") as caught:
        data_files(load_card("amc23"), tmp_path)
    assert caught.value.facts["found"] == (", ".join(files) or "nothing")


def test_shipped_sets_are_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="nothing to pull"):
        pull(load_card("toy"), home=tmp_path)


def test_a_set_without_a_place_on_the_hub_is_refused_with_the_command_that_works(
    hub: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(BenchmarkError, match="no place on the hub is known for one_shot") as caught:
        pull(load_card("one_shot"), home=tmp_path)
    assert "emdiag benchmarks import one_shot FILE" in str(caught.value)
    assert "repo_id" not in hub
    with pytest.raises(BenchmarkError, match="are not on this machine") as absent:
        load_problems(load_card("one_shot"), home=tmp_path)
    assert "pull" not in str(absent.value)


@pytest.mark.parametrize(
    "failure",
    [transport.ConnectError("Name or service not known"), transport.ProxyError("no such proxy")],
)
def test_a_hub_that_does_not_answer_is_asked_once_and_its_cache_looked_at(
    failure: Exception, hub: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emdiag.benchmarks.pull.unreachable", unreachable)
    questions = []

    def repo_info(*_: object, **options: object) -> None:
        questions.append(options["timeout"])
        raise failure

    monkeypatch.setattr("emdiag.benchmarks.pull.HfApi.repo_info", repo_info)
    (hub["folder"] / "main" / "test.jsonl").write_text(json.dumps(ROWS[0]))
    pull(card_of(), home=tmp_path)
    assert (questions, hub["local_files_only"]) == ([PATIENCE_S], True)

    def fail(*_: object, **__: object) -> str:
        raise errors.LocalEntryNotFoundError("no")

    monkeypatch.setattr("emdiag.benchmarks.pull.snapshot_download", fail)
    with pytest.raises(BenchmarkError, match="cannot be reached") as caught:
        pull(load_card("gsm8k"), home=tmp_path)
    assert caught.value.facts["reason"] == str(failure)
    assert "HTTPS_PROXY" in str(caught.value.hint)
