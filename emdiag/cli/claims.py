"""`emdiag claims`: what a paper says, and what was measured of it here."""

from __future__ import annotations

from typing import Annotated

import typer

from emdiag.cli import console, options


@options.renamed(store=options.OLD_STORE)
def claims(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Stores, runs, or files of results; all of --store by default.",
        ),
    ] = None,
    store: options.Store = options.STORE,
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

        result = judge(runs or (), store=store)
        if as_json:
            out.result(result)
            return
        show(findings_of(result), out)
