"""What training did, as a table and as figures beside the checkpoints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from emdiag.cli.console import Out
    from emdiag.core.training import TrainResult, UpdateRecord


def show_training(result: TrainResult, out: Out) -> None:
    """Start and end of every cell, its notes, and where the checkpoint lies."""
    method = result.cells[0].last.method
    table = Table(title=f"{method}, first update to last; entropy in nats per token")
    table.add_column("cell")
    told = "reward" if method == "rl" else "loss"  # the loss of GRPO hovers around 0
    for name in ("updates", told, "held-out entropy, T 1", "answer flips", "mean tokens"):
        table.add_column(name, justify="right")
    for name in ("weights moved", "s/update", "peak memory"):
        table.add_column(name, justify="right")
    for cell in result.cells:
        table.add_row(cell.name, *_row(cell.start, cell.first, cell.last))
    out.table(table)
    for note in dict.fromkeys(note for cell in result.cells for note in cell.notes):
        out.line(note)
    if result.chosen is None:
        out.line("a grid has no registered checkpoint; name a cell's, or score all:")
        out.line(f"emdiag train score {shlex.quote(result.out)}")
        return
    out.line(f"registered checkpoint: {Path(result.out) / result.chosen}")
    parent = shlex.quote(result.parent)
    out.line(f"next: emdiag eval base={parent} {method}={shlex.quote(result.out)}")


def draw_training(result: TrainResult, out: Out) -> None:
    """Figures of every group of seeds, written into the folder."""
    from emdiag.plots.style import save_figure
    from emdiag.plots.training import training_figure
    from emdiag.store.training_folder import read_updates

    folder = Path(result.out)
    groups: dict[str, dict[str, list[UpdateRecord]]] = {}
    for cell in result.cells:
        group = cell.name.rpartition("/")[0] if "seed-" in cell.name else cell.name
        records = read_updates(folder / cell.name)
        groups.setdefault(group, {})[f"seed {cell.seed}"] = records
    for group, runs in groups.items():
        if all(len(records) > 1 for records in runs.values()):
            figure = training_figure(runs, stage=result.stage)
            target = folder / group / "training"
            save_figure(figure, target)
            out.say(f"figure: {target}.svg")


def _row(start: UpdateRecord, first: UpdateRecord | None, last: UpdateRecord) -> list[str]:
    if last.method == "rl":
        told = _change(first.reward if first else None, last.reward, ".3f")
    else:
        at = f" (T {last.loss_temperature:g})" if last.loss_temperature is not None else ""
        told = _change(first.loss if first else None, last.loss, ".4f") + at
    seconds = [value for value in (last.sampling_s, last.update_s) if value is not None]
    memory = last.peak_memory_bytes
    return [
        str(last.update),
        told,
        _change(start.held_out_entropy_nats, last.held_out_entropy_nats, ".3f"),
        "-" if last.answer_flips_frac is None else f"{last.answer_flips_frac:.0%}",
        _change(first.mean_tokens if first else None, last.mean_tokens, ".0f"),
        "-" if last.weight_distance is None else f"{last.weight_distance:.3g}",
        f"{sum(seconds):.1f}" if seconds else "-",
        "-" if memory is None else f"{memory / 2**30:.2f} GiB",
    ]


def _change(before: float | None, after: float | None, form: str) -> str:
    if before is None or after is None:
        return "-"
    return f"{before:{form}} -> {after:{form}}"
