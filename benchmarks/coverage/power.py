"""Whether a gain as large as the stated detectable one is found in four of five cases.

    python benchmarks/coverage/power.py
    python benchmarks/coverage/power.py --quick

Problems differ in difficulty, a Beta of intra-class correlation 0.6; the second checkpoint has the
same difficulties, shifted by a true gain, on some problems and others on the rest, as many as the
wanted correlation of outcomes between the two takes. The true gain is the one that the detectable
gain of such pairs comes to. Decisions are those of `emdiag compare`: the test (exact McNemar for
one sample, sign flips over problems for several) and the interval; `of four` is the first of four
benchmarks and their mean after Holm, at the gain that is stated for it. `assumed` is what was
stated before, by a correlation of 0.5, and the power at that gain. `spread` is the power of 2.8
standard errors, as for several samples, where the test is McNemar's.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from emdiag.stats.comparisons import exact_mcnemar
from emdiag.stats.detectable import CHANGING, gain_by_flips, gain_by_spread, planned_gains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ICC = 0.6
PROBLEMS, SAMPLES, CORRELATIONS = (40, 272, 500), (1, 8), (0.0, 0.2, 0.5)
LARGE = 200_000
"""Problems whose spread stands for that of all."""

MCNEMAR = lru_cache(maxsize=None)(
    lambda up, down: exact_mcnemar(wrong_to_right=up, right_to_wrong=down)
)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Two checkpoints: the first one's share right, samples of each problem, and correlation."""

    score: float
    samples: int
    correlation: float

    def rates(self, gain: float, shape: tuple[int, int], seed: int) -> tuple[Floats, Floats]:
        """Shares of right samples of either, `[repetition, problem]`."""
        random = np.random.default_rng(seed)
        place, other = random.random((2, *shape))
        within = ICC / (ICC + (1 - ICC) / self.samples)
        is_alike = random.random(shape) < self.correlation / within
        sides = ((self.score, place), (self.score + gain, np.where(is_alike, place, other)))
        drawn = [random.binomial(self.samples, _beta(mean, where)) for mean, where in sides]
        before, after = (right / self.samples for right in drawn)
        return before, after

    def stated(self, gain: float, problems: int, *, tests: int, exact: bool) -> float | None:
        """The detectable gain of pairs with this true gain, by their spread at large."""
        shape = (LARGE // problems, problems)
        before, after = self.rates(gain, shape, seed=1)
        if exact:
            changing = float((before != after).mean())
            return gain_by_flips(problems, changing, score=0.5, alpha=0.05 / tests).gain
        pairs = (gain_by_spread(row, score=0, alpha=0.05 / tests) for row in after - before)
        return float(np.mean([pair.gain for pair in pairs if pair.gain is not None]))

    def true_gain(self, problems: int, *, tests: int = 1, exact: bool | None = None) -> float:
        """The gain that is stated where it is the true one."""
        exact = self.samples == 1 if exact is None else exact
        gain = 0.1
        for _ in range(6):
            gain = self.stated(gain, problems, tests=tests, exact=exact) or gain
        return gain


def _beta(mean: float, place: Floats) -> Floats:
    total = 1 / ICC - 1
    grid = np.sin(np.linspace(0, np.pi / 2, 4001)) ** 2  # close where the law is steep
    return np.interp(place, grid, stats.beta.ppf(grid, mean * total, (1 - mean) * total))


def p_values(differences: Floats, samples: int) -> Floats:
    """Of the test of `emdiag compare`, `[repetition]`; flips of signs are shared by all."""
    if samples == 1:
        ups, downs = (differences > 0).sum(axis=1), (differences < 0).sum(axis=1)
        pairs = zip(ups.tolist(), downs.tolist(), strict=True)
        return np.array([MCNEMAR(up, down) for up, down in pairs])
    random, columns = np.random.default_rng(3), differences.T.astype(np.float32)
    found = np.abs(columns.sum(axis=0)) - 1e-4
    beyond, flips = np.zeros(len(differences)), 9_999
    for _ in range(flips // 909):
        signs = random.choice(np.array([-1, 1], np.float32), (909, len(columns)))
        beyond += (np.abs(signs @ columns) >= found).sum(axis=0)
    return (beyond + 1) / (flips + 1)


def lower_ends(differences: Floats) -> Floats:
    """Of the bootstrap interval of the mean, `[repetition]`; resamples are shared by all."""
    problems = differences.shape[1]
    weights = np.random.default_rng(4).multinomial(problems, np.full(problems, 1 / problems), 2000)
    means = weights.astype(np.float32) @ differences.T.astype(np.float32) / problems
    return np.quantile(means, 0.025, axis=0)


def power(pairs: Pairs, gain: float, problems: int, *, repetitions: int, tests: int = 1) -> float:
    """Share of pairs that `compare` calls better, with Holm over so many tests."""
    before, after = pairs.rates(gain, (repetitions, problems), seed=2)
    p = p_values(after - before, pairs.samples)
    others = np.random.default_rng(5).random((repetitions, tests - 1))
    smaller = (others < p[:, None]).sum(axis=1)  # Holm: so many others come first
    corrected = p * (tests - smaller)
    for number, row in enumerate(np.sort(others, axis=1)):
        steps = [(tests - place) * value for place, value in enumerate(row[: smaller[number]])]
        corrected[number] = max([corrected[number], *steps])
    return float(((corrected < 0.05) & (lower_ends(after - before) > 0)).mean())


def assumed_gain(pairs: Pairs, problems: int) -> float:
    """What was stated before: a correlation of 0.5 and the spread of the first checkpoint."""
    (before,), _ = pairs.rates(0.0, (1, LARGE), seed=1)
    return float(2.8016 * before.std() / np.sqrt(problems))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="500 pairs for each number, not 4,000")
    repetitions = 500 if parser.parse_args().quick else 4000
    since = time.perf_counter()
    print("Before: points found with 80 % power where so many problems change (one sample)")
    for problems in PROBLEMS:
        gains = [planned.gain for planned in planned_gains(problems, score=0.5)]
        cells = ["-" if gain is None else f"{100 * gain:.1f}" for gain in gains]
        print(f"| {problems} | {' | '.join(cells)} |  ({', '.join(map(str, CHANGING))})")
    error = 100 * np.sqrt(0.8 * 0.2 / repetitions)
    print(f"After: power in %, {repetitions:,} pairs each, standard error {error:.1f}")
    print("| problems | k | correlation | stated | power | of four | spread | assumed (power) |")
    for problems in PROBLEMS:
        for samples in SAMPLES:
            for correlation in CORRELATIONS:
                print(row(problems, samples, correlation, repetitions=repetitions), flush=True)
    print(f"{time.perf_counter() - since:.0f} s")


def row(problems: int, samples: int, correlation: float, *, repetitions: int) -> str:
    pairs = Pairs(score=0.45, samples=samples, correlation=correlation)

    def found(gain: float, tests: int = 1) -> str:
        return f"{100 * power(pairs, gain, problems, repetitions=repetitions, tests=tests):.1f}"

    gain, of_four = pairs.true_gain(problems), pairs.true_gain(problems, tests=5)
    by_spread = found(pairs.true_gain(problems, exact=False)) if samples == 1 else "-"
    before = assumed_gain(pairs, problems)
    cells = [
        *(f"{problems}", f"{samples}", f"{correlation:g}", f"{100 * gain:.1f}", found(gain)),
        *(found(of_four, 5), by_spread, f"{100 * before:.1f} ({found(before)})"),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
