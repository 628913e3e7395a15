"""`emdiag logits-skew`: what happened to the distribution."""

from __future__ import annotations

from pathlib import Path

from emdiag.cli import options
from emdiag.cli.plan_options import Call, plan_command
from emdiag.studies.logits.plan import LogitSkewPlan


@plan_command(LogitSkewPlan)
def logits_skew(
    call: Call[LogitSkewPlan], figures: options.Figures = None, plots: options.Plots = True
) -> None:
    """Compare next-token logits between checkpoints that read the same texts."""
    from emdiag.cli.show import printed
    from emdiag.findings.logits.statements import logit_findings
    from emdiag.studies.logits.run import run_logit_skew

    plan = call.plan
    labels = "-".join(dict.fromkeys(one.label for one in plan.checkpoints))
    name = f"{Path(plan.targets.benchmarks[0]).stem}-{labels}"
    folder = call.figures(figures, name, plots=plots)
    result = run_logit_skew(plan, call.session, figures=folder)
    findings = logit_findings(result, all_statistics=call.out.wide)
    plain = printed(result, logit_findings(result, all_texts=True)) if call.out.json else None
    call.show(result, findings, plain=plain)
