"""One row per sample, for other people's tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import UnsetType

from emdiag.core.digest import digest
from emdiag.core.errors import PlanError, system_errors_as
from emdiag.core.files import make_folder, replacing
from emdiag.core.problems import Problem
from emdiag.core.records import Record
from emdiag.core.results import Remark
from emdiag.store.files import refuse_kept
from emdiag.store.run_store import Run
from emdiag.studies.stored.problems import problems_of_runs

_ROWS_AT_ONCE = 10_000


class ExportRow(Record, frozen=True, kw_only=True):
    """One sample with its problem and grade.

    Attributes:
        statement, gold: None where the benchmark is not on this machine.
        reasoning_tokens: Before the answer; None where nothing marks thinking.
        answer_start, answer_end: Characters of the completion between which the answer stands; a
            start of None is that of thinking that never ended.
        verdict, extracted, answer_class, grader, note: None where the sample is not graded.
    """

    run: str
    problem_id: str
    sample_index: int
    statement: str | None
    gold: str | None
    completion: str
    completion_tokens: int
    prompt_tokens: int
    finish_reason: str
    seed: int
    verdict: str | None
    extracted: str | None
    answer_class: str | None
    grader: str | None
    note: str | None
    reasoning_tokens: int | None
    answer_start: int | None
    answer_end: int | None


def export_run(run: Run, file: Path, *, home: Path) -> tuple[int, tuple[Remark, ...]]:
    """Write all samples of a run; returns how many, and what the reader should know.

    Raises:
        PlanError: The file ends in neither `.jsonl` nor `.parquet`.
        StoreError: The run cannot be read, or the file cannot be written.
    """
    if file.suffix not in (".jsonl", ".parquet"):
        raise PlanError(
            "the export's format is read off its name", file=file, hint="use .jsonl or .parquet"
        )
    refuse_kept(file)
    benchmark = problems_of_runs([run], home=home)[run.spec.benchmark]
    known = {problem.id: problem for problem in benchmark.problems}
    with system_errors_as("the export cannot be written", file=file):
        make_folder(file.parent)
        with replacing(file) as partial:
            write = _write_lines if file.suffix == ".jsonl" else _write_parquet
            count = write(_rows(run, known), partial)
    return count, (benchmark.note,) if benchmark.note else ()


def _rows(run: Run, problems: dict[str, Problem]) -> Iterator[ExportRow]:
    """By problem id and sample index; one at a time."""
    gradings, drawn = run.gradings(), run.completions()
    graded = run.grades(digest(gradings[-1])) if gradings else None
    for completion in drawn.read(drawn.sorted_rows()):
        sample = completion.problem_id, completion.sample_index
        problem, grade = problems.get(completion.problem_id), graded and graded.get(sample)
        yield ExportRow(
            run=run.key,
            problem_id=completion.problem_id,
            sample_index=completion.sample_index,
            statement=problem.statement if problem else None,
            gold=problem.answer if problem else None,
            completion=completion.text,
            completion_tokens=completion.length,
            prompt_tokens=completion.prompt_tokens,
            finish_reason=completion.finish_reason,
            seed=completion.seed,
            verdict=grade.verdict.value if grade else None,
            extracted=grade.extracted if grade else None,
            answer_class=grade.answer_class if grade else None,
            grader=grade.grader if grade else None,
            note=grade.note if grade else None,
            reasoning_tokens=_known(completion.reasoning_tokens),
            answer_start=_known(completion.answer_start),
            answer_end=_known(completion.answer_end),
        )


def _known(value: int | UnsetType | None) -> int | None:
    return None if isinstance(value, UnsetType) else value


def _write_lines(rows: Iterable[ExportRow], partial: Path) -> int:
    count = 0
    with partial.open("wb") as lines:
        for row in rows:
            lines.write(msgspec.json.encode(row) + b"\n")
            count += 1
    return count


def _write_parquet(rows: Iterable[ExportRow], partial: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"sample_index": pa.int64(), "completion_tokens": pa.int64()}
    kinds |= dict.fromkeys(("prompt_tokens", "seed", "reasoning_tokens"), pa.int64())
    kinds |= {"answer_start": pa.int64(), "answer_end": pa.int64()}
    schema = pa.schema(
        [(name, kinds.get(name, pa.string())) for name in ExportRow.__struct_fields__]
    )
    count, rows = 0, iter(rows)
    with pq.ParquetWriter(partial, schema) as table:
        while part := [msgspec.to_builtins(row) for row in islice(rows, _ROWS_AT_ONCE)]:
            table.write_batch(pa.RecordBatch.from_pylist(part, schema))
            count += len(part)
    return count
