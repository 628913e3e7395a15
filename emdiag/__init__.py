"""A measuring instrument for reasoning checkpoints.

Names are loaded when they are first used, so that importing emdiag stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emdiag.core.claims import ClaimsResult
    from emdiag.core.errors import EmdiagError
    from emdiag.core.logit_skew import LogitSkewResult
    from emdiag.core.regrades import RegradeResult
    from emdiag.core.results import BenchmarkScore, CompareResult, EvaluateResult
    from emdiag.core.seed_scores import SeedScoresResult
    from emdiag.core.selection import SelectResult
    from emdiag.core.temperature_sweep import TemperatureSweepResult
    from emdiag.core.training import TrainResult
    from emdiag.demonstration.run import DemoResult, demo
    from emdiag.studies.claims import claims
    from emdiag.studies.compare import compare
    from emdiag.studies.evaluate import evaluate
    from emdiag.studies.logit_skew import logit_skew
    from emdiag.studies.prompt_selection import select
    from emdiag.studies.regrade import regrade
    from emdiag.studies.report import report
    from emdiag.studies.seed_scores import score_seeds
    from emdiag.studies.temperature_sweep import temperature_sweep
    from emdiag.train.rl import train_rl
    from emdiag.train.run_em import train_em

__all__ = [
    "BenchmarkScore",
    "ClaimsResult",
    "CompareResult",
    "DemoResult",
    "EmdiagError",
    "EvaluateResult",
    "LogitSkewResult",
    "RegradeResult",
    "SeedScoresResult",
    "SelectResult",
    "TemperatureSweepResult",
    "TrainResult",
    "claims",
    "compare",
    "demo",
    "evaluate",
    "logit_skew",
    "regrade",
    "report",
    "score_seeds",
    "select",
    "temperature_sweep",
    "train_em",
    "train_rl",
]

_HOME = {
    "BenchmarkScore": "emdiag.core.results",
    "ClaimsResult": "emdiag.core.claims",
    "CompareResult": "emdiag.core.results",
    "DemoResult": "emdiag.demonstration.run",
    "EmdiagError": "emdiag.core.errors",
    "EvaluateResult": "emdiag.core.results",
    "LogitSkewResult": "emdiag.core.logit_skew",
    "RegradeResult": "emdiag.core.regrades",
    "SeedScoresResult": "emdiag.core.seed_scores",
    "SelectResult": "emdiag.core.selection",
    "TemperatureSweepResult": "emdiag.core.temperature_sweep",
    "TrainResult": "emdiag.core.training",
    "claims": "emdiag.studies.claims",
    "demo": "emdiag.demonstration.run",
    "compare": "emdiag.studies.compare",
    "evaluate": "emdiag.studies.evaluate",
    "logit_skew": "emdiag.studies.logit_skew",
    "regrade": "emdiag.studies.regrade",
    "report": "emdiag.studies.report",
    "score_seeds": "emdiag.studies.seed_scores",
    "select": "emdiag.studies.prompt_selection",
    "temperature_sweep": "emdiag.studies.temperature_sweep",
    "train_em": "emdiag.train.run_em",
    "train_rl": "emdiag.train.rl",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        msg = f"module 'emdiag' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOME[name]), name)
