"""A benchmark is a name, a file or a folder, and is opened the same way everywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from emdiag.benchmarks.open import open_benchmark
from emdiag.core.errors import BenchmarkError

if TYPE_CHECKING:
    from pathlib import Path

CARD = """\
name = "sums"
title = "Two sums"
revision = 1
size = 2
template = "terse"
max_tokens = 64
headline = "avg@1"

[grader]
tolerance = "exact"

[source]
origin = "written by hand"
license = "not stated"
"""
TEMPLATE = 'name = "terse"\nchat = false\nuser = "{statement}"\nplain = "{statement} ="\n'
ROWS = [{"problem": "1 + 1", "answer": 2}, {"id": "b", "problem": "2 + 2", "answer": "4"}]


def write_folder(folder: Path, *, card: str = CARD) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "card.toml").write_text(card)
    (folder / "templates" / "terse.toml").write_text(TEMPLATE)
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return folder


def test_a_folder_with_a_card_is_a_benchmark(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "any name")
    card, problems, _ = open_benchmark(str(folder), home=tmp_path)
    assert (card.name, card.max_tokens) == ("sums", 64)
    assert card.template == str(folder / "templates" / "terse.toml")
    assert [(problem.id, problem.answer) for problem in problems] == [
        ("sums/0000", "2"), ("sums/b", "4"),
    ]  # fmt: skip


def test_a_name_goes_before_a_folder_that_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "toy")
    monkeypatch.chdir(tmp_path)
    assert open_benchmark("toy", home=tmp_path)[0].title == "Twelve small problems"
    assert open_benchmark("./toy", home=tmp_path)[0].title == "Two sums"


@pytest.mark.parametrize(
    ("missing", "message"),
    [("card.toml", "holds no card.toml"), ("problems.jsonl", "holds no problems.jsonl")],
)
def test_a_folder_that_lacks_a_file_says_which(tmp_path: Path, missing: str, message: str) -> None:
    folder = write_folder(tmp_path / "sums")
    (folder / missing).unlink()
    with pytest.raises(BenchmarkError, match=message) as caught:
        open_benchmark(str(folder), home=tmp_path)
    assert "templates" in caught.value.facts["found"]
    assert "card.toml, problems.jsonl" in caught.value.facts["expected"]
    assert caught.value.hint


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("size = 2", "size = 3", "holds 2 problems, its card says 3"),
        ('license = "not stated"', 'license = "a"\nsha256 = "0"', "not those its card describes"),
        ('"sums"', '"toy"', "cannot be named 'toy'"),
        ('"sums"', '"../sums"', "cannot be named '../sums'"),
        ("max_tokens = 64", "", "missing required field `max_tokens`"),
    ],
)
def test_a_card_that_contradicts_its_folder_is_refused(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    folder = write_folder(tmp_path / "sums", card=CARD.replace(before, after))
    with pytest.raises(BenchmarkError, match=message):
        open_benchmark(str(folder), home=tmp_path)


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet"])
def test_a_file_of_every_ending_is_opened(tmp_path: Path, ending: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / f"mine.{ending}"
    rows = [{"problem": "1 + 1", "answer": "2"}]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps(rows if ending == "json" else rows[0]))
    card, problems, _ = open_benchmark(str(path), home=tmp_path)
    assert (card.name, [problem.answer for problem in problems]) == ("mine", ["2"])


def test_an_unknown_name_lists_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no benchmark named 'math50'") as caught:
        open_benchmark("math50", home=tmp_path)
    facts = caught.value.facts
    assert "gsm8k, math500" in facts["known"]
    assert all(ending in facts["accepted"] for ending in (".jsonl", ".json", ".parquet"))
    assert "card.toml" in facts["accepted"]
    assert caught.value.hint == "did you mean math500?"


def test_a_file_of_another_type_is_not_taken_for_a_name(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("problem,answer\n")
    with pytest.raises(BenchmarkError, match=r"not read from files of type \.csv") as caught:
        open_benchmark(str(tmp_path / "mine.csv"), home=tmp_path)
    assert caught.value.facts["expected"] == ".jsonl, .json, .parquet"
