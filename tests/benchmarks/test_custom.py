from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.custom import load_custom
from emdiag.benchmarks.load import load_problems
from emdiag.core.codec import to_plain
from emdiag.core.errors import BenchmarkError

if TYPE_CHECKING:
    from pathlib import Path


def write(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_file_of_problems_becomes_a_benchmark_named_after_it(tmp_path: Path) -> None:
    file = write(
        tmp_path / "my problems.jsonl",
        {"problem": "A?", "answer": "1, 2", "solution": "ignored"},
        {"question": "B?", "answer": 27.0, "id": "b", "level": 2, "subject": "Algebra"},
        {"statement": "C?", "answer": "4.5e33", "unit": "erg", "error": "1e-2"},
        {"statement": "D?", "answer": "(1, 2)", "answer_type": "interval"},
    )
    card, problems = load_custom(file)
    assert (card.name, card.size, card.template) == ("my-problems", 4, "boxed")
    assert [problem.id.partition("/")[2] for problem in problems] == ["0000", "b", "0002", "0003"]
    assert [problem.answer for problem in problems] == [
        *("1, 2", "27", r"4.5 \times 10^{33}", "(1, 2)")
    ]
    assert [problem.answer_type for problem in problems] == ["list", "number", "number", "interval"]
    assert (problems[1].level, problems[1].subject) == (2, "Algebra")
    assert (problems[2].unit, problems[2].error) == ("erg", "0.01")


def test_the_checksum_follows_the_content(tmp_path: Path) -> None:
    row = {"problem": "A?", "answer": "1"}
    first, _ = load_custom(write(tmp_path / "a.jsonl", row))
    again, _ = load_custom(write(tmp_path / "a.jsonl", {**row, "note": "x"}))
    other, _ = load_custom(write(tmp_path / "a.jsonl", {**row, "answer": "2"}))
    assert first.source.sha256 == again.source.sha256 != other.source.sha256


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "1"}, "row 2 must hold one of statement, problem, question"),
        ({"problem": "B?", "question": "C?", "answer": "1"}, "row 2 must hold one of"),
        ({"problem": 5, "answer": "1"}, "row 2 must hold one of"),
        ({"problem": "B?"}, "row 2: field 'answer' must hold text, found nothing"),
        ({"problem": "B?", "answer": True}, "row 2: field 'answer' must hold text, found bool"),
        ({"problem": "B?", "answer": ["1"]}, "row 2: field 'answer' must hold text, found list"),
        ({"problem": "B?", "answer": float("nan")}, "row 2: field 'answer' must hold text"),
        ({"problem": "B?", "answer": "1", "id": [1]}, r"row 2: 'id' is \[1\]"),
        ({"problem": "B?", "answer": "1", "answer_type": "int"}, "'answer_type' is 'int'"),
        (
            {"problem": "B?", "answer": "1", "error": "some"},
            "'error' is wrong: expected a finite number above 0",
        ),
        ({"problem": "B?", "answer": "1", "level": "5"}, "'level' is '5'"),
        ({"problem": "A?", "answer": "1"}, "row 2 repeats the statement of row 1"),
        ({"problem": "B?", "answer": "1", "id": "0000"}, "row 2 repeats the id of row 1"),
    ],
)
def test_a_bad_row_is_named_with_its_file(
    row: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "mine.jsonl", {"problem": "A?", "answer": "1"}, row)
    with pytest.raises(BenchmarkError, match=message) as caught:
        load_custom(file)
    assert str(file) in str(caught.value)


def test_a_file_called_like_a_benchmark_is_refused_since_scores_would_be_mixed_up(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "math500.jsonl", {"problem": "A?", "answer": "1"})
    with pytest.raises(BenchmarkError) as caught:
        load_custom(file)
    assert "emdiag benchmarks import math500 FILE" in str(caught.value)


def verl_row(content: str, answer: str | None, index: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    label = {"ground_truth": answer, "style": "rule"}
    return {"prompt": messages, "reward_model": label, "extra_info": {"index": index}}


def test_rows_of_verl_are_problems_in_every_format(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [verl_row("A?", "27.0", 5), verl_row("B?", r"\frac{1}{2}", 3)]
    lines = write(tmp_path / "pool.jsonl", *rows)
    (tmp_path / "pool.json").write_text(json.dumps(rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "pool.parquet")
    _, problems = load_custom(lines)
    assert [(p.id, p.statement, p.answer) for p in problems] == [
        ("pool/5", "A?", "27.0"),
        ("pool/3", "B?", r"\frac{1}{2}"),
    ]
    for suffix in (".json", ".parquet"):
        assert load_custom(tmp_path / f"pool{suffix}")[1] == problems


def test_messages_without_one_of_the_user_are_refused_and_system_messages_are_told(
    tmp_path: Path,
) -> None:
    row = verl_row("A?", "1", 0)
    row["prompt"] += [{"role": "assistant", "content": "B"}, {"role": "user", "content": "C?"}]
    with pytest.raises(BenchmarkError, match="row 1: 'prompt' must hold one message of the user"):
        load_custom(write(tmp_path / "a.jsonl", row))
    row["prompt"] = [{"role": "system", "content": "S"}, {"role": "user", "content": "C?"}]
    card, (problem,) = load_custom(write(tmp_path / "a.jsonl", row))
    assert problem.statement == "C?"
    assert "System messages of the file are left out" in card.caveats[0]


def test_a_pool_may_lack_answers_where_none_is_needed(tmp_path: Path) -> None:
    rows = [{"problem": "A?"}, {"problem": "B?", "answer": ""}, verl_row("C?", None, 9)]
    file = write(tmp_path / "pool.jsonl", *rows, {"problem": "D?", "answer": "4"})
    _, problems = load_custom(file, require_answers=False)
    assert [problem.answer for problem in problems] == ["", "", "", "4"]
    with pytest.raises(BenchmarkError, match="row 1: field 'answer' must hold text, found nothing"):
        load_custom(file)


def test_problems_of_a_benchmark_in_a_file_stay_those_problems(tmp_path: Path) -> None:
    chain = load_card("chain")
    toy = load_problems(load_card("toy"), home=tmp_path)
    file = write(tmp_path / "toy-again.jsonl", *[to_plain(problem) for problem in toy])
    card, problems = load_custom(file)
    renamed = [msgspec.structs.replace(problem, benchmark="toy") for problem in problems]
    assert renamed == toy
    assert card.template == load_card("toy").template
    file = write(tmp_path / "a.jsonl", {"problem": "A?", "answer": "1", "benchmark": "chain"})
    card, _ = load_custom(file)
    assert (card.template, card.max_tokens) == (chain.template, chain.max_tokens)
    assert card.template != "boxed"


def test_a_training_file_says_which_rows_it_lost(tmp_path: Path) -> None:
    rows = [verl_row("A?", "1", 0), verl_row("A?", "1", 1), verl_row("B?", "", 2)]
    file = write(tmp_path / "train.jsonl", *rows)
    card, problems = load_custom(file)
    assert [problem.id for problem in problems] == ["train/0"]
    assert "2 of 3 rows are left out" in card.caveats[0]
    _, pool = load_custom(file, require_answers=False)
    assert [problem.id for problem in pool] == ["train/0", "train/2"]
    with pytest.raises(BenchmarkError, match="no row of the file has an answer"):
        load_custom(write(tmp_path / "train.jsonl", rows[2]))
    with pytest.raises(BenchmarkError, match="row 2 repeats the statement of row 1"):
        load_custom(write(tmp_path / "mine.jsonl", *[{"problem": "A?", "answer": "1"}] * 2))


def test_the_pool_of_one_shot_rlvr_is_read_with_its_own_numbers(shared_data: Path) -> None:
    file = shared_data / "one_shot" / "dsr_sub.parquet"
    card, problems = load_custom(file)
    pool, everything = load_custom(file, require_answers=False)
    assert (card.name, len(problems), len(everything)) == ("dsr_sub", 1206, 1207)
    assert [problem.id for problem in everything if not problem.answer] == ["dsr_sub/265"]
    assert "3 of 1209 rows are left out" in card.caveats[0]
    assert "2 of 1209 rows are left out" in pool.caveats[0]
    sail = {problem.id: problem for problem in problems}["dsr_sub/124"]
    assert "wind" in sail.statement
    assert sail.answer == "12.8"
    assert "asks a second time" in card.caveats[1]
