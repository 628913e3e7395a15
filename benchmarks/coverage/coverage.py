"""How often the intervals of emdiag hold the truth, and how wide they are, on simulated data.

    python benchmarks/coverage/coverage.py            # all tables
    python benchmarks/coverage/coverage.py seeds --quick

`before` is the rule that emdiag had up to version 0.1.0 (`former.py`). Coverage is in percent of
trials, the mean width in points beside it (of a slope points per unit of T, of a pooled skewness
hundredths). `shares` are of one checkpoint; `seeds`, `slopes` and `pooled` are of several training
seeds on the same problems, and `pooled` of one seed too.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import former
import numpy as np
from scipy import optimize
from scipy.special import expit

from emdiag.core.moments import Moments
from emdiag.stats.curves import slope_weights
from emdiag.stats.intervals import intervals_of, intervals_of_shares, wilson
from emdiag.stats.jackknife import pooled_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from emdiag.core.results import Interval

DRAWS = 2_000
DIFFICULTIES = ("mild", "strong", "one in fifty")
CORRELATION = {"mild": 0.15, "strong": 0.6}
CERTAIN = 1 / 50
DIFFICULTY = 2.0  # standard deviation of the problems' log odds, where seeds are compared
EFFECTS = {"none": 0.0, "some": 0.3, "much": 1.0}  # the same of seeds
FAILS = "one in five fails"
FAILURE = 6.0  # by so many log odds
TEMPERATURES = (0.0, 0.25, 0.5, 0.75, 1.0)


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
        after=held(ends_of(after), mean),
    )


def shares_table(*, trials: int, quick: bool) -> Iterable[Row]:
    """Every cell; a share and what is left of it to 1 have mirrored intervals."""
    sizes, counts = ((40, 272), (1, 16)) if quick else ((30, 40, 272, 500), (1, 4, 8, 16))
    means = (0.01, 0.5, 0.95) if quick else (0.01, 0.05, 0.5, 0.95, 0.99)
    for cell in itertools.product(DIFFICULTIES, sizes, counts, means):
        yield shares_row(*cell, trials=trials)


def solved(log_odds: float, spread: float) -> float:
    """Mean chance where log odds are normal with this mean and standard deviation."""
    points, weights = np.polynomial.hermite_e.hermegauss(200)
    return float(expit(log_odds + spread * points) @ weights / weights.sum())


def log_odds_of(mean: float) -> float:
    """Mean log odds of problems that are solved in a share `mean` by a seed without effect."""
    return float(optimize.brentq(lambda odds: solved(odds, DIFFICULTY) - mean, -20, 20))


def right_shares(
    log_odds: NDArray[np.float64], samples: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Shares of right samples, of the shape of the log odds."""
    return random.binomial(samples, expit(log_odds)) / samples


def seeds_row(effect: str, mean: float, seeds: int, samples: int, *, trials: int) -> Row:
    """avg@k over seeds and 300 problems; seeds move the log odds of all problems alike."""
    random = np.random.default_rng([seeds, samples, round(1000 * mean), len(effect)])
    odds = log_odds_of(mean)
    if effect == FAILS:
        of_seeds = -FAILURE * (random.random((trials, seeds, 1)) < 0.2)
        truth = 0.8 * mean + 0.2 * solved(odds - FAILURE, DIFFICULTY)
    else:
        of_seeds = random.normal(0, EFFECTS[effect], (trials, seeds, 1))
        truth = solved(odds, float(np.hypot(DIFFICULTY, EFFECTS[effect])))
    of_problems = random.normal(odds, DIFFICULTY, (trials, 1, 300))
    values = right_shares(of_seeds + of_problems, samples, random)
    return Row(
        cell=(effect, f"{100 * truth:.1f} %", str(seeds), str(samples)),
        before=held(former.over_seeds_and_problems(values, draws=DRAWS), truth),
        after=held(ends_of(intervals_of_shares(values, draws=DRAWS)), truth),
    )


def seeds_table(*, trials: int, quick: bool) -> Iterable[Row]:
    """Every effect of seeds, the same mean share but for what the effect takes."""
    means, counts = ((0.5, 0.985), (3, 5)) if quick else ((0.5, 0.88, 0.985), (2, 3, 5, 10))
    for cell in itertools.product(EFFECTS, means, counts, (1, 8)):
        yield seeds_row(*cell, trials=trials)
    for cell in itertools.product((FAILS,), (0.88,), counts, (1, 8)):
        yield seeds_row(*cell, trials=trials)


def slopes_row(effect: str, problems: int, mean: float, seeds: int, *, trials: int) -> Row:
    """Slope of avg@1 over five temperatures; seeds differ in the slope of their log odds."""
    random = np.random.default_rng([seeds, problems, round(1000 * mean), len(effect)])
    odds, spread = log_odds_of(mean), EFFECTS[effect]
    weights, places = slope_weights(TEMPERATURES), np.array(TEMPERATURES) - 0.5
    slopes = random.normal(-1, spread, (trials, seeds, 1, 1)) * places
    of_problems = random.normal(odds, DIFFICULTY, (trials, 1, problems, 1))
    values = right_shares(slopes + of_problems, 1, random) @ weights
    truth = sum(
        weight * solved(odds - place, float(np.hypot(DIFFICULTY, spread * place)))
        for weight, place in zip(weights, places, strict=True)
    )
    return Row(
        cell=(effect, f"{100 * mean:g} %", str(problems), str(seeds)),
        before=held(former.over_seeds_and_problems(values, draws=DRAWS), truth),
        after=held(ends_of(intervals_of(values, draws=DRAWS)), truth),
    )


def slopes_table(*, trials: int, quick: bool) -> Iterable[Row]:
    """The share that is right at T 0.5, where all slopes cross."""
    sizes, counts = ((40,), (3, 5)) if quick else ((40, 300), (2, 3, 5, 10))
    for cell in itertools.product(EFFECTS, sizes, (0.5, 0.95), counts):
        yield slopes_row(*cell, trials=trials)


def pooled_row(effect: str, problems: int, seeds: int, *, trials: int) -> Row:
    """Skewness of all tokens of problems that differ in mean, spread and length.

    Tokens are Gumbel; seeds move the mean of each problem, and each cell has its own tokens.
    """
    random = np.random.default_rng([seeds, problems, len(effect)])
    truth = pooled_truth(EFFECTS[effect])
    values = np.empty((trials, seeds, problems))
    for trial in range(trials):
        means, scales, lengths = drawn_problems(problems, random)
        of_seeds = random.normal(0, EFFECTS[effect] / 2, seeds)
        parts = [
            [
                moments_of(random.gumbel(mean + of_seed, scale, length))
                for mean, scale, length in zip(means, scales, lengths, strict=True)
            ]
            for of_seed in of_seeds
        ]
        pseudo = pooled_shape(parts)["skewness"].pseudo_values
        values[trial] = np.nan if pseudo is None else pseudo
    after = intervals_of(values, draws=DRAWS)
    crossed = former.over_seeds_and_problems(values, draws=DRAWS) if seeds > 1 else ends_of(after)
    return Row(
        cell=(effect, str(problems), str(seeds)),
        before=held(crossed, truth),  # of one seed the rule is the same
        after=held(ends_of(after), truth),
    )


def drawn_problems(
    problems: int, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean, spread and number of tokens of problems, each `[problems]`."""
    means = random.normal(0, 0.7, problems)
    return means, np.exp(random.normal(0, 0.3, problems)), random.integers(20, 80, problems)


def moments_of(values: NDArray[np.float64]) -> Moments:
    """Moments of values, `[tokens]`."""
    gaps = values - values.mean()
    sums = {f"m{power}": float((gaps**power).sum()) for power in (2, 3, 4)}
    return Moments(count=values.size, mean=float(values.mean()), **sums)


def pooled_truth(effect: float) -> float:
    """Skewness of infinitely many tokens, problems and seeds, from 400,000 problems."""
    random = np.random.default_rng(0)
    means, scales, lengths = drawn_problems(400_000, random)
    euler, zeta_3 = 0.5772156649015329, 1.2020569031595942
    centres = means + euler * scales + random.normal(0, effect / 2, means.size)
    variances, thirds = np.pi**2 / 6 * scales**2, 2 * zeta_3 * scales**3
    gaps = centres - np.average(centres, weights=lengths)
    second = np.average(variances + gaps**2, weights=lengths)
    third = np.average(thirds + 3 * gaps * variances + gaps**3, weights=lengths)
    return float(third / second**1.5)


def pooled_table(*, trials: int, quick: bool) -> Iterable[Row]:
    """One seed, and several with every effect."""
    sizes, counts = ((20,), (1, 3)) if quick else ((20, 100), (1, 3, 5))
    for effect, problems, seeds in itertools.product(EFFECTS, sizes, counts):
        if seeds > 1 or effect == "none":
            yield pooled_row(effect, problems, seeds, trials=trials)


def ends_of(intervals: Sequence[Interval | None]) -> list[tuple[float, float] | None]:
    """Low and high end of each."""
    return [None if each is None else (each.low, each.high) for each in intervals]


def held(intervals: Sequence[tuple[float, float] | None], truth: float) -> tuple[float, float]:
    """Coverage in percent and mean width in points; where there is no interval it holds nothing."""
    known = np.array([ends for ends in intervals if ends is not None]).reshape(-1, 2)
    covered = (known[:, 0] <= truth) & (truth <= known[:, 1])
    return 100 * float(covered.sum()) / len(intervals), 100 * float(np.diff(known).mean())


TABLES = {
    "shares": (("difficulty", "problems", "samples", "mean"), shares_table, 2_000),
    "seeds": (("seeds differ", "truth", "seeds", "samples"), seeds_table, 1_000),
    "slopes": (("seeds differ", "mean", "problems", "seeds"), slopes_table, 1_000),
    "pooled": (("seeds differ", "problems", "seeds"), pooled_table, 1_000),
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
