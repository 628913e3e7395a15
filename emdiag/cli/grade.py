"""`emdiag grade`: judge completions from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from emdiag.cli import console, options
from emdiag.cli.show import show_table
from emdiag.findings.numbers import NOTHING, count, percent_cell
from emdiag.findings.page import Table, table
from emdiag.findings.verdicts import why_lines

if TYPE_CHECKING:
    from emdiag.studies.stored.grade_file import GradedLine


def grade(
    file: Annotated[
        str, typer.Argument(metavar="FILE.jsonl", help="One JSON object a line; - for stdin.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    wide: options.Wide = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each line why it got its verdict.")
    ] = False,
    grader: Annotated[
        str, typer.Option(help="math-verify, or package.module:name for one of your own.")
    ] = "math-verify",
    deadline: Annotated[float, typer.Option(help="Seconds one comparison may take.")] = 10.0,
    template: Annotated[
        str | None, typer.Option(help="Prompt template: its next question ends an answer.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Checkpoint whose special tokens the texts may hold.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Grading processes; default: one per processor.")
    ] = None,
) -> None:
    """Judge completions from anywhere, in their order.

    Each line holds `gold` and `completion`, and may hold `benchmark` (its card sets the numeric
    tolerance), `answer_type`, `unit`, `error`, `tolerance` and `id`. A line that cannot be read is
    named, the others are graded all the same, and the exit code is then 2.
    """
    with console.command(json=json, wide=wide) as out:
        from emdiag.core.option_groups import Grading
        from emdiag.core.options import of_options
        from emdiag.studies.stored.grade_file import origin_of, read_lines, run_grade_file

        grading = of_options(Grading, grader=grader, grader_workers=workers, deadline_s=deadline)

        def show(line: GradedLine) -> None:
            if json:
                out.result(line if explain else replace(line, why=None))
            elif line.problem is not None:
                out.say(f"error: {line.problem}")
            elif explain:
                for words in _explained(line):
                    out.line(words, is_line=True)

        origin = origin_of(template=template, tokenizer=tokenizer)
        lines = read_lines(file, sys.stdin.buffer)
        result = run_grade_file(file, lines, grading, origin=origin, show=show)
        if not json:
            show_table(_verdicts(result.by_verdict, total=result.lines), out)
            out.line(f"{result.boxed:,} of {count(result.lines, 'answer')} in a box")
            out.line(f"grader {result.grader}, {result.elapsed_s:.1f} s")
        if result.unreadable:
            out.say(f"{count(result.unreadable, 'line')} cannot be graded and count nowhere")
            raise typer.Exit(2)


def _explained(line: GradedLine) -> Iterator[str]:
    name = f"line {line.line}" if line.id is None else f"line {line.line}, {line.id}"
    yield f"{name}: {line.verdict}, answer {line.extracted or NOTHING}"
    for words in why_lines(line.why) if line.why else ():
        yield f"  {words}"


def _verdicts(by_verdict: dict[str, int], *, total: int) -> Table:
    rows = [
        [verdict, f"{graded:,}", percent_cell(graded / total) if total else NOTHING]
        for verdict, graded in by_verdict.items()
    ]
    return table(f"{count(total, 'graded line')}", ("verdict", "lines", "percent"), rows=rows)
