"""A user's own problems, without a card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import get_args

import msgspec

from emdiag.benchmarks import golds
from emdiag.benchmarks.cards import card_names, list_cards
from emdiag.benchmarks.rows import (
    SUFFIXES,
    SourceRow,
    read_rows,
    refuse_repeats,
    reward_label,
    text_field,
)
from emdiag.core.codec import encode
from emdiag.core.errors import BenchmarkError
from emdiag.core.grades import GraderSpec
from emdiag.core.problems import AnswerType, BenchmarkCard, Problem, SourceSpec

STATEMENT_FIELDS = ("statement", "problem", "question", "prompt")
DEFAULT_MAX_TOKENS = 2048
_MOST_BITS = 63


def is_problems_file(name: str) -> bool:
    """Whether `name` is the path of a file of problems, and not the name of a benchmark."""
    return name.endswith(SUFFIXES)


def custom_name(path: Path) -> str:
    """What the benchmark in a user's file is called: as the file is.

    Raises:
        BenchmarkError: A benchmark of emdiag is called so.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-.") or "problems"
    if name in card_names():
        raise BenchmarkError(
            f"a file of your own is called {name!r}, as a benchmark of emdiag is",
            file=path,
            hint=f"rename the file, or convert it with `emdiag benchmarks import {name} FILE`",
        )
    return name


def load_custom(path: Path, *, require_answers: bool = True) -> tuple[BenchmarkCard, list[Problem]]:
    """A card made up for the problems in a file, and the problems.

    A row has one of `statement`, `problem`, `question` or `prompt` (text, or messages of which one
    is the user's); an answer in `answer` (text or number) or `reward_model.ground_truth`; and, if
    wanted, `id` (or `extra_info.index`), `answer_type`, `unit`, `error`, `subject`, `level` and
    `tags`. Other fields are ignored. The benchmark is called as the file is.

    Training files (rows with `reward_model`) repeat rows and leave answers out. Of equal statements
    the first is kept, and rows whose answer is missing are left out where answers are required; a
    caveat on the card says how many.

    A row with `answer_raw` was written by emdiag and has its gold already. Where all rows name one
    shipped benchmark in `benchmark`, its template, grader and limit of tokens hold for the file.

    A row without an answer is an error where answers are required; else its answer is empty.

    Raises:
        BenchmarkError: The file or a row cannot be read, a question stands twice, or the file
            is called like a benchmark of emdiag.
    """
    name = custom_name(path)
    rows, problems = read_problems(path, name, require_answers=require_answers)
    content = b"".join(encode(problem) + b"\n" for problem in problems)
    source = SourceSpec(
        origin=path.name, license="not stated", sha256=hashlib.sha256(content).hexdigest()
    )
    card = BenchmarkCard(
        name=name,
        title=path.name,
        revision=1,
        size=len(problems),
        template="boxed",
        grader=GraderSpec(),
        max_tokens=DEFAULT_MAX_TOKENS,
        headline="avg@1",
        caveats=tuple(_caveats(rows, problems)),
        source=source,
    )
    return _as_its_benchmark(card, rows), problems


def read_problems(
    path: Path, name: str, *, require_answers: bool
) -> tuple[list[SourceRow], list[Problem]]:
    """The rows of a file, and the problems of the benchmark `name` that they hold.

    Raises:
        BenchmarkError: As `load_custom`.
    """
    rows = read_rows(path)
    try:
        problems = [
            _problem(row, name, number, labelled=require_answers or _has_answer(row))
            for number, row in enumerate(rows, start=1)
            if not (require_answers and _is_training_row(row) and not _has_answer(row))
        ]
    except BenchmarkError as error:
        raise BenchmarkError(
            error.message, hint=error.hint, **{"file": path, **error.facts}
        ) from error
    if not problems:
        raise BenchmarkError("no row of the file has an answer", file=path)
    if all(_is_training_row(row) for row in rows):
        first = {problem.statement: problem for problem in reversed(problems)}
        problems = [problem for problem in problems if first[problem.statement] is problem]
    refuse_repeats(problems, file=path)
    return rows, problems


def _as_its_benchmark(card: BenchmarkCard, rows: Sequence[SourceRow]) -> BenchmarkCard:
    """The card, with the settings of the one shipped benchmark that all rows name, if they do."""
    named = rows[0].get("benchmark")
    if any(row.get("benchmark") != named for row in rows):
        return card
    for known in list_cards():
        if known.name == named:
            return msgspec.structs.replace(
                card, template=known.template, grader=known.grader, max_tokens=known.max_tokens
            )
    return card


def _caveats(rows: Sequence[SourceRow], problems: Sequence[Problem]) -> list[str]:
    caveats = []
    roles = {message.get("role") for row in rows for message in _messages(row)}
    if "system" in roles:
        caveats.append("System messages of the file are left out; the template's own is used.")
    if len(problems) < len(rows):
        caveats.append(
            f"{len(rows) - len(problems)} of {len(rows)} rows are left out, since they repeat "
            "a statement or have no answer."
        )
    if all(r"\boxed{}" in problem.statement for problem in problems):
        caveats.append(
            r"Every statement asks for \boxed{} itself: the template boxed asks a second time, "
            "`--template plain --chat` does not."
        )
    return caveats


def _problem(row: SourceRow, name: str, number: int, *, labelled: bool) -> Problem:
    statement = _statement(row, number)
    raw = _answer(row, number) if labelled else ""
    gold = _gold(row, raw, number)
    kind = _optional(row, "answer_type", number)
    if kind is not None and kind not in get_args(AnswerType):
        raise BenchmarkError(
            f"row {number}: 'answer_type' is {kind!r}", expected=", ".join(get_args(AnswerType))
        )
    error = row.get("error")
    try:
        bound = None if error is None else golds.error_bound(str(error))
    except ValueError as cause:
        raise BenchmarkError(f"row {number}: 'error' is wrong: {cause}") from cause
    level = row.get("level")
    if level is not None and (not isinstance(level, int) or isinstance(level, bool)):
        raise BenchmarkError(f"row {number}: 'level' is {level!r}, expected a whole number")
    if level is not None and level.bit_length() > _MOST_BITS:
        raise BenchmarkError(f"row {number}: 'level' does not fit in 64 bits")
    return Problem(
        id=_id(row, name, number),
        benchmark=name,
        statement=statement,
        answer=gold.answer,
        answer_raw=_optional(row, "answer_raw", number) or raw,
        answer_type=gold.answer_type if kind is None else kind,  # type: ignore[arg-type]  # checked
        unit=_optional(row, "unit", number) or gold.unit,
        error=bound,
        subject=_optional(row, "subject", number),
        level=level,
        tags=_tags(row, number),
    )


def _statement(row: SourceRow, number: int) -> str:
    fields = [field for field in STATEMENT_FIELDS if row.get(field) is not None]
    texts = {row[field] for field in fields if isinstance(row[field], str)}
    messages = _messages(row)
    if messages and not texts:
        users = [message for message in messages if message.get("role") == "user"]
        if len(users) != 1:
            raise BenchmarkError(
                f"row {number}: 'prompt' must hold one message of the user, found {len(users)}"
            )
        return text_field(users[0], "content", number=number)
    if len(texts) != 1 or messages:
        raise BenchmarkError(
            f"row {number} must hold one of {', '.join(STATEMENT_FIELDS)} with text",
            found=", ".join(row) or "no fields",
        )
    return text_field(row, fields[0], number=number)


def _messages(row: SourceRow) -> list[SourceRow]:
    """The messages in `prompt`, in order; none where it is text, or absent."""
    messages = row.get("prompt")
    if not isinstance(messages, list):
        return []
    return [message for message in messages if isinstance(message, dict)]


def _id(row: SourceRow, name: str, number: int) -> str:
    """The row's own id below the file's name; whole where it names its benchmark already."""
    own = row.get("id")
    extra = row.get("extra_info")
    if own is None and isinstance(extra, dict):
        own = extra.get("index")
    if own is not None and not isinstance(own, int | str):
        raise BenchmarkError(f"row {number}: 'id' is {own!r}, expected text or a whole number")
    if isinstance(own, str) and "/" in own:
        return own
    return f"{name}/{number - 1:04d}" if own is None else f"{name}/{own}"


def _is_training_row(row: SourceRow) -> bool:
    return isinstance(row.get("reward_model"), dict)


def _has_answer(row: SourceRow) -> bool:
    label = row.get("reward_model")
    stored = label.get("ground_truth") if isinstance(label, dict) else None
    return any(value is not None and value != "" for value in (row.get("answer"), stored))


def _answer(row: SourceRow, number: int) -> str:
    answer = row.get("answer")
    if answer is None and isinstance(row.get("reward_model"), dict):
        return reward_label(row, number=number)
    if isinstance(answer, int | float) and not isinstance(answer, bool) and isfinite(answer):
        return golds.whole_number(str(answer))
    return text_field(row, "answer", number=number)


def _gold(row: SourceRow, raw: str, number: int) -> golds.GoldText:
    if not raw:
        return golds.GoldText(answer="", answer_type="unknown")
    if _optional(row, "answer_raw", number):
        return golds.GoldText(answer=raw, answer_type=golds.shape(raw))
    return golds.latex_gold(raw)


def _tags(row: SourceRow, number: int) -> tuple[str, ...]:
    tags = row.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise BenchmarkError(f"row {number}: 'tags' is {tags!r}, expected a list of texts")
    return tuple(tags)


def _optional(row: SourceRow, name: str, number: int) -> str | None:
    return None if row.get(name) is None else text_field(row, name, number=number)
