"""`emdiag regrade`: stored completions under a second grader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from emdiag.cli import console, options

if TYPE_CHECKING:
    from emdiag.core.regrades import RegradedRun

SHOWN = 20
_CELL = 40


def regrade(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run keys, run folders, or labels.")
    ],
    grader: Annotated[
        str, typer.Option(help="plain-math-verify, or package.module:name for one of your own.")
    ] = "plain-math-verify",
    top: Annotated[
        int, typer.Option(min=0, help="Disagreements shown per run; --json holds all.")
    ] = SHOWN,
    workers: options.GraderWorkers = None,
    deadline: options.Deadline = 10.0,
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder of runs.")] = Path(
        "emdiag-out"
    ),
    as_json: options.Json = False,
) -> None:
    """Grade stored completions a second way, and list every sample on which the two disagree.

    plain-math-verify is Math-Verify as lm-evaluation-harness calls it, on the source's own golds.
    Its grades lie beside the main ones; scores and comparisons go on using those.
    """
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.studies.stored import regrade as study

        result = study.regrade(
            runs,
            grader=grader,
            store=out_dir,
            home=out.home,
            workers=workers,
            deadline_s=deadline,
            progress=out.progress,
        )
        if as_json:
            out.result(result)
            return
        out.table(_scores(result.runs))
        for one in result.runs:
            if one.disagreements and top:
                out.table(_disagreements(one, top))
        for note in result.notes:
            out.line(note)


def _scores(runs: tuple[RegradedRun, ...]) -> Table:
    from emdiag.cli.tables import percent

    table = Table(title="right samples in percent, under two graders; difference in points")
    for name in ("checkpoint", "benchmark", "T"):
        table.add_column(name)
    for name in ("samples", "main", "second", "second - main", "right in one alone +/-", "differ"):
        table.add_column(name, justify="right")
    for one in runs:
        bounds = one.interval
        reach = f" [{100 * bounds.low:+.1f}, {100 * bounds.high:+.1f}]" if bounds else ""
        table.add_row(
            one.label,
            one.benchmark,
            f"{one.temperature:g}",
            str(one.samples),
            percent(one.score.value, one.score.interval),
            percent(one.second_score.value, one.second_score.interval),
            f"{100 * one.difference:+.1f}{reach}",
            f"{one.gained} / {one.lost}",
            str(len(one.disagreements)),
        )
    return table


def _disagreements(one: RegradedRun, top: int) -> Table:
    total = len(one.disagreements)
    more = f", the first {top} of {total}" if total > top else ""
    table = Table(title=f"{one.label} on {one.benchmark}: where the graders disagree{more}")
    for name in ("problem", "sample", "main", "second", "answer", "as the second reads it", "gold"):
        table.add_column(name)
    table.add_column("source's gold")
    for found in one.disagreements[:top]:
        cells = (found.extracted or "-", found.second_extracted or "-", found.gold, found.gold_raw)
        table.add_row(
            found.problem_id,
            str(found.sample_index),
            found.verdict.value,
            found.second_verdict.value,
            *(_short(text) for text in cells),
        )
    return table


def _short(text: str) -> str:
    from rich.markup import escape

    line = " ".join(text.split())
    return escape(line if len(line) <= _CELL else f"{line[:_CELL]}...")
