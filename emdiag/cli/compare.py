"""`emdiag compare`: two checkpoints on the same problems."""

from __future__ import annotations

from typing import Annotated

import typer

from emdiag.cli import console, options


@options.renamed(store=options.OLD_STORE)
def compare(
    left: Annotated[str, typer.Argument(help="Label, run key or run folder.")],
    right: Annotated[str, typer.Argument(help="Likewise; differences are RIGHT minus LEFT.")],
    benchmarks: Annotated[
        str, typer.Option("--benchmark", "-b", help="Only these, separated by commas.")
    ] = "",
    margin: Annotated[
        float, typer.Option(help="Half-width of the zone counted as no difference, in points.")
    ] = 2.0,
    store: options.Store = options.STORE,
    report: options.Report = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: options.Wide = False,
) -> None:
    """Paired difference per benchmark with its interval, corrected test and flipped problems."""
    with console.command(json=as_json, wide=wide) as out:
        from emdiag.cli.show import show
        from emdiag.findings.kinds import findings_of
        from emdiag.studies.stored.compare import compare as compare_runs

        result = compare_runs(
            left,
            right,
            store=store,
            benchmarks=[name.strip() for name in benchmarks.split(",") if name.strip()],
            margin=margin / 100,
        )
        if as_json:
            out.result(result)
        else:
            show(findings_of(result), out)
        options.write_page(result, report, options.session_on(store, out), out)
