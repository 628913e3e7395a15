"""How often the intervals of emdiag hold the truth, and how wide they are, on simulated data.

    python benchmarks/coverage/coverage.py            # all tables
    python benchmarks/coverage/coverage.py shares --quick

`before` is the rule that emdiag had up to version 0.1.0 (`former.py`). Coverage is in percent of
trials, the mean width in points beside it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import former
import numpy as np

from emdiag.stats.intervals import intervals_of_shares, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

DRAWS = 2_000
DIFFICULTIES = ("mild", "strong", "one in fifty")
CORRELATION = {"mild": 0.15, "strong": 0.6}
CERTAIN = 1 / 50


@dataclass(frozen=True, kw_only=True)
class Row:
    """One cell of a table: coverage and mean width of either rule, in percent and points."""

    cell: tuple[str, ...]
    before: tuple[float, float]
    after: tuple[float, float]


def chances(
    difficulty: str, mean: float, shape: tuple[int, ...], random: np.random.Generator
) -> NDArray[np.float64]:
    """Chances to solve problems of a difficulty, whose mean over many problems is `mean`.

    `mild` and `strong` are Beta distributions that give samples of a problem a correlation of 0.15
    and 0.6; `one in fifty` makes one problem in fifty certain (or hopeless, for a mean above one
    half) and the others alike, and fewer where the mean leaves room for fewer only.
    """
    if mean > 0.5:
        return 1 - chances(difficulty, 1 - mean, shape, random)
    if difficulty in CORRELATION:
        size = 1 / CORRELATION[difficulty] - 1
        return random.beta(size * mean, size * (1 - mean), shape)
    certain = min(CERTAIN, 0.9 * mean)
    return np.where(random.random(shape) < certain, 1.0, (mean - certain) / (1 - certain))


def shares_row(difficulty: str, problems: int, samples: int, mean: float, *, trials: int) -> Row:
    """avg@k over problems of one difficulty."""
    random = np.random.default_rng([problems, samples, round(1000 * mean), len(difficulty)])
    rates = random.binomial(samples, chances(difficulty, mean, (trials, problems), random))
    values = rates / samples
    if samples == 1:
        before = [(of.low, of.high) for of in (wilson(r.sum(), problems) for r in rates)]
    else:
        before = former.shares_over_problems(values, draws=DRAWS)
    after = intervals_of_shares(values, draws=DRAWS)
    return Row(
        cell=(difficulty, str(problems), str(samples), f"{100 * mean:g} %"),
        before=held(before, mean),
        after=held([None if each is None else (each.low, each.high) for each in after], mean),
    )


def shares_table(*, trials: int, quick: bool) -> Iterable[Row]:
    """Every cell; a share and what is left of it to 1 have mirrored intervals."""
    sizes, counts = ((40, 272), (1, 16)) if quick else ((30, 40, 272, 500), (1, 4, 8, 16))
    means = (0.01, 0.5, 0.95) if quick else (0.01, 0.05, 0.5, 0.95, 0.99)
    for cell in itertools.product(DIFFICULTIES, sizes, counts, means):
        yield shares_row(*cell, trials=trials)


def held(intervals: Sequence[tuple[float, float] | None], truth: float) -> tuple[float, float]:
    """Coverage in percent and mean width in points; where there is no interval it holds nothing."""
    known = np.array([ends for ends in intervals if ends is not None]).reshape(-1, 2)
    covered = (known[:, 0] <= truth) & (truth <= known[:, 1])
    return 100 * float(covered.sum()) / len(intervals), 100 * float(np.diff(known).mean())


TABLES = {
    "shares": (("difficulty", "problems", "samples", "mean"), shares_table, 2_000),
}


def show(name: str, *, quick: bool) -> None:
    """Print a table in Markdown with its time."""
    columns, table, trials = TABLES[name]
    trials, start = trials // (4 if quick else 1), time.perf_counter()
    print(f"\n{name}, {trials} trials a cell\n\n| {' | '.join(columns)} | before | after |")
    print("| " + "--- | " * (len(columns) + 2))
    rows = []
    for row in table(trials=trials, quick=quick):
        rows.append(row)
        ends = (f"{covered:.1f} ({width:.1f})" for covered, width in (row.before, row.after))
        print(f"| {' | '.join((*row.cell, *ends))} |", flush=True)
    for rule in ("before", "after"):
        covered = np.array([getattr(row, rule)[0] for row in rows])
        width = np.mean([getattr(row, rule)[1] / row.before[1] for row in rows])
        print(
            f"\n{rule}: least {covered.min():.1f}, most {covered.max():.1f}, "
            f"below 93 in {(covered < 93).sum()}, above 97 in {(covered > 97).sum()} "
            f"of {len(rows)} cells, width {width:.2f} of before"
        )
    print(f"\n{time.perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], default=[])
    parser.add_argument("--quick", action="store_true", help="fewer cells, a quarter of the trials")
    args = parser.parse_args()
    for name in args.tables or TABLES:
        show(name, quick=args.quick)


if __name__ == "__main__":
    main()
