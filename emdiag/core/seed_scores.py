"""How a training scores over its seeds: the registered checkpoint first, the best one last."""

from __future__ import annotations

from emdiag.core.records import Record, Result
from emdiag.core.results import Direction, Interval, Metric, Remark, remark


class SeedScore(Record, frozen=True, kw_only=True):
    """One trained checkpoint on one benchmark.

    Attributes:
        cell: Folder of its training run, relative to the training folder; `.` for the only one.
        seed: That it was trained with; None where the checkpoint does not say.
        interval: Over problems; says nothing of other seeds.
    """

    cell: str
    seed: int | None
    update: int
    checkpoint: str
    value: float
    interval: Interval | None
    truncated_frac: float
    run_key: str
    unfinished_frac: float | None = None


class SeedsAbove(Record, frozen=True, kw_only=True):
    """How many of the seeds score above something, exactly, whatever their distribution.

    Attributes:
        at_least: Share of all seeds that do so at least, with a confidence of `level`.
    """

    above: int
    seeds: int
    at_least: float
    level: float

    def remark(self, left: str) -> Remark:
        """How many are above what is called `left`, and what that proves, if it proves anything."""
        if not self.above:
            return remark("no-seed-above", seeds=self.seeds, left=left)
        return remark(
            "seeds-above", above=self.above, seeds=self.seeds, at_least=self.at_least, left=left
        )


class SeedDifference(Record, frozen=True, kw_only=True):
    """Mean over seeds minus the base; the interval is over problems, and over seeds if several.

    Attributes:
        p_value: Sign flips over problems for one seed, Student's t over seeds and problems for
            several; None where two problems are lacking, or in results stored without a test.
        p_holm: Corrected over all differences of the result: groups and benchmarks.
        seeds_above: Seeds above the base; None in records of earlier versions.
    """

    base: str
    difference: float
    interval: Interval | None
    direction: Direction
    p_value: float | None = None
    p_holm: float | None = None
    seeds_above: SeedsAbove | None = None


class SeedGroup(Record, frozen=True, kw_only=True):
    """The seeds of one cell of a grid, after one update.

    Attributes:
        name: The cell without its seed; empty where there is no grid.
        mean: Over seeds and problems.
        interval: Over seeds and problems; None for one seed, which says nothing of the spread.
        deviation: Standard deviation over seeds (n - 1), in shares of 1; None for one seed.
        lower_seeds: How many of the lowest seeds stand apart from the others; None where the seeds
            are one group, and in records of earlier versions.
    """

    name: str
    update: int
    seeds: tuple[SeedScore, ...]
    mean: float
    interval: Interval | None
    deviation: float | None
    lowest: float
    highest: float
    difference: SeedDifference | None
    lower_seeds: int | None = None


class BenchmarkSeeds(Record, frozen=True, kw_only=True):
    """A training folder on one benchmark.

    Attributes:
        registered: The checkpoint that was named before training; None for a grid.
        oracle: The best of all `candidates` on these very problems. It is chosen by what it is
            judged by, so it is shown and never a result.
        base: The checkpoint that the differences are to, by its label; None where none was named.
    """

    benchmark: str
    metric: str
    temperature: float
    samples: int
    problems: int
    partial: bool
    registered: SeedScore | None
    groups: tuple[SeedGroup, ...]
    oracle: SeedScore
    candidates: int
    base: Metric | None
    notes: tuple[Remark, ...]


class SeedScoresResult(Result, frozen=True, kw_only=True, tag="seeds"):
    """A training folder on all benchmarks asked for, and where the runs lie."""

    out: str
    benchmarks: tuple[BenchmarkSeeds, ...]
    store: str
