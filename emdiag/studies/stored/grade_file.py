"""Grade answers from anywhere: one JSON object a line, with a gold answer and a completion."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, NoReturn, cast, get_args

import msgspec

from emdiag.benchmarks.cards import list_cards
from emdiag.benchmarks.golds import error_bound
from emdiag.benchmarks.prompts import load_template, question_mark
from emdiag.core.errors import GraderError
from emdiag.core.grades import Gold, Judgement, Reason, Tolerance, Verdict
from emdiag.core.option_groups import Grading
from emdiag.core.problems import AnswerType
from emdiag.core.reading import InputFile, parse_as_written, reason_of
from emdiag.core.records import Record
from emdiag.core.results import Remark, as_given, remark
from emdiag.engines.checkpoint.resolve import find_base
from emdiag.grading.parse.origin import GraderOfOrigin, Origin
from emdiag.grading.pool.pool import GraderPool

_ID_DIGITS, _ID_LENGTH = 18, 200
_LINE = '{"gold": "1/2", "completion": "... \\\\boxed{0.5}"}'


_UNKNOWN = Origin()


class GradedLine(Record, frozen=True, kw_only=True):
    """The judgement on one line; `verdict` is None where the line cannot be graded.

    Attributes:
        elapsed_s: Seconds spent on the distinct pair of gold and answer.
        why: None from a grader that gives no reasons.
        problem: What is wrong with the line; None for a line that was graded.
    """

    line: int
    id: str | int | None
    verdict: Verdict | None = None
    extracted: str | None = None
    boxed: bool = False
    grader: str
    elapsed_s: float = 0.0
    note: Remark | None = None
    why: Reason | None = None
    problem: str | None = None


class GradeFileResult(Record, frozen=True, kw_only=True):
    """What a whole file came to.

    Attributes:
        boxed: Graded lines whose answer stood in a box.
        elapsed_s: Wall-clock seconds, the start of the processes included.
    """

    name: str
    grader: str
    versions: dict[str, str]
    lines: int
    unreadable: int
    boxed: int
    by_verdict: dict[str, int]
    elapsed_s: float


def read_lines(name: str, standard_input: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, or of `standard_input` where its name is `-`.

    Raises:
        GraderError: The file cannot be read.
    """
    source = InputFile(
        path=Path(name),
        what="the file to grade",
        error=GraderError,
        hint=f"name a file with a line such as {_LINE}, or - for standard input",
    )
    return source.bounded(standard_input) if name == "-" else source.lines()


def origin_of(*, template: str | None, tokenizer: str | None) -> Origin:
    """What completions hold that were drawn with a prompt template and by a checkpoint.

    Args:
        template: Name, or path of a `.toml` file.
        tokenizer: Checkpoint, as `emdiag eval` takes it; its weights are not loaded.

    Raises:
        BenchmarkError: There is no such template.
        CheckpointError: There is no such checkpoint, or its tokenizer cannot be opened.
    """
    mark = question_mark(load_template(template)) if template is not None else None
    if tokenizer is None:
        return Origin(question_mark=mark)
    from emdiag.engines.checkpoint.tokenizers import tokens_of

    tokens, turn_ends = tokens_of(str(find_base(tokenizer).resolve()))
    return Origin(question_mark=mark, tokens=tokens, turn_ends=turn_ends)


def run_grade_file(
    name: str,
    lines: Iterable[bytes],
    grading: Grading,
    *,
    origin: Origin = _UNKNOWN,
    show: Callable[[GradedLine], None],
) -> GradeFileResult:
    """Grade every line in its order; each is shown as soon as it and those before it are judged.

    A line that cannot be graded is shown with its problem, which names the file, and the others
    are graded all the same.

    Raises:
        GraderError: The grader fails its self-test.
    """
    started = time.perf_counter()
    counts = dict.fromkeys(Verdict, 0)
    boxed = unreadable = 0
    waiting: deque[GradedLine] = deque()
    with GraderPool.of(grading) as pool:

        def show_unreadable() -> None:
            nonlocal unreadable
            while waiting and waiting[0].problem is not None:
                show(waiting.popleft())
                unreadable += 1

        grader = GraderOfOrigin(pool, origin)
        for judgement in grader.grade(_pairs(name, lines, waiting, grader=pool.identity)):
            show_unreadable()
            counts[judgement.verdict] += 1
            boxed += judgement.boxed
            show(_graded(waiting.popleft(), judgement))
        show_unreadable()
        return GradeFileResult(
            name=name,
            grader=pool.identity,
            versions=pool.versions,
            lines=sum(counts.values()),
            unreadable=unreadable,
            boxed=boxed,
            by_verdict={verdict.value: count for verdict, count in counts.items()},
            elapsed_s=time.perf_counter() - started,
        )


def _graded(line: GradedLine, judgement: Judgement) -> GradedLine:
    given = as_given(judgement.note) if judgement.note else None
    notes = tuple(note for note in (given, line.note) if note is not None)
    return msgspec.structs.replace(
        line,
        verdict=judgement.verdict,
        extracted=judgement.extracted,
        boxed=judgement.boxed,
        elapsed_s=judgement.elapsed_s,
        why=judgement.why,
        note=remark("all-of", parts=notes) if len(notes) > 1 else next(iter(notes), None),
    )


def _pairs(
    name: str, lines: Iterable[bytes], waiting: deque[GradedLine], *, grader: str
) -> Iterator[tuple[Gold, str]]:
    """Gold and completion of each line that can be graded; `waiting` takes every line."""
    tolerances = {card.name: card.grader.tolerance for card in list_cards()}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where, identity = f"{name}, line {number}", None
        try:
            fields = _fields(line, where)
            identity = _identity(fields.get("id"))
            gold = _gold(fields, where, tolerances)
            completion = fields.get("completion")
            if not isinstance(completion, str):
                _refuse(where, "completion", "text", fields)
        except GraderError as error:
            waiting.append(GradedLine(line=number, id=identity, grader=grader, problem=str(error)))
        else:
            note = _note(fields, tolerances)
            waiting.append(GradedLine(line=number, id=identity, grader=grader, note=note))
            yield gold, completion


def _note(fields: dict[str, object], tolerances: dict[str, Tolerance]) -> Remark | None:
    """What to say of a line whose benchmark has no card, and so sets no tolerance."""
    benchmark = fields.get("benchmark")
    if benchmark is None or benchmark in tolerances:
        return None
    return remark("compared-exactly", benchmark=str(benchmark)[:40])


def _fields(line: bytes, where: str) -> dict[str, object]:
    try:
        fields = parse_as_written(line.decode("utf-8-sig"))
    except ValueError as error:
        raise GraderError(
            f"{where}: expected a JSON object, found something that is not JSON "
            f"({reason_of(error)})",
            hint=f"write a line such as {_LINE}",
        ) from error
    if not isinstance(fields, dict):
        raise GraderError(
            f"{where}: expected a JSON object, found {_kind(fields)}",
            hint=f"write a line such as {_LINE}",
        )
    return fields


def _identity(value: object) -> str | int | None:
    """An id of any kind: a whole number of up to 18 digits as itself, anything else as text."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        is_whole = value.adjusted() < _ID_DIGITS and value == value.to_integral_value()
        return int(value) if is_whole else str(value)[:_ID_LENGTH]
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return _writable(text)[:_ID_LENGTH]


def _writable(text: str) -> str:
    """`text` with a mark in place of each half of a pair of surrogates, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _gold(fields: dict[str, object], where: str, tolerances: dict[str, Tolerance]) -> Gold:
    gold = fields.get("gold")
    if not isinstance(gold, str | Decimal) or not str(gold).strip():
        _refuse(where, "gold", "text or a number", fields)
    error = _text(fields, "error", where)
    try:
        bound = None if error is None else error_bound(error)
    except ValueError:
        _refuse(where, "error", "a finite number above 0", fields)
    return Gold(
        answer=str(gold),
        answer_type=_choice(fields, "answer_type", get_args(AnswerType), where) or "unknown",
        unit=_text(fields, "unit", where),
        error=bound,
        tolerance=_tolerance(fields, where, tolerances),
    )


def _tolerance(
    fields: dict[str, object], where: str, tolerances: dict[str, Tolerance]
) -> Tolerance:
    """The tolerance the line names, else the one of its benchmark's card, else `exact`."""
    named = _choice(fields, "tolerance", get_args(Tolerance), where)
    benchmark = _text(fields, "benchmark", where)
    return cast("Tolerance", named) if named else tolerances.get(benchmark or "", "exact")


def _choice(
    fields: dict[str, object], name: str, options: tuple[str, ...], where: str
) -> str | None:
    value = _text(fields, name, where)
    if value is not None and value not in options:
        _refuse(where, name, f"one of {', '.join(options)}", fields)
    return value


def _text(fields: dict[str, object], name: str, where: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str | Decimal):
        _refuse(where, name, "text or a number", fields)
    return str(value)


def _refuse(where: str, name: str, expected: str, fields: dict[str, object]) -> NoReturn:
    actual = _kind(fields[name]) if name in fields else "no such field"
    raise GraderError(
        f"{where}: expected `{name}` to be {expected}, found {actual}",
        hint=f"write a line such as {_LINE}",
    )


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"the number {value}"[:60]
        case str():
            return f"the text {value[:40]!r}"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"
