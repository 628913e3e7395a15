"""`emdiag train score`: every seed of a training, the registered one first."""

from __future__ import annotations

import typer

from emdiag.cli.plan_options import Call, plan_command
from emdiag.studies.training.plans import SeedScoresPlan


@plan_command(
    SeedScoresPlan, json=typer.Option("--json", help="Print one JSON object with `benchmarks`.")
)
def score(call: Call[SeedScoresPlan]) -> None:
    """Score all seeds of a training: the registered checkpoint, their mean, and how they differ."""
    from emdiag.studies.training.score_seeds import run_score_seeds

    result = run_score_seeds(call.plan, call.session)
    call.show(result)
