from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from emdiag.core.codec import decode, encode
from emdiag.core.errors import GraderError
from emdiag.core.option_groups import Grading
from emdiag.core.results import remark
from emdiag.studies.stored.grade_file import GradedLine, read_lines, run_grade_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME, GRADING = "answers.jsonl", Grading(grader_workers=1)


def graded(*lines: object) -> list[GradedLine]:
    shown: list[GradedLine] = []
    run_grade_file(NAME, map(as_line, lines), GRADING, show=shown.append)
    return shown


def as_line(line: object) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"


def test_lines_are_graded_in_their_order_with_line_and_id() -> None:
    shown = graded(
        {"gold": "1/2", "completion": r"\boxed{0.5}", "id": "first"},
        b"\n",
        {"gold": 27.0, "completion": r"\boxed{27}", "id": 7},
        {"gold": "5", "completion": r"\boxed{6}", "extra": [1]},
    )
    assert [(line.line, line.id, line.verdict) for line in shown] == [
        (1, "first", "correct"),
        (3, 7, "correct"),
        (4, None, "wrong"),
    ]
    assert {line.grader for line in shown} == {"math-verify/2"}


def test_a_number_as_gold_never_passes_through_a_float() -> None:
    line = b'{"gold": 0.1000000000000000000000001, "completion": "\\\\boxed{0.1}"}\n'
    digits = b'{"gold": 4.5e33, "completion": "\\\\boxed{4.5 \\\\times 10^{33}}"}\n'
    assert [item.verdict for item in graded(line, digits)] == ["wrong", "correct"]


def test_a_bad_line_is_named_and_the_others_are_graded() -> None:
    shown = graded(
        b"nonsense\n",
        {"gold": "5", "completion": r"\boxed{5}"},
        {"completion": "x"},
        {"gold": None, "completion": "x"},
        {"gold": ["5"], "completion": "x"},
        {"gold": "5", "completion": None},
        {"gold": "5", "completion": 5},
        {"gold": "5"},
        {"gold": "5", "completion": "x", "tolerance": "loose"},
        {"gold": "5", "completion": "x", "answer_type": "Numerical"},
        b"[1, 2]\n",
        b'{"gold": NaN, "completion": "x"}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        {"gold": "5", "completion": r"\boxed{5}"},
    )
    assert [item.line for item in shown] == list(range(1, 16))
    assert [item.verdict for item in (shown[1], shown[-1])] == ["correct", "correct"]
    problems = [item.problem for item in shown if item.verdict is None]
    assert len(problems) == 13
    for item in shown:
        if item.problem is not None:
            assert f"answers.jsonl, line {item.line}" in item.problem
            assert "hint" in item.problem
    assert "expected `completion` to be text, found null" in str(problems[4])
    assert "found the number 5" in str(problems[5])
    assert "found no such field" in str(problems[6])


def test_a_benchmark_without_a_card_is_graded_exactly_and_said() -> None:
    answer = {"gold": "1.6", "completion": r"\boxed{1.61}", "benchmark": "aime24"}
    (line,) = graded(answer)
    assert line.verdict == "wrong"
    assert line.note == remark("compared-exactly", benchmark="aime24")


def test_the_card_of_the_benchmark_sets_the_tolerance_and_the_line_may_override_it() -> None:
    answer = {"gold": "4.5e33", "completion": r"\boxed{4.52e33}"}
    shown = graded(
        answer,
        {**answer, "benchmark": "minerva_math"},
        {**answer, "benchmark": "math500"},
        {**answer, "benchmark": "minerva_math", "tolerance": "exact"},
        {"gold": "4.2", "completion": r"\boxed{4.28\%}", "unit": "%", "error": 0.1},
    )
    assert [item.verdict for item in shown] == ["wrong", "correct", "wrong", "wrong", "correct"]


def test_lines_are_shown_before_the_last_one_is_read() -> None:
    shown: list[GradedLine] = []
    seen: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(6):
            seen.append(len(shown))
            yield as_line({"gold": str(number), "completion": rf"\boxed{{{number}}}"})

    run_grade_file(NAME, lines(), GRADING, show=shown.append)
    assert seen[-1] >= 4


def test_the_result_counts_every_line_once() -> None:
    lines = [
        {"gold": "5", "completion": r"\boxed{5}"},
        {"gold": "5", "completion": "The answer is 4."},
        {"gold": "5", "completion": "We see that it is 5"},
        {"gold": "5"},
    ]
    result = run_grade_file(NAME, map(as_line, lines), GRADING, show=lambda _: None)
    assert (result.lines, result.unreadable, result.boxed) == (3, 1, 1)
    assert result.by_verdict == {"correct": 1, "wrong": 1, "no_answer": 1, "undecided": 0}


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(GraderError) as caught:
        list(read_lines(str(tmp_path / "nothing.jsonl"), BytesIO()))
    assert caught.value.facts["file"] == str(tmp_path / "nothing.jsonl")


@pytest.mark.parametrize(
    ("value", "shown_as"),
    [
        ("1e9999999", "1E+9999999"),
        ("-7", -7),
        ("0.5", "0.5"),
        ("true", "true"),
        ('[1, {"a": null}]', '["1", {"a": null}]'),
        (r'"\ud800 half"', "\ufffd half"),
        ("9" * 1_000_000, "9" * 200),
        ("null", None),
    ],
)
def test_an_id_of_any_kind_is_kept_and_stops_nothing(value: str, shown_as: object) -> None:
    line = f'{{"id": {value}, "gold": "1", "completion": "\\\\boxed{{1}}"}}\n'
    (shown,) = graded(line.encode())
    assert (shown.id, shown.verdict) == (shown_as, "correct")
    assert decode(encode(shown), GradedLine) == shown


@pytest.mark.parametrize(
    "line",
    [
        b'{"gold": "5", "completion": "\xff"}\n',
        b"[" * 100_000 + b"\n",
        b'{"gold": "5", "completion": "x", "error": -1}\n',
        b'{"gold": "5", "completion": "x", "error": "inf"}\n',
        b'{"gold": NaN, "completion": "x"}\n',
    ],
    ids=["not UTF-8", "deep", "negative error", "infinite error", "nan"],
)
def test_a_line_that_cannot_be_read_is_named_and_the_next_is_graded(line: bytes) -> None:
    first, second = graded(line, {"gold": "5", "completion": r"\boxed{5}"})
    assert first.verdict is None
    assert "line 1: expected" in (first.problem or "")
    assert second.verdict == "correct"


def test_halves_of_surrogates_and_long_numbers_are_graded_like_any_text() -> None:
    shown = graded(
        rb'{"gold": "\ud800", "completion": "\\boxed{5\udc00}"}' + b"\n",
        b'{"gold": ' + b"7" * 1_000_000 + b', "completion": "\\\\boxed{7}"}\n',
        b'{"gold": "5", "completion": "' + b"9" * 1_000_000 + b'"}\n',
    )
    assert "correct" not in [line.verdict for line in shown]
    for line in shown:
        assert decode(encode(line), GradedLine) == line
