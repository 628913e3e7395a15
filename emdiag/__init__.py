"""A measuring instrument for reasoning checkpoints.

Names are loaded when they are first used, so that importing emdiag stays light.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing would be most of what importing this costs
if TYPE_CHECKING:
    from emdiag.core.claims import ClaimsResult
    from emdiag.core.doctor import DoctorResult
    from emdiag.core.errors import EmdiagError
    from emdiag.core.logit_skew import LogitSkewResult
    from emdiag.core.regrades import RegradeResult
    from emdiag.core.results import (
        BenchmarkScore,
        CompareResult,
        EvaluateResult,
        Interval,
        Metric,
    )
    from emdiag.core.seed_scores import SeedScoresResult
    from emdiag.core.selection import SelectResult
    from emdiag.core.temperature_sweep import TemperatureSweepResult
    from emdiag.core.training import TrainResult
    from emdiag.demonstration.run import DemoResult, demo
    from emdiag.findings.kinds import statements
    from emdiag.ledger.run import claims
    from emdiag.publish.report import report
    from emdiag.studies.doctor.run import doctor
    from emdiag.studies.evaluate.run import evaluate
    from emdiag.studies.logits.run import logit_skew
    from emdiag.studies.stored.compare import compare
    from emdiag.studies.stored.outcomes import Outcomes
    from emdiag.studies.stored.regrade import regrade
    from emdiag.studies.sweep.run import temperature_sweep
    from emdiag.studies.training.score_seeds import score_seeds
    from emdiag.studies.training.select import select
    from emdiag.train.em.run import train_em
    from emdiag.train.rl.run import train_rl

__all__ = [
    "BenchmarkScore",
    "ClaimsResult",
    "CompareResult",
    "DemoResult",
    "DoctorResult",
    "EmdiagError",
    "EvaluateResult",
    "Interval",
    "LogitSkewResult",
    "Metric",
    "Outcomes",
    "RegradeResult",
    "SeedScoresResult",
    "SelectResult",
    "TemperatureSweepResult",
    "TrainResult",
    "claims",
    "compare",
    "demo",
    "doctor",
    "evaluate",
    "logit_skew",
    "regrade",
    "report",
    "score_seeds",
    "select",
    "statements",
    "temperature_sweep",
    "train_em",
    "train_rl",
]

_HOME = {
    "BenchmarkScore": "emdiag.core.results",
    "ClaimsResult": "emdiag.core.claims",
    "CompareResult": "emdiag.core.results",
    "DemoResult": "emdiag.demonstration.run",
    "DoctorResult": "emdiag.core.doctor",
    "EmdiagError": "emdiag.core.errors",
    "EvaluateResult": "emdiag.core.results",
    "Interval": "emdiag.core.results",
    "LogitSkewResult": "emdiag.core.logit_skew",
    "Metric": "emdiag.core.results",
    "Outcomes": "emdiag.studies.stored.outcomes",
    "RegradeResult": "emdiag.core.regrades",
    "SeedScoresResult": "emdiag.core.seed_scores",
    "SelectResult": "emdiag.core.selection",
    "TemperatureSweepResult": "emdiag.core.temperature_sweep",
    "TrainResult": "emdiag.core.training",
    "claims": "emdiag.ledger.run",
    "demo": "emdiag.demonstration.run",
    "doctor": "emdiag.studies.doctor.run",
    "compare": "emdiag.studies.stored.compare",
    "evaluate": "emdiag.studies.evaluate.run",
    "logit_skew": "emdiag.studies.logits.run",
    "regrade": "emdiag.studies.stored.regrade",
    "report": "emdiag.publish.report",
    "statements": "emdiag.findings.kinds",
    "score_seeds": "emdiag.studies.training.score_seeds",
    "select": "emdiag.studies.training.select",
    "temperature_sweep": "emdiag.studies.sweep.run",
    "train_em": "emdiag.train.em.run",
    "train_rl": "emdiag.train.rl.run",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        msg = f"module 'emdiag' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOME[name]), name)
