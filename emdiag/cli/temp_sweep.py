"""`emdiag temp-sweep`: accuracy against temperature, with an entropy-matched baseline."""

from __future__ import annotations

from pathlib import Path

from emdiag.cli import options
from emdiag.cli.plan_options import Call, plan_command
from emdiag.studies.sweep.plan import TemperatureSweepPlan


@plan_command(TemperatureSweepPlan)
def temp_sweep(
    call: Call[TemperatureSweepPlan], figures: options.Figures = None, plots: options.Plots = True
) -> None:
    """Sweep the temperature of sampling (or top-p, top-k), with an entropy-matched baseline."""
    from emdiag.cli.show import printed
    from emdiag.findings.sweep.tables import sweep_findings
    from emdiag.studies.sweep.run import run_temperature_sweep

    plan = call.plan
    labels = "-".join(dict.fromkeys(one.label for one in plan.checkpoints))
    name = f"sweep-{Path(plan.targets.benchmarks[0]).stem}-{labels}"
    folder = call.figures(figures, name, plots=plots)
    result = run_temperature_sweep(plan, call.session, figures=folder)
    findings = sweep_findings(result)
    call.show(result, findings, plain=printed(result, findings))
