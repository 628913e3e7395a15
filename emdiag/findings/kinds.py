"""Every kind of result to its findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.regrades import RegradeResult
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.findings.claims import claims_findings
from emdiag.findings.comparison import comparison_findings
from emdiag.findings.evaluation import evaluation_findings
from emdiag.findings.logits import logit_findings
from emdiag.findings.regrades import regrade_findings
from emdiag.findings.seeds import seeds_findings
from emdiag.findings.selection import selection_findings
from emdiag.findings.sweep import sweep_findings
from emdiag.findings.training import training_findings

if TYPE_CHECKING:
    from emdiag.findings.page import Findings

    Shown = (
        ClaimsResult
        | CompareResult
        | EvaluateResult
        | LogitSkewResult
        | RegradeResult
        | SeedScoresResult
        | SelectResult
        | TemperatureSweepResult
        | TrainResult
    )


def findings_of(result: Shown) -> Findings:
    """What a result says, with the tables that a terminal shows by default."""
    match result:
        case EvaluateResult():
            findings = evaluation_findings(result)
        case CompareResult():
            findings = comparison_findings(result)
        case LogitSkewResult():
            findings = logit_findings(result)
        case SeedScoresResult():
            findings = seeds_findings(result)
        case SelectResult():
            findings = selection_findings(result)
        case TemperatureSweepResult():
            findings = sweep_findings(result)
        case TrainResult():
            findings = training_findings(result)
        case ClaimsResult():
            findings = claims_findings(result)
        case RegradeResult():
            findings = regrade_findings(result)
    return findings
