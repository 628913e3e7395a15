from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.benchmarks.prompts import fill, load_template, question_mark
from emdiag.core.asking import Asking
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import Problem

ASK = r"Please reason step by step, and put your final answer within \boxed{}."

TEMPLATES = sorted(
    file.stem for file in (Path(__file__).parents[2] / "benchmarks/templates").glob("*.toml")
)


def problem(statement: str) -> Problem:
    return Problem(id="p/0", benchmark="p", statement=statement, answer="1", answer_raw="1")


def test_boxed_asks_for_a_box_after_the_statement() -> None:
    template = load_template("boxed")
    prompt = fill(template, problem("What is $x$?"))
    assert template.chat
    assert (prompt.system, prompt.user) == (None, f"What is $x$?\n{ASK}")
    assert prompt.plain == f"What is $x$?\n{ASK}\n"


def test_qwen_math_without_chat_template_is_the_published_text_character_for_character() -> None:
    prompt = fill(load_template("qwen-math"), problem("Q"))
    assert prompt.plain == (
        f"<|im_start|>system\n{ASK}<|im_end|>\n"
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (prompt.system, prompt.user) == (ASK, "Q")


def test_plain_is_the_statement_alone() -> None:
    template = load_template("plain")
    prompt = fill(template, problem("Q"))
    assert not template.chat
    assert (prompt.system, prompt.user, prompt.plain) == (None, "Q", "Q")


@given(st.text(min_size=1))
def test_a_statement_is_never_read_as_a_format(statement: str) -> None:
    for template in map(load_template, TEMPLATES):
        prompt = fill(template, problem(statement))
        head, _, tail = template.plain.partition("{statement}")
        assert prompt.plain == head + statement + tail


def test_a_template_of_ones_own_is_a_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nchat = false\nuser = "{statement}"\nplain = "Q: {statement}"')
    template = load_template(str(file))
    assert template.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert fill(template, problem("{x}")).plain == "Q: {x}"


SHOTS = """
name = "shots"
chat = true
user = "{statement}"
plain = "Question: {statement}\\nAnswer:"
[[examples]]
statement = "1+1?"
answer = "2"
[[examples]]
statement = "{statement}?"
answer = "It is 6.\\n"
"""


def test_examples_stand_in_front_as_turns_and_in_plain_text_with_their_answers(
    tmp_path: Path,
) -> None:
    file = tmp_path / "shots.toml"
    file.write_text(SHOTS)
    template = load_template(str(file))
    prompt = fill(template, problem("2+2?"), Asking(system="Be brief.", prefix=" 4"))
    assert prompt.examples == (("1+1?", "2"), ("{statement}?", "It is 6.\n"))
    assert (prompt.system, prompt.user) == ("Be brief.", "2+2?")
    assert prompt.plain_text == (
        "Question: 1+1?\nAnswer: 2\n\n"
        "Question: {statement}?\nAnswer: It is 6.\n\n"
        "Question: 2+2?\nAnswer: 4"
    )
    assert question_mark(template) == "Question:"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SHOTS.replace('answer = "2"', ""), "missing required field `answer`"),
        (SHOTS.replace('"2"', '" "'), "the answer of example 1 is empty"),
        (SHOTS + '[[examples]]\nstatement="a"\nanswer="b"\n' * 99, "too many examples"),
        (
            'name = "m"\nchat = false\nuser = "{statement}"\nplain = "no place"',
            "'plain' .* 0 times",
        ),
        ('name = "m"\nchat = 1\nuser = "{statement}"\nplain = "{statement}"', "cannot be read"),
        ('name = "m"\nchat = true\nplain = "{statement}"', "missing required field `user`"),
        ("name =", "cannot be read"),
    ],
)
def test_a_broken_template_is_a_clear_error(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BenchmarkError, match=message) as caught:
        load_template(str(file))
    assert str(file) in str(caught.value)


def test_unknown_templates_are_answered_with_the_closest_and_absent_files_with_their_path(
    tmp_path: Path,
) -> None:
    with pytest.raises(BenchmarkError, match="no prompt template named") as caught:
        load_template("qwen_math")
    assert "did you mean qwen-math?" in str(caught.value)
    with pytest.raises(BenchmarkError, match="cannot be opened"):
        load_template(str(tmp_path / "none.toml"))
