"""`emdiag eval`: checkpoints in, graded answers and honest scores out."""

from __future__ import annotations

import typer

from emdiag.cli.plan_options import Call, plan_command
from emdiag.studies.evaluate.plan import EvaluatePlan


@plan_command(
    EvaluatePlan, json=typer.Option("--json", help="Print one JSON object with `scores`.")
)
def evaluate(call: Call[EvaluatePlan]) -> None:
    """Score checkpoints on benchmarks: avg@k, pass@k and maj@k with their intervals."""
    from emdiag.studies.evaluate.run import run_evaluate

    result = run_evaluate(call.plan, call.session)
    call.show(result)
