from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from emdiag.benchmarks.cards import card_folder, load_card
from emdiag.benchmarks.golds import last_box
from emdiag.benchmarks.importers import convert_rows, import_files
from emdiag.benchmarks.load import (
    SOLUTIONS_FILE,
    load_problems,
    load_solutions,
    problems_file,
    read_note,
)
from emdiag.benchmarks.rows import read_rows
from emdiag.core.errors import BenchmarkError

if TYPE_CHECKING:
    from emdiag.core.problems import BenchmarkCard

AMC = "https://artofproblemsolving.com/wiki/index.php/2023_AMC_12A_Problems/Problem_1"
MATH = {"subject": "Algebra", "level": 1, "unique_id": "test/algebra/1.json"}
OLYMPIAD = {
    "id": 7,
    "subfield": "Algebra",
    "context": None,
    "question": "Q?",
    "final_answer": ["$2$"],
    "is_multiple_answer": False,
    "unit": None,
    "answer_type": "Numerical",
    "error": None,
}
HUB = {"modality": "Text-only", "language": "English"}
LABEL = {"ground_truth": "2"}


def solutions_of(benchmark: str, row: dict[str, Any], file: Path) -> list[str]:
    return [solution.text for solution in convert_rows(benchmark, [row], file=file).solutions]


def open_card(size: int, name: str = "minerva_math") -> BenchmarkCard:
    """A card for any `size` rows, since it knows no checksum."""
    card = load_card(name)
    source = msgspec.structs.replace(card.source, sha256=None, alternatives=())
    return msgspec.structs.replace(card, size=size, source=source)


def write(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def imported(tmp_path: Path) -> tuple[BenchmarkCard, Path]:
    """Two problems with solutions below `tmp_path`, and the file of the solutions."""
    rows = [{"problem": f"Q{i}", "solution": rf" so \boxed{{{i}}} "} for i in range(2)]
    card = open_card(2)
    import_files(card, [write(tmp_path / "mine.jsonl", *rows)], home=tmp_path)
    return card, problems_file(card, home=tmp_path).with_name(SOLUTIONS_FILE)


@pytest.mark.parametrize(
    ("benchmark", "row", "texts"),
    [
        ("math500", {"problem": "Q", "answer": "2", "solution": " So 2.\n", **MATH}, ["So 2."]),
        ("math500", {"problem": "Q", "answer": "2", "solution": " \n", **MATH}, []),
        ("math500", {"problem": "Q", "answer": "2", "solution": 2, **MATH}, []),
        ("math500", {"problem": "Q", "answer": "2", **MATH}, []),
        ("minerva_math", {"problem": "Q", "solution": r"\boxed{2}"}, [r"\boxed{2}"]),
        ("minerva_math", {"question": "Q", "answer": "2"}, []),
        ("olympiadbench", {**OLYMPIAD, "solution": [" One. ", "Two."]}, ["One."]),
        ("olympiadbench", {**OLYMPIAD, **HUB, "solution": ["One."]}, ["One."]),
        ("olympiadbench", {**OLYMPIAD, "solution": []}, []),
        ("olympiadbench", {**OLYMPIAD, "solution": "One."}, []),
        ("olympiadbench", OLYMPIAD, []),
        (
            "gsm8k",
            {"question": "Q", "answer": "1+1=<<1+1=2>>2, so $<<2*1=2>>2.\n#### 2"},
            ["1+1=2, so $2.\n#### 2"],
        ),
        ("gsm8k", {"question": "Q", "answer": "1 < 2\n#### 2", "idx": 0}, ["1 < 2\n#### 2"]),
        ("amc23", {"question": "Q", "answer": 2, "url": AMC, "solution": "2"}, []),
        ("one_shot", {"problem": "Q", "reward_model": LABEL, "solution": "2"}, []),
    ],
)
def test_each_layout_gives_the_solution_its_rows_have(
    benchmark: str, row: dict[str, Any], texts: list[str], tmp_path: Path
) -> None:
    assert solutions_of(benchmark, row, tmp_path) == texts


def test_rows_without_a_solution_leave_the_others_with_their_own_problems(tmp_path: Path) -> None:
    rows = [
        {**OLYMPIAD, "id": number, "question": f"Q{number}", "solution": written}
        for number, written in [(30, ["thirty"]), (4, []), (5, ["five"])]
    ]
    card = open_card(3, "olympiadbench")
    note = import_files(card, [write(tmp_path / "mine.jsonl", *rows)], home=tmp_path)
    found = load_solutions(card, home=tmp_path)
    assert list(found.items()) == [("olympiadbench/5", "five"), ("olympiadbench/30", "thirty")]
    assert (note.size, note.solutions) == (3, 2)


def test_an_import_without_solutions_removes_those_of_the_one_before(tmp_path: Path) -> None:
    card, file = imported(tmp_path)
    assert load_solutions(card, home=tmp_path) == {
        "minerva_math/0000": r"so \boxed{0}",
        "minerva_math/0001": r"so \boxed{1}",
    }
    rows = [{"question": f"Q{i}", "answer": str(i)} for i in range(2)]
    before = load_problems(card, home=tmp_path)
    note = import_files(card, [write(tmp_path / "other.jsonl", *rows)], home=tmp_path)
    assert load_problems(card, home=tmp_path) == before
    assert (note.solutions, note.solutions_sha256) == (0, None)
    assert not file.exists()
    assert load_solutions(card, home=tmp_path) == {}


@pytest.mark.parametrize("last", ["source.json", "solutions.jsonl"])
def test_an_import_that_breaks_off_never_leaves_old_solutions_to_new_problems(
    last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, _ = imported(tmp_path)
    whole = Path.replace

    def breaks_after(part: Path, file: Path) -> Path:
        done = whole(part, file)
        if file.name == last:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(Path, "replace", breaks_after)
    rows = [{"problem": f"P{i}", "solution": rf"new \boxed{{{i}}}"} for i in range(2)]
    with pytest.raises(KeyboardInterrupt):
        import_files(card, [write(tmp_path / "other.jsonl", *rows)], home=tmp_path)
    with pytest.raises(BenchmarkError, match="have changed since they were imported"):
        load_problems(card, home=tmp_path)
    if last == "source.json":
        with pytest.raises(BenchmarkError, match="have changed since they were imported"):
            load_solutions(card, home=tmp_path)


@pytest.mark.parametrize("content", [None, b"", b'{"problem_id":"minerva_math/0000","text":"x"}\n'])
def test_solutions_that_are_lost_or_changed_are_an_error_not_fewer_solutions(
    content: bytes | None, tmp_path: Path
) -> None:
    card, file = imported(tmp_path)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BenchmarkError, match="have changed since they were imported") as caught:
        load_solutions(card, home=tmp_path)
    assert str(file) in str(caught.value)
    assert "emdiag benchmarks import minerva_math FILE" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"problem_id": "a"}', "line 2 is not a solution: .*`text`"),
        (b'{"problem_id": "a", "text": "b", "x": 1}', "line 2 is not a solution: .*`x`"),
        (b'{"problem_id": "a", "te', "line 2 is not a solution"),
        (b"", "line 2 is not a solution"),
    ],
)
def test_a_line_that_is_no_solution_is_named_with_its_file(
    line: bytes, message: str, tmp_path: Path
) -> None:
    card, file = imported(tmp_path)
    file.with_name("source.json").unlink()
    file.write_bytes(file.read_bytes().splitlines()[0] + b"\n" + line + b"\n")
    with pytest.raises(BenchmarkError, match=message) as caught:
        load_solutions(card, home=tmp_path)
    assert str(file) in str(caught.value)
    assert "hint" in str(caught.value)


@pytest.mark.parametrize("name", ["toy", "amc23", "math500"])
def test_a_benchmark_without_solutions_here_has_none(name: str, tmp_path: Path) -> None:
    assert load_solutions(load_card(name), home=tmp_path) == {}


def test_a_set_imported_before_solutions_were_kept_has_none(tmp_path: Path) -> None:
    card, file = imported(tmp_path)
    file.unlink()
    note = file.with_name("source.json")
    old = json.loads(note.read_text())
    note.write_text(json.dumps({k: old[k] for k in old if not k.startswith("solutions")}))
    assert load_solutions(card, home=tmp_path) == {}
    assert len(load_problems(card, home=tmp_path)) == 2


def test_every_shipped_chain_problem_has_a_solution_that_ends_in_its_answer(
    tmp_path: Path,
) -> None:
    card = load_card("chain")
    solutions = load_solutions(card, home=tmp_path)
    problems = load_problems(card, home=tmp_path)
    assert list(solutions) == [problem.id for problem in problems]
    assert [last_box(text) for text in solutions.values()] == [p.answer for p in problems]
    assert (card_folder("chain") / SOLUTIONS_FILE).is_file()


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *(("amc23", 0), ("gsm8k", 1319), ("math500", 500)),
        *(("minerva_math", 272), ("olympiadbench", 675)),
    ],
)
def test_the_real_sets_have_as_many_solutions_as_their_sources_wrote(
    name: str, count: int, shared_data: Path, tmp_path: Path
) -> None:
    card = load_card(name)
    import_files(card, [shared_data / name / "test.jsonl"], home=tmp_path)
    solutions = load_solutions(card, home=tmp_path)
    known = {problem.id for problem in load_problems(card, home=tmp_path)}
    note = read_note(problems_file(card, home=tmp_path).parent)
    assert note
    assert len(solutions) == note.solutions == count
    assert solutions.keys() <= known
    assert all(text and text == text.strip() for text in solutions.values())


@pytest.mark.parametrize("name", ["math500", "minerva_math"])
def test_the_last_box_of_a_real_solution_is_the_gold_of_its_problem(
    name: str, shared_data: Path
) -> None:
    file = shared_data / name / "test.jsonl"
    found = convert_rows(name, read_rows(file), file=file)
    raw = {problem.id: problem.answer_raw for problem in found.problems}
    boxes = {solution.problem_id: last_box(solution.text) for solution in found.solutions}
    assert boxes == raw


def test_real_gsm8k_solutions_lose_their_marks_and_nothing_else(shared_data: Path) -> None:
    file = shared_data / "gsm8k" / "test.jsonl"
    rows = read_rows(file)
    found = convert_rows("gsm8k", rows, file=file)
    marks = 0
    for row, problem, solution in zip(rows, found.problems, found.solutions, strict=True):
        before, text = str(row["answer"]), solution.text
        assert "<<" not in text
        assert ">>" not in text
        assert text.endswith(f"#### {problem.answer_raw}")
        pieces = re.split(r"<<|>>", before.strip())
        assert "".join(pieces[::2]) == text
        marks += len(pieces) // 2
    assert marks == 4282
