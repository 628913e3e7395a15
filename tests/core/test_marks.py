from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emdiag.core.marks import ENCODING_ERRORS, has_hidden, json_escaped, visible

text = st.text(st.characters() | st.sampled_from("[]U+1B\x1b\u202e\n\t\ud800"))


@given(text, text)
@example("\x1b", "[U+001B]")
@example("[U+005B]", "[")
@example("\n", "[U+000A]")
def test_two_texts_never_look_alike(left: str, right: str) -> None:
    for is_line in (False, True):
        assert left == right or visible(left, is_line=is_line) != visible(right, is_line=is_line)


def test_nothing_that_commands_hides_or_reorders_is_left() -> None:
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and not (
            character in "\n\t" or 0x600 <= code <= 0x8FF or (code >= 0x11000 and code < 0x1D000)
        ):  # Arabic signs and those of old scripts are drawn
            assert visible(character) == f"[U+{code:04X}]", hex(code)
            assert has_hidden(character)
        assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", visible(character, is_line=True))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_means_the_same_and_commands_nothing(value: str) -> None:
    plain = json.dumps({"a": value}, ensure_ascii=False)
    for is_ascii in (False, True):
        written = json_escaped(plain, is_ascii=is_ascii)
        assert json.loads(written) == {"a": value}
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", written)
        assert not is_ascii or written.isascii()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "cp437", "shift_jis"])
def test_any_text_is_written_in_any_encoding(encoding: str) -> None:
    signs = (
        "\u25b2 \u25bc \u2013 \u2212 \u00b1 \u2248 \u2026 \u2192 \u2500 \u28ff \u4e00 \U0001f600"
    )
    written = signs.encode(encoding, ENCODING_ERRORS).decode(encoding)
    assert "?" not in written
    assert encoding != "ascii" or written.startswith("^ v - - +- ~ ... -> - * [U+4E00] [U+1F600]")
