"""`emdiag train`: make the checkpoints that the other commands study."""

from __future__ import annotations

import os
from dataclasses import replace

import typer

from emdiag.cli.plan_options import Call, plan_command
from emdiag.cli.train_rl import rl
from emdiag.cli.train_score import score
from emdiag.core.progress import SilentProgress
from emdiag.train.em.plan import EMPlan

app = typer.Typer(
    help="Entropy minimisation, reinforcement learning, and scores of what they made.",
    no_args_is_help=True,
)


@app.command("em")
@plan_command(EMPlan)
def em(call: Call[EMPlan]) -> None:
    """Minimise entropy on one unlabelled prompt, as one-shot EM does."""
    from emdiag.publish.training import training_figures
    from emdiag.train.em.run import run_em

    if os.environ.get("RANK", "0") != "0":  # another process of the same training tells the user
        run_em(call.plan, replace(call.session, progress=SilentProgress()), is_main=False)
        return
    result = run_em(call.plan, call.session)
    for figure in training_figures(result, progress=call.session.progress):
        call.out.say(f"figure: {figure}.svg")
    call.show(result)


app.command("rl")(rl)
app.command("score")(score)
