"""`emdiag select`: a pool of prompts in, a ranking out."""

from __future__ import annotations

from typing import Annotated

import typer

from emdiag.cli.plan_options import Call, plan_command
from emdiag.studies.training.plans import SelectPlan


@plan_command(SelectPlan, json=typer.Option("--json", help="Print one JSON object with `ranked`."))
def select(
    call: Call[SelectPlan],
    top: Annotated[int, typer.Option(min=1, help="Prompts shown; all are written.")] = 10,
) -> None:
    """Rank the prompts of a pool by how a checkpoint behaves on them, and write them in order."""
    from emdiag.findings.selection import selection_findings
    from emdiag.studies.training.select import run_select

    result = run_select(call.plan, call.session)
    call.show(result, selection_findings(result, top=top))
