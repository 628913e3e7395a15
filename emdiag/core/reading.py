"""The border for what is read: text, JSON and TOML of a user or of a store come in through here.

Whatever lies in the place of the file, an error names the file, the line, what was expected and
what was there; nothing hangs, and no number, line or nesting is taken without a bound.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import msgspec

from emdiag.core.errors import EmdiagError

LONGEST_LINE: Final = 2**26
"""Bytes of a line: a completion of a million tokens with its ids takes a quarter."""
LONGEST_FILE: Final = 2**30
"""Bytes of a file that is read whole."""
LONGEST_TEXT: Final = 2**20
"""Characters of a file that a person wrote."""
MOST_DIGITS: Final = 1_000
DEEPEST: Final = 64
"""Lists and objects in each other."""

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises: no JSON, no UTF-8, another type, a number out of range, too deep."""

_OTHER_ENCODINGS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)
_NO_TEXT: Final = "it is not a text in UTF-8"
_HALF_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TOO_DEEP: Final = f"it nests lists or tables too deeply, more than {DEEPEST} in each other"
_LONG_KEY: Final = re.compile(
    r"""(?<![\w \t-])(?:[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.){200}"""
)
_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file that is read, and how its errors speak.

    Attributes:
        what: Of its content, such as `a prompt template`.
        error: Raised where it cannot be read.
        hint: What to do then.
    """

    path: Path
    what: str
    error: type[EmdiagError]
    hint: str | None = None

    def content(self, *, most: int = LONGEST_FILE) -> bytes:
        """Every byte.

        Raises:
            EmdiagError: As `error` says: there is no such file, it is none, it cannot be opened, or
                it holds more than `most` bytes.
        """
        with self.opened() as file:
            is_longer = os.fstat(file.fileno()).st_size > most
            content = b"" if is_longer else file.read(most + 1)
        if is_longer or len(content) > most:
            raise self.refused("it is too long", expected=f"at most {most:,} bytes", found="more")
        return content

    def text(self, *, most: int = LONGEST_FILE) -> str:
        """The whole text; a byte order mark is left out.

        Raises:
            EmdiagError: As `content`, or it is no text in UTF-8.
        """
        text = self.decoded(self.content(most=min(4 * most, LONGEST_FILE)))
        if len(text) > most:
            expected = f"at most {most:,} characters"
            raise self.refused("it is too long", expected=expected, found="more")
        if "\0" in text:
            raise self.refused(_NO_TEXT, expected="UTF-8", found="the character NUL")
        return text

    def decoded(self, content: bytes, *, line: int = 1) -> str:
        """`content` of this file, which begins in a line of it, as text.

        Raises:
            EmdiagError: It is no text in UTF-8; the line is named.
        """
        if line == 1:
            self.refuse_other_encodings(content)
        try:
            return content.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            line += content.count(b"\n", 0, error.start)
            raise self.refused(
                f"line {line} is not a text in UTF-8: {error.reason}",
                expected="UTF-8",
                found=f"the byte 0x{content[error.start]:02x}, which is not UTF-8",
            ) from error

    def json(self) -> Any:
        """The value in a file of JSON.

        Raises:
            EmdiagError: As `text`, or it is not JSON that can be written again.
        """
        text = self.text()
        try:
            return parse_json(text)
        except ValueError as error:
            place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "it"
            raise self.refused(f"{place} is not JSON: {reason_of(error)}") from error

    def toml(self) -> dict[str, Any]:
        """The tables in a file of TOML.

        Raises:
            EmdiagError: As `text`, or it is not TOML, or nests deeper than anyone writes.
        """
        text = self.text(most=LONGEST_TEXT)
        try:
            content = parse_toml(text)
            _check(content)
        except ValueError as error:
            raise self.refused(f"it is not TOML: {reason_of(error)}") from error
        return content

    def lines(self) -> Iterator[bytes]:
        """Line by line, each with its break; never more than one in memory.

        Raises:
            EmdiagError: As `content`, or a line is too long.
        """
        with self.opened() as file:
            yield from self.bounded(file)

    def bounded(self, file: BinaryIO) -> Iterator[bytes]:
        """The lines of an open file; a line without end is refused before it fills the memory."""
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise self.refused(
                    f"line {number} is too long",
                    expected=f"at most {LONGEST_LINE:,} bytes",
                    found="more",
                )
            if number == 1:
                self.refuse_other_encodings(line)
            yield line

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, open to be read; neither a folder, a pipe nor a device is waited for."""
        try:
            mode = os.stat(self.path).st_mode  # noqa: PTH116 - Path.stat is the same
            kinds = [name for is_kind, name in _KINDS if is_kind(mode)]
            if kinds:
                raise self._closed(f"it is {kinds[0]}", expected="a file", found=kinds[0])
            opened = Path(self.path).open("rb")  # noqa: SIM115 - closed below
        except FileNotFoundError as error:
            nothing = "nothing: the path does not exist"
            raise self._closed("there is no such file", found=nothing) from error
        except OSError as error:
            raise self._closed(f"{error.strerror or error}") from error
        except ValueError as error:  # a name that holds NUL
            raise self._closed(str(error)) from error
        with opened as file:
            try:
                yield file
            except OSError as error:  # of its disk
                raise self.refused(f"{error.strerror or error}") from error

    def refused(self, reason: str, **facts: object) -> EmdiagError:
        """The error that names the file and why it cannot be read."""
        message = f"{self.what} cannot be read: {reason}"
        return self.error(message, hint=self.hint, **{"file": self.path or ".", **facts})

    def _closed(self, reason: str, **facts: object) -> EmdiagError:
        message = f"{self.what} cannot be opened: {reason}"
        return self.error(message, hint=self.hint, **{"file": self.path, **facts})

    def refuse_other_encodings(self, content: bytes) -> None:
        """Refuse what begins as UTF-16 does, which would be no JSON in every line."""
        encoding = _OTHER_ENCODINGS.get(content[:2])
        if encoding is not None:
            raise self.refused(_NO_TEXT, expected="UTF-8", found=f"{encoding}, not UTF-8")


def parse_json(text: str) -> Any:
    """The value that a text of JSON holds; NaN and infinity, which Python writes, are floats.

    Raises:
        ValueError: It is no JSON, a number is out of range, a key stands twice, half a pair of
            surrogates stands alone, or it nests too deeply; the message says which.
    """
    value = _loaded(text, parse_int=_whole, parse_float=_finite)
    if _HALF_PAIR.search(text):
        _refuse_half_pairs(value)
    return value


def parse_as_written(text: str) -> Any:
    """The same, each number with every digit it was written in; halves of surrogates stay.

    Raises:
        ValueError: It is no JSON, an exponent is beyond what decimals have, a key stands twice, or
            it nests too deeply.
    """
    return _loaded(text, parse_int=_written, parse_float=_written, parse_constant=_no_constant)


def parse_toml(text: str) -> dict[str, Any]:
    """The tables that a text of TOML holds.

    Raises:
        ValueError: It is not TOML, or it nests without end.
    """
    if key := _LONG_KEY.search(text):  # for which `tomllib` takes hours
        raise ValueError(f"{_TOO_DEEP}, in the key {key[0][:_SHOWN].strip()}...")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def reason_of(error: BaseException) -> str:
    """What a decoder says, in one short line."""
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    return " ".join(str(getattr(error, "msg", error)).split())[:200]


def _loaded(text: str, **hooks: Any) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_once, **hooks)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    _check(value)
    return value


def _written(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException as error:
        raise ValueError(f"the number {text[:_SHOWN]} is out of range") from error


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number has {len(text):,} digits, expected at most {MOST_DIGITS:,}")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"the number {text[:_SHOWN]} is out of range")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:_SHOWN]!r} stands twice")
    return fields


def _check(value: object) -> None:
    """Refuse what nests too deeply."""
    level: Iterable[object] = [value]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for part in level:
            if isinstance(part, dict):
                inner += part.values()
            elif isinstance(part, list):
                inner += part
        if not inner:
            return
        level = inner
    raise ValueError(_TOO_DEEP)


def _refuse_half_pairs(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ValueError("half a pair of surrogates stands alone") from error
