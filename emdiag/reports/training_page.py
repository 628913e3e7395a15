"""How a training went, update by update, as a page."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from emdiag.findings import training
from emdiag.findings.page import Page, Section
from emdiag.plots.training import training_figure
from emdiag.reports.pieces import picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.checkpoints import Stage
    from emdiag.core.training import UpdateRecord
    from emdiag.findings.page import Context, Picture


def training_page(
    out: str,
    *,
    stage: Stage,
    updates: Mapping[str, Sequence[UpdateRecord]],
    notes: Sequence[str],
    context: Context,
    chosen: str | None,
) -> Page:
    """What training changed besides the score, and which checkpoint was registered.

    Args:
        out: Name of the training, or its folder.
        stage: What was made.
        updates: Records of each run by its name, such as `seed-0` or `lr-1e-4/seed-0`; update 0
            is the start.
        notes: Of the checkpoints.
        context: Beside the result.
        chosen: The checkpoint that was registered before training; None for a grid.
    """
    pictures = [
        _picture(group, runs, stage=stage)
        for group, runs in training.seed_groups(updates).items()
        if any(len(records) > 1 for records in runs.values())
    ]
    return Page(
        kind="training",
        title=f"Training {PurePath(out).name or out}",
        question=training.training_question(updates),
        answers=(
            *training.training_statements(updates, stage=stage),
            training.registered_statement(out, chosen),
        ),
        sections=(
            Section(heading="Update by update", pictures=tuple(pictures)),
            Section(heading="Start and end of each run", tables=(training.ends_table(updates),)),
            Section(heading="Every update", tables=training.update_tables(updates), is_detail=True),
        ),
        cautions=training.training_cautions(updates, notes),
        context=context,
    )


def _picture(group: str, runs: Mapping[str, Sequence[UpdateRecord]], *, stage: Stage) -> Picture:
    statements = training.group_statements(runs, stage=stage, group=group)
    words = " ".join(f"{statement.words}." for statement in statements)
    return picture(
        f"training-{group or 'runs'}",
        training_figure(runs, stage=stage),
        caption=training.training_caption(group),
        alt=f"Small panels over updates. {words}",
    )
