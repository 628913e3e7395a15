from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.plots.plain_text import (
    LABEL_CHARACTERS,
    TOKEN_CHARACTERS,
    plain_label,
    plain_token,
)


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("\n", "\\n"),
        (" the", "\N{OPEN BOX}the"),
        ("\\n", "\\\\n"),  # two characters, not a line break
        ("$x$", "$x$"),
        ("\u202e", "\\u202e"),
        ("\u05e9", "\\u05e9"),
        ("\x00", "\\x00"),
        ("\u4e2d", "\\u4e2d"),  # not in the font
        ("e\u0301", "e\\u0301"),  # would stand on the letter before it
        ("\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"),
        ("", "(empty)"),
        ("a" * 14, "a" * 14),
        ("a" * 15, "a" * 13 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_a_token_is_shown_as_python_would_write_it(token: str, shown: str) -> None:
    assert plain_token(token) == shown


def test_no_escape_is_cut_in_two() -> None:
    assert plain_token("\x00" * 9) == "\\x00" * 3 + "\N{HORIZONTAL ELLIPSIS}"


def test_a_long_label_keeps_both_ends() -> None:
    shown = plain_label("qwen2.5-math-7b-entropy-minimised-seed-3")
    assert shown.startswith("qwen2.5")
    assert shown.endswith("seed-3")
    assert len(shown) <= LABEL_CHARACTERS
    assert plain_label(" em ") == "em"
    assert plain_label("") == "(no name)"


@given(st.text())
def test_whatever_a_user_or_a_model_writes_is_short_and_inert(text: str) -> None:
    for shown, limit in ((plain_token(text), TOKEN_CHARACTERS), (plain_label(text), 22)):
        assert 0 < len(shown) <= limit
        assert all(
            unicodedata.category(one)[0] not in "CM"
            and unicodedata.bidirectional(one) not in ("R", "AL", "AN", "RLO", "RLE")
            for one in shown
        )


@given(st.text(max_size=4), st.text(max_size=4))
def test_short_tokens_that_differ_are_shown_differently(one: str, other: str) -> None:
    shown = {plain_token(one), plain_token(other)}
    if not any(
        "\N{HORIZONTAL ELLIPSIS}" in text or "\N{OPEN BOX}" in one + other for text in shown
    ):
        assert (len(shown) == 1) == (one == other)
