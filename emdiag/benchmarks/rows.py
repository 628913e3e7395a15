"""Rows of an upstream file: JSON lines, one JSON list, or parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import Problem
from emdiag.core.reading import InputFile, parse_json, reason_of

SourceRow = Mapping[str, object]

SUFFIXES = (".jsonl", ".json", ".parquet")


def read_rows(file: Path) -> list[SourceRow]:
    """The rows of a file, in order; its suffix says the format.

    Raises:
        BenchmarkError: The file is absent, of another format, empty, or holds something else
            than rows with named fields.
    """
    source = InputFile(path=file, what="a file of problems", error=BenchmarkError)
    match file.suffix:
        case ".jsonl":
            rows = _json_lines(source)
        case ".json":
            rows = _json_list(source)
        case ".parquet":
            rows = _parquet_rows(source)
        case other:
            raise BenchmarkError(
                f"files of type {other or 'none'} are not read", file=file,
                expected=", ".join(SUFFIXES),
            )  # fmt: skip
    if not rows:
        raise BenchmarkError("the file holds no rows", file=file)
    return rows


def file_content(file: Path) -> bytes:
    """Every byte of a file of problems.

    Raises:
        BenchmarkError: It cannot be read.
    """
    return InputFile(path=file, what="a file of problems", error=BenchmarkError).content()


def text_field(row: SourceRow, name: str, *, number: int) -> str:
    """A field that must hold text; errors name the row by its number, from 1.

    Raises:
        BenchmarkError: The field is absent or holds something else.
    """
    value = row.get(name)
    if isinstance(value, str) and value.strip():
        return value.strip()
    actual = "nothing" if value is None else f"{type(value).__name__} {str(value)[:60]!r}"
    raise BenchmarkError(
        f"row {number}: field {name!r} must hold text, found {actual}",
        fields=", ".join(row),
    )


def reward_label(row: SourceRow, *, number: int) -> str:
    """The answer of a training row: the text in `reward_model.ground_truth`.

    Raises:
        BenchmarkError: Either field is absent or holds something else.
    """
    value = row.get("reward_model")
    if not isinstance(value, dict):
        raise BenchmarkError(
            f"row {number}: field 'reward_model' must hold named fields, "
            f"found {type(value).__name__} {str(value)[:60]!r}"
        )
    return text_field(value, "ground_truth", number=number)


def one_row(rows: Sequence[SourceRow], *, file: Path) -> SourceRow:
    """The row that a file holds many times over.

    Raises:
        BenchmarkError: A row differs from the first.
    """
    for number, row in enumerate(rows, start=1):
        if row != rows[0]:
            raise BenchmarkError(
                f"row {number} differs from row 1, expected one row repeated",
                file=file,
                fields=", ".join(name for name in row if row[name] != rows[0].get(name)),
            )
    return rows[0]


def require_fields(rows: Sequence[SourceRow], fields: Sequence[str], *, file: Path) -> None:
    """Refuse rows that lack one of `fields`.

    Raises:
        BenchmarkError: Names the first such row, the fields expected and those found.
    """
    for number, row in enumerate(rows, start=1):
        missing = [name for name in fields if name not in row]
        if missing:
            raise BenchmarkError(
                f"row {number} lacks {', '.join(missing)}",
                file=file,
                expected=", ".join(fields),
                found=", ".join(row) or "no fields",
            )


def refuse_repeats(problems: Sequence[Problem], *, file: Path) -> None:
    """Refuse a set in which a question or an id stands twice.

    Raises:
        BenchmarkError: Names the two rows.
    """
    for what in ("statement", "id"):
        first_rows: dict[str, int] = {}
        for number, problem in enumerate(problems, start=1):
            first = first_rows.setdefault(getattr(problem, what), number)
            if first != number:
                raise BenchmarkError(
                    f"row {number} repeats the {what} of row {first}",
                    file=file,
                    id=problem.id,
                    hint="import each question once; asking it often is `--samples N` of eval",
                )


def _json_lines(source: InputFile) -> list[SourceRow]:
    rows = []
    for number, line in enumerate(source.lines(), start=1):
        text = source.decoded(line, line=number)
        if not text.strip():
            continue
        try:
            value = parse_json(text)
        except ValueError as error:
            raise BenchmarkError(
                f"line {number} is not JSON: {reason_of(error)}", file=source.path
            ) from error
        rows.append(_row(value, number=number, file=source.path))
    return rows


def _json_list(source: InputFile) -> list[SourceRow]:
    rows = source.json()
    if not isinstance(rows, list):
        raise BenchmarkError(
            f"expected a list of rows, found {type(rows).__name__}",
            file=source.path,
            hint="JSON with one row a line has the suffix .jsonl",
        )
    return [
        _row(value, number=number, file=source.path) for number, value in enumerate(rows, start=1)
    ]


def _parquet_rows(source: InputFile) -> list[SourceRow]:
    import pyarrow  # takes longer to import than most commands
    from pyarrow import parquet

    try:
        with source.opened() as file:
            return list(parquet.ParquetFile(file).read().to_pylist())
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        raise BenchmarkError(
            f"the file cannot be read as parquet: {reason_of(error)}", file=source.path
        ) from error


def _row(value: object, *, number: int, file: Path) -> SourceRow:
    if not isinstance(value, dict):
        raise BenchmarkError(
            f"row {number} is {type(value).__name__}, expected named fields", file=file
        )
    return value
