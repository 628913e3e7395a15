"""`emdiag report`: what was measured before, as one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options


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
            "--out", "-o", metavar="FILE.html", help="The page; in STORE/reports by default."
        ),
    ] = None,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Write one self-contained HTML page; several results make a study with a chapter each."""
    with console.command(json=as_json) as out:
        from emdiag.publish.report import report as write

        page = write(
            *(runs or ()),
            out=out_file,
            store=store,
            home=out.home,
            command=("emdiag", *sys.argv[1:]),
        )
        if as_json:
            out.result({"page": str(page)})
        else:
            out.line(str(page))
