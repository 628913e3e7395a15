"""`emdiag claims`: what a paper says, and what was measured of it here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options


def claims(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Stores, runs, or files of results; all of --out by default.",
        ),
    ] = None,
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder of runs.")] = Path(
        "emdiag-out"
    ),
    as_json: options.Json = False,
    wide: options.Wide = False,
) -> None:
    """Hold the claims of the paper against what is stored: holds, fails or undecided.

    Nothing is drawn. Give two stores to see whether a run drawn in both repeats.
    """
    with console.command(json=as_json, wide=wide) as out:
        from emdiag.cli.show import show
        from emdiag.findings.kinds import findings_of
        from emdiag.ledger.run import claims as judge

        result = judge(runs or (), store=out_dir)
        if as_json:
            out.result(result)
            return
        show(findings_of(result), out)
