from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core import reading
from emdiag.core.errors import PlanError
from emdiag.core.reading import InputFile, parse_as_written, parse_json, parse_toml

if TYPE_CHECKING:
    from pathlib import Path


def _source(path: Path) -> InputFile:
    return InputFile(path=path, what="a file", error=PlanError, hint="write another")


def _refused(source: InputFile, way: str) -> str:
    read: Any = getattr(source, way)
    with pytest.raises(PlanError) as caught:
        list(read()) if way == "lines" else read()
    assert str(source.path) in str(caught.value)
    assert caught.value.hint == "write another"
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1 is not JSON"),
        (b" \n\t", "is not JSON"),
        (b'{"a": 1', "line 1 is not JSON"),
        (b'{"a": 1}\n{"a": 2}', "line 2 is not JSON"),
        (b'{"id": 1e9999999}', "the number 1e9999999 is out of range"),
        (b"[" + b"9" * 5_000 + b"]", "5,000 digits"),
        (b"[" * 100_000, "nests lists or tables too deeply"),
        (b"[" * 65 + b"]" * 65, "nests lists or tables too deeply"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (rb'{"a": "\ud800"}', "half a pair of surrogates"),
        (rb'{"\udfff": 1}', "half a pair of surrogates"),
        (b'{"a": "\xff"}', "line 1 is not a text in UTF-8"),
        (b'[1,\n2,\n"\xc3"]', "line 3 is not a text in UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "NUL"),
        (b'{"a": 1}\0', "NUL"),
    ],
)
def test_json_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert words in _refused(_source(path), "json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = ", "not TOML"),
        (b"a = 1\na = 2", "not TOML"),
        (b"a = " + b"[" * 100_000, "nests lists or tables too deeply"),
        (b"a" + b".a" * 100 + b" = 1", "nests lists or tables too deeply"),
        (b"a = " + b"9" * 5_000, "not TOML"),
        (b"a = '\xff'", "UTF-8"),
        (b"a = 1\0", "NUL"),
        (b"# " + b"a" * 2**20, "too long"),
    ],
)
def test_toml_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    assert words in _refused(_source(path), "toml")


@pytest.mark.parametrize("way", ["content", "text", "json", "toml", "lines"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "nothing", "long", "disk"])
def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, way: str, kind: str) -> None:
    path = tmp_path / kind
    words = {"folder": "a folder", "pipe": "a pipe", "device": "a device", "loop": "symbolic"}
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long":
        path = tmp_path / ("a" * 300)
        words["long"] = "too long"
    elif kind == "disk":  # a file that can be opened, and whose first byte cannot be read
        path.symlink_to("/proc/self/mem")
        words["disk"] = "Input/output error" if path.exists() else "no such file"
    assert words.get(kind, "no such file") in _refused(_source(path), way)


def test_a_mark_and_line_breaks_of_other_systems_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'\xef\xbb\xbf{"a": [1, 0.5, NaN]}\r\n')
    assert _source(path).json()["a"][:2] == [1, 0.5]
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert _source(path).toml() == {"a": 1, "b": 2}


def test_a_line_or_a_file_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    monkeypatch.setattr(reading, "LONGEST_LINE", 10)
    path.write_bytes(b"short\n" + b"x" * 11 + b"\n")
    assert "line 2 is too long" in _refused(_source(path), "lines")
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no room
    assert "too long" in _refused(_source(path), "json")


def test_numbers_keep_their_digits_where_they_are_asked_for() -> None:
    assert str(parse_as_written('{"a": 0.10}')["a"]) == "0.10"
    assert parse_as_written("[1e9999999]") is not None
    for text in ("[1e99999999999999999999]", "[NaN]", '{"a": 1, "a": 1}'):
        with pytest.raises(ValueError, match=r"out of range|NaN|twice"):
            parse_as_written(text)
    assert parse_json('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_a_key_among_millions_that_stands_twice_is_found_at_once() -> None:
    keys = ",".join(f'"{number}":1' for number in range(100_000))
    began = time.process_time()
    with pytest.raises(ValueError, match="'x' stands twice"):
        parse_json(f'{{{keys},"x":1,"x":2}}')
    assert time.process_time() - began < 5  # it took minutes


@pytest.mark.parametrize("part", ["a", '"a b"', "'='", " a-b\t"])
def test_a_key_of_many_parts_is_refused_before_it_takes_hours(part: str) -> None:
    long = ".".join([part] * 20_000)
    for text in (f"{long} = 1", f"[{long}]", f"[[{long}]]", f"x = {{{long} = 1}}"):
        began = time.process_time()
        with pytest.raises(ValueError, match="too deeply"):
            parse_toml(text)
        assert time.process_time() - began < 5
    for letter in "a \"'.":  # nor does looking for one take long
        with suppress(ValueError):
            parse_toml(letter * 200_000)
    assert time.process_time() - began < 10
    assert parse_toml("a.b.'c.d' = 1.0") == {"a": {"b": {"c.d": 1.0}}}
    assert parse_toml(f'a = """{"e.g. this one. " * 200}"""')
