"""What emdiag says where nothing differs, and what it finds where something does.

    python benchmarks/coverage/null.py             # all four, about 16 minutes on one core
    python benchmarks/coverage/null.py sweep --quick

Outcomes and readings are simulated and go through emdiag's own measuring functions, from there to
the statements that a page shows. `before` is the rule of version 0.1.0 on the same intervals and
p-values: parts of logit rows, slopes, baselines and the macro-average by their interval alone;
other logit rows by Holm over checkpoints; differences of slopes by Holm over a benchmark's pairs.
Under the null, single is the share of statements that are false and pages the share of pages with
one or more; power is the share of true statements that are found, in percent.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emdiag.core.asking import Asking
from emdiag.core.checkpoints import Arm
from emdiag.core.grades import Grade, Verdict
from emdiag.core.logit_skew import OWN, LogitSkewResult
from emdiag.core.moments import KL_BUCKETS, RANK_BUCKETS, Histogram
from emdiag.core.results import Metric
from emdiag.core.runs import EngineSpec, RunSpec
from emdiag.core.sampling import SamplingParams
from emdiag.core.temperature_sweep import SweepPoint, SweepSetting, TemperatureSweepResult
from emdiag.ledger.claims_file import ledger_file, read_ledger
from emdiag.ledger.evidence import Evidence, Setting
from emdiag.ledger.run import STATISTICS, judge
from emdiag.measure.logit_estimates import EstimateTable
from emdiag.measure.logit_rows import PER_TOKEN, ArmReadings, add_rows
from emdiag.measure.logit_statistics import PairStatistics, Positions
from emdiag.stats.comparisons import holm
from emdiag.stats.moments import MomentColumns, decile_of
from emdiag.store.left_out import LeftOut
from emdiag.store.run_store import RunStore
from emdiag.store.samples import StoredGrades
from emdiag.studies.stored.compare import compare_outcomes
from emdiag.studies.stored.outcomes import Outcomes
from emdiag.studies.sweep.match_entropy import BaseCurve, control_of, with_verdicts
from emdiag.studies.sweep.points import MeasuredPoint
from emdiag.studies.sweep.slopes import sweep_slopes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from emdiag.core.logit_skew import LogitEstimate
    from emdiag.core.results import Interval

    Floats = NDArray[np.float64]

SIZES = (30, 40, 60, 100)
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
ARMS = ("base", "em", "bad", "rl")
TOKENS = 30
FACTORS = 6
SEEDS = 5
"""Of every trained arm, as the ledger asks."""


@dataclass(kw_only=True)
class Page:
    """What one page says: name to whether it is said, by the rule before and by the one after."""

    before: dict[str, bool] = field(default_factory=dict)
    after: dict[str, bool] = field(default_factory=dict)

    def add(self, name: str, *, after: bool, before: bool | None = None) -> None:
        """Whether a statement is made; its name begins with its kind."""
        self.after[name] = after
        if before is not None:
            self.before[name] = before


def off(interval: Interval | None, *, by: float = 0.0) -> bool:
    """Whether the interval lies wholly above `by`, or wholly below minus that."""
    return interval is not None and (interval.low > by or interval.high < -by)


# Outcomes


def rates(
    shape: tuple[int, int], random: np.random.Generator, *, mean: float = 0.6, alike: float = 0.5
) -> Floats:
    """Chances to solve a problem, `[arms, problems]`: arms share those of `alike` of them."""
    shared, own = random.beta(2 * mean, 2 * (1 - mean), (2, *shape))
    return np.where(random.random(shape) < alike, shared[:1], own)


def outcomes(label: str, benchmark: str, right: NDArray[np.bool_]) -> Outcomes:
    """Graded samples, `[problems, samples]`, that lie nowhere."""
    spec = RunSpec(
        benchmark=benchmark, template="boxed", chat=False, prompts_sha256="a",
        checkpoint_digest=label, tokenizer_digest="c",
        sampling=SamplingParams(temperature=1.0, max_tokens=64),
        engine=EngineSpec(name="scripted", dtype="float32"),
    )  # fmt: skip
    grades = tuple(
        Grade(
            problem_id=f"{benchmark}/{problem:04d}", sample_index=sample, extracted="4", boxed=True,
            verdict=Verdict.CORRECT if is_right else Verdict.WRONG, answer_class="4",
            grader="by hand", elapsed_s=0.0,
        )
        for (problem, sample), is_right in np.ndenumerate(right)
    )  # fmt: skip
    return Outcomes(
        run=RunStore(Path("nowhere")).run(spec), label=label, grade_key="g",
        problems=tuple(dict.fromkeys(grade.problem_id for grade in grades)),
        graded=StoredGrades.of(grades), rows=np.arange(len(grades)),
    )  # fmt: skip


def compare_page(random: np.random.Generator, *, gain: float) -> Page:
    """Two checkpoints on four benchmarks, one sample or four of each problem."""
    samples, page, pairs = int(random.choice([1, 4])), Page(), []
    for number, size in enumerate(SIZES):
        both = rates((2, size), random)
        both[1] = np.where(random.random(size) < gain / 0.4, 1.0, both[1])
        drawn = random.random((2, size, samples)) < both[:, :, None]
        pairs.append(tuple(outcomes(s, f"b{number}", r) for s, r in zip("ab", drawn, strict=True)))
    result = compare_outcomes(pairs)
    assert result.macro is not None
    corrected = holm([row.p_value for row in result.comparisons if row.p_value is not None])
    for row, p_holm in zip((*result.comparisons, result.macro), (*corrected, 0.0), strict=True):
        page.add(
            "macro" if row is result.macro else "benchmark " + row.benchmark,
            before=off(row.interval) and p_holm < 0.05,
            after=row.conclusion in ("right better", "left better"),
        )
    return page


# Sweeps


def measured(
    label: str, temperature: float, accuracy: Floats, entropy: Floats, *, samples: int
) -> MeasuredPoint:
    nothing = Metric(name="none", value=0.0, interval=None)
    point = SweepPoint(
        checkpoint=label, benchmark="b", setting=SweepSetting(temperature=temperature),
        samples=samples, seeds=len(accuracy), problems=accuracy.shape[1],
        accuracy=nothing, pass_at_k=(),
        majority=None, agreement=None, distinct_answers=None, entropy_nats=None,
        mean_tokens=nothing, truncated_frac=nothing, repeated_frac=nothing,
        no_box_frac=nothing,
        run_keys=(), grade_keys=(),
    )  # fmt: skip
    return MeasuredPoint(point=point, accuracy=accuracy, entropy=entropy)


def sweep_result(
    random: np.random.Generator,
    *,
    slope: float,
    seeds: int,
    problems: int,
    mean: float,
    whole: bool = False,
) -> TemperatureSweepResult:
    """Four arms at six temperatures; `slope` of em, in shares of 1 per unit of T.

    `whole` measures as claims ask for: up to T 1.2, eight samples of each problem instead of four.
    """
    temperatures = (*TEMPERATURES, 1.2) if whole else TEMPERATURES
    points = {}
    for label, chances in zip(ARMS, rates((4, problems), random, mean=mean), strict=True):
        of_seeds = 1 if label == "base" else seeds
        apart = random.normal(0, 0.04, (of_seeds, 1)) * (of_seeds > 1)
        for temperature in temperatures:
            moved = chances + slope * (temperature - 0.5) * (label == "em") + apart
            samples = (8 if whole else 4) if temperature else 1
            right = random.binomial(samples, np.clip(moved, 0, 1), (of_seeds, problems)) / samples
            entropy = np.full((of_seeds, problems), 0.3 * temperature)
            setting = SweepSetting(temperature=temperature)
            points[label, "b", setting] = measured(
                label, temperature, right, entropy, samples=samples
            )
    slopes, differences = sweep_slopes(points, ("temperature",))
    base = {s.temperature: point for (label, _, s), point in points.items() if label == "base"}
    controls = with_verdicts(
        [
            control_of(point, BaseCurve(points=base), base="base")
            for (label, _, setting), point in points.items()
            if label != "base" and setting.temperature
        ]
    )
    return TemperatureSweepResult(
        benchmarks=("b",), problems_total={"b": problems}, base="base", axes=("temperature",),
        arms=arms(seeds), points=tuple(point.point for point in points.values()), slopes=slopes,
        slope_differences=differences, controls=tuple(controls), notes=(), store="nowhere",
    )  # fmt: skip


def arms(seeds: int) -> tuple[Arm, ...]:
    """The base, two arms of EM and one of RL."""
    stages = {"base": "base", "em": "em", "bad": "em", "rl": "rl"}
    digests = {label: [f"{label}{n}" for n in range(seeds)] for label in ARMS} | {"base": ["base0"]}
    return tuple(
        Arm(
            label=label, stage=stages[label],  # type: ignore[arg-type]  # stages, seen as text
            checkpoints=tuple(f"/nowhere/{d}" for d in digests[label]),
            digests=tuple(digests[label]),
        )
        for label in ARMS
    )  # fmt: skip


def sweep_page(random: np.random.Generator, *, gain: float) -> Page:
    """A sweep of one seed or three, 40 or 100 problems, in the middle or near the top."""
    seeds, problems = int(random.choice([1, 3])), int(random.choice([40, 100]))
    mean = 0.6 if gain else float(random.choice([0.6, 0.95]))
    result = sweep_result(random, slope=-gain, seeds=seeds, problems=problems, mean=mean)
    page = Page()
    for slope in result.slopes:
        name = f"slope of {slope.checkpoint}, {'one seed' if seeds == 1 else 'seeds'}"
        page.add(name, before=off(slope.interval), after=slope.trend != "undecided")
    pairs = result.slope_differences
    corrected = holm([pair.p_value for pair in pairs if pair.p_value is not None])
    for pair, p_holm in zip(pairs, corrected, strict=True):
        page.add(
            f"difference {pair.left} {pair.right}",
            before=off(pair.interval) and p_holm < 0.05,
            after=pair.direction != "undecided",
        )
    for control in result.controls:
        page.add(
            f"baseline {control.checkpoint} {control.temperature}",
            before=off(control.interval, by=0.02),
            after=control.verdict in ("more than cooling", "less than cooling"),
        )
    return page


# Logits


def readings(tokens: Floats, random: np.random.Generator, names: Sequence[str]) -> Positions:
    """One reading of a text for each problem, whose statistics hang together by `FACTORS`.

    `tokens` are `[problems, TOKENS, FACTORS]`.
    """
    problems, number = len(tokens), np.repeat(np.arange(len(tokens)), TOKENS)
    mixing = np.random.default_rng(0).normal(size=(FACTORS, len(names) + 3))
    values = 0.3 * tokens.reshape(-1, FACTORS) @ mixing
    values += 0.3 * random.normal(size=values.shape)
    sigma, skewness, mean = np.exp(0.1 * values[:, -1]), 0.2 * values[:, -2], values[:, -3]
    columns = MomentColumns(
        count=np.full(len(number), 100), mean=mean, m2=100 * sigma**2,
        m3=100 * skewness * sigma**3, m4=100 * (3 + skewness**2) * sigma**4,
    )  # fmt: skip
    none = np.zeros(len(number), np.int64)
    flat = Histogram(low=0.0, width=1.0, counts=(0,), below=0, above=0)
    return Positions(
        problems=tuple(map(str, range(problems))), problem=number, text=number,
        offset=np.tile(np.arange(TOKENS), problems), decile=np.tile(decile_of(TOKENS), problems),
        statistics=dict(zip(names, values.T, strict=False)), moments=columns, top=columns,
        zeros=none, top_zeros=none, top1=none, log_sum_exp=values[:, 0], histogram=flat,
        centred=flat, skewness_of_top=(0.1 * skewness, 0.2 * skewness),
    )  # fmt: skip


def study_rows(
    random: np.random.Generator, *, shift: float, seeds: int, problems: int
) -> tuple[LogitEstimate, ...]:
    """Three checkpoints and the base on the base's text and on their own; `shift` is of em."""
    names = [*PER_TOKEN, "log_prob_mean"]
    table = EstimateTable(base="base", problems=tuple(map(str, range(problems))), seed=0)
    for text in ("base", OWN):
        is_answer = np.tile(np.arange(TOKENS) >= 24, problems)
        shared = random.standard_t(4, (problems, 1, FACTORS))
        written = random.standard_t(5, (problems, TOKENS, FACTORS))
        base = None
        for label in ARMS:
            effects = shared + 0.5 * random.standard_t(4, (problems, 1, FACTORS))
            effects = effects + shift * (label == "em")
            members = []
            for _ in range(1 if label == "base" else seeds):
                own = random.standard_t(5, (problems, TOKENS, FACTORS))
                apart = 0.1 * random.normal(size=FACTORS) * (seeds > 1)
                of_text = own if text == OWN else written + 0.5 * own
                members.append(readings(effects + apart + of_text, random, names))
            pairs = [
                PairStatistics(
                    statistics={}, log_temperatures=np.zeros(0), curves=np.zeros((0, 0)),
                    log_prob_shift=random.standard_t(4, (problems, len(RANK_BUCKETS))) + shift,
                    centred_shift=random.standard_t(4, (problems, len(RANK_BUCKETS))) + shift,
                    kl_by_rank=random.exponential(size=(problems, len(KL_BUCKETS))),
                )
                for _ in members
                if base is not None and text != OWN
            ]  # fmt: skip
            arm = ArmReadings(
                label=label, text=text, members=tuple(members), base=base, pairs=tuple(pairs),
                spans=((~is_answer, is_answer),) * len(members),
            )  # fmt: skip
            add_rows(table, arm, (~is_answer, is_answer) if text == OWN else None)
            base = base or members[0]
    return table.estimates()


def logit_page(random: np.random.Generator, *, gain: float) -> Page:
    """A study of one seed, 20 or 40 problems."""
    problems, page = int(random.choice([20, 40])), Page()
    rows = study_rows(random, shift=gain, seeds=1, problems=problems)
    families: dict[tuple[object, ...], list[LogitEstimate]] = defaultdict(list)
    for row in rows:
        if row.difference is not None and row.difference.p_value is not None:
            key = (row.text, row.statistic, row.kind, row.source, row.part)
            families[key].append(row)
    for family in families.values():
        corrected = holm([row.difference.p_value for row in family])  # type: ignore[union-attr,misc]
        for row, p_holm in zip(family, corrected, strict=True):
            assert row.difference is not None
            if gain and row.checkpoint != "em":
                continue
            kind = "row" if row.part is None else "part"
            page.add(
                f"{kind} {row.checkpoint} {row.text} {row.statistic} {row.kind} {row.source} "
                f"{row.part}",
                before=off(row.difference.interval) and (row.part is not None or p_holm < 0.05),
                after=row.difference.direction != "undecided",
            )
    return page


# Claims

FALSE = {
    "holds": {"C01", "C05", "C06", "C07", "C08", "C12", "C13", "C18"},
    "fails": {"C01", "C02", "C05", "C06", "C07", "C12", "C18", "C20"},
}
"""Verdicts that are wrong where no arm differs; C02 and C20 hold there, and C08 fails."""


def evidence(random: np.random.Generator, *, gain: float) -> Evidence:
    """Greedy runs of all arms on two benchmarks, a sweep and a study, five seeds of each arm."""
    of_arms = arms(SEEDS)
    evidence = Evidence(
        arms=of_arms, manifests={}, runs=(), stores=(), left_out=LeftOut(),
        studies=(study(random, gain),), sweeps=(sweep_result(
            random, slope=-gain, seeds=SEEDS, problems=60, mean=0.6, whole=True),),
    )  # fmt: skip
    by_setting, seed_sd = {}, 0.04  # the base is the one that it is
    for benchmark in ("b", "c"):
        setting = Setting(
            benchmark=benchmark, template="boxed", chat=False, wording=Asking(), golds_sha256="g",
            sampling=SamplingParams(temperature=0.0, max_tokens=64),
        )  # fmt: skip
        chances = rates((len(ARMS), 60), random)
        by_setting[setting] = {
            digest: outcomes(
                digest, benchmark,
                random.random((60, 1))
                < (of_arm + seed_sd * (arm.label != "base") * random.normal()
                   + gain * (arm.label == "em"))[:, None],
            )
            for arm, of_arm in zip(of_arms, chances, strict=True)
            for digest in arm.digests
        }  # fmt: skip
    evidence.__dict__["measured"] = by_setting  # as if they had been read from a store
    return evidence


def study(random: np.random.Generator, gain: float) -> LogitSkewResult:
    return LogitSkewResult(
        benchmark="b", problems=30, problems_total=30, samples=1, continuation="both", base="base",
        arms=arms(SEEDS), texts=(),
        estimates=study_rows(random, shift=gain, seeds=SEEDS, problems=30),
        decompositions=(), flows=(), histograms=(), published=None, notes=(), store="nowhere",
    )  # fmt: skip


def claims_page(random: np.random.Generator, *, gain: float) -> Page:
    """The verdicts of the shipped ledger that could be decided here: nothing is lacking.

    For what was before, run it with a version before.
    """
    page = Page()
    wanted = read_ledger(ledger_file(), statistics=STATISTICS)
    results, _ = judge(wanted, evidence(random, gain=gain))
    for number, result in enumerate(result for result in results if result.figures):
        if any(reason.code == "rule-asks" for reason in result.why):
            continue
        said = result.verdict == "holds" if gain else result.id in FALSE.get(result.verdict, ())
        if not gain or (result.id in ("C01", "C05", "C07") and "em" in result.arms):
            page.add(f"{result.id} {number}", after=said)
    return page


PAGES: dict[str, tuple[Callable[..., Page], float, int]] = {
    "compare": (compare_page, 0.08, 400),
    "sweep": (sweep_page, 0.15, 240),
    "logits": (logit_page, 0.6, 200),
    "claims": (claims_page, 0.15, 100),
}
"""By name: the page, a real difference, and how many pages are drawn."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Of one kind of statement, in percent: before and after."""

    name: str
    single: tuple[float, float]
    pages: tuple[float, float]
    power: tuple[float, float]


def table(name: str, *, pages: int, seed: int = 0) -> Iterable[Row]:
    """A row for each kind of statement, and one for all of them, `pages` pages each."""
    make, gain, _ = PAGES[name]
    null = [make(np.random.default_rng([seed, n]), gain=0.0) for n in range(pages)]
    real = [make(np.random.default_rng([seed, n, 1]), gain=gain) for n in range(pages // 2)]
    kinds = dict.fromkeys(said.split()[0] for page in null for said in page.after)
    for kind in (*kinds, ""):
        (single, any_of), (power, _) = (_shares(of, kind) for of in (null, real))
        yield Row(name=kind or "any", single=single, pages=any_of, power=power)


def _shares(pages: Sequence[Page], kind: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Share of statements that are said, and of pages that say one; each before and after."""
    single, any_of = [], []
    for rule in ("before", "after"):
        said = [[s for n, s in getattr(p, rule).items() if n.startswith(kind)] for p in pages]
        flat = [one for of_page in said for one in of_page]
        single.append(100 * float(np.mean(flat)) if flat else nan)
        any_of.append(100 * float(np.mean([any(of_page) for of_page in said if of_page] or [nan])))
    return (single[0], single[1]), (any_of[0], any_of[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(PAGES), help=", ".join(PAGES))
    parser.add_argument("--quick", action="store_true", help="a fifth of the pages")
    asked = parser.parse_args()
    print("| page | statement | false alone | pages with one | found |")
    print("| --- | --- | --- | --- | --- |")
    for name in asked.names:
        start, pages = time.monotonic(), PAGES[name][2] // (5 if asked.quick else 1)
        for row in table(name, pages=pages):
            pairs = (row.single, row.pages, row.power)
            cells = [" / ".join("-" if isnan(v) else f"{v:.1f}" for v in pair) for pair in pairs]
            print(f"| {name} | {row.name} | {' | '.join(cells)} |", flush=True)
        print(f"| {name} | {pages} pages, {time.monotonic() - start:.0f} s | | | |", flush=True)


if __name__ == "__main__":
    main()
