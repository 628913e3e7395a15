"""What the demonstration found, as one record from which its page can be told again."""

from __future__ import annotations

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.records import Record, Result
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.selection import PromptStatistics, SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.demonstration.plan import DemoPlan

FILE = "measured.json"


class ChosenPrompt(Record, frozen=True, kw_only=True):
    """A prompt to train on.

    Attributes:
        steps: Share of the base's samples that go step by step.
        rank: Of the prompt, by the criterion of the selection; 1 is its first.
    """

    figures: PromptStatistics
    steps: float
    rank: int


class DemoMeasurements(Result, frozen=True, kw_only=True, tag="demonstration"):
    """Everything the stages found.

    Attributes:
        trained: Good prompt, bad prompt, maximised, and RL where it could be done.
        comparisons: Each arm against the base.
    """

    plan: DemoPlan
    base: EvaluateResult
    selected: SelectResult
    good: ChosenPrompt
    bad: ChosenPrompt
    trained: tuple[TrainResult, ...]
    scores: EvaluateResult
    comparisons: tuple[CompareResult, ...]
    logits: LogitSkewResult
    sweep: TemperatureSweepResult
    claims: ClaimsResult
