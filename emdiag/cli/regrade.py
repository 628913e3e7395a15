"""`emdiag regrade`: stored completions under a second grader."""

from __future__ import annotations

from typing import Annotated

import typer

from emdiag.cli import console, options


@options.renamed(store=options.OLD_STORE)
def regrade(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run keys, run folders, or labels.")
    ],
    grader: Annotated[
        str, typer.Option(help="plain-math-verify, or package.module:name for one of your own.")
    ] = "plain-math-verify",
    top: Annotated[
        int, typer.Option(min=0, help="Disagreements shown per run; --json holds all.")
    ] = 20,
    workers: options.GraderWorkers = None,
    deadline: options.Deadline = 10.0,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
    wide: options.Wide = False,
) -> None:
    """Grade stored completions a second way, and list every sample on which the two disagree.

    plain-math-verify is Math-Verify as lm-evaluation-harness calls it, on the source's own golds.
    Its grades lie beside the main ones; scores and comparisons go on using those.
    """
    with console.command(json=as_json, resumes=True, wide=wide) as out:
        from emdiag.cli.show import show
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
        if as_json:
            out.result(result)
            return
        show(regrade_findings(result, top=top), out)
