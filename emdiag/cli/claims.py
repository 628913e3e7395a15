"""`emdiag claims`: what a paper says, and what was measured of it here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from emdiag.cli import console, options

if TYPE_CHECKING:
    from emdiag.core.claims import ClaimFigure, ClaimsResult

_SIGNS = {"holds": "+ holds", "fails": "- fails", "undecided": "? undecided"}


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
) -> None:
    """Hold the claims of the paper against what is stored: holds, fails or undecided.

    Nothing is drawn. Give two stores to see whether a run drawn in both repeats.
    """
    with console.command(json=as_json) as out:
        from emdiag.ledger.run import claims as judge

        result = judge(runs or (), store=out_dir)
        if as_json:
            out.result(result)
            return
        out.table(verdicts_table(result))
        for note in result.notes:
            out.line(note)
        out.say(f"looked at {result.store}; rules stand in reports/claims.toml")


def verdicts_table(result: ClaimsResult) -> Table:
    """One row for each claim and set of arms."""
    from rich.markup import escape

    table = Table(title="claims, with 95 % intervals", show_lines=True)
    for name, width in (("id", None), ("statement", 26), ("arms", 12), ("verdict", 11)):
        table.add_column(name, max_width=width)
    for name, width in (("figure", 30), ("why", 48), ("what would decide it", 42)):
        table.add_column(name, max_width=width)
    for one in result.claims:
        table.add_row(
            one.id,
            escape(one.statement),
            escape(", ".join(one.arms) or "-"),
            _SIGNS[one.verdict],
            escape(_figure(one.figures[0]) if one.figures else "-"),
            escape(one.why),
            escape(one.would_decide or ""),
        )
    return table


def _figure(figure: ClaimFigure) -> str:
    """A figure with its interval, shares of 1 shown as points."""
    if figure.value is None:
        return "-"
    scale, sign = (100, "+") if figure.unit.startswith("points") else (1, "")
    digits = ".1f" if scale == 100 else ".3f"
    text = f"{scale * figure.value:{sign}{digits}}"
    if figure.interval is not None:
        low, high = figure.interval.low, figure.interval.high
        text += f" [{scale * low:{sign}{digits}}, {scale * high:{sign}{digits}}]"
    return f"{text} {figure.unit}"
