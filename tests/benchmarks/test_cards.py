from __future__ import annotations

from pathlib import Path

import pytest

from emdiag.benchmarks import cards, load
from emdiag.benchmarks.cards import list_cards, load_card, origin, sizes
from emdiag.benchmarks.load import load_problems
from emdiag.benchmarks.prompts import load_template
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard, Problem

README = Path(__file__).parents[2] / "benchmarks" / "README.md"
CARD = """
name = "{name}"
title = "T"
revision = 1
size = 1
template = "boxed"
max_tokens = 8
headline = "avg@1"
grader = {{ name = "math-verify" }}
{more}
[source]
origin = "o"
license = "l"
"""


@pytest.fixture
def own_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cards.resources, "data_dir", lambda name: tmp_path / name)
    (tmp_path / "benchmarks" / "mine").mkdir(parents=True)
    return tmp_path / "benchmarks" / "mine" / "card.toml"


def test_every_card_names_a_template_that_exists_and_a_checksum_or_another_copy() -> None:
    for card in list_cards():
        assert load_template(card.template).name == card.template
        assert card.source.sha256 or card.source.alternatives
        own = card.source.license == "Apache-2.0"
        assert own or (cards.card_folder(card.name) / "LICENSE").is_file()


def test_a_wrong_name_is_answered_with_the_closest() -> None:
    with pytest.raises(BenchmarkError) as caught:
        load_card("Math_500")
    assert "did you mean math500?" in str(caught.value)
    assert "olympiadbench" in caught.value.facts["known"]


def test_shipped_problems_are_those_their_card_describes(tmp_path: Path) -> None:
    for card in list_cards():
        if card.shipped:
            problems = load_problems(card, home=tmp_path)
            assert len(problems) == card.size
            assert all(problem.benchmark == card.name for problem in problems)


def test_toy_covers_the_grading_situations_it_is_made_for(tmp_path: Path) -> None:
    problems = load_problems(load_card("toy"), home=tmp_path)
    assert len(problems) == 12
    kinds = {problem.answer_type for problem in problems}
    assert kinds == {"number", "expression", "list", "tuple", "interval", "text"}
    assert any(problem.unit for problem in problems)
    assert any(problem.error for problem in problems)
    assert any("%" in problem.answer for problem in problems)


def test_an_absent_set_names_both_commands(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load_problems(load_card("math500"), home=tmp_path)
    assert "emdiag benchmarks pull math500" in str(caught.value)
    assert "emdiag benchmarks import math500 FILE" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CARD.format(name="other", more=""), "calls itself 'other'"),
        (CARD.format(name="mine", more="sise = 3"), "unknown field `sise`"),
        (CARD.format(name="mine", more="name = 3"), "cannot be read"),
        ("name = ", "cannot be read"),
        *(
            (CARD.format(name=name, more=""), "cannot be named")
            for name in ("..", ".a", "-a", "a.", "a/b", "a b", "", "a" * 65)
        ),
        (CARD.format(name="mine", more="").replace("revision = 1", "revision = -3"), "`revision`"),
        (CARD.format(name="mine", more="").replace("size = 1", "size = 0"), "`size`"),
        (CARD.format(name="mine", more="").replace("= 8", "= -4"), "`max_tokens`"),
        (CARD.format(name="mine", more="").replace("avg@1", "pass@zz"), "`headline`"),
    ],
)
def test_a_broken_card_is_an_error_that_names_the_file(
    text: str, message: str, own_cards: Path
) -> None:
    own_cards.write_text(text)
    with pytest.raises(BenchmarkError, match=message) as caught:
        list_cards()
    assert str(own_cards) in str(caught.value)


def test_a_value_out_of_range_is_told_with_what_was_expected(own_cards: Path) -> None:
    own_cards.write_text(CARD.format(name="mine", more="").replace("avg@1", "pass@zz"))
    with pytest.raises(BenchmarkError) as caught:
        load_card("mine")
    assert caught.value.facts["found"] == "pass@zz"
    assert "pass@k" in caught.value.facts["expected"]


def test_free_rows_of_a_shipped_set_are_answered_with_the_keys_of_a_row(own_cards: Path) -> None:
    own_cards.write_text(CARD.format(name="mine", more="shipped = true"))
    own_cards.with_name("problems.jsonl").write_text('{"question": "1 + 1", "answer": "2"}\n')
    with pytest.raises(BenchmarkError, match="line 1 is not a problem") as caught:
        load_problems(load_card("mine"), home=own_cards.parent)
    assert "id, benchmark, statement, answer, answer_raw and" in str(caught.value.hint)


def test_a_line_that_is_no_problem_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"line 2 is not a problem: .*unknown field `x`"):
        load.parse_records(
            b'{"id":"a","benchmark":"b","statement":"s","answer":"1","answer_raw":"1"}\n'
            b'{"id":"a","benchmark":"b","statement":"s","answer":"1","answer_raw":"1","x":1}\n',
            Problem,
            file=tmp_path,
        )


COLUMNS = ("benchmark", "problems", "what", "source", "licence", "numbers", "headline")


def markdown_table(cards: list[BenchmarkCard]) -> str:
    table = [COLUMNS, ("---",) * len(COLUMNS), *(row(card) for card in cards)]
    return "".join("| " + " | ".join(words) + " |\n" for words in table)


def row(card: BenchmarkCard) -> tuple[str, ...]:
    words = (
        f"`{card.name}`",
        sizes(card),
        card.title,
        origin(card) + (" (shipped)" if card.shipped else ""),
        card.source.license,
        card.grader.tolerance,
        card.headline,
    )
    return tuple(word.replace("|", "\\|") for word in words)


def test_the_readme_holds_the_table_of_the_cards() -> None:
    text = README.read_text(encoding="utf-8")
    table = text.partition("table of cards -->\n")[2].partition("<!-- end of table -->")[0]
    assert table == markdown_table(list_cards())


def test_the_readme_explains_every_tag() -> None:
    from emdiag.benchmarks.importers import defects

    text = README.read_text(encoding="utf-8")
    for card in list_cards():
        for defect in defects(card.name):
            assert f"| `{defect.tag}` |" in text
