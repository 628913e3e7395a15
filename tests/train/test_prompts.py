"""What a trainer reads is what the user named, whatever the ending of the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from emdiag.core.errors import BenchmarkError, PlanError
from emdiag.train.prompts import read_benchmark, read_prompt_file

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"problem": f"{n} + 1", "answer": n + 1} for n in range(4)]


@pytest.fixture(params=["json", "jsonl"])
def problems_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"mine.{request.param}"
    lines = [json.dumps(row) for row in ROWS]
    path.write_text(json.dumps(ROWS) if request.param == "json" else "\n".join(lines))
    return path


def test_held_out_problems_come_from_a_file_of_any_format(
    problems_file: Path, tmp_path: Path
) -> None:
    found = read_benchmark(str(problems_file), home=tmp_path, leave_out=(), count=9)
    assert [problem.statement for problem in found.problems] == [row["problem"] for row in ROWS]


def test_a_prompt_file_of_problems_is_not_taken_for_a_text(problems_file: Path) -> None:
    source = read_prompt_file(problems_file, prompts=2)
    assert [problem.statement for problem in source.problems] == ["0 + 1", "1 + 1"]
    assert source.template == "boxed"
    with pytest.raises(BenchmarkError, match="the file holds 4"):
        read_prompt_file(problems_file, prompts=5)
    assert len(read_prompt_file(problems_file).problems) == 4


def test_any_other_prompt_file_is_one_prompt(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("What is 1 + 1?")
    source = read_prompt_file(path, prompts=1)
    assert [problem.statement for problem in source.problems] == ["What is 1 + 1?"]
    assert source.template == "plain"
    with pytest.raises(PlanError, match="2 training prompts are asked for, and a text file is one"):
        read_prompt_file(path, prompts=2)
