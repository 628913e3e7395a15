"""Scores over seeds as tables: the registered checkpoint first, the oracle last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from emdiag.cli.tables import percent

if TYPE_CHECKING:
    from emdiag.cli.console import Out
    from emdiag.core.seed_scores import BenchmarkSeeds, SeedGroup, SeedScore, SeedScoresResult


def show_seed_scores(result: SeedScoresResult, out: Out) -> None:
    """What was registered, groups of seeds, single seeds, and what to distrust."""
    for found in result.benchmarks:
        _show(found, out)
    out.say(f"runs lie in {result.store}; the same command continues them")


def _show(found: BenchmarkSeeds, out: Out) -> None:
    asked = f"{found.metric}, T {found.temperature:g}, {found.problems} problems"
    asked += " (partial)" if found.partial else ""
    if found.registered is None:
        out.line(f"{found.benchmark}: a grid has no registered checkpoint")
    else:
        out.line(
            f"{found.benchmark}: registered before training, {_place(found.registered)}: "
            f"{percent(found.registered.value, found.registered.interval)}"
        )
    out.table(_groups(found, title=f"{found.benchmark}, {asked}: means over seeds, in percent"))
    out.table(_seeds(found))
    best = found.oracle
    out.line(
        f"oracle, no result: {_place(best)} is the best of {found.candidates} on these very "
        f"problems, {percent(best.value)}"
    )
    for note in found.notes:
        out.line(f"note on {found.benchmark}: {note}")


def _groups(found: BenchmarkSeeds, *, title: str) -> Table:
    caption = "95 % intervals over seeds and problems"
    if found.base is not None:
        caption += f"; that of {found.base.name} over problems"
    table = Table(title=title, caption=caption)
    table.add_column("trained")
    for name in ("update", "seeds", "mean", "s.d.", "lowest", "highest"):
        table.add_column(name, justify="right")
    if found.base is not None:
        table.add_column(f"minus {found.base.name}, points", justify="right")
        table.add_row(
            found.base.name, "-", "-", percent(found.base.value, found.base.interval), *("-" * 4)
        )
    for group in found.groups:
        table.add_row(*_group_row(group))
    return table


def _group_row(group: SeedGroup) -> list[str]:
    row = [
        group.name or "all seeds",
        str(group.update),
        str(len(group.seeds)),
        percent(group.mean, group.interval),
        "-" if group.deviation is None else percent(group.deviation),
        percent(group.lowest),
        percent(group.highest),
    ]
    if group.difference is not None:
        gap, interval = group.difference.difference, group.difference.interval
        bounds = f" {interval.ends(scale=100, sign='+')}" if interval else ""
        row.append(f"{100 * gap:+.1f}{bounds}")
    return row


def _seeds(found: BenchmarkSeeds) -> Table:
    table = Table(title="each checkpoint, with 95 % intervals over problems")
    table.add_column("checkpoint")
    for name in ("seed", found.metric, "cut off"):
        table.add_column(name, justify="right")
    for group in found.groups:
        for seed in group.seeds:
            table.add_row(
                _place(seed),
                "-" if seed.seed is None else str(seed.seed),
                percent(seed.value, seed.interval),
                percent(seed.truncated_frac),
            )
    return table


def _place(seed: SeedScore) -> str:
    name = Path(seed.checkpoint).name
    return name if seed.cell == "." else f"{seed.cell}/{name}"
