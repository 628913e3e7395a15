"""What the demonstration does and what it finds, as data."""

from __future__ import annotations

from importlib import util
from pathlib import Path

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.records import Record, Result
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.selection import PromptStatistics, SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult

EM, MAXIMISED = "entropy", "entropy-maximised"
FILE = "measured.json"
"""Holds `DemoMeasurements`, from which the page can be told again."""


class DemoPlan(Record, frozen=True, kw_only=True):
    """The study on the lab; the defaults take a few minutes on two cores.

    Attributes:
        out: Folder of everything; the same demonstration continues there.
        pool: Prompts that one is chosen from; none is in the benchmark.
        pool_samples: Of each of them.
        seeds: Trainings of each EM arm.
        updates, learning_rate: Of EM.
        rl_problems, rl_updates: Of reinforcement learning, one seed.
        problems: Of the benchmark, the first so many.
        temperatures, samples: Of the sweep.
        logit_problems: Whose texts are read, `samples` of each.
        has_rl: Whether reinforcement learning can be done here; its arm is left out otherwise.
    """

    out: str = "emdiag-demo"
    pool: int = 40
    pool_samples: int = 16
    seeds: int = 3
    updates: int = 10
    learning_rate: float = 3e-4
    rl_problems: int = 400
    rl_updates: int = 40
    problems: int = 100
    temperatures: tuple[float, ...] = (0.0, 0.5, 1.0)
    samples: int = 4
    logit_problems: int = 20
    has_rl: bool = True

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return Path(self.out)

    @property
    def page(self) -> Path:
        """The page that tells the story."""
        return self.folder / "study.html"


class StageTime(Record, frozen=True, kw_only=True):
    """How long one stage took."""

    stage: str
    seconds: float


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


def rl_can_run() -> bool:
    """Whether the libraries of reinforcement learning are installed."""
    return all(util.find_spec(name) is not None for name in ("trl", "datasets"))
