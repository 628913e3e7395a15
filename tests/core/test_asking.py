"""Variables of chats, system message and first words, as they are typed and as they are kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.asking import MOST_CHARACTERS, Asking, check_system, check_text, parse_chat_options
from emdiag.core.errors import PlanError

if TYPE_CHECKING:
    from pathlib import Path


def variables(*options: str) -> dict[str, object]:
    parsed = parse_chat_options(options)
    assert isinstance(parsed, list)
    return dict(Asking(chat_options=tuple(parsed)).variables)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("k=false", False),
        ("k=null", None),
        ("k=3", 3),
        ("k=0.5", 0.5),
        ("k=low", "low"),
        (" k = low ", "low"),
        ("k=a=b", "a=b"),
        ('k="3"', "3"),
        ('k="True"', "True"),
        ("k=NaN", "NaN"),
        ("k=[1]", "[1]"),
    ],
)
def test_a_value_is_a_scalar_of_json_or_else_a_text(typed: str, value: object) -> None:
    assert repr(variables(typed)) == repr({"k": value})


@given(st.none() | st.booleans() | st.integers(-9, 9) | st.text(min_size=1, max_size=9))
def test_a_value_passed_by_python_comes_back_from_what_is_typed(value: object) -> None:
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return
    parsed = parse_chat_options({"k": value})
    assert isinstance(parsed, list)
    assert repr(variables(*parsed)) == repr({"k": value})
    assert parse_chat_options(parsed) == parsed


def test_options_are_kept_in_the_order_of_their_keys_and_one_of_two_equal_ones() -> None:
    assert parse_chat_options(["b=1", "a=x", "b=1"]) == ["a=x", "b=1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["enable_thinking"], "a chat option is 'enable_thinking'"),
        (["=1"], "a chat option is"),
        (["a b=1"], "a chat option is"),
        (["a="], "a chat option is"),
        ([3], "a chat option is 3"),
        ({"a": [1]}, "a chat option is"),
        (["a=1", "a=2"], "given twice"),
        (["a=False"], "counts as true"),
        (["messages=x"], "not yours to set"),
        (["add_generation_prompt=false"], "not yours to set"),
        (["eos_token=x"], "not yours to set"),
        ([f"a={'x' * (MOST_CHARACTERS + 1)}"], "too long"),
    ],
)
def test_an_option_that_says_nothing_clear_is_refused(options: object, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_chat_options(options)


def test_a_system_message_is_a_text_or_the_file_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "system.txt").write_text("Be brief.\nBe right.\n")
    assert Asking(system=str(check_system("system.txt"))).with_text().system == (
        "Be brief.\nBe right."
    )
    for text in ("/no_think", "Answer as in system.txt", "Be brief.", "reasoning: low"):
        assert Asking(system=str(check_system(text))).with_text().system == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"\xff", "not a text in UTF-8"),
        (b" \n", "holds no text"),
        (b"x" * (MOST_CHARACTERS + 1), "too long"),
    ],
)
def test_a_file_of_a_system_message_is_read_before_anything_is_opened(
    content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(PlanError, match=message):
        check_system("s.txt")


@pytest.mark.parametrize("text", ["", "x" * (MOST_CHARACTERS + 1), "\ud800"])
def test_an_empty_endless_or_broken_text_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        check_text(text)


def test_what_is_asked_is_said_in_one_line_that_tells_long_texts_apart() -> None:
    short = Asking(chat_options=("a=1",), system="Be brief.", prefix=r"so \boxed{")
    assert short.line == r"a=1, system message 'Be brief.', prefix 'so \boxed{'"
    assert Asking().line == ""
    lines = {Asking(prefix=f"{'x' * 100}{end}").line for end in "ab"}
    assert len(lines) == 2
    assert all(len(line) < 130 for line in lines)
    assert "\n" not in Asking(prefix="a\nb").line
    assert json.dumps(short.words)
