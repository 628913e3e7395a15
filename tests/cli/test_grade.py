from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from emdiag.cli.grade import grade

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()
app.command("grade")(grade)

GOOD = [
    {"gold": "1,3", "completion": r"\boxed{3, 1}", "id": "a"},
    {"gold": "1,3", "completion": r"\boxed{13}", "id": "b"},
    {"gold": "1,3", "completion": r"so \boxed{1", "id": "c"},
]


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in GOOD))
    return file


def test_json_is_one_object_a_line_with_verdict_extracted_grader_and_time(answers: Path) -> None:
    done = CliRunner().invoke(app, [str(answers), "--json"])
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["verdict"] for line in lines] == ["correct", "wrong", "no_answer"]
    assert [line["extracted"] for line in lines] == ["3, 1", "13", None]
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    assert [line["grader"] for line in lines] == ["math-verify/2"] * 3
    assert [line["elapsed_s"] > 0 for line in lines] == [True, True, False]  # nothing to compare
    assert lines[2]["note"] == "the only box is not closed"


def test_the_table_counts_the_verdicts_and_names_the_grader(answers: Path) -> None:
    done = CliRunner().invoke(app, [str(answers)])
    assert done.exit_code == 0
    assert "3 graded lines" in done.stdout
    assert "2 of 3 answers in a box" in done.stdout
    assert "math-verify/2" in done.stdout


def test_each_line_says_why_when_asked(answers: Path) -> None:
    done = CliRunner().invoke(app, [str(answers), "--explain"])
    assert done.exit_code == 0
    words = done.stdout
    assert "line 1, a: correct, answer 3, 1" in words
    assert "  found     from the last box, characters 8 to 11" in words
    assert "  compared  1, 3 equals 3, 1: members in any order" in words
    assert "  rule      the only box is not closed" in words
    lines = CliRunner().invoke(app, [str(answers), "--explain", "--json"]).stdout.splitlines()
    whys = [json.loads(line)["why"] for line in lines]
    assert [why["found_by"] for why in whys] == ["box", "box", "nothing"]
    assert GOOD[0]["completion"][slice(*whys[0]["span"])] == "3, 1"
    plain = CliRunner().invoke(app, [str(answers), "--json"]).stdout.splitlines()
    assert {json.loads(line)["why"] for line in plain} == {None}


def test_what_a_model_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "codes.jsonl"
    file.write_text(json.dumps({"gold": "5", "completion": "\\boxed{\x1b]0;title\x07\x1b[2J6}"}))
    done = CliRunner().invoke(app, [str(file), "--explain"])
    assert "wrong" in done.stdout
    assert not {"\x1b", "\x07"} & set(done.stdout)


def test_an_id_or_an_answer_makes_no_line_of_its_own(tmp_path: Path) -> None:
    file, forged = tmp_path / "codes.jsonl", "\nerror: forged"
    row = {"id": forged, "gold": "5", "completion": f"\\boxed{{6{forged}}}"}
    file.write_text(json.dumps(row))
    done = CliRunner().invoke(app, [str(file), "--explain"])
    assert "[U+000A]error: forged" in done.stdout
    assert not [line for line in done.output.splitlines() if line.startswith("error")]


def test_standard_input_is_graded_like_a_file(answers: Path) -> None:
    done = CliRunner().invoke(app, ["-", "--json"], input=answers.read_bytes())
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [1, 2, 3]


def test_a_bad_line_ends_with_exit_code_2_and_loses_no_other(answers: Path) -> None:
    with answers.open("a") as file:
        file.write("{not json\n" + json.dumps(GOOD[0]) + "\n")
    done = CliRunner().invoke(app, [str(answers), "--json"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 2
    assert [line["verdict"] for line in lines] == ["correct", "wrong", "no_answer", None, "correct"]
    assert f"{answers}, line 4" in lines[3]["problem"]
    plain = CliRunner().invoke(app, [str(answers)])
    assert plain.exit_code == 2
    assert "line 4" in plain.stderr


def test_a_missing_file_ends_with_exit_code_2_and_a_hint() -> None:
    done = CliRunner().invoke(app, ["/no/such/file.jsonl", "--json"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "hint" in done.stderr
