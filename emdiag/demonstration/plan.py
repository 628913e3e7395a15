"""What the demonstration does, as data."""

from __future__ import annotations

from importlib import util
from pathlib import Path

from emdiag.core.records import Record

EM, MAXIMISED = "entropy", "entropy-maximised"


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


def rl_can_run() -> bool:
    """Whether the libraries of reinforcement learning are installed."""
    return all(util.find_spec(name) is not None for name in ("trl", "datasets"))
