"""Rows of our own in the shape of each source; nothing here comes from a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.benchmarks.importers import convert_rows
from emdiag.benchmarks.rows import read_rows
from emdiag.core.codec import encode
from emdiag.core.errors import BenchmarkError

if TYPE_CHECKING:
    from emdiag.core.problems import Problem

NOWHERE = Path("own.jsonl")
AMC = "https://artofproblemsolving.com/wiki/index.php/2023_AMC_{}_Problems/Problem_{}"


def problems_of(benchmark: str, rows: list[dict[str, Any]]) -> list[Problem]:
    return convert_rows(benchmark, rows, file=NOWHERE).problems


def same(left: list[Problem], right: list[Problem]) -> bool:
    return [encode(problem) for problem in left] == [encode(problem) for problem in right]


def olympiad_row(**changes: Any) -> dict[str, Any]:
    row = {
        "id": 1606,
        "subfield": "Algebra",
        "context": None,
        "question": "Find all $x$ with $x^2=4$.",
        "solution": ["..."],
        "final_answer": ["$-2,2$"],
        "is_multiple_answer": True,
        "unit": None,
        "answer_type": "Numerical",
        "error": None,
    }
    return {**row, **changes}


def hub_olympiad_row(**changes: Any) -> dict[str, Any]:
    images = {f"image_{number}": None for number in range(1, 6)}
    more = {"modality": "Text-only", "difficulty": "Competition", "question_type": "Open-ended"}
    return {**olympiad_row(**changes), **images, **more, "subject": "Math", "language": "English"}


def test_math_rows_keep_subject_level_and_the_sources_own_id() -> None:
    row = {
        "problem": "Add.\n",
        "solution": "...",
        "answer": r"\frac{1}{2}",
        "subject": "Counting & Probability",
        "level": 3,
        "unique_id": "test/counting_and_probability/11.json",
    }
    (problem,) = problems_of("math500", [row])
    assert problem.id == "math500/counting_and_probability-11"
    assert (problem.statement, problem.answer) == ("Add.", r"\frac{1}{2}")
    assert (problem.subject, problem.level) == ("Counting & Probability", 3)


def test_a_pair_is_an_interval_where_the_question_asks_for_interval_notation() -> None:
    row = {
        "problem": "When? Answer in interval notation.",
        "answer": r"(-\sqrt{3}, \sqrt{3})",
        "subject": "Algebra",
        "level": 5,
        "unique_id": "test/algebra/1.json",
    }
    (asked,) = problems_of("math500", [row])
    (point,) = problems_of("math500", [{**row, "problem": "Where do they meet?"}])
    assert (asked.answer_type, point.answer_type) == ("interval", "tuple")


def test_both_minerva_layouts_give_the_same_problems() -> None:
    boxes = [r"4.5e33", r"\frac{a M^{1 / 3}}{b}", r"-1./3", r"E_{1},E_{2}"]
    with_solutions = [
        {"problem": f"Q{i}", "solution": rf"see \boxed{{0}}: \boxed{{{box}}} erg", "idx": i}
        for i, box in enumerate(boxes)
    ]
    with_answers = [{"question": f"Q{i}", "answer": box} for i, box in enumerate(boxes)]
    first = problems_of("minerva_math", with_solutions)
    assert same(first, problems_of("minerva_math", with_answers))
    assert [problem.answer for problem in first] == [
        r"4.5 \times 10^{33}",
        r"\frac{a M^{1 / 3}}{b}",
        "-1/3",
        "E_{1}, E_{2}",
    ]
    assert first[0].answer_raw == "4.5e33"
    assert first[0].subject == "Introduction to Astronomy"


def test_code_in_a_minerva_gold_becomes_latex() -> None:
    rows = [{"question": "1", "answer": "np.arcsin(10/13)"}]
    rows.append({"question": "2", "answer": r"\frac{1}{2}(\exp{a*t} + \exp{-a*t})"})
    answers = [problem.answer for problem in problems_of("minerva_math", rows)]
    assert answers == [r"\arcsin(10/13)", r"\frac{1}{2}(e^{a t} + e^{-a t})"]


@pytest.mark.parametrize(
    ("changes", "answer", "kind"),
    [
        ({"final_answer": ["$-2$,$2$"]}, "-2, 2", "list"),
        ({"final_answer": ["$(1,2),(3, 4)$"], "answer_type": "Tuple"}, "(1, 2), (3, 4)", "list"),
        ({"final_answer": ["$(\\frac{1}{4}, 2)$"]}, r"(\frac{1}{4}, 2)", "tuple"),
        ({"final_answer": ["$(312,123)$"], "answer_type": "Tuple"}, "(312, 123)", "tuple"),
        (
            {"final_answer": ["$(-\\infty, 0) \\cup\\{1\\}$."], "answer_type": "Interval"},
            r"(-\infty, 0) \cup\{1\}",
            "interval",
        ),
        ({"final_answer": ["(0,1)"], "answer_type": "Interval"}, "(0, 1)", "interval"),
        ({"final_answer": ["$f(x)=2 x$"], "answer_type": "Expression"}, "f(x)=2 x", "expression"),
        ({"final_answer": ["62.5%"]}, r"62.5\%", "number"),
        ({"final_answer": ["$8 \\%$"]}, r"8\%", "number"),
        ({"final_answer": ["2", "3"]}, "2, 3", "list"),
    ],
)
def test_olympiad_golds(changes: dict[str, Any], answer: str, kind: str) -> None:
    (problem,) = problems_of("olympiadbench", [olympiad_row(**changes)])
    assert (problem.answer, problem.answer_type) == (answer, kind)


@pytest.mark.parametrize(
    ("unit", "kept"),
    [(None, None), ("", None), ("$cm^2$", "cm^2"), ("^{\\circ}", r"^\circ"), ("km/h", "km/h")],
)
def test_olympiad_units_lose_their_dollars(unit: str | None, kept: str | None) -> None:
    (problem,) = problems_of("olympiadbench", [olympiad_row(unit=unit)])
    assert problem.unit == kept


def test_an_olympiad_error_bound_is_exact_decimal_text() -> None:
    (problem,) = problems_of("olympiadbench", [olympiad_row(error="1e-1", unit="%")])
    assert (problem.error, problem.unit) == ("0.1", "%")


def test_both_olympiad_layouts_give_the_same_problems_in_any_order_of_rows() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"id": 99, "question": "B?", "unit": "km", "final_answer": ["$3$"]},
        {"id": 2498, "question": "C?", "error": "1e-2", "context": "A story."},
    ]
    qwen = problems_of("olympiadbench", [olympiad_row(**change) for change in changes])
    hub = problems_of("olympiadbench", [hub_olympiad_row(**change) for change in changes[::-1]])
    assert same(qwen, hub)
    assert [problem.id.split("/")[1] for problem in qwen] == ["99", "1606", "2498"]
    assert qwen[2].tags == ("bad-gold",)
    assert qwen[2].statement == "A story.\n\nC?"


def test_both_amc_layouts_give_the_same_problems() -> None:
    places = [("12A", 2), ("12B", 10), ("12A", 10)]
    qwen = [
        {
            "id": i,
            "problem": f"Q{i} ",
            "question": f"Q{i}",
            "answer": 20.0 + i,
            "url": AMC.format(*p),
        }
        for i, p in enumerate(places)
    ]
    hub = [
        {"id": i, "question": f"Q{i}", "answer": str(20.0 + i), "url": AMC.format(*p)}
        for i, p in enumerate(places)
    ]
    first = problems_of("amc23", qwen)
    assert same(first, problems_of("amc23", hub[::-1]))
    assert [(p.id, p.answer, p.answer_raw) for p in first] == [
        ("amc23/12A-02", "20", "20.0"),
        ("amc23/12A-10", "22", "22.0"),
        ("amc23/12B-10", "21", "21.0"),
    ]


def test_both_gsm8k_layouts_give_the_same_problems() -> None:
    hub = [
        {"question": "How many?", "answer": "2+3=<<2+3=5>>5\n#### 5"},
        {"question": "How much?", "answer": "...\n#### 1,450,000"},
        {"question": "How cold?", "answer": "...\n#### -10"},
    ]
    first = problems_of("gsm8k", hub)
    assert same(first, problems_of("gsm8k", [{**row, "idx": i} for i, row in enumerate(hub)]))
    assert [problem.answer for problem in first] == ["5", "1450000", "-10"]
    assert first[1].answer_raw == "1,450,000"


def test_a_set_that_repeats_its_questions_is_refused_with_the_right_way_to_repeat() -> None:
    row = {"problem": "Q", "answer": 1.0, "url": AMC.format("12A", 1)}
    with pytest.raises(BenchmarkError, match=r"row 2 repeats the statement of row 1") as caught:
        problems_of("amc23", [row, row])
    assert "--samples" in str(caught.value)


@pytest.mark.parametrize(
    ("benchmark", "row", "message"),
    [
        ("gsm8k", {"question": "Q", "answer": "no mark"}, "row 2: nothing follows '####'"),
        ("gsm8k", {"question": "Q", "answer": 5}, "row 2: field 'answer' must hold text"),
        ("gsm8k", {"question": " ", "answer": "#### 5"}, "row 2: field 'question' must hold text"),
        ("gsm8k", {"problem": "Q", "answer": "#### 5"}, "row 2 lacks question"),
    ],
)
def test_a_bad_row_is_named(benchmark: str, row: dict[str, Any], message: str) -> None:
    good = {"question": "Good?", "answer": "#### 1"}
    with pytest.raises(BenchmarkError, match=message):
        problems_of(benchmark, [good, row])


@pytest.mark.parametrize("answers", [[], [""], ["$$"], "2", [2], None])
def test_an_olympiad_row_without_an_answer_is_refused(answers: object) -> None:
    with pytest.raises(BenchmarkError, match="row 1: 'final_answer'"):
        problems_of("olympiadbench", [olympiad_row(final_answer=answers)])


def test_unknown_fields_are_answered_with_the_layouts_that_are_read() -> None:
    with pytest.raises(BenchmarkError) as caught:
        problems_of("minerva_math", [{"prompt": "Q", "target": "5"}])
    text = str(caught.value)
    assert "problem, solution" in text
    assert "question, answer" in text
    assert "prompt, target" in text


def test_a_minerva_solution_without_a_closed_box_is_an_error_not_an_empty_gold() -> None:
    with pytest.raises(BenchmarkError, match=r"row 1: the solution holds no"):
        problems_of("minerva_math", [{"problem": "Q", "solution": r"cut \boxed{5"}])


def test_amc_problems_of_another_year_are_refused() -> None:
    row = {"question": "Q", "answer": 1, "url": AMC.format("12A", 1).replace("2023", "2022")}
    with pytest.raises(BenchmarkError, match="names no problem of AMC 12 2023"):
        problems_of("amc23", [row])


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_all_file_formats_give_the_same_rows(suffix: str, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "Wie viele?\u2028 é", "answer": "#### 1", "idx": 0},
        {"question": "How many?", "answer": "#### 2", "idx": 1},
    ]
    file = tmp_path / f"rows{suffix}"
    match suffix:
        case ".jsonl":
            text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            file.write_text(text + "\n\n", encoding="utf-8")
        case ".json":
            file.write_text(json.dumps(rows), encoding="utf-8")
        case _:
            import pyarrow
            from pyarrow import parquet

            parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    assert read_rows(file) == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("a.jsonl", b"[1]\n", "row 1 is list"),
        ("a.json", b'{"a": 1}', "expected a list of rows, found dict"),
        ("a.jsonl", b"\n", "holds no rows"),
        ("a.jsonl", b"\xff\xfe", "not UTF-8"),
        ("a.parquet", b"PAR0", "cannot be read as parquet"),
        ("a.csv", b"a,b", "files of type .csv are not read"),
    ],
)
def test_files_that_cannot_be_read_are_clear_errors(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(BenchmarkError, match=message) as caught:
        read_rows(file)
    assert str(file) in str(caught.value)


def one_shot_row(**changes: Any) -> dict[str, Any]:
    row = {"problem": "How fast?", "reward_model": {"ground_truth": "2.5", "style": "rule"}}
    return {**row, "extra_info": {"index": 7}, **changes}


def test_a_training_file_of_one_repeated_row_is_one_problem() -> None:
    (problem,) = problems_of("one_shot", [one_shot_row() for _ in range(5)])
    assert (problem.id, problem.statement, problem.answer) == ("one_shot/0000", "How fast?", "2.5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": "How slow?"}, "row 3 differs from row 1"),
        ({"extra_info": {"index": 8}}, "row 3 differs from row 1"),
        ({"reward_model": {"ground_truth": "2.6", "style": "rule"}}, "row 3 differs from row 1"),
    ],
)
def test_a_training_file_with_a_second_problem_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    rows = [one_shot_row(), one_shot_row(), one_shot_row(**changes)]
    with pytest.raises(BenchmarkError, match=message) as caught:
        problems_of("one_shot", rows)
    assert caught.value.facts["fields"] == ", ".join(changes)


@pytest.mark.parametrize("label", [None, "2.5", {}, {"ground_truth": 2.5}])
def test_a_training_row_without_a_written_answer_is_refused(label: object) -> None:
    with pytest.raises(BenchmarkError, match=r"row 1: field '(reward_model|ground_truth)'"):
        problems_of("one_shot", [one_shot_row(reward_model=label)])
