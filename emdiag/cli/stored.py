"""Commands on what is stored: `compare`, `claims`, `report`, `regrade`; nothing is drawn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options
from emdiag.core.paths import page_path
from emdiag.core.typed_lists import names


def compare(
    left: Annotated[str, typer.Argument(help="Label, run key or run folder.")],
    right: Annotated[str, typer.Argument(help="Likewise; differences are RIGHT minus LEFT.")],
    benchmarks: Annotated[
        str, typer.Option("--benchmark", "-b", help="Only these, separated by commas.")
    ] = "",
    margin: Annotated[
        float, typer.Option(help="Half-width of the zone counted as no difference, in points.")
    ] = 2.0,
    temperature: Annotated[
        float | None, typer.Option(help="Only what was measured so; likewise the next three.")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Of each problem.")] = None,
    template: Annotated[str | None, typer.Option(help="Of the prompts.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Limit of new tokens.")] = None,
    store: options.Store = options.STORE,
    report: options.Report = None,
    as_json: options.Json = False,
    wide: options.Wide = False,
) -> None:
    """Paired difference per benchmark with its interval, corrected test and flipped problems."""
    with console.command(json=as_json, wide=wide) as out:
        from emdiag.studies.stored.compare import compare_stored
        from emdiag.studies.stored.find_runs import Measured

        session = options.session_on(store, out)
        result = compare_stored(
            left,
            right,
            store=session.store,
            benchmarks=names(benchmarks),
            margin=margin / 100,
            measured=Measured(
                temperature=temperature, samples=samples, template=template, max_tokens=max_tokens
            ),
        )
        options.show_result(result, out)
        options.write_page(result, report, session, out)


def claims(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Stores, runs, or files of results; all of --store by default.",
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Claims of your own; the paper's by default."),
    ] = None,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
    wide: options.Wide = False,
) -> None:
    """Hold the claims of the paper against what is stored: holds, fails or undecided.

    Nothing is drawn. Give two stores to see whether a run drawn in both repeats.
    """
    with console.command(json=as_json, wide=wide) as out:
        from emdiag.ledger.run import claims as judge

        options.show_result(judge(runs or (), store=store, ledger=ledger), out)


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...",
            help="Key or folder of a run, a stored result, a training folder, or a folder of "
            "runs; the last result by default.",
        ),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.html",
            help="The page; in reports/ of its store by default.",
            callback=lambda path: path and page_path(path),
        ),
    ] = None,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Write one self-contained HTML page; several results make a study with a chapter each."""
    with console.command(json=as_json) as out:
        from emdiag.publish.report import report as write

        command = ("emdiag", *sys.argv[1:])
        page = write(
            *(runs or ()),
            out=out_file,
            store=store,
            home=out.home,
            command=command,
            progress=out.progress,
        )
        if as_json:
            out.result({"page": str(page)})
        else:
            out.line(str(page))


def regrade(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run keys, run folders, or labels.")
    ],
    grader: Annotated[
        str, typer.Option(help="plain-math-verify, published, or package.module:name for your own.")
    ] = "plain-math-verify",
    top: Annotated[
        int,
        typer.Option(
            min=0, max=1_000_000_000, help="Disagreements shown per run; --json holds all."
        ),
    ] = 20,
    workers: Annotated[
        int | None, typer.Option(help="Grading processes; one per core by default.")
    ] = None,
    deadline: Annotated[float, typer.Option(help="Seconds one comparison may take.")] = 10.0,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
    wide: options.Wide = False,
) -> None:
    """Grade stored completions a second way, and list every sample on which the two disagree.

    plain-math-verify is Math-Verify as lm-evaluation-harness calls it; published are the rules
    behind the paper's scores, faults included. Both read the source's own golds.
    Its grades are stored next to the main ones; scores and comparisons go on using those.
    """
    with console.command(json=as_json, resumes=True, wide=wide) as out:
        from emdiag.findings.regrades import regrade_findings
        from emdiag.studies.stored import regrade as study

        result = study.regrade(
            runs,
            grader=grader,
            store=store,
            home=out.home,
            workers=workers,
            deadline_s=deadline,
            progress=out.progress,
        )
        options.show_result(result, out, findings=regrade_findings(result, top=top))
