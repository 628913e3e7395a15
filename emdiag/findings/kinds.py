"""Every kind of result to its findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from emdiag.core.claims import ClaimsResult
from emdiag.core.doctor import DoctorResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.records import Result
from emdiag.core.regrades import RegradeResult
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.findings.claims import claims_findings
from emdiag.findings.comparison import comparison_findings
from emdiag.findings.doctor import doctor_findings
from emdiag.findings.evaluation import evaluation_findings
from emdiag.findings.logits.statements import logit_findings
from emdiag.findings.page import Findings, Statement
from emdiag.findings.regrades import regrade_findings
from emdiag.findings.seeds import seeds_findings
from emdiag.findings.selection import selection_findings
from emdiag.findings.sweep.tables import sweep_findings
from emdiag.findings.training import training_findings

_FINDINGS: Final[Mapping[type[Result], Callable[..., Findings]]] = {
    EvaluateResult: evaluation_findings,
    CompareResult: comparison_findings,
    LogitSkewResult: logit_findings,
    TemperatureSweepResult: sweep_findings,
    SeedScoresResult: seeds_findings,
    SelectResult: selection_findings,
    TrainResult: training_findings,
    ClaimsResult: claims_findings,
    RegradeResult: regrade_findings,
    DoctorResult: doctor_findings,
}


def findings_of(result: Result) -> Findings:
    """What a result says, with the tables that a terminal shows by default."""
    return _FINDINGS[type(result)](result)


def statements(result: Result) -> tuple[Statement, ...]:
    """What a result says, as terminal and page show it: `words`, `direction`, `value` and more."""
    return findings_of(result).statements
