"""`emdiag train rl`: reinforcement learning by TRL, with emdiag's grader as the reward."""

from __future__ import annotations

from emdiag.cli.plan_options import Call, plan_command
from emdiag.train.rl.plan import RLPlan


@plan_command(RLPlan)
def rl(call: Call[RLPlan]) -> None:
    """Learn from rewards (GRPO by TRL), the counterpart of entropy minimisation."""
    from emdiag.publish.training import training_figures
    from emdiag.train.rl.run import run_rl

    result = run_rl(call.plan, call.session)
    for figure in training_figures(result, progress=call.session.progress):
        call.out.say(f"figure: {figure}.svg")
    call.show(result)
