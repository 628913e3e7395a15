"""What is asked beside benchmark and template: variables of chats, system message, first words."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Final

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.options import Option
from emdiag.core.paths import exists, expanded
from emdiag.core.reading import InputFile, parse_json
from emdiag.core.records import Record
from emdiag.core.typed_lists import texts

MOST_CHARACTERS: Final = 100_000
"""Of a system message, a prefix or an option: more than most contexts hold."""

_SHOWN: Final = 60

Scalar = str | int | float | bool | None

RESERVED: Final = frozenset(
    {
        *("messages", "conversation", "tools", "documents", "add_generation_prompt"),
        *("continue_final_message", "chat_template", "tokenize", "strftime_now"),
        *(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")),
        *("additional_special_tokens", "raise_exception"),
    }
)
"""Variables of chat templates that emdiag and the tokenizer fill."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_FILE_NAME: Final = re.compile(r"(?:\.{1,2}/|~)\S*|\S+\.[A-Za-z]{1,8}")
_PYTHON: Final = {"True": "true", "False": "false", "None": "null"}
_EXPECTED: Final = "KEY=VALUE, such as enable_thinking=false or reasoning_effort=low"


def parse_chat_options(value: object) -> object:
    """`KEY=VALUE` as typed, or values by key, in one spelling and in the order of their keys.

    Raises:
        PlanError: One has another form, a key is not the user's to set, or stands for two values.
    """
    if isinstance(value, Mapping):
        value = [f"{key}={_written(item)}" for key, item in value.items()]
    given = texts(value)
    if not isinstance(given, list | tuple):
        return given
    values: dict[str, str] = {}
    for item in given:
        if not isinstance(item, str):
            raise PlanError(f"a chat option is {item!r}", expected=_EXPECTED)
        key, written = _parsed(item)
        if values.setdefault(key, written) != written:
            raise PlanError(
                f"the chat option {key} is given twice",
                found=f"{key}={values[key]} and {key}={written}",
                hint="keep one of them",
            )
    return [f"{key}={values[key]}" for key in sorted(values)]


def check_text(value: object) -> object:
    """A text that is asked, as typed.

    Raises:
        PlanError: It is empty, too long, or nothing that UTF-8 can hold.
    """
    if not isinstance(value, str):
        return value
    if not value or len(value) > MOST_CHARACTERS:
        raise PlanError(
            "the text is empty" if not value else "the text is too long",
            expected=f"1 to {MOST_CHARACTERS:,} characters",
            found=f"{len(value):,}",
            hint=None if value else "leave the option out",
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise PlanError("the text is no text in UTF-8", found=f"{value[:40]!r}") from error
    return value


def check_system(value: object) -> object:
    """A system message as typed, or the path of the file that holds it.

    Raises:
        PlanError: The text is empty or too long, or the file is absent, too long or not in UTF-8.
    """
    check_text(value)
    if isinstance(value, str):
        _system_text(value)
    return value


class Asking(Record, frozen=True, kw_only=True):
    """How prompts are asked, beside their template.

    Attributes:
        chat_options: Variables of the chat template, `KEY=VALUE` in the order of their keys; a
            value is a scalar of JSON, or else a text.
        system: In place of the template's system message; in a plan a text or the path of a file,
            in a run the text.
        prefix: Start of the assistant's answer; the model goes on behind it.
    """

    chat_options: Annotated[
        tuple[str, ...],
        Option(
            "Variable of the chat template, such as enable_thinking=false; repeatable.",
            flags=("--chat-option",),
            metavar="KEY=VALUE",
            is_repeated=True,
            read=parse_chat_options,
        ),
    ] = ()
    system: Annotated[
        str | None,
        Option(
            "System message, in place of the template's.", metavar="TEXT|FILE", read=check_system
        ),
    ] = None
    prefix: Annotated[
        str | None,
        Option(
            "Start of the answer, which the model goes on with.", metavar="TEXT", read=check_text
        ),
    ] = None

    @property
    def variables(self) -> dict[str, Scalar]:
        """Values of the chat options by key."""
        return {
            key: _scalar(text) for key, _, text in (o.partition("=") for o in self.chat_options)
        }

    def with_text(self) -> Asking:
        """The same with the text of the system message, wherever it stands.

        Raises:
            PlanError: The file that holds it cannot be read.
        """
        if self.system is None:
            return self
        return msgspec.structs.replace(self, system=_system_text(self.system))

    @property
    def line(self) -> str:
        """What is asked, in short, in one line; empty where nothing is."""
        named = [f"{name} {text}" for name, text in self.words.items() if name != "chat options"]
        return ", ".join([*self.chat_options, *named])

    @property
    def words(self) -> dict[str, str]:
        """What is asked, in short, by what it is; empty where nothing is."""
        named = {
            "chat options": ", ".join(self.chat_options),
            "system message": _short(self.system),
            "prefix": _short(self.prefix),
        }
        return {name: text for name, text in named.items() if text}

    def check_chat(self, *, chat: bool | None, subject: str = "") -> None:
        """Refuse what only a chat can take where prompts are plain; None is not known yet.

        Raises:
            PlanError: It is asked for.
        """
        given = ["--chat-option"] * bool(self.chat_options)
        given += ["--system"] * (self.system is not None)
        if chat is False and given:
            raise PlanError(
                f"{subject or 'prompts'} {'is' if subject else 'are'} asked as plain text, which "
                f"has no place for {' and '.join(given)}",
                expected="prompts under a chat template",
                hint="--chat applies it; for plain text, write the words into a template of your "
                "own (--template FILE.toml)",
            )

    @property
    def needs_chat(self) -> bool:
        """Whether only a chat can take it."""
        return bool(self.chat_options) or self.system is not None


def _parsed(option: str) -> tuple[str, str]:
    """Key and value, the value in one spelling."""
    key, sign, text = option.partition("=")
    key, text = key.strip(), text.strip()
    if not sign or not text or not _NAME.fullmatch(key):
        shown = f"{option[:60]!r}{'...' * (len(option) > 60)}"
        raise PlanError(f"a chat option is {shown}", expected=_EXPECTED)
    if key in RESERVED:
        raise PlanError(
            f"the chat option {key} is not yours to set: emdiag and the tokenizer fill it",
            expected="another variable of the checkpoint's chat template",
            found=option[:60],
            hint="the question is the benchmark's, with --template, --system and --prefix",
        )
    check_text(text)
    if meant := _PYTHON.get(text):
        raise PlanError(
            f"{key}={text} would be the text {text!r}, which counts as true in a template",
            expected="true, false or null, as JSON writes them",
            found=text,
            hint=f"{key}={meant}; for the text: '{key}=\"{text}\"'",
        )
    return key, _written(_scalar(text))


def _scalar(text: str) -> Scalar:
    """A scalar of JSON, or else the text itself without blanks around it."""
    text = text.strip()
    try:
        value = parse_json(text)
    except ValueError:
        return text
    is_finite = not isinstance(value, float) or isfinite(value)
    return value if isinstance(value, Scalar) and is_finite else text


def _written(value: object) -> str:
    """A scalar as `_scalar` reads it again; a text without quotes where it needs none."""
    if not isinstance(value, Scalar):
        raise PlanError(
            f"a chat option is {value!r}", expected="a text, a number, true, false or null"
        )
    is_plain = isinstance(value, str) and value not in _PYTHON and _scalar(value) == value
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _system_text(value: str) -> str:
    is_file = exists(value) and "\n" not in value
    if not is_file and not _FILE_NAME.fullmatch(value):
        return value
    file = InputFile(
        path=expanded(value),
        what="the file of the system message",
        error=PlanError,
        hint="--system takes a text, or a file in UTF-8 that holds one",
    )
    text = file.text(most=MOST_CHARACTERS).rstrip("\r\n")
    if not text.strip():
        raise file.refused("it holds no text")
    return text


def _short(text: str | None) -> str:
    """In one line and in quotes; backslashes stay as LaTeX has them."""
    if text is None:
        return ""
    shown = " ".join(text[:_SHOWN].splitlines())
    if shown == text:
        return f"'{text}'"
    digits = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"'{shown}'... ({len(text):,} characters, sha256 {digits})"
