from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from emdiag.benchmarks import importers
from emdiag.benchmarks.cards import list_cards, load_card
from emdiag.benchmarks.golds import latex_gold
from emdiag.benchmarks.importers import convert_rows, defects, import_files
from emdiag.benchmarks.load import load_problems, problems_file, read_note
from emdiag.benchmarks.rows import read_rows
from emdiag.core.codec import encode
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import AlternativeSource

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.problems import BenchmarkCard

UPSTREAM = ("amc23", "gsm8k", "math500", "minerva_math", "olympiadbench")
ROWS = [
    {"question": "How many?", "answer": "2+3\n#### 5"},
    {"question": "How much?", "answer": "#### 1,000"},
]


def card_of(rows: list[dict[str, Any]], file: Path, **changes: Any) -> BenchmarkCard:
    """The card of gsm8k, as if these rows were the benchmark."""
    problems = convert_rows("gsm8k", rows, file=file).problems
    content = b"".join(encode(problem) + b"\n" for problem in problems)
    card = load_card("gsm8k")
    source = {"sha256": hashlib.sha256(content).hexdigest(), "revision": None, **changes}
    return msgspec.structs.replace(
        card, size=len(rows), source=msgspec.structs.replace(card.source, **source)
    )


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_imported_problems_load_again_and_say_where_they_came_from(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROWS)
    card = card_of(ROWS, file)
    note = import_files(card, [file], home=tmp_path / "home")
    assert [p.answer for p in load_problems(card, home=tmp_path / "home")] == ["5", "1000"]
    assert read_note(tmp_path / "home" / "benchmarks" / "gsm8k") == note
    assert (note.source, note.layout, note.copy, note.size) == ("mine.jsonl", "hub", "main", 2)
    assert note.source_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    names = {path.name for path in (tmp_path / "home" / "benchmarks" / "gsm8k").iterdir()}
    assert names == {"problems.jsonl", "solutions.jsonl", "source.json"}


def test_parts_of_one_copy_are_read_in_the_order_given(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{i}.jsonl", [row]) for i, row in enumerate(ROWS)]
    card = card_of(ROWS, parts[0])
    assert import_files(card, parts, home=tmp_path / "home").size == 2
    with pytest.raises(BenchmarkError, match="are not those its card describes"):
        import_files(card, parts[::-1], home=tmp_path / "other")


def test_one_changed_letter_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    card = card_of(ROWS, tmp_path)
    changed = [{**ROWS[0], "question": "How many!"}, ROWS[1]]
    file = write(tmp_path / "mine.jsonl", changed)
    with pytest.raises(BenchmarkError, match="not those its card describes") as caught:
        import_files(card, [file], home=tmp_path / "home")
    assert str(card.source.sha256) in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_a_missing_row_is_told_by_the_count(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROWS[:1])
    with pytest.raises(BenchmarkError, match="gsm8k holds 1 problems, its card says 2"):
        import_files(card_of(ROWS, file), [file], home=tmp_path / "home")


def test_a_failed_import_leaves_the_earlier_one_whole(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROWS)
    card = card_of(ROWS, file)
    import_files(card, [file], home=tmp_path)
    before = problems_file(card, home=tmp_path).read_bytes()
    write(file, ROWS[:1])
    with pytest.raises(BenchmarkError):
        import_files(card, [file], home=tmp_path)
    assert problems_file(card, home=tmp_path).read_bytes() == before


def test_an_alternative_copy_is_accepted_and_named(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROWS[:1])
    other = card_of(ROWS[:1], file)
    alternative = AlternativeSource(name="short", size=1, sha256=str(other.source.sha256))
    card = card_of(ROWS, file, alternatives=(alternative,))
    note = import_files(card, [file], home=tmp_path)
    assert (note.copy, note.size) == ("short", 1)
    assert len(load_problems(card, home=tmp_path)) == 1


def test_where_the_card_knows_no_checksum_a_later_change_is_still_found(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROWS)
    card = card_of(ROWS, file, sha256=None)
    import_files(card, [file], home=tmp_path)
    problems = problems_file(card, home=tmp_path)
    problems.write_bytes(problems.read_bytes().replace(b'"5"', b'"6"'))
    with pytest.raises(BenchmarkError, match="have changed since they were imported"):
        load_problems(card, home=tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_that_names_emdiag_home(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "mine.jsonl", ROWS)
    (tmp_path / "home").write_text("a file, not a folder")
    with pytest.raises(BenchmarkError, match="cannot be written") as caught:
        import_files(card_of(ROWS, file), [file], home=tmp_path / "home")
    assert "EMDIAG_HOME" in str(caught.value)


def test_shipped_sets_are_not_imported(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="toy is shipped"):
        import_files(load_card("toy"), [tmp_path / "x.jsonl"], home=tmp_path)


def test_every_set_that_is_not_shipped_has_layouts_and_every_defect_a_benchmark() -> None:
    known = {card.name for card in list_cards() if not card.shipped}
    assert known == {*UPSTREAM, "one_shot"}
    for name in known:
        assert importers.layouts(name)
    tagged = [(entry.tag, ids) for entry in defects("olympiadbench") for ids in entry.ids]
    assert {ids for tag, ids in tagged if tag == "bad-gold"} == {
        *("2498", "2045", "2349", "1965", "2501")
    }
    assert {ids for tag, ids in tagged if tag == "order-undecidable"} == {
        *("2356", "2472", "2382", "2679", "2702", "2532")
    }
    assert len({ids for _, ids in tagged}) == len(tagged)


@pytest.mark.parametrize("name", UPSTREAM)
def test_the_copies_in_shared_data_are_those_on_the_cards(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    card = load_card(name)
    note = import_files(card, [shared_data / name / "test.jsonl"], home=tmp_path)
    problems = load_problems(card, home=tmp_path)
    assert note.copy == ("Qwen2.5-Math evaluation" if name == "olympiadbench" else "main")
    assert len(problems) == note.size == (675 if name == "olympiadbench" else card.size)
    assert all(problem.answer and "$" not in problem.answer for problem in problems)
    known = {problem.id for problem in problems}
    for defect in defects(name):
        assert {f"{name}/{ids}" for ids in defect.ids} <= known


def test_no_gold_keeps_its_e_notation_and_58_had_it(shared_data: Path) -> None:
    file = shared_data / "minerva_math" / "test.jsonl"
    problems = convert_rows("minerva_math", read_rows(file), file=file).problems
    rewritten = [p for p in problems if r"\times 10^{" in p.answer]
    assert len(rewritten) == 58
    for problem in rewritten:
        mantissa, exponent = problem.answer_raw.split("e")
        assert problem.answer == rf"{mantissa} \times 10^{{{int(exponent)}}}"


def test_courses_counted_off_by_position_are_those_the_rows_name(shared_data: Path) -> None:
    file = shared_data / "minerva_math" / "test.jsonl"
    rows = read_rows(file)
    problems = convert_rows("minerva_math", rows, file=file).problems
    for row, problem in zip(rows, problems, strict=True):
        assert str(problem.subject) in str(row["type"])


def test_every_olympiad_row_with_several_answers_is_a_list_or_one_point(shared_data: Path) -> None:
    file = shared_data / "olympiadbench" / "test.jsonl"
    rows = {f"olympiadbench/{row['id']}": row for row in read_rows(file)}
    problems = convert_rows("olympiadbench", list(rows.values()), file=file).problems
    several = {
        problem.id: problem for problem in problems if rows[problem.id]["is_multiple_answer"]
    }
    points = {name for name, problem in several.items() if problem.answer_type == "tuple"}
    assert len(several) == 94
    assert points == {"olympiadbench/2469", "olympiadbench/2639"}
    assert {problem.answer_type for problem in several.values()} <= {"list", "tuple", "expression"}


@pytest.mark.parametrize("name", ["math500", "minerva_math"])
def test_normalised_golds_stay_as_they_are_when_normalised_again(
    name: str, shared_data: Path
) -> None:
    file = shared_data / name / "test.jsonl"
    for problem in convert_rows(name, read_rows(file), file=file).problems:
        again = latex_gold(problem.answer)
        assert again.answer == problem.answer
        assert (again.answer_type == "list") == (problem.answer_type == "list")


def as_hub_rows(name: str, rows: list[Any]) -> list[dict[str, Any]]:
    """Rows of the Qwen2.5-Math layout, reshaped to the fields of the hub."""
    match name:
        case "amc23":
            names = ("id", "question", "url")
            return [{**{k: row[k] for k in names}, "answer": str(row["answer"])} for row in rows]
        case "gsm8k":
            return [{"question": row["question"], "answer": row["answer"]} for row in rows]
        case "olympiadbench":
            more = {"image_1": None, "modality": "Text-only", "language": "English"}
            return [{**row, **more} for row in rows]
        case _:
            boxed = [row["solution"][row["solution"].rindex(r"\boxed{") + 7 :] for row in rows]
            answers = [box[: _closing(box)].strip() for box in boxed]
            return [
                {"question": row["problem"], "answer": answer}
                for row, answer in zip(rows, answers, strict=True)
            ]


def _closing(text: str) -> int:
    depths = [0]
    for character in text:
        depths.append(depths[-1] + {"{": 1, "}": -1}.get(character, 0))
    return depths.index(-1) - 1


@pytest.mark.parametrize("name", ["amc23", "gsm8k", "olympiadbench", "minerva_math"])
def test_real_rows_in_the_shape_of_the_hub_normalise_to_the_same_bytes(
    name: str, shared_data: Path
) -> None:
    file = shared_data / name / "test.jsonl"
    rows = read_rows(file)
    qwen = convert_rows(name, rows, file=file)
    hub = convert_rows(name, as_hub_rows(name, rows), file=file)
    assert qwen.layout != hub.layout
    assert list(map(encode, hub.problems)) == list(map(encode, qwen.problems))
    assert hub.solutions == ([] if name == "minerva_math" else qwen.solutions)


def test_the_one_shot_file_is_one_problem_whose_label_is_off_by_08_percent(
    shared_data: Path, tmp_path: Path
) -> None:
    card = load_card("one_shot")
    note = import_files(card, [shared_data / "one_shot" / "pi1_r1280.parquet"], home=tmp_path)
    (problem,) = load_problems(card, home=tmp_path)
    assert (note.size, note.layout, note.copy) == (1, "verl", "main")
    assert (problem.id, problem.answer, problem.answer_raw) == ("one_shot/0000", "12.8", "12.8")
    assert problem.tags == ("bad-gold",)
    true = (32 / 4 * (2 * 8**3 / 4)) ** (1 / 3)  # P = k A V^3
    assert float(problem.answer) / true - 1 == pytest.approx(0.008, abs=0.0005)
    assert "0.8 %" in " ".join(card.caveats)
